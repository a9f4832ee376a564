"""Whatever is wrong, the daemon says in one message where, what, and how to mend it."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.cli.running import ami_planfix
from tests.daemon_process import PBX_TOKEN, Place

GOOD_SERVER = "listen: '127.0.0.1:0', public_url: 'https://pbx.example.com'"

WRONG: dict[str, tuple[str, str]] = {
    "a bracket that is not closed": (
        "ami: {secret: x\nplanfix:\n",
        ":2: a bracket that is not closed, or a missing comma",
    ),
    "wrong indentation": (
        "ami:\n  secret: x\n port: 1\n",
        ":3: wrong indentation, or something after the end of a value",
    ),
    "a word where a number must be": (
        "ami:\n  secret: x\n  port: abc\n",
        ":3: ami.port: 'abc' is not allowed; allowed: a whole number",
    ),
    "a list where a section must be": (
        "ami: [x]\n",
        ":1: ami: ",
    ),
    "an unknown key": (
        "ami: {secret: x, prot: 5038}\n",
        ":1: ami.prot: unknown key; allowed: name, host, port, username, secret, tls, ca, timeout, silence, "
        "secret_file. Did you mean port?",
    ),
    "an unknown section": (
        "ami: {secret: x}\nnumberring: {}\n",
        ":2: numberring: unknown section; allowed: ami, planfix, server,",
    ),
    "no secret at all": (
        "",
        ": ami.secret: is missing; allowed: the secret of our user in Asterisk's manager.conf",
    ),
    "a secret's file that is not there": (
        "ami: {secret_file: /nonexistent/secret}\n",
        ":1: ami.secret_file: the file cannot be read: No such file or directory",
    ),
    "an environment variable that is not set": (
        "ami: {secret: '${NO_SUCH_VARIABLE}'}\n",
        ":1: ami.secret: the environment variable NO_SUCH_VARIABLE is not set",
    ),
    "a token that can be guessed": (
        f"ami: {{secret: x}}\nserver: {{{GOOD_SERVER}, token: secret}}\n",
        ":2: server.token: this secret is too short; allowed: 16 characters or more",
    ),
    "an address of Planfix that would show our token to everybody": (
        "ami: {secret: x}\nplanfix: {url: 'http://company.planfix.com/tel/api', token: y}\n",
        ":2: planfix.url: 'http://company.planfix.com/tel/api' is not allowed; allowed: https://HOST/...",
    ),
    "a pattern that is none": (
        "ami: {secret: x}\nnumbering: {extensions: '[0-9'}\n",
        ":2: numbering.extensions: ",
    ),
    "bytes that are no text": (
        "ami: {secret: x}\nlog: {level: \udcff}\n",
        ":2: is not UTF-8 here: save the file as UTF-8",
    ),
}


class TestConfiguration:
    @pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
    def test_it_does_not_start_and_says_where_what_and_what_is_allowed(
        self, text: str, message: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "config.yaml"
        file.write_bytes(text.encode(errors="surrogateescape"))
        result = ami_planfix("run", "-c", file)
        assert (result.status, result.out) == (2, "")
        (line,) = result.err.splitlines()
        assert line.startswith(f"{file}{message}")

    def test_all_mistakes_are_told_at_once_in_their_order(self, tmp_path: Path) -> None:
        file = tmp_path / "config.yaml"
        file.write_text("ami: {secret: x, port: 99999}\nlog: {level: loud}\ncalls: {missed: all}\n")
        result = ami_planfix("run", "-c", file)
        assert result.status == 2
        assert [line.split(": ")[0:2] for line in result.err.splitlines()] == [
            [f"{file}:1", "ami.port"],
            [f"{file}:2", "log.level"],
            [f"{file}:3", "calls.missed"],
        ]

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        file = tmp_path / "none.yaml"
        result = ami_planfix("run", "-c", file)
        assert (result.status, result.out) == (2, "")
        assert result.err == (
            f"{file}: cannot be read: No such file or directory (copy config.example.yaml there, or name another)\n"
        )

    def test_a_command_that_is_none_is_bad_usage(self) -> None:
        result = ami_planfix("rnu")
        assert (result.status, result.out) == (2, "")
        assert "No such command 'rnu'" in result.err

    @pytest.mark.parametrize("command", ["run", "check"])
    def test_no_secret_is_shown_with_what_is_wrong_beside_it(self, command: str, tmp_path: Path) -> None:
        file = tmp_path / "config.yaml"
        file.write_text("ami: {secret: do-not-show, port: x}\nplanfix: {url: 'ftp://u:do-not-show@h/', token: hush}\n")
        result = ami_planfix(command, "-c", file)
        assert result.status == 2
        assert "do-not-show" not in result.out + result.err
        assert "hush" not in result.out + result.err


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with (
        Asterisk(devices=[{"Device": "PJSIP/101"}]) as asterisk,
        EmbeddedPlanfix(pbx_token=PBX_TOKEN, pbx_url="https://pbx.example.com/planfix") as planfix,
    ):
        yield Place(asterisk, planfix, tmp_path)


class TestSurroundings:
    """What only shows when it runs: it says so once, clearly, and goes on with all that still can."""

    async def test_a_port_in_use(self, place: Place) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", place.server_port))
            other.listen()
            async with place.daemon() as daemon:
                line = await daemon.logged("listener not opened")
        assert line["level"] == "error"
        assert line["reason"] == (
            f"server: cannot listen on 127.0.0.1:{place.server_port}: Address already in use (`ss -ltnp` shows which "
            "program has it; or choose another port)"
        )
        assert "clicks" in line["consequence"]

    async def test_an_address_that_this_machine_does_not_have(self, place: Place) -> None:
        place.sections["contacts"] = {"fastagi": "192.0.2.1:4583"}
        place.write_config()
        async with place.daemon() as daemon:
            line = await daemon.logged("listener not opened")
        assert "fastagi: cannot listen on 192.0.2.1:4583" in line["reason"]
        assert "this machine has no such address" in line["reason"]

    async def test_a_certificate_that_is_not_there(self, place: Place) -> None:
        server = place.sections["server"]
        assert isinstance(server, dict)
        server["tls"] = {"certificate": "/nonexistent/cert.pem", "private_key": "/nonexistent/key.pem"}
        place.write_config()
        async with place.daemon() as daemon:
            line = await daemon.logged("listener not opened")
        assert "/nonexistent/cert.pem" in line["reason"]
        assert "the daemon's user must be able to read both" in line["reason"]

    async def test_an_asterisk_that_is_not_there(self, place: Place) -> None:
        port = place.asterisk.port
        await place.asterisk.stop()
        async with place.daemon() as daemon:
            line = await daemon.logged("ami not connected")
        assert line["error"].startswith(f"Asterisk at 127.0.0.1:{port} cannot be reached: ")
        assert line["error"].endswith("Is Asterisk running, with `enabled = yes` in manager.conf?")

    async def test_a_wrong_ami_secret(self, place: Place) -> None:
        place.sections["ami"] = {"port": place.asterisk.port, "secret": "not-the-secret"}
        place.write_config()
        async with place.daemon() as daemon:
            line = await daemon.logged("ami login refused")
            await daemon.end()
        assert line["level"] == "error"
        assert f"127.0.0.1:{place.asterisk.port}" in line["error"]
        assert "Compare `username` and `secret` under `ami` with manager.conf" in line["error"]
        assert len([one for one in daemon.log if one["event"] == "ami login refused"]) == 1
        assert b"not-the-secret" not in daemon.raw

    async def test_a_token_that_planfix_does_not_take(self, place: Place) -> None:
        place.planfix.token, wrong = "another-token-than-ours", place.planfix.token
        async with place.daemon() as daemon:
            line = await daemon.logged("planfix refused our token")
            await daemon.end()
        assert line["level"] == "error"
        assert "planfix.token" in line["error"]
        assert wrong.encode() not in daemon.raw

    async def test_a_planfix_that_is_not_there(self, place: Place) -> None:
        await place.planfix.stop()
        async with place.daemon() as daemon:
            line = await daemon.logged("planfix not reached")
        assert "Planfix at 127.0.0.1 cannot be reached" in line["error"]

    async def test_a_wrong_token_from_planfix(self, place: Place) -> None:
        async with place.daemon() as daemon:
            status, body = await place.planfix.make_call(place.url, "not-our-token", "101", "79101234567")
            line = await daemon.logged("wrong token")
            await daemon.end()
        assert status == 401
        assert "server.token" in body
        assert line["address"] == "127.0.0.1"
        assert b"not-our-token" not in daemon.raw

    def test_a_state_that_cannot_be_opened(self, tmp_path: Path) -> None:
        file = tmp_path / "config.yaml"
        file.write_text(f"ami: {{secret: x}}\nstorage: {{url: 'sqlite:///{tmp_path}/none/state.db'}}\n")
        result = ami_planfix("run", "-c", file)
        assert result.status == 1
        last = result.err.splitlines()[-1]
        assert str(tmp_path / "none") in last
        assert "must exist and belong to the daemon's user" in last
