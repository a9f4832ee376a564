"""The daemon end to end, without Asterisk: captures are played, Planfix gets exactly what it must."""

import asyncio
import json
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession

from ami_planfix.ami import capture
from ami_planfix.ami.connection import Connection
from ami_planfix.config.load import load
from ami_planfix.config.model import Admin
from ami_planfix.daemon import Daemon
from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix, refuse
from ami_planfix.presence import Listening, Presence
from ami_planfix.storage.schema import open_database
from tests.cli.running import ami_planfix
from tests.daemon_process import CAPTURES, LIMIT, PBX_TOKEN, Place, expected

GROUP = "ring_group/ring_all_second_answers"
MISSED = "ring_group/ring_all_nobody"
OUTGOING = "outgoing/out_answered"
STORIES = [GROUP, MISSED, OUTGOING, "hunt/hunt_third_answers", "queue/queue_two_rounds", "internal/internal_answered"]


HOSTILE_URLS = [
    "http://company.planfix.com/tel/api",
    "https://planfix.com.evil.example/tel/api",
    "https://planfix.com@evil.example/tel/api",
    "https://evil.example/planfix.com",
    "https://evilplanfix.com/tel/api",
    "https://plаnfix.com/tel/api",
    "ftp://planfix.com/",
    "file:///etc/passwd",
    "https://planfix.com:99999/",
    "https://[::1]/",
    "//planfix.com/",
    "planfix.com",
]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    devices = [{"Device": f"PJSIP/{name}"} for name in ("101", "102", "103", "104", "105", "provider")]
    async with (
        Asterisk(devices=devices) as asterisk,
        EmbeddedPlanfix(pbx_token=PBX_TOKEN, pbx_url="https://pbx.example.com/planfix") as planfix,
    ):
        yield Place(asterisk, planfix, tmp_path)


class TestReports:
    @pytest.mark.parametrize("story", STORIES)
    async def test_planfix_hears_exactly_what_it_must(self, place: Place, story: str) -> None:
        wanted = expected(story)
        async with place.daemon() as daemon:
            await place.logged_in()
            await place.play(story)
            await place.heard(len(wanted))
            assert await daemon.end() == 0
        assert sorted(place.planfix.events()) == wanted

    async def test_the_log_has_a_line_for_each_report(self, place: Place) -> None:
        async with place.daemon() as daemon:
            await place.logged_in()
            await place.play(OUTGOING)
            await place.heard(3)
            line = await daemon.logged("report delivered", report="COMPLETED")
        assert line["call"] == "1795441199.261"
        assert line["extension"] == "101"
        assert line["answer"] == "200"

    async def test_a_run_leaves_the_time_for_which_it_listened(self, place: Place) -> None:
        async with place.daemon() as daemon:
            await place.logged_in()
            await place.play(GROUP)
            await place.heard(len(expected(GROUP)))
            begun = await self.listening(place)
            assert await daemon.end() == 0
        ended = await self.listening(place)
        assert (begun.owner, begun.since) == (ended.owner, ended.since)
        assert 0 < begun.since <= begun.until < ended.until <= time.time()

    @staticmethod
    async def listening(place: Place) -> Listening:
        """Wait until it is written down that somebody listens."""
        async with (
            asyncio.timeout(LIMIT),
            await open_database(f"sqlite:///{place.folder}/state.db") as database,
        ):
            while True:
                if rows := await Presence(database).everywhere():
                    return rows[0]
                await asyncio.sleep(0.05)

    async def test_secrets_are_in_no_line(self, place: Place) -> None:
        async with place.daemon() as daemon:
            await place.logged_in()
            await place.planfix.make_call(place.url, "a-wrong-token", "101", "79101234567")
            await place.play(OUTGOING)
            await place.heard(3)
            await daemon.end()
        for secret in (place.planfix.token, PBX_TOKEN, "a-wrong-token"):
            assert secret.encode() not in daemon.raw

    async def test_an_observer_sends_nothing_and_says_what_it_would(self, place: Place) -> None:
        async with place.daemon("--observe") as daemon:
            await place.logged_in()
            await place.play(GROUP)
            line = await daemon.logged("report observed", report="COMPLETED", status="Success", ext="102")
            told = await self.settled(place, line["callid"])
            assert await daemon.end() == 0
        assert "observed, not sent" in told
        assert "delivered" not in told
        assert not [line for line in daemon.log if line["event"] == "report delivered"]
        assert not place.planfix.received
        assert not (place.folder / "state.db").exists()
        seen = [line["report"] for line in daemon.log if line["event"] == "report observed"]
        assert len(seen) == len(expected(GROUP))

    @staticmethod
    async def settled(place: Place, callid: str) -> str:
        """Wait until nothing of a call waits any more; tell its timeline."""
        async with asyncio.timeout(LIMIT):
            while True:
                told = await asyncio.to_thread(ami_planfix, "explain", callid, "-c", place.config_file)
                if "waiting" not in told.out:
                    return told.out


class TestOutages:
    async def test_planfix_down_then_up_gets_every_end_once(self, place: Place) -> None:
        await place.planfix.stop()
        async with place.daemon() as daemon:
            await place.logged_in()
            for story in (GROUP, MISSED, OUTGOING):
                await place.play(story)
            await daemon.logged("report postponed")
            await place.planfix.start()
            wanted = sorted(report for story in (GROUP, MISSED, OUTGOING) for report in expected(story))
            await place.heard(len(wanted))
        assert sorted(place.planfix.events()) == wanted

    async def test_killed_with_reports_undelivered_all_arrive_once(self, place: Place) -> None:
        await place.planfix.stop()
        async with place.daemon() as daemon:
            await place.logged_in()
            await place.play(GROUP)
            await daemon.logged("report postponed")
            await place.play(MISSED)
            undelivered = len(expected(GROUP)) + len(expected(MISSED))
            await self.waiting(place, lambda count: count == undelivered)
            await daemon.kill()
        await place.planfix.start()
        wanted = sorted(expected(GROUP) + expected(MISSED))
        async with place.daemon():
            await place.heard(len(wanted))
        assert sorted(place.planfix.events()) == wanted

    async def test_killed_in_the_middle_of_a_call_it_is_ended_as_it_would_have_been(self, place: Place) -> None:
        messages = list(capture.read(CAPTURES / f"{GROUP}.ami"))
        answered = next(n for n, raw in enumerate(messages) if raw.startswith(b"Event: BridgeEnter")) + 8
        async with place.daemon() as daemon:
            await place.logged_in()
            await place.asterisk.play(messages[:answered], speed=0)
            await place.heard(6)
            await self.waiting(place, lambda count: count == 0)
            await daemon.kill()
        place.asterisk.channels = [
            {
                "Channel": name,
                "Uniqueid": ident,
                "Linkedid": "1795440958.30",
                "ChannelState": "6",
                "BridgeId": "",
                "Duration": "00:00:02",
            }
            for name, ident in (("PJSIP/provider-0000001e", "1795440958.30"), ("PJSIP/102-00000020", "1795440958.32"))
        ]
        place.asterisk.received.clear()
        async with place.daemon():
            await place.logged_in()
            await place.asterisk.play(messages[answered:], speed=0)
            await place.heard(7)
        counted = Counter(place.planfix.events())
        assert counted["COMPLETED 102 Success"] == 1
        assert max(counted.values()) == 1

    async def test_a_lost_connection_comes_back_and_reports_go_on(self, place: Place) -> None:
        async with place.daemon() as daemon:
            await place.logged_in()
            place.asterisk.cut()
            await daemon.logged("ami not connected")
            place.asterisk.received.clear()
            await place.logged_in()
            await place.play(OUTGOING)
            assert sorted(await place.heard(3)) == expected(OUTGOING)

    @staticmethod
    async def waiting(place: Place, wanted: Callable[[int], bool]) -> None:
        """Wait until as many reports wait in the outbox as are wanted, as the command line tells."""
        async with asyncio.timeout(LIMIT):
            while True:
                asked = await asyncio.to_thread(ami_planfix, "deliveries", "--json", "-c", place.config_file)
                assert asked.status == 0, asked.err
                if wanted(len(asked.rows)):
                    return


class TestServiceManager:
    async def test_sigterm_ends_it_well(self, place: Place) -> None:
        async with place.daemon() as daemon:
            daemon.signal(signal.SIGTERM)
            await daemon.told("STOPPING=1")
            assert await daemon.process.wait() == 0
        assert daemon.log[-1]["event"] == "ended"

    async def test_the_watchdog_is_fed(self, place: Place) -> None:
        async with place.daemon(watchdog=0.3) as daemon:
            for _ in range(3):
                await daemon.told("WATCHDOG=1")

    async def test_a_reload_with_errors_changes_nothing(self, place: Place) -> None:
        async with place.daemon() as daemon:
            place.config_file.write_text("ami: {secrte: x}\n")
            daemon.signal(signal.SIGHUP)
            line = await daemon.logged("configuration not taken")
            assert "secrte" in line["problems"]
            await place.logged_in()
            await place.play(OUTGOING)
            await place.heard(3)

    async def test_a_reload_begins_anew_in_the_same_process(self, place: Place) -> None:
        async with place.daemon() as daemon:
            pid = daemon.process.pid
            await place.logged_in()
            place.sections["ami"] = {**place.sections["ami"], "name": "north"}  # type: ignore[dict-item]
            place.write_config()
            place.asterisk.received.clear()
            daemon.signal(signal.SIGHUP)
            await daemon.told("RELOADING=1")
            await daemon.told("READY=1")
            await place.logged_in()
            await place.play(OUTGOING)
            await place.heard(3)
            assert {one.fields["callid"] for one in place.planfix.taken if "callid" in one.fields} == {
                "north-1795441199.261"
            }
            assert daemon.process.pid == pid
            assert daemon.process.returncode is None

    async def test_its_status_names_what_is_wrong(self, place: Place) -> None:
        await place.asterisk.stop()
        async with place.daemon() as daemon:
            await daemon.told("STATUS=asterisk: Asterisk at 127.0.0.1")


class TestFaults:
    async def test_a_part_that_fails_takes_the_daemon_along(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(_self: Connection) -> None:
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(Connection, "run", fail)
        with pytest.raises(RuntimeError, match="a fault of ours"):
            await Daemon(load(place.config_file)).run()

    async def test_a_wrong_ami_secret_is_one_clear_line(self, place: Place) -> None:
        place.sections["ami"] = {"port": place.asterisk.port, "secret": "not-it"}
        place.write_config()
        async with place.daemon() as daemon:
            line = await daemon.logged("ami login refused")
            assert line["level"] == "error"
            assert "refused" in line["error"]
            await daemon.end()
        assert b"not-it" not in daemon.raw

    @pytest.mark.parametrize("name", ["server", "admin"])
    async def test_a_port_in_use_disables_one_feature_and_never_reporting(self, place: Place, name: str) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", place.server_port if name == "server" else place.admin_port))
            other.listen()
            async with place.daemon() as daemon:
                line = await daemon.logged("listener not opened")
                assert "Address already in use" in line["reason"]
                await place.logged_in()
                await place.play(OUTGOING)
                assert sorted(await place.heard(3)) == expected(OUTGOING)

    def test_a_wrong_configuration_is_status_2(self, tmp_path: Path) -> None:
        file = tmp_path / "config.yaml"
        file.write_text("ami: {secret: x, prot: 1}\n")
        result = ami_planfix("run", "-c", file)
        assert (result.status, result.out) == (2, "")
        assert len(result.err.splitlines()) == 1
        assert f"{file}:1: ami.prot" in result.err

    def test_a_state_that_cannot_be_opened_is_one_message(self, tmp_path: Path) -> None:
        file = tmp_path / "config.yaml"
        file.write_text(f"ami: {{secret: x}}\nstorage: {{url: 'sqlite:///{tmp_path}/none/state.db'}}\n")
        result = ami_planfix("run", "-c", file)
        assert result.status == 1
        assert "must exist and belong to the daemon's user" in result.err.splitlines()[-1]


class TestClicks:
    async def test_a_click_rings_the_employee(self, place: Place) -> None:
        async with place.daemon():
            await place.logged_in()
            status, body = await place.planfix.make_call(place.url, PBX_TOKEN, "101", "79101234567")
            assert (status, body) == (200, "{}")
        (originate,) = place.asterisk.actions("Originate")
        assert originate.get("Channel") == "PJSIP/101"
        assert originate.get("Exten") == "79101234567"

    async def test_asterisk_away_is_503_at_once_and_nothing_is_dialled_later(self, place: Place) -> None:
        async with place.daemon() as daemon:
            await place.logged_in()
            place.asterisk.cut()
            await place.asterisk.stop()
            await daemon.logged("ami not connected")
            status, body = await place.planfix.make_call(place.url, PBX_TOKEN, "101", "79101234567")
            assert status == 503
            assert json.loads(body)["error"] == "Unavailable"
            place.asterisk.received.clear()
            await place.asterisk.start(port=place.sections["ami"]["port"])  # type: ignore[call-overload]
            await place.logged_in()
        assert not place.asterisk.actions("Originate")

    async def test_a_phone_that_asterisk_does_not_know_is_not_rung(self, place: Place) -> None:
        async with place.daemon() as daemon:
            await daemon.logged("phones learned")
            status, body = await place.planfix.make_call(place.url, PBX_TOKEN, "109", "79101234567")
        assert status == 400
        assert json.loads(body) == {"error": "Invalid parameters", "reason": "from: no extension of this PBX"}


class TestSetup:
    async def test_what_setup_brings_is_used_at_once_and_after_a_restart(self, place: Place) -> None:
        place.sections["planfix"] = {"allowed_hosts": ["127.0.0.1"]}
        place.write_config()
        async with place.daemon():
            await place.logged_in()
            assert await place.planfix.setup(place.url, PBX_TOKEN) == (200, "{}")
            await place.play(OUTGOING)
            await place.heard(3)
        async with place.daemon():
            place.asterisk.received.clear()
            await place.logged_in()
            await place.play(MISSED)
            await place.heard(3 + len(expected(MISSED)))

    async def test_an_account_that_does_not_take_our_ping_is_refused_with_its_words(self, place: Place) -> None:
        place.sections["planfix"] = {"allowed_hosts": ["127.0.0.1"]}
        place.write_config()
        async with place.daemon():
            place.planfix.faults.append(refuse("no such integration"))
            status, body = await place.planfix.setup(place.url, PBX_TOKEN)
        assert status != 200
        assert "no such integration" in json.loads(body)["reason"]

    async def test_a_setup_that_does_not_work_leaves_what_works(self, place: Place) -> None:
        place.sections["planfix"] = {"allowed_hosts": ["127.0.0.1"]}
        place.write_config()
        async with place.daemon():
            await place.logged_in()
            await place.planfix.setup(place.url, PBX_TOKEN)
            right, place.planfix.token = place.planfix.token, "a-token-of-yesterday"
            place.planfix.fault_for = lambda fields: refuse() if fields.get("cmd") == "ping" else None
            assert (await place.planfix.setup(place.url, PBX_TOKEN))[0] != 200
            place.planfix.token = right
            await place.play(OUTGOING)
            await place.heard(3)

    async def test_another_account_is_refused_until_the_administrator_allows_it(self, place: Place) -> None:
        place.sections["planfix"] = {"allowed_hosts": ["127.0.0.1", "localhost"]}
        place.write_config()
        async with place.daemon():
            await place.planfix.setup(place.url, PBX_TOKEN)
            place.planfix.url = place.planfix.url.replace("127.0.0.1", "localhost")
            status, body = await place.planfix.setup(place.url, PBX_TOKEN)
            assert status == 400
            assert "account forget" in json.loads(body)["reason"]
            forgotten = await asyncio.to_thread(ami_planfix, "account", "forget", "-c", place.config_file)
            assert forgotten.status == 0, forgotten.err
            assert await place.planfix.setup(place.url, PBX_TOKEN) == (200, "{}")

    async def test_hosts_that_are_not_planfix_are_refused_and_never_asked(self, place: Place) -> None:
        place.sections["planfix"] = {"allowed_hosts": ["planfix.com"]}
        place.write_config()
        async with place.daemon(), ClientSession() as session:
            for url in HOSTILE_URLS:
                fields = {"cmd": "setup", "token": PBX_TOKEN, "planfix_url": url, "planfix_token": "x"}
                async with session.post(place.url, data=fields) as answer:
                    assert answer.status == 400, url
                    assert "planfix_url" in (await answer.json())["reason"]


class TestCommandLine:
    async def test_live_calls_are_shown(self, place: Place) -> None:
        messages = list(capture.read(CAPTURES / f"{GROUP}.ami"))
        half = next(n for n, raw in enumerate(messages) if raw.startswith(b"Event: BridgeLeave"))
        async with place.daemon():
            await place.logged_in()
            await place.asterisk.play(messages[:half], speed=0)
            await place.heard(6)
            shown = await asyncio.to_thread(ami_planfix, "calls", "--json", "-c", place.config_file)
            table = await asyncio.to_thread(ami_planfix, "calls", "-c", place.config_file)
        (call,) = shown.rows
        assert (call["callid"], call["client"], call["talking"]) == ("1795440958.30", "79101234567", ["102"])
        assert "1795440958.30" in table.out

    async def test_a_refused_report_is_shown_and_sent_again(self, place: Place) -> None:
        place.planfix.fault_for = lambda fields: refuse("no such ext") if fields.get("event") == "ACCEPTED" else None
        async with place.daemon() as daemon:
            await place.logged_in()
            await place.play(OUTGOING)
            await daemon.logged("report refused")
            await daemon.logged("report delivered", report="COMPLETED")
            shown = await asyncio.to_thread(ami_planfix, "deliveries", "--json", "-c", place.config_file)
            (row,) = shown.rows
            assert (row["state"], row["event"], row["ext"]) == ("dead", "ACCEPTED", "101")
            assert "no such ext" in str(row["answer"])
            place.planfix.fault_for = lambda _: None
            again = await asyncio.to_thread(ami_planfix, "deliveries", "retry", "-c", place.config_file, str(row["id"]))
            assert (again.status, again.err) == (0, "1 to be sent again\n")
            await daemon.logged("report delivered", report="ACCEPTED")
            nothing = await asyncio.to_thread(ami_planfix, "deliveries", "-c", place.config_file)
            assert len(nothing.out.splitlines()) == 1
            said = "nothing waits for Planfix, and nothing was refused\n3 delivered\n"
            assert nothing.err == said
            listed = await asyncio.to_thread(ami_planfix, "deliveries", "-c", place.config_file, "list", "--all")
            assert len(listed.out.splitlines()) == 4
            none = await asyncio.to_thread(ami_planfix, "deliveries", "list", "--call", "9.9", "-c", place.config_file)
            assert none.err == "no such report is kept\n3 delivered\n"

    async def test_nothing_to_show_is_said(self, place: Place) -> None:
        await place.asterisk.stop()
        place.sections["trunks"] = []
        place.write_config()
        async with place.daemon():
            calls, endpoints, deliveries = [
                await asyncio.to_thread(ami_planfix, name, "-c", place.config_file)
                for name in ("calls", "endpoints", "deliveries")
            ]
        assert calls.err == "no calls now\n"
        assert endpoints.err.startswith("no device is known")
        assert deliveries.err == "nothing waits for Planfix, and nothing was refused\nno reports yet\n"

    async def test_a_refused_report_can_be_given_up(self, place: Place) -> None:
        place.planfix.fault_for = lambda fields: refuse() if fields.get("event") == "ACCEPTED" else None
        async with place.daemon() as daemon:
            await place.logged_in()
            await place.play(OUTGOING)
            await daemon.logged("report refused")
            dropped = await asyncio.to_thread(ami_planfix, "deliveries", "drop", "--all", "-c", place.config_file)
            assert (dropped.status, dropped.err) == (0, "1 given up\n")

    def test_without_a_daemon_it_says_so(self, tmp_path: Path) -> None:
        file = tmp_path / "config.yaml"
        file.write_text(f"admin: {{socket: {tmp_path}/none.sock}}\n")
        for command in ("calls", "deliveries"):
            result = ami_planfix(command, "-c", file)
            assert (result.status, result.out) == (1, "")
            assert "the daemon does not run" in result.err

    async def test_health_and_figures(self, place: Place) -> None:
        async with place.daemon(), ClientSession() as session:
            await place.logged_in()
            await place.play(OUTGOING)
            await place.heard(3)
            for path in re.findall(r"/[a-z]+", Admin.model_fields["listen"].description or ""):
                async with session.get(f"http://127.0.0.1:{place.admin_port}{path}") as answer:
                    assert answer.status != 404, f"{path} is promised and not there"
            async with session.get(f"http://127.0.0.1:{place.admin_port}/healthz") as answer:
                assert answer.status == 200
            async with session.get(f"http://127.0.0.1:{place.admin_port}/metrics") as answer:
                assert "ami_planfix_ami_connected 1.0" in await answer.text()
