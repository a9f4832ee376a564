"""Snapshots, and what comes and goes while they are taken."""

import asyncio
import time

import pytest

from ami_planfix.ami.snapshot import take
from ami_planfix.calls.events import BridgeId, Snapshot, Uniqueid
from ami_planfix.demo.asterisk import Asterisk, Fields, event
from ami_planfix.errors import ActionRefused
from tests.ami.conftest import Diary, connected
from tests.load.exchange import Exchange


def channel(ident: str, **fields: str) -> Fields:
    return {
        "Channel": f"PJSIP/101-{ident}",
        "ChannelState": "6",
        "CallerIDNum": "101",
        "ConnectedLineNum": "<unknown>",
        "Context": "from-internal",
        "Exten": "102",
        "Uniqueid": ident,
        "Linkedid": ident,
        "Application": "Dial",
        "Duration": "00:01:02",
        "BridgeId": "",
        **fields,
    }


def ids(snapshot: Snapshot) -> list[str]:
    return [present.channel.uniqueid for present in snapshot.channels]


class TestWhatExists:
    async def test_a_channel_is_told_with_its_bridge_and_age(self, asterisk: Asterisk, diary: Diary) -> None:
        asterisk.channels = [channel("1.1", BridgeId="b-1"), channel("1.2", Duration="25:00:00")]
        asterisk.bridges = [{"BridgeUniqueid": "b-1", "BridgeType": "basic", "BridgeTechnology": "simple_bridge"}]
        async with connected(asterisk, diary):
            pass
        (snapshot,) = diary.snapshots
        talking, waiting = snapshot.channels
        assert talking.channel.name == "PJSIP/101-1.1"
        assert talking.channel.state == 6
        assert talking.channel.connected == ""
        assert (talking.bridge, talking.bridge_type, talking.technology) == (
            BridgeId("b-1"),
            "basic",
            "simple_bridge",
        )
        assert talking.application == "Dial"
        assert snapshot.at - talking.created == 62
        assert waiting.bridge is None
        assert snapshot.at - waiting.created == 25 * 3600

    @pytest.mark.parametrize("duration", ["", "x", "1:2", "-1:00:00", "a:b:c"])
    async def test_garbage_is_no_age_and_no_channel(self, asterisk: Asterisk, diary: Diary, duration: str) -> None:
        asterisk.channels = [
            channel("1.1", Duration=duration, ChannelState="up"),
            channel("", Channel="nobody"),
        ]
        async with connected(asterisk, diary):
            pass
        (present,) = diary.snapshots[0].channels
        assert present.created == diary.snapshots[0].at
        assert present.channel.state == 0

    async def test_a_missing_right_is_told(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary) as connection:
            asterisk.answers["bridgelist"] = lambda action: [
                f"Response: Error\r\nActionID: {action.get('ActionID')}\r\nMessage: Permission denied".encode()
            ]
            with pytest.raises(ActionRefused, match=r"Permission denied\. Its AMI user lacks a right"):
                await connection.resync(0)
        assert len(diary.snapshots) == 1


class TestMeanwhile:
    async def test_what_only_the_first_list_has_is_unsure(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary) as connection:
            asterisk.channels = [channel("1.1"), channel("1.2")]
            resyncing = asyncio.create_task(connection.resync(0.05))
            await asterisk.until(lambda: len(asterisk.actions("CoreShowChannels")) == 2)
            asterisk.channels = [channel("1.1")]
            snapshot = await resyncing
        assert ids(snapshot) == ["1.1"]
        assert snapshot.unsure == {Uniqueid("1.2")}
        assert diary.snapshots[-1] is snapshot

    async def test_whose_end_was_heard_is_neither_there_nor_unsure(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary) as connection:
            asterisk.channels = [channel("1.1"), channel("1.2")]
            resyncing = asyncio.create_task(connection.resync(0.05))
            await asterisk.until(lambda: len(asterisk.actions("CoreShowChannels")) == 2)
            asterisk.emit(event("Hangup", {**channel("1.2"), "Cause": "16"}))
            snapshot = await resyncing
        # Asterisk's list still has it: its end was heard, and counts.
        assert ids(snapshot) == ["1.1"]
        assert snapshot.unsure == frozenset()

    async def test_who_is_born_meanwhile_and_not_listed_is_unsure(self, asterisk: Asterisk, diary: Diary) -> None:
        async with connected(asterisk, diary) as connection:
            resyncing = asyncio.create_task(connection.resync(0.05))
            await asterisk.until(lambda: len(asterisk.actions("CoreShowChannels")) == 2)
            asterisk.emit(event("Newchannel", channel("1.3")))
            snapshot = await resyncing
        assert ids(snapshot) == []
        assert snapshot.unsure == {Uniqueid("1.3")}

    async def test_bridges_are_listed_before_channels(self, asterisk: Asterisk, diary: Diary) -> None:
        delivered: list[Snapshot] = []
        async with connected(asterisk, diary) as connection:
            asterisk.received.clear()
            await take(connection, delivered.append)
        names = [action.get("Action") for action in asterisk.received if action.get("Action") != "Logoff"]
        assert names == ["BridgeList", "CoreShowChannels"]
        assert len(delivered) == 1


class TestItsTime:
    """Asterisk's clock may be another one than ours."""

    @pytest.mark.parametrize("off", [-3600.0, 3600.0])
    async def test_it_is_that_of_the_events_around_it(self, asterisk: Asterisk, diary: Diary, off: float) -> None:
        async with connected(asterisk, diary) as connection:
            asterisk.emit(_hangup(time.time() + off))
            await diary.until(lambda: bool(diary.events))
            snapshot = await connection.resync(settle=0)
        assert abs(snapshot.at - off - time.time()) < 60

    async def test_our_clock_may_be_moved_between_an_event_and_the_snapshot(
        self, asterisk: Asterisk, diary: Diary, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = time.time
        async with connected(asterisk, diary) as connection:
            asterisk.emit(_hangup(right()))
            await diary.until(lambda: bool(diary.events))
            monkeypatch.setattr(time, "time", lambda: right() - 3600)
            snapshot = await connection.resync(settle=0)
        assert abs(snapshot.at - right()) < 60

    async def test_before_any_event_the_boot_that_each_login_is_told_of_says_it(self, diary: Diary) -> None:
        exchange = Exchange(clock=lambda: time.time() + 3600)
        async with exchange, connected(exchange, diary):
            pass
        assert abs(diary.snapshots[0].at - 3600 - time.time()) < 60


def _hangup(at: float) -> bytes:
    fields = {"Timestamp": f"{at:.6f}", "Channel": "PJSIP/101-1", "Uniqueid": "1.1", "Linkedid": "1.1", "Cause": "16"}
    return event("Hangup", fields)
