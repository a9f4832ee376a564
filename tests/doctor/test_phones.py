"""What can be wrong with phones, lines and employees: caused, found, mended as advised."""

import pytest

from ami_planfix.demo.asterisk import Fields
from ami_planfix.doctor import phones
from tests.doctor.bed import Bed

ALL = ("phones", "trunks", "employees", "default extension")


def device(name: str, state: str = "NOT_INUSE") -> Fields:
    return {"Device": name, "State": state}


def peer(name: str, address: str = "192.0.2.7", status: str = "OK (12 ms)") -> Fields:
    return {"ObjectName": name, "IPaddress": address, "Status": status}


async def test_all_is_well(bed: Bed) -> None:
    await bed.is_well(*ALL)


async def test_a_phone_that_is_not_registered(bed: Bed) -> None:
    bed.asterisk.devices[0]["State"] = "UNAVAILABLE"
    finding = await bed.has(phones.NOT_REGISTERED, *ALL)
    assert "PJSIP/101" in finding.found
    bed.asterisk.devices[0]["State"] = "INUSE"
    await bed.is_well(*ALL)


@pytest.mark.parametrize(
    "away", [peer("103", "-none-"), peer("103", status="UNREACHABLE"), peer("103", status="UNKNOWN")]
)
async def test_a_phone_of_chan_sip_that_is_not_registered(bed: Bed, away: Fields) -> None:
    bed.asterisk.peers.append(away)
    finding = await bed.has(phones.NOT_REGISTERED, *ALL)
    assert "SIP/103" in finding.found
    bed.asterisk.peers[:] = [peer("103")]
    await bed.is_well(*ALL)


async def test_a_device_that_is_nobodys(bed: Bed) -> None:
    bed.asterisk.devices.append(device("PJSIP/warehouse"))
    finding = await bed.has(phones.NOBODYS, *ALL)
    assert "PJSIP/warehouse" in finding.found
    bed.sections["numbering"]["employees"] = [{"extension": "102", "devices": ["PJSIP/warehouse"]}]
    await bed.is_well(*ALL)
    bed.sections["numbering"]["employees"] = []
    bed.sections["ignore"] = {"channels": ["PJSIP/warehouse"]}
    await bed.is_well(*ALL)


async def test_what_was_taken_out_of_asterisk_is_gone_although_it_still_lists_it(bed: Bed) -> None:
    bed.asterisk.devices += [device("PJSIP/108", "INVALID"), device("PJSIP/warehouse", "INVALID")]
    await bed.is_well(*ALL)
    bed.asterisk.devices[2]["State"] = "INVALID"
    await bed.has(phones.TRUNK_UNKNOWN, "trunks")


async def test_many_of_them_are_not_all_listed(bed: Bed) -> None:
    bed.asterisk.devices += [device(f"PJSIP/door{number}") for number in range(9)]
    finding = await bed.has(phones.NOBODYS, *ALL)
    assert finding.found.endswith("and 4 more")


async def test_a_line_that_asterisk_does_not_know(bed: Bed) -> None:
    bed.sections["trunks"][0]["channel"] = "PJSIP/provaider"
    assert await bed.faults(*ALL) == [phones.NOBODYS.name, phones.TRUNK_UNKNOWN.name]
    bed.sections["trunks"][0]["channel"] = "pjsip/Provider"
    await bed.is_well(*ALL)


async def test_a_line_of_a_kind_that_asterisk_does_not_list_is_believed(bed: Bed) -> None:
    bed.sections["trunks"] += [{"channel": "DAHDI/i1"}, {"channel": "Dongle/dongle0"}, {"channel": "SIP/old"}]
    await bed.is_well(*ALL)


async def test_a_line_that_cannot_be_reached(bed: Bed) -> None:
    bed.asterisk.devices[2]["State"] = "UNAVAILABLE"
    await bed.has(phones.TRUNK_AWAY, *ALL)
    bed.asterisk.devices[2]["State"] = "NOT_INUSE"
    await bed.is_well(*ALL)


async def test_no_line_at_all(bed: Bed) -> None:
    bed.sections["trunks"] = []
    assert await bed.faults(*ALL) == [phones.NOBODYS.name, phones.NO_TRUNKS.name]


async def test_an_employee_without_a_phone(bed: Bed) -> None:
    bed.sections["numbering"]["employees"] = [{"extension": "109"}]
    await bed.has(phones.PHONELESS, *ALL)
    bed.sections["numbering"]["employees"] = [{"extension": "109", "mobiles": ["+79161234567"]}]
    await bed.is_well(*ALL)


@pytest.mark.parametrize("key", ["devices", "click"])
async def test_an_employees_phone_that_asterisk_does_not_know(bed: Bed, key: str) -> None:
    bed.sections["numbering"]["employees"] = [{"extension": "101", key: ["PJSIP/101-hom"]}]
    await bed.has(phones.DEVICE_UNKNOWN, *ALL)
    bed.asterisk.devices.append(device("PJSIP/101-hom"))
    if key == "click":
        bed.sections["numbering"]["employees"][0]["devices"] = ["PJSIP/101-hom"]
    await bed.is_well(*ALL)


async def test_no_default_extension(bed: Bed) -> None:
    bed.sections["numbering"]["default_extension"] = ""
    await bed.has(phones.NO_DEFAULT, *ALL)
    bed.sections["numbering"]["default_extension"] = "102"
    await bed.is_well(*ALL)


async def test_a_default_extension_without_a_phone(bed: Bed) -> None:
    bed.sections["dids"] = [{"number": "74951230001", "default_extension": "190"}]
    finding = await bed.has(phones.DEFAULT_PHONELESS, *ALL)
    assert "190 (dids[74951230001])" in finding.found
    bed.sections["dids"][0]["default_extension"] = "102"
    await bed.is_well(*ALL)
