"""The connection with a real Asterisk, as the AMI user that we recommend, with and without its event filters."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ami_planfix.ami.connection import Connection
from ami_planfix.ami.endpoints import devices
from ami_planfix.ami.link import AmiSettings
from ami_planfix.ami.originate import OriginateRequest, originate
from ami_planfix.ami.wire import event_name
from ami_planfix.calls.events import BridgeEnter, Hangup, Newexten, UserEvent, VarSet
from tests.ami.conftest import PATIENCE, QUICK, Diary
from tests.ami.test_manager_conf import NEW, OLD, USED
from tests.lab import Lab, talk
from tests.lab.stories.attributes import attributes_told
from tests.lab.stories.ivr import ivr_below_ivr

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

DAEMON, LAB = "[ami-planfix]", "[lab]"
SECRET = "secret-of-the-test"


def our_user(filters: str) -> str:
    chosen = {"new": NEW, "old": OLD}.get(filters, "")
    commands = [line[1:] for line in chosen.splitlines() if line.startswith(";eventfilter")]
    return "\n".join([NEW.replace("CHANGE-ME", SECRET), *commands, ""])


def configure(path: Path, filters: str) -> None:
    text = path.read_text("utf-8")
    path.write_text(text[: text.index(DAEMON)] + our_user(filters) + text[text.index(LAB) :], "utf-8")


@asynccontextmanager
async def connected_to(lab: Lab, filters: str, diary: Diary) -> AsyncIterator[Connection]:
    configure(lab.asterisk.folder / "etc" / "manager.conf", filters)
    await lab.ami.action("Command", Command="manager reload")
    settings = AmiSettings(lab.asterisk.ami_host, lab.asterisk.ami_port, "ami-planfix", SECRET)
    connection = Connection(settings, diary, QUICK)
    running = asyncio.create_task(connection.run())
    try:
        async with lab.cleared():
            await diary.until(lambda: "resync" in diary.entries)
            yield connection
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("lab", "filters"),
    [
        ((22, "pjsip"), "none"),
        ((22, "pjsip"), "new"),
        ((22, "pjsip"), "old"),
        ((16, "pjsip"), "old"),
        ((16, "chan_sip"), "none"),
    ],
    indirect=["lab"],
    ids=str,
)
async def test_the_least_rights_suffice(lab: Lab, filters: str, diary: Diary) -> None:
    await lab.fill_freepbx_database()
    async with connected_to(lab, filters, diary) as connection:
        passed: Counter[str] = Counter()
        assert connection.status.asterisk.startswith(str(lab.asterisk.version))
        found = {device.name: device.extension for device in await devices(connection)}
        assert found[lab.device("101")] == "101"
        assert found[lab.device("104")] == "110"
        assert found[lab.device("provider")] is None

        connection.observe(lambda raw, at: passed.update([event_name(raw).decode()]))
        client = await lab.client.dial("74951230001")
        part = await lab.phones["101"].rings()
        await part.answer()
        await talk(client, part, 0.5)
        connection.observe(None)
        assert filters == "none" or set(passed) <= USED

        snapshot = await connection.resync(0.2)
        assert {present.channel.caller for present in snapshot.channels} == {"79101234567", "101"}
        assert len({present.bridge for present in snapshot.channels}) == 1
        assert {present.bridge_type for present in snapshot.channels} == {"basic"}
        entered = [heard for heard in diary.events if isinstance(heard, BridgeEnter)]
        assert {present.bridge for present in snapshot.channels} == {heard.bridge for heard in entered}
        await client.hang_up()
        await lab.quiet()
        assert (await connection.resync(0.2)).channels == ()
        assert sum(isinstance(heard, Hangup) for heard in diary.events) == 2


@pytest.mark.parametrize(
    ("lab", "filters"),
    [((22, "pjsip"), "none"), ((22, "pjsip"), "new"), ((22, "pjsip"), "old"), ((16, "pjsip"), "old")],
    indirect=["lab"],
    ids=str,
)
async def test_what_the_dialplan_tells_and_clients_choose_is_heard(lab: Lab, filters: str, diary: Diary) -> None:
    async with connected_to(lab, filters, diary):
        await attributes_told(lab)
        told = {name for heard in diary.events if isinstance(heard, UserEvent) for name, _ in heard.data}
        assert told == {"utm_source", "campaign", "said", "way", "robot", "greeted", "mood"}
        diary.events.clear()
        lab.forget()
        await ivr_below_ivr(lab)
        ran = [
            heard for heard in diary.events if isinstance(heard, Newexten) and heard.channel.context.startswith("ivr")
        ]
        menu = [(heard.channel.exten, heard.application) for heard in ran]
        waiting = [("s", "BackGround"), ("s", "WaitExten")]
        assert menu == [*waiting, *waiting, ("2", "NoOp"), *waiting, ("1", "Goto"), ("3", "Goto")]


@pytest.mark.parametrize(
    ("lab", "filters"),
    [((22, "pjsip"), "new"), ((16, "pjsip"), "old")],
    indirect=["lab"],
    ids=str,
)
async def test_a_phone_is_rung_and_what_became_of_it_is_heard(lab: Lab, filters: str, diary: Diary) -> None:
    async with connected_to(lab, filters, diary) as connection:
        originated = await originate(
            connection,
            OriginateRequest(
                channel=lab.device("101"),
                context="from-internal",
                exten="79101234567",
                channel_id="chosen-1",
                timeout=10,
                variables=(("PLANFIX_DATA_x", "да"),),
            ),
        )
        call = await lab.phones["101"].rings()
        await call.answer()
        async with asyncio.timeout(PATIENCE):
            outcome = await originated.outcome()
        assert outcome.answered
        assert outcome.uniqueid == "chosen-1"
        await call.hang_up()
        await lab.quiet()
        variables = [heard for heard in diary.events if isinstance(heard, VarSet)]
        assert [(heard.variable, heard.value) for heard in variables if re.match("PLANFIX", heard.variable)] == [
            ("PLANFIX_DATA_x", "да")
        ]


@pytest.mark.parametrize("lab", [(22, "pjsip")], indirect=True, ids=str)
async def test_a_restart_of_asterisk_ends_in_a_new_snapshot(lab: Lab, diary: Diary) -> None:
    async with connected_to(lab, "none", diary):
        await lab.restart()
        await diary.until(lambda: diary.entries.count("resync") == 2)
    assert [entry for entry in diary.entries if entry in ("connected", "resync", "lost")] == [
        "connected",
        "resync",
        "lost",
        "connected",
        "resync",
    ]
