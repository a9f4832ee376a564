"""What can be wrong in the dialplan: caused, found, mended as advised."""

from ami_planfix.demo.asterisk import Fields
from ami_planfix.doctor import dialplan
from ami_planfix.doctor.finding import Sign
from tests.doctor.bed import Bed


def line(context: str, data: str = "", application: str = "Gosub") -> Fields:
    return {"Context": context, "Extension": "s", "Application": application, "AppData": data}


def asks(bed: Bed, port: int | None = None) -> Fields:
    where = f"127.0.0.1:{port}" if port else str(bed.sections["contacts"]["fastagi"])
    return line("ami-planfix-contact", f"agi://{where}/contact,phone=${{CALLERID(num)}}", "AGI")


async def test_clicks_find_their_way(bed: Bed) -> None:
    await bed.is_well("clicks", "our dialplan", "hints")


async def test_a_context_for_clicks_that_is_not_there(bed: Bed) -> None:
    bed.sections["makecall"] = {"context": "outgoing"}
    finding = await bed.has(dialplan.CONTEXT, "clicks")
    assert "outgoing" in finding.found
    bed.asterisk.dialplan.append(line("outgoing"))
    await bed.is_well("clicks")


async def test_freepbxs_way_to_phones_on_an_asterisk_that_is_no_freepbx(bed: Bed) -> None:
    bed.sections["makecall"] = {"channel": "Local/{extension}@originate-skipvm"}
    finding = await bed.has(dialplan.CONTEXT, "clicks")
    assert "makecall.channel" in finding.remedy
    bed.asterisk.dialplan.append(line("originate-skipvm"))
    await bed.is_well("clicks")


async def test_several_phones_at_once_without_our_dialplan(bed: Bed) -> None:
    bed.sections["makecall"] = {"together": True}
    await bed.has(dialplan.CONTEXT, "clicks")
    bed.asterisk.dialplan.append(line("ami-planfix-click"))
    await bed.is_well("clicks")


async def test_phones_of_another_kind_than_clicks_ring(bed: Bed) -> None:
    bed.sections["makecall"] = {"channel": "SIP/{extension}"}
    finding = await bed.has(dialplan.CHANNEL, "clicks")
    assert "PJSIP/{extension}" in finding.remedy
    bed.sections["makecall"] = {"channel": "PJSIP/{extension}"}
    await bed.is_well("clicks")


async def test_our_dialplan_is_used_and_not_loaded(bed: Bed) -> None:
    bed.asterisk.dialplan += [
        line("from-trunk", "ami-planfix-contact,s,1(${EXTEN})"),
        line("customdests", "ami-planfix-freepbx-manager,s,1"),
    ]
    assert await bed.faults("our dialplan") == [dialplan.MISSING.name] * 2
    bed.asterisk.dialplan += [line("ami-planfix-freepbx-manager")]
    finding = await bed.has(dialplan.MISSING, "our dialplan")
    assert "extensions-planfix.conf" in finding.remedy
    bed.asterisk.dialplan.append(asks(bed))
    await bed.is_well("our dialplan")


async def test_our_dialplan_asks_where_nobody_listens(bed: Bed) -> None:
    bed.asterisk.dialplan.append(asks(bed, 4573))
    finding = await bed.has(dialplan.PORT, "our dialplan")
    assert "127.0.0.1:4573" in finding.remedy
    bed.sections["contacts"]["fastagi"] = "0.0.0.0:4573"
    await bed.is_well("our dialplan")


async def test_the_way_to_the_manager_without_hints(bed: Bed) -> None:
    bed.asterisk.dialplan.append(asks(bed))
    bed.asterisk.hints.append({"Exten": "101", "Context": "ext-local", "Hint": "PJSIP/101"})
    await bed.has(dialplan.NO_HINTS, "hints")
    bed.sections["contacts"]["hints"] = "ext-local"
    await bed.is_well("hints")


async def test_without_the_right_to_ask_nothing_is_said_of_the_dialplan(bed: Bed) -> None:
    bed.asterisk.answers["showdialplan"] = lambda action: [
        f"Response: Error\r\nActionID: {action.get('ActionID')}\r\nMessage: Permission denied".encode()
    ]
    assert {finding.sign for finding in await bed.findings("clicks", "our dialplan", "hints")} == {Sign.UNTRIED}
