"""Neither in nor out, both, several; and what is never reported, rule by rule."""

import pytest

from ami_planfix.calls import events
from ami_planfix.calls.reports import Direction, Silence
from tests.calls.events_of import CLIENT, COMPANY, DID, STRANGER, History, Line
from tests.calls.playing import NOBODY, NUMBERING, TRUNKS, reports_of, said, silences

MOBILE_OF_101 = "79261110101"
BRANCH = {"channel": "PJSIP/branch", "kind": "internal"}
UNREPORTED = {**NUMBERING, "employees": [{"extension": "101", "report": False}]}


@pytest.fixture
def history() -> History:
    return History()


def answered(history: History, caller: Line, device: str, dial_string: str = "") -> Line:
    leg = history.dials(caller, device, dial_string, shown=COMPANY)
    history.rings(leg)
    history.answers(leg)
    history.meet(caller, leg)
    history.later(3)
    return leg


class TestRule19EmployeeToEmployee:
    """Rule 19."""

    def test_colleagues_who_talk_are_nobodys_business(self, history: History) -> None:
        caller = history.phone_calls("101", "102")
        leg = answered(history, caller, "PJSIP/102")
        history.hangs_up(caller, leg)
        assert said(history) == []

    def test_nor_is_an_employees_mobile_that_calls_a_colleague_through_a_did(self, history: History) -> None:
        mobile = history.rings_in(MOBILE_OF_101)
        leg = answered(history, mobile, "PJSIP/102")
        history.hangs_up(mobile, leg)
        assert said(history) == []

    def test_through_disa_to_an_outside_number_it_is_that_employees_outgoing_call(self, history: History) -> None:
        mobile = history.rings_in(MOBILE_OF_101)
        history.picks_up(mobile)
        mobile.exten = CLIENT
        leg = answered(history, mobile, "PJSIP/provider", f"{CLIENT}@provider")
        history.hangs_up(leg, mobile)
        assert said(history) == ["OUTGOING 101", "ACCEPTED 101", "COMPLETED 101 Success 3 s"]
        assert {(one.client, one.direction) for one in reports_of(history)} == {(CLIENT, Direction.OUTGOING)}


class TestRule20OutsideToOutside:
    """Rule 20: a DID that is forwarded to a number that is nobody's."""

    @staticmethod
    def forwarded(history: History) -> tuple[Line, Line]:
        client = history.rings_in()
        leg = history.dials(client, "PJSIP/provider", f"{STRANGER}@provider")
        history.rings(leg)
        return client, leg

    def test_it_counts_for_the_default_extension(self, history: History) -> None:
        client, leg = self.forwarded(history)
        assert said(history) == ["INCOMING 100"]
        history.answers(leg)
        history.meet(client, leg)
        history.later(3)
        history.hangs_up(client, leg)
        assert said(history) == ["INCOMING 100", "ACCEPTED 100", "COMPLETED 100 Success 3 s"]
        assert {one.client for one in reports_of(history)} == {CLIENT}

    def test_that_of_the_did_wins(self, history: History) -> None:
        self.forwarded(history)
        assert said(history, dids=[{"number": DID, "default_extension": "109"}]) == ["INCOMING 109"]

    def test_not_answered_it_is_missed(self, history: History) -> None:
        client, leg = self.forwarded(history)
        history.refuses(leg, "NOANSWER", 0)
        history.hangs_up(client)
        assert said(history) == ["INCOMING 100", "COMPLETED 100 Missed"]

    def test_without_a_default_extension_it_is_only_counted(self, history: History) -> None:
        client, leg = self.forwarded(history)
        history.answers(leg)
        history.meet(client, leg)
        history.hangs_up(client, leg)
        assert silences(history, numbering=NOBODY) == [Silence.NOBODY]

    def test_answered_by_nobody_of_ours_it_is_not_missed_by_whose_phone_rang_before(self, history: History) -> None:
        client = history.rings_in()
        first = history.dials(client, "PJSIP/101")
        history.rings(first)
        history.refuses(first, "NOANSWER", 0)
        leg = history.dials(client, "PJSIP/provider", f"{STRANGER}@provider")
        history.answers(leg)
        history.meet(client, leg)
        history.hangs_up(client, leg)
        assert said(history, numbering=NOBODY) == ["INCOMING 101", "COMPLETED 101 Canceled"]


class TestRule21Recorded:
    """Rule 21."""

    def test_a_recording_that_ran_during_the_conversation(self, history: History) -> None:
        client = history.rings_in()
        history.records(client, "/rec/a.wav")
        history.hangs_up(history.converses(client), client)
        last = reports_of(history)[-1]
        assert (last.recorded, last.recordings) == (True, ("/rec/a.wav",))

    def test_on_any_channel_of_the_call_and_begun_in_mid_conversation(self, history: History) -> None:
        client = history.rings_in()
        leg = history.converses(client)
        history.later()
        history.records(leg, "/rec/b.wav")
        history.later()
        history.hangs_up(leg, client)
        assert reports_of(history)[-1].recordings == ("/rec/b.wav",)

    @pytest.mark.parametrize(
        ("data", "file"),
        [
            ("wav,/rec/a,m", "/rec/a.wav"),
            ("gsm:http://example.com,/rec/a", "/rec/a.gsm"),
            (",a", "a.wav"),
            ("wav", ""),
            ("", ""),
        ],
    )
    def test_the_monitor_of_old_systems_is_named_by_its_application(
        self, history: History, data: str, file: str
    ) -> None:
        client = history.rings_in()
        history.runs(client, "Monitor", data)
        history.say(events.MonitorStart(history.at, client.now))
        history.hangs_up(history.converses(client), client)
        assert reports_of(history)[-1].recordings == (file,)

    def test_a_missed_call_is_not_recorded_though_a_file_was_made(self, history: History) -> None:
        client = history.rings_in()
        history.records(client)
        history.hangs_up(client)
        assert said(history) == ["INCOMING 100", "COMPLETED 100 Missed"]

    def test_a_recording_that_stopped_before_the_conversation_is_none(self, history: History) -> None:
        client = history.rings_in()
        history.records(client)
        history.say(events.MixMonitorStop(history.at, client.now))
        history.hangs_up(history.converses(client), client)
        assert said(history)[-1] == "COMPLETED 101 Success"

    def test_a_recording_that_was_paused_all_the_time_is_none_until_it_goes_on(self, history: History) -> None:
        client = history.rings_in()
        history.records(client)
        history.say(events.MixMonitorMute(history.at, client.now, True))
        leg = history.converses(client)
        silent = said(history)
        history.say(events.MixMonitorMute(history.at, client.now, False))
        history.hangs_up(leg, client)
        assert said(history) == [*silent, "COMPLETED 101 Success recorded"]

    def test_a_recording_paused_to_the_end_is_none(self, history: History) -> None:
        client = history.rings_in()
        history.records(client)
        history.say(events.MixMonitorMute(history.at, client.now, True))
        history.hangs_up(history.converses(client), client)
        assert said(history)[-1] == "COMPLETED 101 Success"

    def test_monitor_of_older_asterisks_counts_as_well(self, history: History) -> None:
        client = history.rings_in()
        leg = history.converses(client)
        history.say(events.MonitorStart(history.at, leg.now))
        history.hangs_up(leg, client)
        assert said(history)[-1] == "COMPLETED 101 Success recorded"


class TestRule22Conference:
    """Rule 22."""

    def test_a_further_employee_gets_incoming_and_accepted_and_the_last_to_leave_the_success(
        self, history: History
    ) -> None:
        client = history.rings_in()
        history.picks_up(client)
        first = history.phone_calls("101", "800")
        second = history.phone_calls("102", "800")
        room = history.talk(client, kind="base", technology="softmix")
        history.enters(first, room, "base", "softmix")
        history.later(2)
        history.enters(second, room, "base", "softmix")
        assert said(history) == ["INCOMING 101", "ACCEPTED 101", "INCOMING 102", "ACCEPTED 102"]
        history.later(2)
        history.hangs_up(first)
        assert said(history)[4:] == ["COMPLETED 101 Canceled"]
        history.later(2)
        history.hangs_up(second, client)
        assert said(history)[5:] == ["COMPLETED 102 Success 6 s"]


class TestRule23Observers:
    """Rule 23."""

    def test_whoever_listens_has_no_part(self, history: History) -> None:
        client = history.rings_in()
        leg = history.converses(client)
        spy = history.phone_calls("103", "*222")
        history.picks_up(spy)
        history.say(events.ChanSpyStart(history.at, spy.now, leg.now))
        assert leg.bridge is not None
        history.enters(spy, leg.bridge)
        history.later(3)
        history.hangs_up(spy, leg, client)
        assert said(history) == ["INCOMING 101", "ACCEPTED 101", "COMPLETED 101 Success 3 s"]


class TestRule24TwoClientsJoined:
    """Rule 24: each call keeps its ext and ends at its own client's Hangup."""

    def test_joined_by_one_employee(self, history: History) -> None:
        one = history.rings_in(CLIENT)
        first = history.converses(one)
        history.later(2)
        two = history.rings_in(STRANGER, "74951230002")
        second = history.converses(two)
        history.later(2)
        history.leaves(second)
        assert two.bridge is not None
        history.enters(one, two.bridge)
        history.leaves(first)
        history.hangs_up(first, second)
        history.later(30)
        history.hangs_up(two)
        history.later(5)
        history.hangs_up(one)
        told = reports_of(history)
        assert [(str(line.callid), str(line.extension)) for line in told if line.outcome == "success"] == [
            (two.linkedid, "101"),
            (one.linkedid, "101"),
        ]
        assert all(line.duration < 30 for line in told)


class TestRule26NotReported:
    """Rule 26: guests, and what the configuration names."""

    @pytest.mark.parametrize("device", ["PJSIP/anonymous", "SIP/guest"])
    def test_guests_are_only_counted(self, history: History, device: str) -> None:
        guest = history.rings_in("101", "00972599", device)
        history.hangs_up(guest)
        assert silences(history) == [Silence.CONFIGURED]

    def test_ignored_channels(self, history: History) -> None:
        door = history.rings_in("door", "101", "PJSIP/doorphone")
        leg = history.converses(door)
        history.hangs_up(door, leg)
        assert silences(history, ignore={"channels": ["PJSIP/door*"]}) == [Silence.CONFIGURED]

    @pytest.mark.parametrize("pattern", [CLIENT, "+7 910 123-45-67", "7910*"])
    def test_ignored_callers(self, history: History, pattern: str) -> None:
        client = history.rings_in()
        history.hangs_up(history.converses(client), client)
        assert silences(history, ignore={"callers": [pattern]}) == [Silence.CONFIGURED]

    def test_ignored_callers_stay_ignored_when_the_did_is_told_later(self, history: History) -> None:
        client = history.rings_in(exten="s")
        history.sets(client, "FROM_DID", DID)
        history.hangs_up(history.converses(client), client)
        assert silences(history, ignore={"callers": [CLIENT]}) == [Silence.CONFIGURED]

    def test_ignored_callers_are_not_reported_when_they_are_called_either(self, history: History) -> None:
        phone, leg = history.calls_out()
        history.hangs_up(leg, phone)
        assert silences(history, ignore={"callers": [CLIENT]}) == [Silence.CONFIGURED]

    def test_a_did_that_is_not_reported(self, history: History) -> None:
        client = history.rings_in()
        history.hangs_up(history.converses(client), client)
        assert silences(history, dids=[{"number": DID, "report": False}]) == [Silence.CONFIGURED]

    def test_a_call_answered_by_an_unreported_extension_is_answered_and_never_missed(self, history: History) -> None:
        client = history.rings_in()
        legs = [history.dials(client, f"PJSIP/{extension}") for extension in (101, 102)]
        history.rings(*legs)
        history.answers(legs[0], legs[1])
        history.meet(client, legs[0])
        history.later(3)
        history.hangs_up(client, legs[0])
        assert said(history, numbering=UNREPORTED) == ["INCOMING 102", "COMPLETED 102 Canceled"]

    def test_an_unreported_extension_that_rang_first_leaves_the_missed_call_to_the_next(self, history: History) -> None:
        client = history.rings_in()
        legs = [history.dials(client, f"PJSIP/{extension}") for extension in (101, 102)]
        history.rings(*legs)
        history.hangs_up(*legs, client)
        assert said(history, numbering=UNREPORTED) == ["INCOMING 102", "COMPLETED 102 Missed"]

    def test_what_an_unreported_extension_calls_is_not_reported(self, history: History) -> None:
        phone, leg = history.calls_out()
        history.hangs_up(leg, phone)
        assert silences(history, numbering=UNREPORTED) == [Silence.CONFIGURED]


class TestRule27CompanyNumbers:
    """Rule 27: a number of the company itself is never a client."""

    def test_as_a_caller(self, history: History) -> None:
        client = history.rings_in(COMPANY)
        history.hangs_up(history.converses(client), client)
        assert silences(history) == [Silence.COMPANY]

    def test_as_the_one_who_is_called(self, history: History) -> None:
        phone, leg = history.calls_out("101", DID)
        history.hangs_up(leg, phone)
        assert said(history, dids=[{"number": DID}]) == []


class TestRule28Branches:
    """Rule 28: a trunk to another PBX of the company, in all four directions."""

    TRUNKS = (*TRUNKS, BRANCH)

    def test_a_colleague_of_the_branch_who_calls_an_employee_is_a_colleague(self, history: History) -> None:
        colleague = history.rings_in("150", "101", "PJSIP/branch")
        leg = answered(history, colleague, "PJSIP/101")
        history.hangs_up(leg, colleague)
        assert said(history, trunks=self.TRUNKS) == []

    def test_an_employee_who_calls_a_colleague_of_the_branch(self, history: History) -> None:
        phone = history.phone_calls("101", "150")
        leg = answered(history, phone, "PJSIP/branch", "150@branch")
        history.hangs_up(leg, phone)
        assert said(history, trunks=self.TRUNKS) == []

    def test_a_colleague_of_the_branch_who_calls_out_here_makes_an_outgoing_call(self, history: History) -> None:
        colleague = history.rings_in("150", CLIENT, "PJSIP/branch")
        leg = answered(history, colleague, "PJSIP/provider", f"{CLIENT}@provider")
        history.hangs_up(leg, colleague)
        assert said(history, trunks=self.TRUNKS) == ["OUTGOING 150", "ACCEPTED 150", "COMPLETED 150 Success 3 s"]
        assert {one.client for one in reports_of(history, trunks=self.TRUNKS)} == {CLIENT}

    def test_a_client_who_reaches_a_colleague_of_the_branch_makes_an_incoming_call(self, history: History) -> None:
        client = history.rings_in()
        leg = history.dials(client, "PJSIP/branch", "150@branch")
        history.rings(leg)
        history.answers(leg)
        history.meet(client, leg)
        history.hangs_up(client, leg)
        assert said(history, trunks=self.TRUNKS) == ["INCOMING 150", "ACCEPTED 150", "COMPLETED 150 Success"]

    def test_a_client_who_comes_in_through_the_branch_is_a_client(self, history: History) -> None:
        client = history.rings_in(CLIENT, "101", "PJSIP/branch")
        leg = answered(history, client, "PJSIP/101")
        history.hangs_up(leg, client)
        assert said(history, trunks=self.TRUNKS)[-1] == "COMPLETED 101 Success 3 s"
        assert {one.client for one in reports_of(history, trunks=self.TRUNKS)} == {CLIENT}

    def test_an_employee_who_calls_a_client_through_the_branch(self, history: History) -> None:
        phone = history.phone_calls("101", CLIENT)
        leg = answered(history, phone, "PJSIP/branch", f"{CLIENT}@branch")
        history.hangs_up(leg, phone)
        assert said(history, trunks=self.TRUNKS) == ["OUTGOING 101", "ACCEPTED 101", "COMPLETED 101 Success 3 s"]

    def test_an_ignored_trunk_is_nothing_in_either_direction(self, history: History) -> None:
        ignored = [*TRUNKS, {"channel": "PJSIP/fax", "kind": "ignore"}]
        incoming = history.rings_in(CLIENT, DID, "PJSIP/fax")
        history.hangs_up(history.converses(incoming), incoming)
        phone = history.phone_calls("101", CLIENT)
        leg = answered(history, phone, "PJSIP/fax", f"{CLIENT}@fax")
        history.hangs_up(leg, phone)
        assert said(history, trunks=ignored) == []


class TestNonsense:
    """What no Asterisk says, and whoever stands in its place may."""

    def test_halves_that_dial_each_other_in_a_circle_are_nobodys_call(self, history: History) -> None:
        one, other = history.local("101"), history.local("102")
        history.say(events.DialBegin(history.at, one[1].now, other[0].now, ""))
        history.say(events.DialBegin(history.at, other[1].now, one[0].now, ""))
        leg = history.dials(one[1], "PJSIP/provider", f"{CLIENT}@provider")
        history.hangs_up(leg)
        assert said(history) == []
