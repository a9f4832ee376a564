"""No secret of the configuration is in anything that a running daemon or a command writes, prints or serves."""

import asyncio
import stat
import tarfile
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import ClientSession, ClientTimeout, CookieJar

from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix, refuse
from tests.alerts.receiving import Hook
from tests.cli.running import ami_planfix
from tests.daemon_process import Place, Process

SECRETS = {
    "ami": "hush/of+ami",
    "planfix": "hush-of-planfix",
    "pbx": "hush-of-the-pbx-token",
    "page": "hush-of-the-page",
    "records": "hush-of-records",
    "mail": "hush-of-the-mail",
    "hook": "hush-of-the-hook",
    "body": "hush-in-the-body",
}
SHOWN = ("/healthz", "/readyz", "/metrics", "/", "/explain/find?phone=79101234567", "/contact?phone=79101234567")


class Ear:
    """All that was heard, and from whom."""

    def __init__(self) -> None:
        self.heard: dict[str, str] = {}

    def told_secrets(self) -> list[tuple[str, str]]:
        """Find secrets, also as URLs, JSON and base64 spell them."""
        return [
            (name, who)
            for name, secret in SECRETS.items()
            for spelt in (
                secret,
                quote(secret, safe=""),
                secret.replace("/", "\\/"),
                b64encode(secret.encode()).decode(),
            )
            for who, text in self.heard.items()
            if spelt in text
        ]


def place_of(asterisk: Asterisk, planfix: EmbeddedPlanfix, folder: Path, hook: Hook) -> Place:
    place = Place(asterisk, planfix, folder)
    server, admin = place.sections["server"], place.sections["admin"]
    assert isinstance(server, dict)
    assert isinstance(admin, dict)
    server["public_url"] = f"http://127.0.0.1:{place.server_port}"
    server["token"], admin["password"] = SECRETS["pbx"], SECRETS["page"]
    place.sections["backfill"] = {"cdr": f"mysql://reader:{SECRETS['records']}@127.0.0.1:1/asteriskcdrdb"}
    place.sections["alerts"] = {
        "after": 1,
        "webhook": {"url": hook.url, "token": SECRETS["hook"], "body": {"to": SECRETS["body"], "text": "{text}"}},
        "mail": {
            "host": "127.0.0.1", "port": 1, "username": "pbx", "password": SECRETS["mail"],
            "sender": "pbx@example.com", "to": ["admin@example.com"],
        },
    }  # fmt: skip
    place.write_config()
    return place


async def open_everything(place: Place, ear: Ear) -> None:
    """Look at all that the daemon serves; guess at each door."""
    page = f"http://127.0.0.1:{place.admin_port}"
    async with ClientSession(cookie_jar=CookieJar(unsafe=True), timeout=ClientTimeout(20)) as session:
        for password in ("guessed", SECRETS["page"]):
            async with session.post(f"{page}/login", data={"password": password}) as answer:
                ear.heard[f"login with {password[:4]}"] = f"{answer.headers} {await answer.text()}"
        for path in SHOWN:
            async with session.get(page + path) as answer:
                ear.heard[path] = f"{answer.headers} {await answer.text()}"
        async with session.get(f"{page}/live") as answer:
            ear.heard["/live"] = (await answer.content.readuntil(b"\n\n")).decode()
        for token in ("guessed", SECRETS["pbx"]):
            async with session.post(place.url, data={"cmd": "setup", "token": token, "planfix_url": "x"}) as answer:
                ear.heard[f"setup with {token[:4]}"] = await answer.text()
    for path in ("/condition", "/deliveries", "/calls", "/endpoints", "/explain/find?phone=79101234567"):
        ear.heard[f"control {path}"] = str(await place.ask(path))


async def run_commands(place: Place, ear: Ear) -> None:
    """Run what an administrator runs, and read what it leaves."""
    config = ("-c", place.config_file)
    bundle = place.folder / "bundle.tar.gz"
    for words in (
        ("check",), ("deliveries",), ("calls",), ("alerts", "test"),
        ("backfill", "--since", "00:00", "--dry-run"), ("support-bundle", "--numbers", "-o", bundle),
    ):  # fmt: skip
        done = await asyncio.to_thread(ami_planfix, words[0], *words[1:], *config)
        ear.heard[f"`{words[0]}`"] = done.out + done.err
        assert done.status in (0, 1), (words, done.err)
    with tarfile.open(bundle) as archive:
        for member in archive.getmembers():
            stream = archive.extractfile(member)
            ear.heard[f"bundle {member.name}"] = stream.read().decode() if stream is not None else ""


def look_from_outside(place: Place, daemon: Process) -> tuple[str, set[str]]:
    """See what another user of this machine sees: the command line, and files that are not ours alone."""
    made = [path for path in place.folder.iterdir() if path.name not in {"config.yaml", "notify.sock"}]
    is_open = {path.name for path in made if stat.S_IMODE(path.stat().st_mode) & 0o007}
    return Path(f"/proc/{daemon.process.pid}/cmdline").read_text(), is_open


@pytest.mark.parametrize("form", ["json", "text"])
async def test_nothing_tells_one_whatever_goes_wrong(tmp_path: Path, form: str) -> None:
    ear = Ear()
    async with (
        Asterisk(secret=SECRETS["ami"]) as asterisk,
        EmbeddedPlanfix(token=SECRETS["planfix"]) as planfix,
        Hook(status=403, answer=f"no {SECRETS['hook']}, {SECRETS['body']}").listening() as hook,
    ):
        # It repeats our token in whatever it says.
        said = refuse(f"no {SECRETS['planfix']}")
        planfix.fault_for = lambda fields: said if fields.get("cmd") == "event" else None
        place = place_of(asterisk, planfix, tmp_path, hook)
        place.sections["log"] = {"format": form, "level": "debug"}
        place.write_config()
        async with place.daemon() as daemon:
            await place.logged_in()
            await place.play("ring_group/ring_all_second_answers")
            async with asyncio.timeout(20), hook.changed:
                await hook.changed.wait_for(lambda: hook.came > 0)
            await open_everything(place, ear)
            if form == "json":
                await run_commands(place, ear)
            ear.heard["command line"], open_files = look_from_outside(place, daemon)
        ear.heard["log"] = daemon.raw.decode()
    assert "wrong token" in ear.heard["log"]
    assert "wrong password" in ear.heard["log"]
    assert "alert not sent" in ear.heard["log"]
    assert "refused" in ear.heard["log"]
    assert ear.told_secrets() == []
    assert open_files == set()
