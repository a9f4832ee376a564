"""Outgoing calls, rule by rule."""

import pytest

from ami_planfix.calls import events
from ami_planfix.calls.events import BUSY
from ami_planfix.calls.reports import Direction, Silence
from tests.calls.events_of import CLIENT, COMPANY, STRANGER, History, Line
from tests.calls.playing import reports_of, said, silences

BACKUP = [{"channel": "PJSIP/provider", "number": COMPANY}, {"channel": "PJSIP/backup", "number": "74951239999"}]


@pytest.fixture
def history() -> History:
    return History()


def tries(history: History, caller: Line, trunk: str = "PJSIP/provider", number: str = CLIENT) -> Line:
    leg = history.dials(caller, trunk, f"{number}@{trunk.partition('/')[2]}", shown=COMPANY)
    history.rings(leg)
    return leg


class TestRule14Outgoing:
    """Rule 14."""

    def test_outgoing_when_the_client_is_dialled_accepted_when_bridged_completed_when_the_client_hangs_up(
        self, history: History
    ) -> None:
        caller = history.phone_calls("101", CLIENT)
        assert said(history) == []
        leg = tries(history, caller)
        assert said(history) == ["OUTGOING 101"]
        history.later(5)
        history.answers(leg)
        history.meet(caller, leg)
        assert said(history) == ["OUTGOING 101", "ACCEPTED 101"]
        history.later(3)
        history.hangs_up(leg)
        assert said(history) == ["OUTGOING 101", "ACCEPTED 101", "COMPLETED 101 Success 3 s"]
        history.hangs_up(caller)
        assert len(said(history)) == 3

    def test_several_trunks_that_are_tried_are_one_outgoing(self, history: History) -> None:
        caller = history.phone_calls("101", CLIENT)
        first = tries(history, caller)
        history.refuses(first, "CONGESTION", 34)
        second = tries(history, caller, "PJSIP/backup")
        history.answers(second)
        history.meet(caller, second)
        history.hangs_up(second, caller)
        assert said(history, trunks=BACKUP) == ["OUTGOING 101", "ACCEPTED 101", "COMPLETED 101 Success"]

    def test_not_answered_it_ends_when_the_caller_and_all_legs_have_ended_in_whatever_order(
        self, history: History
    ) -> None:
        caller = history.phone_calls("101", CLIENT)
        leg = tries(history, caller)
        history.say(events.DialEnd(history.at, caller.now, leg.now, "NOANSWER", ""))
        history.hangs_up(caller, cause=16)
        assert said(history) == ["OUTGOING 101"]
        history.hangs_up(leg, cause=17)
        assert said(history) == ["OUTGOING 101", "COMPLETED 101 Busy"]

    def test_the_number_is_what_the_leg_dials_without_the_trunks_prefix(self, history: History) -> None:
        caller = history.phone_calls("101", f"9{CLIENT}")
        leg = history.dials(caller, "PJSIP/provider", f"9{CLIENT}@provider", shown=COMPANY)
        history.rings(leg)
        history.hangs_up(leg, caller)
        trunks = [{"channel": "PJSIP/provider", "number": COMPANY, "strip": "9"}]
        assert {one.client for one in reports_of(history, trunks=trunks)} == {CLIENT}

    def test_the_number_shown_to_the_client_is_the_diversion_unless_it_is_an_extension(self, history: History) -> None:
        for shown, did in (("74951230007", "74951230007"), ("101", COMPANY), ("", COMPANY)):
            caller = history.phone_calls("101", CLIENT)
            leg = history.dials(caller, "PJSIP/provider", f"{CLIENT}@provider", shown=shown)
            history.rings(leg)
            history.hangs_up(leg, caller)
            assert reports_of(history)[-1].did == did


class TestRule15NotAnswered:
    """Rule 15; all answers of the far side are in test_causes."""

    @pytest.mark.parametrize(
        ("status", "cause", "tech_cause", "expected"),
        [
            ("NOANSWER", 1, "404", "NotAvailable"),
            ("NOANSWER", 21, "403", "NotAllowed"),
            ("NOANSWER", 21, "603", "Busy"),
            ("BUSY", 17, "", "Busy"),
            ("NOANSWER", 0, "", "NoAnswer"),
            ("CANCEL", 127, "", "NoAnswer"),
            ("CONGESTION", 34, "", "NotAvailable"),
        ],
    )
    def test_the_legs_cause_decides_and_then_its_dialstatus(
        self, history: History, status: str, cause: int, tech_cause: str, expected: str
    ) -> None:
        caller = history.phone_calls("101", CLIENT)
        history.refuses(tries(history, caller), status, cause, tech_cause)
        history.hangs_up(caller)
        assert said(history) == ["OUTGOING 101", f"COMPLETED 101 {expected}"]

    def test_the_leg_that_was_dialled_last_decides(self, history: History) -> None:
        caller = history.phone_calls("101", CLIENT)
        history.refuses(tries(history, caller), "CONGESTION", 34)
        history.refuses(tries(history, caller, "PJSIP/backup"), "BUSY", 17)
        history.hangs_up(caller)
        assert said(history, trunks=BACKUP)[-1] == "COMPLETED 101 Busy"


class TestRule16NoLeg:
    """Rule 16: an outside number was dialled, but no leg was made."""

    def test_a_dial_that_names_a_trunk_ran_in_vain(self, history: History) -> None:
        caller = history.phone_calls("101", CLIENT)
        history.runs(caller, "Dial", f"PJSIP/{CLIENT}@provider,60")
        history.asks_to_hang_up(caller)
        history.hangs_up(caller)
        assert said(history) == ["OUTGOING 101", "COMPLETED 101 NotAvailable"]
        assert {(one.client, one.did) for one in reports_of(history)} == {(CLIENT, COMPANY)}

    def test_the_caller_hung_up_first(self, history: History) -> None:
        caller = history.phone_calls("101", CLIENT)
        history.asks_to_hang_up(caller)
        history.hangs_up(caller)
        assert said(history) == []

    def test_the_dialplan_forbade_it(self, history: History) -> None:
        caller = history.phone_calls("101", CLIENT)
        history.picks_up(caller)  # an announcement
        history.hangs_up(caller, cause=21)
        assert said(history) == ["OUTGOING 101", "COMPLETED 101 NotAllowed"]

    def test_a_phone_that_takes_note_of_our_refusal_has_not_hung_up_first(self, history: History) -> None:
        caller = history.phone_calls("101", CLIENT)
        caller.state = BUSY
        history.say(events.Newstate(history.at, caller.now))
        history.asks_to_hang_up(caller)
        history.hangs_up(caller, cause=17)
        assert said(history) == ["OUTGOING 101", "COMPLETED 101 NotAllowed"]

    def test_trunks_with_several_numbers_leave_the_diversion_empty(self, history: History) -> None:
        caller = history.phone_calls("101", CLIENT)
        history.hangs_up(caller, cause=21)
        assert {one.did for one in reports_of(history, trunks=BACKUP)} == {""}

    @pytest.mark.parametrize("exten", ["*97", "600", "701", "*8", "**101", "102", "s", "112", ""])
    def test_service_codes_queues_and_extensions_are_no_outside_numbers(self, history: History, exten: str) -> None:
        caller = history.phone_calls("101", exten)
        history.hangs_up(caller, cause=21)
        assert said(history) == []


class TestRule17Originate:
    """Rule 17: an Originate that rings the employee first."""

    def test_the_employees_own_phone_is_neither_incoming_nor_a_second_call(self, history: History) -> None:
        phone = history.originates("PJSIP/101", uniqueid="planfix-7", caller=CLIENT)
        history.rings(phone)
        history.later(2)
        assert said(history) == []
        history.answers(phone)
        phone.exten = CLIENT
        leg = tries(history, phone)
        assert said(history) == ["OUTGOING 101"]
        history.answers(leg)
        history.meet(phone, leg)
        history.later(4)
        history.hangs_up(leg, phone)
        told = reports_of(history)
        assert [one.callid for one in told] == ["planfix-7"] * 3
        assert said(history)[1:] == ["ACCEPTED 101", "COMPLETED 101 Success 4 s"]

    def test_not_picked_up_the_client_was_never_called(self, history: History) -> None:
        phone = history.originates("PJSIP/101", caller=CLIENT)
        history.rings(phone)
        history.refuses(phone, "NOANSWER", 0)
        assert said(history) == []

    def test_through_a_local_channel_it_is_the_same(self, history: History) -> None:
        one, two = history.local("101")
        history.say(events.DialBegin(history.at, None, one.now, "101@from-internal"))
        phone = history.dials(two, "PJSIP/101")
        history.rings(phone)
        assert said(history) == []
        history.answers(phone)
        history.meet(two, phone)
        history.answers(one)
        leg = tries(history, one)
        assert said(history) == ["OUTGOING 101"]
        history.answers(leg)
        history.meet(one, leg)
        assert said(history) == ["OUTGOING 101", "ACCEPTED 101"]
        history.hangs_up(leg, one, two, phone)
        assert said(history) == ["OUTGOING 101", "ACCEPTED 101", "COMPLETED 101 Success"]


class TestRule18TransferOfAnOutgoingCall:
    """Rule 18."""

    def test_the_new_employee_gets_outgoing_and_accepted(self, history: History) -> None:
        phone, client = history.calls_out()
        history.later(3)
        history.transfers_blindly(phone, client, "102")
        target = history.dials(client, "PJSIP/102")
        history.rings(target)
        history.answers(target)
        history.meet(client, target)
        history.later(3)
        history.hangs_up(client, target)
        assert said(history)[2:] == [
            "OUTGOING 102",
            "ACCEPTED 102",
            "COMPLETED 101 Canceled",
            "COMPLETED 102 Success 6 s",
        ]
        assert {one.direction for one in reports_of(history)} == {Direction.OUTGOING}

    def test_nobody_answers_there_and_the_first_one_keeps_the_success(self, history: History) -> None:
        phone, client = history.calls_out()
        history.later(3)
        history.transfers_blindly(phone, client, "102")
        target = history.dials(client, "PJSIP/102")
        history.rings(target)
        history.refuses(target, "NOANSWER", 0)
        history.hangs_up(client)
        assert said(history)[2:] == ["OUTGOING 102", "COMPLETED 102 Canceled", "COMPLETED 101 Success 3 s"]

    def test_a_colleague_to_whom_the_ringing_call_is_handed_over_has_it_to_its_end(self, history: History) -> None:
        colleague = history.phone_calls("102", "101")
        first = history.dials(colleague, "PJSIP/101")
        history.rings(first)
        history.answers(first)
        history.meet(colleague, first)
        second = history.phone_calls("101", CLIENT)
        leg = tries(history, second)
        transferred = events.AttendedTransfer(
            history.at, "Success", first.now, second.now, colleague.now, None, "App", "Dial"
        )
        history.say(transferred)
        history.leaves(colleague, first)
        history.hangs_up(first, second)
        leg.source = colleague
        history.refuses(leg, "NOANSWER", 0)
        history.hangs_up(colleague)
        assert said(history) == ["OUTGOING 101", "OUTGOING 102", "COMPLETED 101 Canceled", "COMPLETED 102 NoAnswer"]


class TestRule25ClientFirst:
    """Rule 25: an Originate that dials the client first (callback widgets, diallers)."""

    @staticmethod
    def client_is_called(history: History) -> Line:
        client = history.originates("PJSIP/provider", caller=STRANGER)
        history.events[-1] = events.DialBegin(history.at, None, client.now, f"{STRANGER}@provider")
        history.rings(client)
        history.later(5)
        history.answers(client)
        client.exten = "600"
        return client

    def test_it_is_outgoing_for_the_first_employee_whose_phone_rings(self, history: History) -> None:
        client = self.client_is_called(history)
        assert said(history) == []
        legs = [history.dials(client, f"PJSIP/{extension}") for extension in (102, 103)]
        history.rings(*legs)
        assert said(history) == ["OUTGOING 102"]
        history.answers(legs[0], legs[1])
        history.meet(client, legs[0])
        history.later(6)
        history.hangs_up(client, legs[0])
        assert said(history) == ["OUTGOING 102", "ACCEPTED 102", "COMPLETED 102 Success 6 s"]
        assert {one.client for one in reports_of(history)} == {STRANGER}

    def test_it_is_outgoing_for_whoever_is_bridged_with_the_client(self, history: History) -> None:
        client = self.client_is_called(history)
        leg = history.dials(client, "PJSIP/103")
        history.answers(leg)
        history.meet(client, leg)
        history.hangs_up(client, leg)
        assert said(history) == ["OUTGOING 103", "ACCEPTED 103", "COMPLETED 103 Success"]

    def test_it_reaches_nobody_and_nothing_is_sent(self, history: History) -> None:
        client = self.client_is_called(history)
        history.hangs_up(client)
        assert silences(history) == [Silence.NOBODY]

    def test_the_client_does_not_answer_and_nothing_is_sent(self, history: History) -> None:
        client = history.originates("PJSIP/provider", caller=STRANGER)
        history.rings(client)
        history.refuses(client, "NOANSWER", 0)
        assert silences(history) == [Silence.NOBODY]

    def test_through_a_local_channel_it_is_the_same(self, history: History) -> None:
        one, two = history.local(STRANGER)
        history.say(events.DialBegin(history.at, None, one.now, f"{STRANGER}@from-internal"))
        client = history.dials(two, "PJSIP/provider", f"{STRANGER}@provider", shown=COMPANY)
        history.rings(client)
        history.answers(client)
        history.meet(two, client)
        history.answers(one)
        assert said(history) == []
        leg = history.dials(one, "PJSIP/102")
        history.rings(leg)
        assert said(history) == ["OUTGOING 102"]
        history.answers(leg)
        history.meet(one, leg)
        assert said(history) == ["OUTGOING 102", "ACCEPTED 102"]
        history.later(3)
        history.hangs_up(client, one, two, leg)
        assert said(history)[2:] == ["COMPLETED 102 Success 3 s"]
        assert {one.client for one in reports_of(history)} == {STRANGER}
