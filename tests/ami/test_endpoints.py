"""The PBX's own phones, and whose they are."""

import pytest

from ami_planfix.ami.endpoints import Device, ExtensionState, devices, extension_state
from ami_planfix.demo.asterisk import Asterisk
from tests.ami.conftest import Diary, connected

FREEPBX = "FreePBX gives this device to it"
HINT = "the hint of this extension watches it"
UNKNOWN = "Asterisk knows it and does not say whose it is"


async def found(asterisk: Asterisk, diary: Diary) -> list[Device]:
    async with connected(asterisk, diary) as connection:
        return await devices(connection)


def states(*names: str) -> list[dict[str, str]]:
    return [{"Device": name, "State": "NOT_INUSE"} for name in names]


async def test_phones_and_trunks_are_listed_and_nothing_else(asterisk: Asterisk, diary: Diary) -> None:
    asterisk.devices = states("PJSIP/provider", "PJSIP/101", "Custom:DND101", "Local/1@x", "Queue:600", "IAX2/branch")
    assert await found(asterisk, diary) == [
        Device("IAX2/branch", None, UNKNOWN),
        Device("PJSIP/101", None, UNKNOWN),
        Device("PJSIP/provider", None, UNKNOWN),
    ]


async def test_chan_sip_lists_its_peers(asterisk: Asterisk, diary: Diary) -> None:
    asterisk.peers = [{"ObjectName": "101", "Dynamic": "yes"}, {"ObjectName": ""}]
    assert await found(asterisk, diary) == [Device("SIP/101", None, UNKNOWN)]


async def test_freepbx_says_whose_a_device_is(asterisk: Asterisk, diary: Diary) -> None:
    asterisk.devices = states("PJSIP/5001", "PJSIP/101", "PJSIP/99101", "PJSIP/5002")
    asterisk.database = {
        ("DEVICE", "5001/user"): "102",
        ("DEVICE", "101/user"): "101",
        ("DEVICE", "5002/user"): "none",
    }
    assert await found(asterisk, diary) == [
        Device("PJSIP/101", "101", FREEPBX),
        Device("PJSIP/5001", "102", FREEPBX),
        Device("PJSIP/5002", None, UNKNOWN),
        Device("PJSIP/99101", "101", "FreePBX's web or softphone twin of 101"),
    ]


@pytest.mark.parametrize(
    ("hints", "extension"),
    [
        ({"101": "PJSIP/desk"}, "101"),
        ({"101": "PJSIP/desk&Custom:DND101,CustomPresence:101"}, "101"),
        ({"101": "PJSIP/desk", "600": "PJSIP/desk"}, None),
        ({"600": "PJSIP/desk&PJSIP/other"}, None),
        ({"*7101": "PJSIP/desk"}, None),
        ({"_1XX": "PJSIP/desk"}, None),
    ],
)
async def test_a_hint_says_whose_a_device_is_if_it_is_only_its(
    asterisk: Asterisk, diary: Diary, hints: dict[str, str], extension: str | None
) -> None:
    asterisk.devices = states("PJSIP/desk")
    asterisk.hints = [{"Exten": exten, "Context": "x", "Hint": hint} for exten, hint in hints.items()]
    assert await found(asterisk, diary) == [Device("PJSIP/desk", extension, HINT if extension else UNKNOWN)]


async def test_a_namesake_wins_over_a_groups_hint(asterisk: Asterisk, diary: Diary) -> None:
    asterisk.devices = states("PJSIP/101", "PJSIP/101-home")
    asterisk.hints = [
        {"Exten": "101", "Hint": "PJSIP/101&PJSIP/101-home"},
        {"Exten": "600", "Hint": "PJSIP/101"},
    ]
    assert [device.extension for device in await found(asterisk, diary)] == ["101", "101"]


async def test_the_state_of_an_extension_can_be_asked(asterisk: Asterisk, diary: Diary) -> None:
    asterisk.answers["extensionstate"] = lambda action: [
        f"Response: Success\r\nActionID: {action.get('ActionID')}\r\nHint: PJSIP/101\r\n"
        "Status: 8\r\nStatusText: Ringing".encode()
    ]
    async with connected(asterisk, diary) as connection:
        assert await extension_state(connection, "101", "x") == ExtensionState(8, "Ringing", "PJSIP/101")
