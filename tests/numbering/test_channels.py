"""Names of channels and strings of Dial, by driver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_planfix.numbering.channels import devices, dialled_device, split_dial


@pytest.mark.parametrize(
    ("channel", "device"),
    [
        ("PJSIP/101-0000001a", "PJSIP/101"),
        ("PJSIP/my-provider-00000001", "PJSIP/my-provider"),
        ("SIP/provider-out-0000000a", "SIP/provider-out"),
        ("SIP/1.2.3.4-0000000a", "SIP/1.2.3.4"),
        ("SIP/sip.example.com:5060-0000000a", "SIP/sip.example.com:5060"),
        ("IAX2/branch-123", "IAX2/branch"),
        ("IAX2/branch-office-9", "IAX2/branch-office"),
        ("IAX2/branch@192.0.2.1-7", "IAX2/branch"),
        ("DAHDI/1-1", "DAHDI/1"),
        ("DAHDI/i1/89161234567-5", "DAHDI/i1"),
        ("DAHDI/i2/-1f", "DAHDI/i2"),
        ("Dongle/dongle0-0100000007", "DONGLE/dongle0"),
        ("Quectel/quectel0-0100000007", "QUECTEL/quectel0"),
        ("SCCP/101-00000001", "SCCP/101"),
        ("AsyncGoto/PJSIP/101-0000001a", "PJSIP/101"),
        ("PJSIP/101-0000001a<ZOMBIE>", "PJSIP/101"),
        ("AsyncGoto/SIP/101-0000001a<MASQ><ZOMBIE>", "SIP/101"),
        ("PJSIP/101", "PJSIP/101"),
        ("PJSIP/101-home", "PJSIP/101-home"),
        ("Local/101@from-internal-0000000f;1", "LOCAL/101@from-internal"),
        ("", "/"),
        ("PJSIP", "PJSIP/"),
    ],
)
def test_a_channel_names_its_device(channel: str, device: str) -> None:
    assert device in [f"{one.driver}/{one.name}" for one in devices(channel)]


def test_the_name_as_it_stands_comes_first() -> None:
    assert [one.name for one in devices("PJSIP/line-00000001")] == ["line-00000001", "line"]


@pytest.mark.parametrize(
    ("text", "peer", "number"),
    [
        ("79101234567@provider", "provider", "79101234567"),
        ("+79101234567@provider", "provider", "+79101234567"),
        ("provider/79101234567", "provider", "79101234567"),
        ("g0/89101234567", "g0", "89101234567"),
        ("i1/89101234567", "i1", "89101234567"),
        ("r1/ww89101234567/x", "r1", "ww89101234567"),
        ("dongle0/89101234567", "dongle0", "89101234567"),
        ("provider/sip:89101234567@192.0.2.1:5060", "provider", "89101234567"),
        ("provider/sip:89101234567@host;user=phone", "provider", "89101234567"),
        ("105/sip:105@127.0.0.1:25115", "105", "105"),
        ("105/sip:127.0.0.1:25115", "105", ""),
        ("sip:79101234567@host", "host", "79101234567"),
        ("user:word@branch/101@from-branch", "branch", "101"),
        ("branch/101", "branch", "101"),
        ("79101234567@provider!dnid", "provider", "79101234567"),
        ("101", "101", ""),
        ("", "", ""),
    ],
)
def test_a_string_of_dial_has_a_peer_and_perhaps_a_number(text: str, peer: str, number: str) -> None:
    assert split_dial(text) == (peer, number)


def test_an_argument_of_dial_begins_with_the_driver() -> None:
    assert dialled_device("pjsip/79101234567@provider") == ("PJSIP", "provider")
    assert dialled_device("IAX2/user:word@branch/101") == ("IAX2", "branch")
    assert dialled_device("nonsense") == ("NONSENSE", "")


@given(st.text())
def test_no_text_breaks_them(text: str) -> None:
    assert devices(text)
    assert dialled_device(text).driver == text.strip().partition("/")[0].upper()
    assert len(split_dial(text)) == 2
