"""The connection against a real socket; each class of panoramisk 1.4's faults has its test."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
import trustme
from structlog.testing import capture_logs

from ami_planfix.ami import link
from ami_planfix.ami.connection import Connection
from ami_planfix.ami.link import AmiSettings
from ami_planfix.ami.listening import Heard
from ami_planfix.ami.pacing import Pacing
from ami_planfix.ami.wire import Message
from ami_planfix.calls.events import Newchannel, VarSet
from ami_planfix.demo.asterisk import Asterisk, event
from ami_planfix.errors import ActionRefused, AmiError, NotConnected, WireError
from tests.ami.conftest import PATIENCE, QUICK, Diary, connected, eventually


def newchannel(number: int, **fields: str) -> bytes:
    ident = f"1800000000.{number}"
    return event(
        "Newchannel",
        {
            "Timestamp": f"1800000000.{number:06d}",
            "Channel": f"PJSIP/101-{number:08x}",
            "ChannelState": "0",
            "CallerIDNum": "101",
            "Uniqueid": ident,
            "Linkedid": ident,
            **fields,
        },
    )


def variable(value: str) -> bytes:
    return event("VarSet", {"Channel": "none", "Uniqueid": "none", "Variable": "FROM_DID", "Value": value})


class TestHearing:
    async def test_a_character_split_over_two_reads_is_whole(self, asterisk: Asterisk, diary: Diary) -> None:
        data = variable("Пётр") + b"\r\n\r\n"
        middle = data.index("П".encode()) + 1
        async with connected(asterisk, diary) as connection:
            before = connection.status.bytes_read
            asterisk.send(data[:middle])
            await eventually(lambda: connection.status.bytes_read == before + middle)
            asterisk.send(data[middle:])
            await diary.until(lambda: bool(diary.events))
        (heard,) = diary.events
        assert isinstance(heard, VarSet)
        assert heard.value == "Пётр"

    async def test_events_come_in_order_in_batches_of_one_read(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary):
            asterisk.emit(*[newchannel(number) for number in range(1, 501)])
            await diary.until(lambda: len(diary.events) == 500)
        names = [heard.channel.uniqueid for heard in diary.events if isinstance(heard, Newchannel)]
        assert names == [f"1800000000.{number}" for number in range(1, 501)]
        assert len(diary.batches) < 500

    async def test_a_fault_in_the_listener_costs_neither_the_rest_nor_the_connection(
        self, asterisk: Asterisk, diary: Diary
    ) -> None:
        def fail(batch: list[Heard]) -> None:
            raise RuntimeError("broken")

        diary.on_heard = fail
        async with connected(asterisk, diary) as connection:
            with capture_logs() as logs:
                asterisk.emit(newchannel(1))
                await diary.until(lambda: len(diary.events) == 1)
                asterisk.emit(newchannel(2))
                await diary.until(lambda: len(diary.events) == 2)
            assert [line["event"] for line in logs] == ["ami listener failed"] * 2
            assert asterisk.connections == 1
            assert connection.status.connected_since is not None

    async def test_empty_and_unspaced_values_are_kept(self, asterisk: Asterisk, diary: Diary) -> None:
        asterisk.answers["x"] = lambda action: [
            f"Response:Success\r\nActionID:{action.get('ActionID')}\r\nA:b\r\nC:\r\nLast: ".encode()
        ]
        async with connected(asterisk, diary) as connection:
            answer = await connection.act("X")
        assert [(name, value) for name, value in answer if name != "ActionID"] == [
            ("Response", "Success"),
            ("A", "b"),
            ("C", ""),
            ("Last", ""),
        ]

    async def test_a_large_answer_in_small_pieces_arrives(self, asterisk: Asterisk, diary: Diary) -> None:
        output = b"\r\n".join([b"Output: " + b"x" * 1000] * 8000)
        asterisk.answers["x"] = lambda action: [
            b"Response: Success\r\nActionID: " + action.get("ActionID").encode() + b"\r\n" + output
        ]
        async with connected(asterisk, diary) as connection:
            answer = await connection.act("X", within=PATIENCE)
        assert len(answer.all("Output")) == 8000

    async def test_a_message_without_an_end_closes_the_connection_with_a_reason(
        self, asterisk: Asterisk, diary: Diary
    ) -> None:
        async with connected(asterisk, diary) as connection:
            asterisk.send(b"Event: X\r\nY: " + b"z" * (17 * 1024 * 1024))
            await diary.until(lambda: "lost" in diary.entries)
            await eventually(lambda: bool(connection.status.last_error) or asterisk.connections > 1)
            await asterisk.until(lambda: asterisk.connections == 2)

    async def test_the_journal_gets_the_message_with_its_time(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary):
            asterisk.emit(newchannel(7), variable("1"))
            await diary.until(lambda: len(diary.events) == 2)
        first, second = [heard for batch in diary.batches for heard in batch]
        assert first.raw == newchannel(7)
        assert first.event.at == 1800000000.000007
        assert second.raw.startswith(b"Event: VarSet\r\nTimestamp: ")
        assert abs(float(second.raw.split(b"\r\n")[1][11:]) - second.event.at) < 0.001

    async def test_an_observer_sees_what_nobody_wants_and_its_faults_end_it(
        self, asterisk: Asterisk, diary: Diary
    ) -> None:
        seen: list[bytes] = []

        def observe(raw: bytes, at: float) -> None:
            seen.append(raw)
            if len(seen) == 2:
                raise OSError("disk full")

        async with connected(asterisk, diary) as connection:
            connection.observe(observe)
            rtcp = event("RTCPSent", {"To": "1.2.3.4:5"})
            asterisk.emit(rtcp, rtcp, rtcp, newchannel(1))
            await diary.until(lambda: bool(diary.events))
        assert seen == [rtcp, rtcp]

    async def test_reading_can_pause_and_go_on(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary, silence=0.02) as connection:
            connection.pause()
            asterisk.emit(newchannel(1))
            bytes_read, pings = connection.status.bytes_read, len(asterisk.actions("Ping"))
            await asyncio.sleep(0.2)  # ten times the silence after which Asterisk is asked
            assert connection.status.bytes_read == bytes_read
            assert len(asterisk.actions("Ping")) - pings <= 1
            assert diary.events == []
            connection.resume()
            await diary.until(lambda: bool(diary.events))


class TestStayingConnected:
    async def test_a_cut_connection_is_made_again_and_synced(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary):
            asterisk.cut()
            await diary.until(lambda: diary.entries.count("resync") == 2)
        assert diary.entries == ["connected", "resync", "lost", "connected", "resync"]

    async def test_silence_is_noticed_and_ends_in_a_new_connection(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary, silence=0.05, patience=0.1):
            with capture_logs() as logs:
                asterisk.silent = True
                await diary.until(lambda: "lost" in diary.entries)
            asterisk.silent = False
            await diary.until(lambda: diary.entries.count("resync") == 2)
        assert any("fell silent" in line.get("error", "") for line in logs)

    async def test_whoever_answers_pings_is_not_dead_and_no_ping_leaks(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary, silence=0.01):
            await asterisk.until(lambda: len(asterisk.actions("Ping")) >= 5)
        assert asterisk.connections == 1
        assert "lost" not in diary.entries

    async def test_a_refused_login_says_so_in_one_line_and_waits(self, asterisk: Asterisk, diary: Diary) -> None:
        pacing = Pacing(first=0.001, most=0.001)
        with capture_logs() as logs:
            async with connected(asterisk, diary, secret="hush", pacing=pacing, wait=False) as connection:
                await eventually(lambda: bool(connection.status.last_error))
                await asyncio.sleep(0.05)  # many of the short pauses that a lost connection would have
        (line,) = logs
        assert line["event"] == "ami login refused"
        assert line["log_level"] == "error"
        assert 60 <= line["again_in"] <= 66
        assert "Authentication failed" in line["error"]
        assert "hush" not in str(logs)
        assert asterisk.connections == 1

    async def test_what_comes_with_the_logins_answer_is_heard_after_it(self, asterisk: Asterisk, diary: Diary) -> None:
        """As long as we have not joined those who listen already, an event must not be taken for all there was."""
        asterisk.answers["login"] = lambda action: [
            b"Response: Success\r\nActionID: " + action.get("ActionID").encode(),
            newchannel(1),
        ]
        async with connected(asterisk, diary, wait=False):
            await diary.until(lambda: len(diary.entries) >= 2)
        assert diary.entries[:2] == ["connected", "Newchannel"]

    async def test_who_was_let_in_too_late_has_lost_the_connection(
        self, asterisk: Asterisk, diary: Diary, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        patience = 0.3

        def connected_slowly(since: float) -> None:
            monkeypatch.undo()
            time.sleep(1.1 * patience)  # a machine that has too much to do
            diary.connected(since)

        monkeypatch.setattr(diary, "connected", connected_slowly)
        async with connected(asterisk, diary, patience=patience):
            pass
        assert diary.entries[:4] == ["connected", "lost", "connected", "resync"]

    async def test_a_login_that_is_answered_with_a_list_is_one_answer(self, asterisk: Asterisk, diary: Diary) -> None:
        """A server that is no Asterisk, or a hostile one, must not end the daemon."""

        def as_list(action: Message) -> list[bytes]:
            ident = action.get("ActionID").encode()
            begun = b"Response: Success\r\nEventList: start\r\nActionID: " + ident
            return [begun, b"Event: LoginComplete\r\nActionID: " + ident]

        asterisk.answers["login"] = as_list
        async with connected(asterisk, diary, wait=False) as connection:
            await eventually(lambda: connection.status.connected_since is not None)

    async def test_a_login_is_tried_again_after_a_refusal(self, asterisk: Asterisk, diary: Diary) -> None:
        asterisk.secret = "other"
        async with connected(asterisk, diary, wait=False):
            await asterisk.until(lambda: len(asterisk.actions("Login")) == 2)
            asterisk.secret = "secret"
            await diary.until(lambda: "resync" in diary.entries)

    async def test_a_port_that_is_no_manager_is_given_up_in_time(self, asterisk: Asterisk, diary: Diary) -> None:
        asterisk.silent = True
        async with connected(asterisk, diary, patience=0.05, wait=False) as connection:
            await asterisk.until(lambda: asterisk.connections >= 2)
            assert "did not let us in within 0.05 s" in connection.status.last_error

    async def test_nobody_there_is_said_with_a_remedy(self, diary: Diary) -> None:
        async with Asterisk() as asterisk:
            port = asterisk.port
        connection = Connection(AmiSettings("127.0.0.1", port, "u", "s"), diary, QUICK)
        running = asyncio.create_task(connection.run())
        await eventually(lambda: connection.status.attempts >= 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert "Is Asterisk running, with `enabled = yes` in manager.conf?" in connection.status.last_error

    async def test_the_end_is_a_goodbye(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary):
            pass
        await asterisk.until(lambda: not asterisk.sessions)
        assert asterisk.received[-1].get("Action") == "Logoff"

    async def test_it_says_what_it_is_connected_to(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary) as connection:
            status = connection.status
        assert status.asterisk == "22.10.0"
        assert status.attempts == 1
        assert status.connected_since is not None
        assert status.synced_at is not None

    async def test_a_boot_that_ends_later_is_synced_again(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary) as connection:
            await eventually(lambda: connection.status.synced_at is not None)
            asterisk.emit(event("FullyBooted", {"Status": "Fully Booted"}))
            await diary.until(lambda: diary.entries.count("resync") == 2)
        assert diary.entries == ["connected", "resync", "connected", "resync"]

    async def test_a_login_says_what_exists_at_once_though_the_clock_was_moved_back(
        self, asterisk: Asterisk, diary: Diary, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with connected(asterisk, diary):
            await diary.until(lambda: "resync" in diary.entries)
            monkeypatch.setattr("ami_planfix.ami.connection.time", SimpleNamespace(time=lambda: time.time() - 3600))
            asterisk.answers["coresettings"] = lambda action: [
                event("FullyBooted", {"Status": "Fully Booted"}),
                b"Response: Success\r\nActionID: " + action.get("ActionID").encode(),
            ]
            asked = len(asterisk.actions("CoreShowChannels"))
            asterisk.cut()
            await diary.until(lambda: diary.entries.count("resync") == 2)
            # With time for what is on its way it would be asked twice, and a second of calls be over by then.
            assert len(asterisk.actions("CoreShowChannels")) == asked + 1
        assert diary.entries == ["connected", "resync", "lost", "connected", "resync"]


class TestActions:
    async def test_nothing_is_sent_or_kept_without_a_connection(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary) as connection:
            asterisk.silent = True
            asterisk.cut()
            await diary.until(lambda: "lost" in diary.entries)
            with pytest.raises(NotConnected, match="nothing was sent"):
                await connection.act("Originate")
            asterisk.silent = False
            await diary.until(lambda: diary.entries.count("resync") == 2)
            await connection.act("Ping")
        assert asterisk.actions("Originate") == []

    async def test_an_action_that_was_not_answered_is_not_sent_again(self, asterisk: Asterisk, diary: Diary) -> None:
        asterisk.answers["originate"] = lambda action: []
        async with connected(asterisk, diary) as connection:
            asking = asyncio.create_task(connection.act("Originate", within=PATIENCE))
            await asterisk.until(lambda: bool(asterisk.actions("Originate")))
            asterisk.cut()
            with pytest.raises(AmiError, match="Whether Asterisk did it is not known"):
                await asking
            await diary.until(lambda: diary.entries.count("resync") == 2)
            await connection.act("Ping")
        assert len(asterisk.actions("Originate")) == 1

    async def test_a_refusal_has_asterisks_words(self, asterisk: Asterisk, diary: Diary) -> None:
        asterisk.answers["x"] = lambda action: [
            f"Response: Failed\r\nActionID: {action.get('ActionID')}\r\nMessage: not today".encode()
        ]
        async with connected(asterisk, diary) as connection:
            with pytest.raises(ActionRefused, match="Asterisk refused X: not today"):
                await connection.act("X")
            with pytest.raises(ActionRefused, match="Asterisk refused X: not today"):
                await connection.collect("X")
            with pytest.raises(ActionRefused, match="Invalid/unknown command"):
                await connection.act("Y")

    async def test_an_endless_answer_ends_the_connection_before_it_fills_the_memory(
        self, asterisk: Asterisk, diary: Diary, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(link, "ANSWER_LIMIT", 1000)

        def endless(action: Message) -> list[bytes]:
            ident = b"ActionID: " + action.get("ActionID").encode()
            return [b"Response: Success\r\nEventList: start\r\n" + ident, *[b"Event: Item\r\n" + ident] * 100]

        async with connected(asterisk, diary) as connection:
            asterisk.answers["status"] = endless
            with pytest.raises(AmiError, match="an answer is larger than 1000 bytes"):
                await connection.collect("Status")

    async def test_a_late_answer_is_ignored(self, asterisk: Asterisk, diary: Diary) -> None:
        asterisk.answers["x"] = lambda action: []
        async with connected(asterisk, diary) as connection:
            with pytest.raises(AmiError, match=r"did not answer X within 0\.01 s"):
                await connection.act("X", within=0.01)
            (sent,) = asterisk.actions("X")
            asterisk.send(f"Response: Success\r\nActionID: {sent.get('ActionID')}\r\n\r\n".encode())
            asterisk.send(b"Response: Success\r\nActionID: nobody's\r\n\r\nResponse: Error\r\n\r\n")
            assert (await connection.act("Ping")).get("Ping") == "Pong"

    async def test_line_ends_in_values_do_not_pass(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary) as connection:
            with pytest.raises(WireError, match="AMI header Exten"):
                await connection.act("Originate", [("Exten", "1\r\nAction: Command")])
            await connection.act("Ping")
        assert asterisk.actions("Originate") == []

    async def test_repeated_headers_are_sent_repeatedly(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary) as connection:
            await connection.act("Originate", [("Variable", "a=1"), ("Variable", "b=2")])
        assert asterisk.actions("Originate")[0].all("Variable") == ["a=1", "b=2"]

    async def test_many_actions_at_once_get_their_own_answers(self, asterisk: Asterisk, diary: Diary) -> None:
        asterisk.database = {("DEVICE", f"{number}/user"): str(number) for number in range(50)}

        async with connected(asterisk, diary) as connection:
            lists = await asyncio.gather(
                *[
                    connection.collect("DBGet", [("Family", "DEVICE"), ("Key", f"{number}/user")])
                    for number in range(50)
                ]
            )
        assert [item.get("Val") for items in lists for item in items] == [str(number) for number in range(50)]

    async def test_a_list_ends_where_it_ends_in_the_stream(self, asterisk: Asterisk, diary: Diary) -> None:
        ends: list[int] = []

        def answer(action: Message) -> list[bytes]:
            ident = f"ActionID: {action.get('ActionID')}".encode()
            return [
                b"Response: Success\r\nEventList: start\r\n" + ident,
                newchannel(1),
                b"Event: Item\r\n" + ident,
                b"Event: ListComplete\r\n" + ident,
                newchannel(2),
            ]

        asterisk.answers["list"] = answer
        async with connected(asterisk, diary) as connection:
            items = await connection.collect("List", on_complete=lambda items: ends.append(len(diary.events)))
            await diary.until(lambda: len(diary.events) == 2)
        assert [item.get("Event") for item in items] == ["Item"]
        assert ends == [1]


class TestTls:
    @pytest.fixture
    async def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    async def asterisk(self, authority: trustme.CA) -> AsyncIterator[Asterisk]:
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(server)
        asterisk = Asterisk()
        await asterisk.start(tls=server)
        yield asterisk
        await asterisk.stop()

    async def test_a_trusted_certificate_is_accepted(
        self, asterisk: Asterisk, authority: trustme.CA, diary: Diary
    ) -> None:
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        async with connected(asterisk, diary, tls=trusting):
            asterisk.emit(newchannel(1))
            await diary.until(lambda: bool(diary.events))

    async def test_any_other_is_refused_with_a_remedy(self, asterisk: Asterisk, diary: Diary) -> None:
        tls = ssl.create_default_context()
        async with connected(asterisk, diary, tls=tls, wait=False) as connection:
            await eventually(lambda: bool(connection.status.last_error))
        assert "Name its certificate in `ami.ca`" in connection.status.last_error
        assert asterisk.received == []
