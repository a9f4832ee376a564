"""What init finds on machines of several kinds."""

import socket
from pathlib import Path

import pytest

from ami_planfix.errors import ConfigurationError
from ami_planfix.init.endpoints import Line
from ami_planfix.init.surroundings import FREEPBX_PORTS, Asterisk, Surroundings, look
from tests.init.houses import CHAN_SIP, FREEPBX, PLAIN, Programs, house


def around(root: Path, files: dict[str, str], version: str = "22.10.1") -> tuple[Surroundings, Asterisk]:
    found = look(house(root, files, Programs(version)))
    assert found.asterisk is not None
    return found, found.asterisk


def test_a_plain_asterisk(tmp_path: Path) -> None:
    found, asterisk = around(tmp_path, PLAIN)
    assert not asterisk.freepbx
    assert [phone.channel for phone in asterisk.endpoints.phones] == ["PJSIP/101", "PJSIP/102", "PJSIP/1003"]
    assert asterisk.endpoints.lines == (
        Line("PJSIP/provider", "74951230000"),
        Line("PJSIP/0312", "74951230005"),
    )
    assert asterisk.phones_context == "office"
    assert asterisk.technology == "PJSIP"
    assert asterisk.hints == "lamps"
    assert asterisk.spool == "/var/spool/asterisk/monitor"
    assert found.place.country == "RU"
    assert found.place.area_code == "495"


def test_a_freepbx(tmp_path: Path) -> None:
    found, asterisk = around(tmp_path, FREEPBX)
    assert asterisk.freepbx
    assert [phone.channel for phone in asterisk.endpoints.phones] == ["PJSIP/101", "PJSIP/102"]
    assert asterisk.endpoints.lines == (Line("PJSIP/megafon", "74959990000"),)
    assert asterisk.hints == "ext-local"
    assert not {found.server_port, found.admin_port, found.fastagi_port} & FREEPBX_PORTS


def test_chan_sip_abroad(tmp_path: Path) -> None:
    found, asterisk = around(tmp_path, CHAN_SIP, "16.28.0")
    assert [phone.channel for phone in asterisk.endpoints.phones] == ["SIP/201", "SIP/202"]
    assert asterisk.endpoints.lines == (Line("SIP/operator", "493012345678"),)
    assert (found.place.country, found.place.area_code) == ("DE", "30")
    assert asterisk.technology == "SIP"


def test_a_wizard_of_pjsip(tmp_path: Path) -> None:
    wizard = """\
[phone](!)
type = wizard
accepts_registrations = yes
endpoint/context = office
[301](phone)
[uplink]
type = wizard
sends_registrations = yes
outbound_auth/username = 74951230009
endpoint/context = from-uplink
"""
    _, asterisk = around(tmp_path, {**PLAIN, "/etc/asterisk/pjsip_wizard.conf": wizard})
    assert "PJSIP/301" in [phone.channel for phone in asterisk.endpoints.phones]
    assert Line("PJSIP/uplink", "74951230009") in asterisk.endpoints.lines


def test_the_country_by_the_time_zone_where_no_number_tells(tmp_path: Path) -> None:
    files = {**PLAIN, "/etc/asterisk/pjsip.conf": "", "/etc/timezone": "Asia/Almaty\n"}
    files["/usr/share/zoneinfo/zone.tab"] = "# comment\nKZ\t+4315+07657\tAsia/Almaty\tmost of Kazakhstan\n"
    assert around(tmp_path, files)[0].place.country == "KZ"


@pytest.mark.parametrize(
    ("version", "new"),
    [
        ("16.28.0", False), ("18.20.0", False), ("20.9.3", False), ("20.10.0", True), ("21.4.0", False),
        ("21.5.0", True), ("22.0.0", True), ("23.1.0", True), ("", False),
    ],
)  # fmt: skip
def test_which_asterisk_has_the_new_filters(tmp_path: Path, version: str, new: bool) -> None:
    assert around(tmp_path, PLAIN, version)[1].has_new_filters is new


def test_certbots_certificate(tmp_path: Path) -> None:
    live = "/etc/letsencrypt/live/pbx.example.com"
    found, _ = around(tmp_path, {**PLAIN, f"{live}/fullchain.pem": "x", f"{live}/privkey.pem": "y"})
    assert found.certificate is not None
    assert found.certificate.chain == f"{live}/fullchain.pem"
    assert found.certificate.name == "pbx.example.com"


def test_freepbxs_certificate(tmp_path: Path) -> None:
    keys = "/etc/asterisk/keys"
    files = {**FREEPBX, f"{keys}/pbx.example.com.pem": "x", f"{keys}/pbx.example.com.key": "y", f"{keys}/ca.pem": "z"}
    found, _ = around(tmp_path, files)
    assert found.certificate is not None
    assert found.certificate.key == f"{keys}/pbx.example.com.key"


def test_ports_that_are_taken_are_left_alone(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert house(tmp_path, PLAIN).free_port(taken) > taken
    assert look(house(tmp_path / "second", FREEPBX)).server_port >= 8443


def test_no_asterisk_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--pbx ADDRESS"):
        look(house(tmp_path, {}))
    assert look(house(tmp_path / "beside", {}), beside=True).asterisk is None
