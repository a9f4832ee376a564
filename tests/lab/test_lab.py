"""The lab itself, on every Asterisk that it has."""

import asyncio
import wave
from pathlib import Path

import pytest

from ami_planfix.ami import capture
from tests.lab.ami import Ami, AmiError
from tests.lab.asterisk import ASTERISKS, Driver
from tests.lab.pbx import Lab
from tests.lab.record import record
from tests.lab.sip.codecs import loudness
from tests.lab.stories import every_story
from tests.lab.stories.incoming import direct_client_hangs_up, direct_no_answer
from tests.lab.stories.recording import recorded_on_client_channel
from tests.lab.stories.telling import converse

pytestmark = pytest.mark.asterisk

everywhere = pytest.mark.parametrize(("version", "driver"), ASTERISKS)


@everywhere
async def test_a_story_is_recorded_from_the_first_channel_to_the_last(
    version: int, driver: Driver, tmp_path: Path
) -> None:
    suffix = {(22, "pjsip"): "", (16, "pjsip"): "-ast16", (16, "chan_sip"): "-ast16sip"}[version, driver]
    assert await record([every_story()["recorded_on_client_channel"]], version, driver, tmp_path) == []
    # Asterisk writes an empty line too many now and then: what reads captures does not mind.
    events = list(capture.read(tmp_path / "recording" / f"recorded_on_client_channel{suffix}.ami"))
    names = [event.split(b"\r\n", 1)[0] for event in events]
    # What is told of phones that have just registered may come first.
    states = (b"Event: DeviceStateChange", b"Event: ExtensionStatus", b"Event: QueueMemberStatus")
    of_channels = [name for name in names if name not in states]
    assert of_channels[0] == b"Event: Newchannel"
    assert names.count(b"Event: Newchannel") == names.count(b"Event: Hangup") == 3
    assert all(b"\r\nTimestamp: " in event for event in events)
    assert b"/var/spool/asterisk/monitor/in-" in b"".join(events)


@everywhere
async def test_a_recording_has_both_voices(version: int, driver: Driver) -> None:
    async with Lab(version, driver) as lab:
        await recorded_on_client_channel(lab)
        (recording,) = lab.recordings_directory.glob("in-*.wav")
        with wave.open(str(recording)) as file:
            data = file.readframes(file.getnframes())
    samples = [int.from_bytes(data[at : at + 2], "little", signed=True) for at in range(8000, 16000, 2)]
    for frequency in (lab.client.frequency, lab.phones["101"].frequency):
        assert loudness(samples, frequency) > 0.2


@everywhere
async def test_after_a_restart_phones_can_be_called_again(version: int, driver: Driver) -> None:
    async with Lab(version, driver) as lab:
        await direct_client_hangs_up(lab)
        await lab.restart()
        await direct_client_hangs_up(lab)


async def test_the_daemons_account_sees_calls_and_may_only_originate() -> None:
    async with Lab(22) as lab:
        daemon = Ami()
        place = lab.asterisk
        await daemon.connect(place.ami_host, place.ami_port, place.ami_username, place.ami_secret, wait_for_boot=False)
        conversation = await converse(lab)
        await conversation.client_hangs_up(lab)
        client = await lab.ami.event("Newchannel")
        await daemon.event("Hangup", Uniqueid=client["Uniqueid"])
        seen = {event["Event"] for event in daemon.events}
        assert {"Newchannel", "Newexten", "VarSet", "DialBegin", "BridgeEnter", "Hangup"} <= seen
        for action in ("CoreShowChannels", "Status", "BridgeList", "DeviceStateList", "CoreStatus"):
            await daemon.action(action)
        for action in ("Command", "GetConfig", "Redirect", "Hangup", "Setvar", "ModuleLoad"):
            with pytest.raises(AmiError, match="Permission denied"):
                await daemon.action(action)
        await daemon.close()


async def test_two_asterisks_run_side_by_side() -> None:
    async with Lab(22) as one, Lab(16) as other:
        assert one.asterisk.ami_port != other.asterisk.ami_port
        await direct_no_answer(one)
        await direct_no_answer(other)


@everywhere
async def test_the_dialplan_asks_over_http_and_fastagi_who_calls(version: int, driver: Driver) -> None:
    asked: list[str] = []

    async def over_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\nAcme Ltd")
        writer.close()

    async def over_agi(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\n\n")).decode())
        writer.write('SET VARIABLE CALLERID(name) "Пётр"\n'.encode())
        asked.append((await reader.readline()).decode())
        writer.close()

    web = await asyncio.start_server(over_http, "127.0.0.1", 0)
    agi = await asyncio.start_server(over_agi, "127.0.0.1", 0)
    async with web, agi, Lab(version, driver) as lab:
        await lab.variable("CONTACT_URL", f"http://127.0.0.1:{web.sockets[0].getsockname()[1]}/contact")
        await lab.variable("CONTACT_AGI", f"agi://127.0.0.1:{agi.sockets[0].getsockname()[1]}/contact")
        for number, name in (("74951230032", "Acme Ltd"), ("74951230031", "Пётр")):
            client = await lab.client.dial(number)
            part = await lab.phones["101"].rings()
            assert part.caller_name == name
            await client.hang_up()
            await lab.quiet()
    assert "GET /contact?phone=79101234567 " in asked[0]
    assert "agi_callerid: 79101234567\n" in asked[1]
    assert asked[2] == "200 result=1\n"
