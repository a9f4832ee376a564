"""Whose a channel is, and whose a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_planfix.calls.parties import Did, Directory, Kind
from ami_planfix.calls.reports import Extension
from ami_planfix.config.model import Config
from ami_planfix.numbering import Numbering


def numbering(**sections: object) -> Numbering:
    return Numbering(Config.model_validate(sections))


OFFICE = numbering(
    numbering={
        "country": "RU",
        "area_code": "495",
        "extensions": r"1\d\d",
        "default_extension": "100",
        "employees": [
            {"extension": "101", "devices": ["PJSIP/101-home", "DAHDI/2"], "mobiles": ["+7 926 111-01-01"]},
            {"extension": "102", "report": "false"},
            {"extension": "2001"},
        ],
    },
    trunks=[
        {"channel": "PJSIP/provider", "number": "+7 (495) 123-00-00", "strip": "9"},
        {"channel": "PJSIP/0312", "number": "84951230000"},
        {"channel": "SIP/1.2.3.4", "number": "74951230000"},
        {"channel": "PJSIP/199", "number": "74951230000"},
        {"channel": "IAX2/branch", "kind": "internal"},
        {"channel": "SIP/fax", "kind": "ignore", "number": "74951239999"},
    ],
    dids=[
        {"number": "1230001", "name": "Sales", "default_extension": "101", "data": {"utm_source": "site"}},
        {"number": "74951230002", "report": "no"},
    ],
    ignore={"channels": ["PJSIP/door*", "SIP/102", "SIP/1.2*"], "callers": ["8 903 111-22-33", "7800*"]},
)


@pytest.mark.parametrize(
    ("channel", "kind", "extension", "trunk"),
    [
        ("PJSIP/provider-0000001a", Kind.PROVIDER, None, "PJSIP/provider"),
        ("PJSIP/Provider-0000001a", Kind.PROVIDER, None, "PJSIP/provider"),
        ("PJSIP/0312-0000001a", Kind.PROVIDER, None, "PJSIP/0312"),
        ("PJSIP/199-0000001a", Kind.PROVIDER, None, "PJSIP/199"),  # a trunk, although it looks like an extension
        ("SIP/1.2.3.4-0000001a", Kind.PROVIDER, None, "SIP/1.2.3.4"),  # a trunk, although it is ignored as well
        ("IAX2/branch-123", Kind.BRANCH, None, "IAX2/branch"),
        ("SIP/fax-0000001a", Kind.IGNORED, None, "SIP/fax"),
        ("PJSIP/doorphone-0000001a", Kind.IGNORED, None, ""),
        ("SIP/102-0000001a", Kind.IGNORED, None, ""),
        ("PJSIP/101-0000001a", Kind.EMPLOYEE, "101", ""),
        ("PJSIP/101", Kind.EMPLOYEE, "101", ""),
        ("PJSIP/101-home-0000001a", Kind.EMPLOYEE, "101", ""),
        ("PJSIP/101-work-0000001a", Kind.PROVIDER, None, ""),
        ("DAHDI/2-1", Kind.EMPLOYEE, "101", ""),
        ("DAHDI/101-1", Kind.PROVIDER, None, ""),  # the 101st channel of a card is no extension
        ("DAHDI/i1/89161234567-5", Kind.PROVIDER, None, ""),
        ("PJSIP/2001-0000001a", Kind.EMPLOYEE, "2001", ""),
        ("PJSIP/99101-0000001a", Kind.EMPLOYEE, "101", ""),
        ("PJSIP/902001-0000001a", Kind.EMPLOYEE, "2001", ""),
        ("PJSIP/97101-0000001a", Kind.PROVIDER, None, ""),
        ("PJSIP/9999101-0000001a", Kind.PROVIDER, None, ""),
        ("SIP/5.6.7.8-0000001a", Kind.PROVIDER, None, ""),
        ("PJSIP/anonymous-0000001a", Kind.IGNORED, None, ""),
        ("Local/101@from-internal-0000000f;1", Kind.LOCAL, None, ""),
        ("Message/ast_msg_queue", Kind.OTHER, None, ""),
        ("CBAnn/room-00000001;2", Kind.OTHER, None, ""),
        ("", Kind.OTHER, None, ""),
        ("x", Kind.OTHER, None, ""),
    ],
)
def test_a_channel_is_somebodys(channel: str, kind: Kind, extension: str | None, trunk: str) -> None:
    party = OFFICE.party(channel)
    assert (party.kind, party.extension, party.trunk) == (kind, extension, trunk)
    assert party.why


def test_a_party_on_a_trunk_has_the_trunks_number() -> None:
    assert OFFICE.party("PJSIP/provider-0000001a").number == "74951230000"
    assert OFFICE.party("PJSIP/0312-0000001a").number == "74951230000"
    assert OFFICE.party("IAX2/branch-1").number == ""


class TestThePhonesThatThePbxTellsOf:
    def test_a_phone_with_an_extension_is_that_employees(self) -> None:
        office = numbering()
        assert office.party("PJSIP/reception-00000001").kind is Kind.PROVIDER
        office.learn([("PJSIP/reception", "12345")])
        assert office.party("PJSIP/reception-00000001").extension == "12345"
        assert office.extension("12345") == "12345"
        assert office.party("PJSIP/9812345-00000001").extension == "12345"

    def test_a_twin_that_is_an_extension_itself_is_no_twin(self) -> None:
        office = numbering()
        office.learn([("PJSIP/101", "101"), ("PJSIP/99101", "99101")])
        assert office.party("PJSIP/99101-00000001").extension == "99101"

    def test_a_device_of_which_only_its_name_is_known_may_be_a_trunk(self) -> None:
        office = numbering()
        office.learn([("PJSIP/provider", None), ("PJSIP/101", None)])
        assert office.party("PJSIP/provider-00000001").kind is Kind.PROVIDER
        assert office.party("PJSIP/101-00000001").extension == "101"

    def test_what_was_learned_last_counts(self) -> None:
        office = numbering()
        office.learn([("PJSIP/desk7", "101")])
        assert office.party("PJSIP/desk7-00000001").extension == "101"
        office.learn([("PJSIP/desk7", "102")])
        assert office.party("PJSIP/desk7-00000001").extension == "102"
        office.learn([])
        assert office.party("PJSIP/desk7-00000001").kind is Kind.PROVIDER

    def test_the_configuration_overrules_the_pbx(self) -> None:
        office = numbering(
            trunks=[{"channel": "PJSIP/line"}],
            numbering={"employees": [{"extension": "103", "devices": ["PJSIP/desk"]}]},
        )
        office.learn([("PJSIP/line", "101"), ("PJSIP/desk", "102")])
        assert office.party("PJSIP/line-00000001").kind is Kind.PROVIDER
        assert office.party("PJSIP/desk-00000001").extension == "103"


class TestGroupsOfDahdi:
    def test_a_lone_group_has_all_spans(self) -> None:
        office = numbering(trunks=[{"channel": "DAHDI/g0", "number": "74951230000"}])
        assert office.party("DAHDI/i1/89161234567-5").trunk == "DAHDI/g0"
        assert office.target("DAHDI/g0/89161234567").trunk == "DAHDI/g0"

    def test_of_two_groups_a_span_tells_neither(self) -> None:
        office = numbering(trunks=[{"channel": "DAHDI/g0"}, {"channel": "DAHDI/g1"}])
        assert office.party("DAHDI/i1/89161234567-5").trunk == ""

    def test_a_phone_on_a_card_is_not_in_the_group(self) -> None:
        office = numbering(trunks=[{"channel": "DAHDI/g0"}])
        assert office.party("DAHDI/7-1").trunk == ""

    def test_a_span_can_be_named(self) -> None:
        office = numbering(trunks=[{"channel": "DAHDI/i1", "kind": "internal"}])
        assert office.party("DAHDI/i1/101-5").kind is Kind.BRANCH


class TestWhatALegDials:
    @pytest.mark.parametrize(
        ("channel", "dial_string", "number"),
        [
            ("PJSIP/provider-0000001a", "79101234567@provider", "79101234567"),
            ("PJSIP/provider-0000001a", "979101234567@provider", "79101234567"),
            ("PJSIP/provider-0000001a", "99101234567@provider", "79101234567"),
            ("PJSIP/provider-0000001a", "9101234567@provider", "79101234567"),  # dialled without the prefix
            ("PJSIP/provider-0000001a", "9810375291234567@provider", "375291234567"),
            ("PJSIP/provider-0000001a", "9112@provider", "112"),
            ("PJSIP/provider-0000001a", "provider/sip:979101234567@192.0.2.1", "79101234567"),
            ("PJSIP/provider-0000001a", "provider", ""),
            ("SIP/1.2.3.4-0000001a", "979101234567@1.2.3.4", "979101234567"),
            ("Dongle/dongle0-0100000007", "dongle0/89101234567", "79101234567"),
            ("DAHDI/i1/89101234567-5", "g0/ww89101234567", "79101234567"),
            ("IAX2/branch-12", "branch/101", "101"),
        ],
    )
    def test_the_number_comes_without_the_trunks_prefix(self, channel: str, dial_string: str, number: str) -> None:
        assert OFFICE.dialled(channel, dial_string) == number

    def test_a_group_that_the_channel_does_not_tell_has_its_prefix_too(self) -> None:
        office = numbering(trunks=[{"channel": "DAHDI/g0", "strip": "0"}, {"channel": "DAHDI/g1"}])
        assert office.dialled("DAHDI/i1/89101234567-5", "g0/089101234567") == "79101234567"

    @pytest.mark.parametrize(
        ("dialled", "number"),
        [
            ("979101234567", "79101234567"),
            ("79101234567", "79101234567"),
            ("9101234567", "79101234567"),
            ("9375291234567", "375291234567"),
            ("375291234567", "375291234567"),
            ("112", "112"),
            ("*97", ""),
        ],
    )
    def test_without_a_leg_any_trunks_prefix_may_be_before_it(self, dialled: str, number: str) -> None:
        assert OFFICE.dialled("", dialled) == number

    @pytest.mark.parametrize(
        ("argument", "kind", "extension", "trunk"),
        [
            ("PJSIP/101", Kind.EMPLOYEE, "101", ""),
            ("PJSIP/79101234567@provider", Kind.PROVIDER, None, "PJSIP/provider"),
            ("SIP/1.2.3.4/79101234567", Kind.PROVIDER, None, "SIP/1.2.3.4"),
            ("PJSIP/provider/sip:79101234567@192.0.2.1", Kind.PROVIDER, None, "PJSIP/provider"),
            ("IAX2/user:word@branch/101", Kind.BRANCH, None, "IAX2/branch"),
            ("Local/101@from-internal/n", Kind.LOCAL, None, ""),
            ("", Kind.OTHER, None, ""),
        ],
    )
    def test_an_argument_of_dial_names_somebody(
        self, argument: str, kind: Kind, extension: str | None, trunk: str
    ) -> None:
        party = OFFICE.target(argument)
        assert (party.kind, party.extension, party.trunk) == (kind, extension, trunk)


class TestOutsideNumbers:
    @pytest.mark.parametrize(
        "raw", ["89101234567", "+375291234567", "375291234567", "979101234567", "1230009", "74951230000"]
    )
    def test_what_could_be_a_clients_number_is_outside(self, raw: str) -> None:
        assert OFFICE.is_outside(raw)

    @pytest.mark.parametrize(
        "raw", ["*97", "600", "701", "s", "h", "", "101", "2001", "112", "900", "*8", "**101", "anonymous", "12345"]
    )
    def test_codes_queues_and_extensions_are_not(self, raw: str) -> None:
        assert not OFFICE.is_outside(raw)

    def test_an_extension_as_long_as_a_number_is_an_extension(self) -> None:
        office = numbering(numbering={"employees": [{"extension": "4951234567"}]})
        assert not office.is_outside("4951234567")
        assert office.is_outside("4951234568")


class TestInWhoseName:
    @pytest.mark.parametrize(
        ("exten", "extension"),
        [
            ("101", "101"),
            ("FMPR-101", "101"),
            ("FMGL-101#", "101"),
            ("FMGL-89261110101#", "101"),
            ("RG-600-101", "101"),
            ("RG-600-89261110101#", "101"),
            ("FMGL-89035550000#", None),
            ("RG-600-89035550000#", None),
            ("RG-101-89035550000", None),
            ("FMPR-", None),
            ("FMPR-999", None),
            ("79261110101", None),
            ("*101", None),
            ("s", None),
            ("", None),
        ],
    )
    def test_it_is_told_only_where_it_is_certain(self, exten: str, extension: str | None) -> None:
        assert OFFICE.in_name_of(exten) == extension


class TestTheCompanysOwn:
    @pytest.mark.parametrize("raw", ["89261110101", "+79261110101", "9261110101"])
    def test_a_mobile_is_its_employees_however_it_is_written(self, raw: str) -> None:
        assert OFFICE.mobile_of(raw) == "101"

    @pytest.mark.parametrize("raw", ["", "anonymous", "79261110102"])
    def test_a_hidden_or_foreign_number_is_nobodys_mobile(self, raw: str) -> None:
        assert OFFICE.mobile_of(raw) is None

    @pytest.mark.parametrize("raw", ["84951230000", "4951230001", "1230002"])
    def test_numbers_of_trunks_and_dids_are_the_companys(self, raw: str) -> None:
        assert OFFICE.is_company(raw)

    @pytest.mark.parametrize("raw", ["", "79101234567", "74951239999"])
    def test_others_are_not(self, raw: str) -> None:
        assert not OFFICE.is_company(raw)

    def test_ignored_callers_are_known_however_they_are_written(self) -> None:
        assert OFFICE.is_ignored("+79031112233")
        assert OFFICE.is_ignored("88001234567")
        assert not OFFICE.is_ignored("79031112234")
        assert not OFFICE.is_ignored("")

    def test_a_did_is_found_by_its_number(self) -> None:
        assert OFFICE.did("74951230001") == Did(
            "74951230001", "Sales", Extension("101"), True, (("utm_source", "site"),)
        )
        assert OFFICE.did("79101234567") is None
        silent = OFFICE.did("74951230002")
        assert silent
        assert not silent.reported

    def test_an_unclaimed_call_counts_for_the_dids_extension_or_else_the_general_one(self) -> None:
        assert OFFICE.default_extension("74951230001") == "101"
        assert OFFICE.default_extension("74951230002") == "100"
        assert OFFICE.default_extension("") == "100"
        assert numbering().default_extension("") is None

    def test_only_named_employees_are_not_reported(self) -> None:
        found = [OFFICE.extension("101"), OFFICE.extension("102"), OFFICE.extension("103")]
        assert [one is not None and OFFICE.is_reported(one) for one in found] == [True, False, True]

    def test_trunks_share_a_number_or_they_do_not(self) -> None:
        assert OFFICE.common_number() == "74951230000"
        assert (
            numbering(trunks=[{"channel": "SIP/a", "number": "74951230000"}, {"channel": "SIP/b"}]).common_number()
            == ""
        )
        assert numbering().common_number() == ""


def test_it_is_the_directory_that_the_tracker_asks() -> None:
    directory: Directory = OFFICE
    assert directory.extension("101") == "101"


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    OFFICE.party(text)
    OFFICE.target(text)
    OFFICE.in_name_of(text)
    for number in (OFFICE.number(text), OFFICE.dialled("", text), OFFICE.dialled("PJSIP/provider-00000001", text)):
        assert number == "" or (number.isascii() and number.isdigit())
    assert isinstance(OFFICE.is_outside(text), bool)
