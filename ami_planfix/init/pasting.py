"""What a person pastes: into Planfix, and on a PBX that is another machine, or not ours to write on."""

from ami_planfix.init import manager
from ami_planfix.init.manager import Login
from ami_planfix.init.plan import Known
from ami_planfix.init.surroundings import Surroundings


def for_planfix(known: Known) -> str:
    """Write the two lines for Planfix; nothing without a server."""
    if not known.public_url:
        return (
            "Planfix cannot call here: copy its address and token from Planfix into `planfix.url` and `planfix.token`, "
            "then `systemctl reload ami-planfix`"
        )
    return (
        "Paste into Planfix, then switch the integration on there:\n"
        f"  address of the PBX   {known.public_url}/planfix\n"
        f"  token of the PBX     {known.token}"
    )


def for_pbx(around: Surroundings, known: Known, address: str, new_filters: bool) -> str:
    """Write what goes into the PBX's own files, with the daemon at `address`."""
    mask = "255.255.255.255"
    permit = f"{address}/{mask}" if ":" not in address else f"{address}/128"
    section = manager.section(Login(known.secret, permit), new_filters)
    parts = [
        "; 1. At the end of /etc/asterisk/manager.conf on the PBX (FreePBX: manager_custom.conf); the same secret goes",
        "; into `ami.secret` of our configuration:",
        "",
        section.rstrip("\n"),
        "",
        "; and in its [general], if they are not there: enabled = yes, timestampevents = yes, and a bindaddr that",
        f"; {address} reaches (better with TLS: docs/admin/asterisk.md). Then:",
        ";    asterisk -rx 'manager reload'",
        "",
        "; 2. Let the daemon in through the PBX's firewall, and nobody else:",
        f";    iptables -I INPUT -p tcp --dport 5038 -s {address} -j ACCEPT",
        "",
        "; 3. Only for clients' names on the phones: asterisk/extensions-planfix.conf to /etc/asterisk, in it",
        f"; {address}:{around.fastagi_port} in the place of 127.0.0.1:4583 (`contacts.fastagi` listens there), and at",
        "; the end of extensions.conf (FreePBX: extensions_custom.conf):",
        ";    #include extensions-planfix.conf",
    ]
    return "\n".join(parts)
