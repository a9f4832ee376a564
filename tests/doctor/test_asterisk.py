"""What can be wrong between Asterisk's manager interface and us: caused, found, mended as advised."""

import time
from pathlib import Path

import pytest

from ami_planfix.demo.asterisk import event
from ami_planfix.doctor import asterisk
from ami_planfix.doctor.finding import Sign
from tests.doctor.bed import TELLS, Bed

SNIPPET = Path(__file__).parents[2] / "asterisk" / "manager.conf"
ALL = ("login", "version", "rights", "events")


async def test_all_is_well_and_nothing_is_reported_of_doctors_own_channel(bed: Bed) -> None:
    async with bed.daemon():
        await bed.is_well(*ALL)
        assert len(bed.asterisk.actions("Originate")) == 1
    assert [one.fields["cmd"] for one in bed.planfix.received] == ["ping"]


async def test_asterisk_that_is_away(bed: Bed) -> None:
    port = bed.asterisk.port
    await bed.asterisk.stop()
    finding = await bed.has(asterisk.AWAY, "login")
    assert str(port) in finding.remedy
    assert {found.sign for found in await bed.findings("version", "rights", "events")} == {Sign.UNTRIED}
    await bed.asterisk.start(port=port)
    await bed.is_well(*ALL)


async def test_a_wrong_secret(bed: Bed) -> None:
    bed.sections["ami"]["secret"] = "another"
    finding = await bed.has(asterisk.REFUSED, "login")
    assert "another" not in str(finding)
    bed.sections["ami"]["secret"] = bed.asterisk.secret
    await bed.is_well(*ALL)


async def test_an_asterisk_that_lets_a_user_in_once(bed: Bed) -> None:
    async with bed.daemon():
        bed.asterisk.answers["login"] = lambda action: [
            f"Response: Error\r\nActionID: {action.get('ActionID')}\r\nMessage: Login Already In Use".encode()
        ]
        await bed.has(asterisk.ONCE, "login")
        del bed.asterisk.answers["login"]
        await bed.is_well("login")


@pytest.mark.parametrize(
    ("version", "well"), [("1.8.32", False), ("13.38.3", False), ("16.30.1", True), ("23.0.0", True)]
)
async def test_versions(bed: Bed, version: str, well: bool) -> None:
    bed.asterisk.version = version
    assert await bed.faults("version") == ([] if well else [asterisk.VERSION.name])


@pytest.mark.parametrize("right", ["originate", "reporting"])
async def test_a_missing_right(bed: Bed, right: str) -> None:
    bed.asterisk.rights.discard(right)
    finding = await bed.has(asterisk.RIGHTS, "rights")
    assert f"without {right}:" in finding.found
    bed.asterisk.rights.add(right)
    await bed.is_well("rights")


async def test_without_clicks_nothing_need_be_originated(bed: Bed) -> None:
    del bed.sections["server"]
    bed.asterisk.rights.discard("originate")
    await bed.is_well("rights")


@pytest.mark.parametrize("right", ["system", "command", "config"])
async def test_a_right_that_nobody_needs(bed: Bed, right: str) -> None:
    bed.asterisk.rights.add(right)
    finding = await bed.has(asterisk.EXCESS, "rights")
    assert right in finding.remedy
    bed.asterisk.rights.discard(right)
    await bed.is_well("rights")


@pytest.mark.parametrize("silent", ["Newchannel", "Hangup", "OriginateResponse"])
async def test_channels_that_are_not_told_of(bed: Bed, silent: str) -> None:
    bed.tells = set(TELLS) - {silent}
    finding = await bed.has(asterisk.NO_CHANNELS, "events")
    assert silent in finding.found
    bed.tells = TELLS
    await bed.is_well("events")


async def test_variables_that_are_not_told_of(bed: Bed) -> None:
    bed.tells = set(TELLS) - {"VarSet"}
    await bed.has(asterisk.NO_VARIABLES, "events")


async def test_calls_that_go_on_meanwhile_do_not_count(bed: Bed) -> None:
    bed.tells = ()
    before = bed.asterisk.on_originate
    assert before

    bed.asterisk.on_originate = lambda action: bed.asterisk.emit(
        *(event(name, {"Channel": "PJSIP/101-0000001a", "Variable": "FROM_DID"}) for name in TELLS)
    )
    assert await bed.faults("events") == [asterisk.NO_CHANNELS.name, asterisk.NO_VARIABLES.name]


async def test_events_without_their_times(bed: Bed) -> None:
    bed.stamped = False
    await bed.has(asterisk.NO_TIMES, "events")
    bed.stamped = True
    await bed.is_well("events")


@pytest.mark.parametrize("seconds", [-3600.0, 60.0])
async def test_another_time_in_asterisk(bed: Bed, seconds: float) -> None:
    def answer(shift: float) -> None:
        bed.asterisk.answers["ping"] = lambda action: [
            f"Response: Success\r\nActionID: {action.get('ActionID')}\r\nTimestamp: {time.time() + shift:.6f}".encode()
        ]

    answer(seconds)
    finding = (await bed.findings("clock"))[0]
    assert finding.fault == asterisk.CLOCK.name
    assert ("behind" in finding.found) == (seconds < 0)
    answer(0)
    assert (await bed.findings("clock"))[0].sign is Sign.WELL


class TestFilter:
    """`eventfilter` in a manager.conf that can be read."""

    @pytest.mark.parametrize("half", [0, 1])
    async def test_our_lists_are_whole_and_a_list_that_lacks_a_line_is_found(self, bed: Bed, half: int) -> None:
        head, _, rest = SNIPPET.read_text("utf-8").partition("; Asterisk 20.10")
        lines = [line.lstrip(";") for line in rest.split("; Older ones:")[half].splitlines() if line.startswith(";ev")]
        self.write(bed, head, lines)
        await bed.is_well("event filter")
        for lacking in range(len(lines)):
            self.write(bed, head, [line for at, line in enumerate(lines) if at != lacking])
            (found,) = await bed.faults("event filter")
            is_optional = "UserEvent" in lines[lacking] or "Priority" in lines[lacking]
            assert found == (asterisk.OLD_FILTER if is_optional else asterisk.FILTER).name
        self.write(bed, head, [line.replace("BackGround|", "") for line in lines])
        await bed.has(asterisk.OLD_FILTER, "event filter")
        self.write(bed, head, [])
        await bed.is_well("event filter")

    async def test_an_excluding_filter_is_found(self, bed: Bed) -> None:
        self.write(bed, SNIPPET.read_text("utf-8"), ["eventfilter = !Event: Hangup$"])
        finding = await bed.has(asterisk.FILTER, "event filter")
        assert "Hangup" in finding.found

    async def test_filters_are_found_in_an_included_file(self, bed: Bed) -> None:
        self.write(bed, SNIPPET.read_text("utf-8").replace("[ami-planfix]", "[other]"), [])
        (bed.folder / "etc/asterisk/manager_custom.conf").write_text("[ami-planfix]\neventfilter = Event: Newchannel\n")
        with (bed.folder / "etc/asterisk/manager.conf").open("a") as file:
            file.write("#include manager_custom.conf\n")
        finding = await bed.has(asterisk.FILTER, "event filter")
        assert "manager_custom.conf" in finding.remedy

    @staticmethod
    def write(bed: Bed, head: str, lines: list[str]) -> None:
        (bed.folder / "etc/asterisk").mkdir(parents=True, exist_ok=True)
        (bed.folder / "etc/asterisk/manager.conf").write_text("\n".join([head, *lines, ""]), "utf-8")
