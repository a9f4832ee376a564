"""Incoming calls, rule by rule: what the recorded stories do not show, and each rule alone."""

import pytest

from ami_planfix.calls import events
from ami_planfix.calls.reports import Silence
from tests.calls.events_of import CLIENT, COMPANY, DID, STRANGER, History
from tests.calls.playing import NOBODY, NUMBERING, reports_of, said, silences

EACH = {"missed": "each"}


@pytest.fixture
def history() -> History:
    return History()


class TestIdentity:
    """Identity: callid, ext, phone, diversion."""

    def test_a_call_keeps_its_callid_phone_and_did_in_all_reports(self, history: History) -> None:
        client = history.rings_in()
        leg = history.converses(client)
        history.hangs_up(client, leg)
        assert {(str(one.callid), one.client, one.did) for one in reports_of(history)} == {
            (str(client.linkedid), CLIENT, DID)
        }

    def test_the_name_of_the_pbx_goes_before_the_callid(self, history: History) -> None:
        client = history.rings_in()
        history.hangs_up(client)
        assert {one.callid for one in reports_of(history, ami={"name": "msk"})} == {f"msk-{client.linkedid}"}

    def test_a_hidden_caller_whose_number_comes_with_a_newcallerid_has_that_number(self, history: History) -> None:
        client = history.rings_in("anonymous")
        client.caller = "+7 (910) 123-45-67"
        history.say(events.NewCallerid(history.at, client.now))
        leg = history.converses(client)
        history.hangs_up(client, leg)
        assert {one.client for one in reports_of(history)} == {CLIENT}

    def test_a_newcallerid_after_something_rang_comes_too_late(self, history: History) -> None:
        client = history.rings_in("anonymous")
        leg = history.dials(client, "PJSIP/101")
        history.rings(leg)
        client.caller = CLIENT
        history.say(events.NewCallerid(history.at, client.now))
        history.hangs_up(leg, client)
        assert {one.client for one in reports_of(history)} == {""}

    def test_what_the_dialplan_makes_of_a_callers_number_does_not_count(self, history: History) -> None:
        client = history.rings_in("8 910 123-45-67")
        client.caller = "9101234567#"
        history.say(events.NewCallerid(history.at, client.now))
        leg = history.converses(client)
        history.hangs_up(client, leg)
        assert {one.client for one in reports_of(history)} == {CLIENT}

    def test_from_did_tells_the_did_where_the_exten_does_not(self, history: History) -> None:
        client = history.rings_in(exten="s")
        history.sets(client, "FROM_DID", "+7 495 123-00-07")
        history.hangs_up(history.converses(client), client)
        assert {one.did for one in reports_of(history)} == {"74951230007"}

    def test_an_exten_that_is_a_number_wins_over_from_did(self, history: History) -> None:
        client = history.rings_in(exten=DID)
        history.sets(client, "FROM_DID", "74951230007")
        history.hangs_up(client)
        assert {one.did for one in reports_of(history)} == {DID}

    def test_without_either_the_did_is_the_trunks_number(self, history: History) -> None:
        client = history.rings_in(exten="s")
        history.hangs_up(client)
        assert {one.did for one in reports_of(history)} == {COMPANY}

    def test_the_ext_is_told_by_the_device_and_not_by_the_caller_id(self, history: History) -> None:
        client = history.rings_in()
        leg = history.dials(client, "PJSIP/102", caller="101")
        history.rings(leg)
        history.hangs_up(client, leg)
        assert said(history) == ["INCOMING 102", "COMPLETED 102 Missed"]

    def test_what_a_did_adds_to_the_data_tag_is_in_its_completed_reports(self, history: History) -> None:
        client = history.rings_in()
        history.hangs_up(history.converses(client), client)
        dids = [{"number": DID, "data": {"utm_source": "site"}}]
        data = [one.data for one in reports_of(history, dids=dids)]
        assert data == [(), (), (("utm_source", "site"),)]


class TestRule01Ringing:
    """Rule 1: INCOMING when the first phone rings for the client."""

    def test_nothing_is_sent_when_a_leg_is_made_but_does_not_ring_yet(self, history: History) -> None:
        client = history.rings_in()
        history.dials(client, "PJSIP/101")
        assert said(history) == []

    def test_either_sign_of_ringing_is_enough_and_both_together_are_one_incoming(self, history: History) -> None:
        client = history.rings_in()
        one, two, three = (history.dials(client, f"PJSIP/{extension}") for extension in (101, 102, 103))
        one.state = events.RINGING
        history.say(events.Newstate(history.at, one.now))
        history.say(events.DialState(history.at, client.now, two.now, "PROGRESS"))
        history.rings(three)
        assert said(history) == ["INCOMING 101", "INCOMING 102", "INCOMING 103"]

    def test_a_phone_that_rings_before_its_dialbegin_rings_once(self, history: History) -> None:
        client = history.rings_in()
        leg = history.dials(client, "PJSIP/101")
        begin = history.events.pop()
        leg.state = events.RINGING
        history.say(events.Newstate(history.at, leg.now))
        history.say(begin)
        history.say(events.DialState(history.at, client.now, leg.now, "RINGING"))
        assert said(history) == ["INCOMING 101"]

    def test_a_phone_that_answers_without_ringing_has_rung(self, history: History) -> None:
        client = history.rings_in()
        leg = history.dials(client, "PJSIP/101")
        history.answers(leg)
        history.meet(client, leg)
        assert said(history) == ["INCOMING 101", "ACCEPTED 101"]

    def test_three_phones_of_one_employee_are_one_incoming(self, history: History) -> None:
        client = history.rings_in()
        desk = history.dials(client, "PJSIP/101")
        home = history.dials(client, "PJSIP/101-home")
        mobile = history.dials(client, "PJSIP/provider", "79261110101@provider")
        history.rings(desk, home, mobile)
        numbering = {
            **NUMBERING,
            "employees": [{"extension": "101", "devices": ["PJSIP/101-home"], "mobiles": ["+79261110101"]}],
        }
        assert said(history, numbering=numbering) == ["INCOMING 101"]

    def test_a_phone_behind_two_local_channels_rings_for_the_client(self, history: History) -> None:
        client = history.rings_in()
        _, group = history.dials_local(client, "600")
        _, member = history.dials_local(group, "102")
        history.rings(history.dials(member, "PJSIP/102"))
        assert said(history) == ["INCOMING 102"]

    def test_a_phone_that_a_colleague_of_the_client_dials_does_not_ring_for_the_client(self, history: History) -> None:
        client = history.rings_in()
        leg = history.converses(client)
        one, two = history.local("102", by=client)  # feature code: it has the client's Linkedid
        history.talk(leg, one)
        history.rings(history.dials(two, "PJSIP/102"))
        assert said(history) == ["INCOMING 101", "ACCEPTED 101"]


class TestRule02Answered:
    """Rule 2: ACCEPTED for whoever is bridged with the client, then Canceled for the others."""

    def test_the_losers_are_canceled_after_the_winner_is_accepted(self, history: History) -> None:
        client = history.rings_in()
        legs = [history.dials(client, f"PJSIP/{extension}") for extension in (101, 102, 103)]
        history.rings(*legs)
        history.answers(legs[1], legs[0], legs[2])
        history.meet(client, legs[1])
        assert said(history) == [
            "INCOMING 101",
            "INCOMING 102",
            "INCOMING 103",
            "ACCEPTED 102",
            "COMPLETED 101 Canceled",
            "COMPLETED 103 Canceled",
        ]

    def test_a_picked_up_phone_is_not_accepted_before_it_is_bridged(self, history: History) -> None:
        client = history.rings_in()
        leg = history.dials(client, "PJSIP/101")
        history.rings(leg)
        history.answers(leg)
        assert said(history) == ["INCOMING 101"]

    def test_music_on_hold_is_no_conversation(self, history: History) -> None:
        client = history.rings_in()
        leg = history.dials(client, "PJSIP/101")
        history.rings(leg)
        history.talk(client, leg, kind="holding", technology="holding_bridge")
        assert said(history) == ["INCOMING 101"]

    def test_a_chain_of_local_channels_that_stays_counts_in_whatever_order_its_bridges_are_entered(
        self, history: History
    ) -> None:
        client = history.rings_in()
        one, two = history.dials_local(client, "101")
        phone = history.dials(two, "PJSIP/101")
        history.rings(phone)
        history.answers(phone)
        far, near = history.talk(phone), history.talk(one)
        history.enters(client, near)
        assert said(history) == ["INCOMING 101"]
        history.enters(two, far)
        assert said(history) == ["INCOMING 101", "ACCEPTED 101"]


class TestRule03Silence:
    """Rule 3: who ended the ringing decides whether the popup stays."""

    def test_a_hunt_moves_the_popup(self, history: History) -> None:
        client = history.rings_in()
        first = history.dials(client, "PJSIP/101")
        history.rings(first)
        history.refuses(first, "NOANSWER", 0)
        assert said(history) == ["INCOMING 101"]
        history.rings(history.dials(client, "PJSIP/102"))
        assert said(history) == ["INCOMING 101", "COMPLETED 101 Canceled", "INCOMING 102"]

    def test_a_queue_that_rings_in_rounds_keeps_its_popups(self, history: History) -> None:
        client = history.rings_in()
        for _ in range(3):
            legs = [history.dials(client, f"PJSIP/{extension}") for extension in (101, 102)]
            history.rings(*legs)
            for leg in legs:
                history.refuses(leg, "NOANSWER", 0)
        assert said(history) == ["INCOMING 101", "INCOMING 102"]

    @pytest.mark.parametrize("cause", [17, 18, 19, 20, 21, 27, 34, 38])
    def test_a_phone_that_refuses_while_others_ring_is_canceled_at_once(self, history: History, cause: int) -> None:
        client = history.rings_in()
        legs = [history.dials(client, f"PJSIP/{extension}") for extension in (101, 102)]
        history.rings(*legs)
        history.refuses(legs[0], "BUSY", cause)
        assert said(history) == ["INCOMING 101", "INCOMING 102", "COMPLETED 101 Canceled"]

    def test_a_phone_that_refuses_as_the_last_one_is_held_back_and_missed_in_the_end(self, history: History) -> None:
        client = history.rings_in()
        leg = history.dials(client, "PJSIP/101")
        history.rings(leg)
        history.refuses(leg)
        assert said(history) == ["INCOMING 101"]
        history.hangs_up(client)
        assert said(history) == ["INCOMING 101", "COMPLETED 101 Missed"]

    @pytest.mark.parametrize("cause", [0, 16, 26, 31, 127])
    def test_ringing_that_the_dialling_side_ended_is_held_back(self, history: History, cause: int) -> None:
        client = history.rings_in()
        legs = [history.dials(client, f"PJSIP/{extension}") for extension in (101, 102)]
        history.rings(*legs)
        history.refuses(legs[0], "NOANSWER", cause)
        assert said(history) == ["INCOMING 101", "INCOMING 102"]

    def test_an_employee_whose_second_phone_still_rings_has_not_fallen_silent(self, history: History) -> None:
        client = history.rings_in()
        desk = history.dials(client, "PJSIP/101")
        mobile = history.dials(client, "PJSIP/provider", "79261110101@provider")
        other = history.dials(client, "PJSIP/102")
        history.rings(desk, mobile, other)
        history.refuses(desk)
        assert said(history) == ["INCOMING 101", "INCOMING 102"]
        history.refuses(mobile)
        assert said(history) == ["INCOMING 101", "INCOMING 102", "COMPLETED 101 Canceled"]

    def test_an_extension_that_was_canceled_and_rings_again_has_a_second_part(self, history: History) -> None:
        client = history.rings_in()
        first = history.dials(client, "PJSIP/101")
        history.rings(first)
        history.refuses(first, "NOANSWER", 0)
        second = history.dials(client, "PJSIP/102")
        history.rings(second)
        history.refuses(second, "NOANSWER", 0)
        history.rings(history.dials(client, "PJSIP/101"))
        parts = [(one.extension, one.part) for one in reports_of(history)]
        assert parts == [("101", 1), ("101", 1), ("102", 1), ("102", 1), ("101", 2)]


class TestRule04Duration:
    """Rule 4: Success for whoever talked last; the seconds of all stretches of conversation."""

    @pytest.mark.parametrize(("seconds", "shown"), [(0.0, ""), (0.99, ""), (1.0, " 1 s"), (59.999, " 59 s")])
    def test_whole_seconds_rounded_down(self, history: History, seconds: float, shown: str) -> None:
        client = history.rings_in()
        leg = history.converses(client)
        history.later(seconds)
        history.hangs_up(client, leg)
        assert said(history)[-1] == f"COMPLETED 101 Success{shown}"

    def test_neither_ringing_nor_what_comes_after_the_employee_left_is_talk(self, history: History) -> None:
        client = history.rings_in()
        history.later(20)
        leg = history.converses(client)
        history.later(7)
        history.hangs_up(leg)
        history.later(30)  # an announcement, a survey
        history.hangs_up(client)
        assert said(history)[-1] == "COMPLETED 101 Success 7 s"

    def test_the_end_is_the_clients_hangup_though_the_employees_channel_outlives_it(self, history: History) -> None:
        client = history.rings_in()
        leg = history.converses(client)
        history.later(5)
        history.hangs_up(client)
        assert said(history)[-1] == "COMPLETED 101 Success 5 s"
        history.later(60)
        history.hangs_up(leg)
        assert said(history)[-1] == "COMPLETED 101 Success 5 s"

    def test_a_clock_that_goes_back_makes_no_negative_duration(self, history: History) -> None:
        client = history.rings_in()
        leg = history.converses(client)
        history.later(-3600)
        history.hangs_up(client, leg)
        assert said(history)[-1] == "COMPLETED 101 Success"


class TestRule05Missed:
    """Rule 5: nobody answered."""

    @staticmethod
    def all_give_up(history: History) -> None:
        client = history.rings_in()
        legs = [history.dials(client, f"PJSIP/{extension}") for extension in (101, 102, 103)]
        history.rings(*legs)
        history.refuses(legs[1])
        for leg in legs[::2]:
            history.refuses(leg, "NOANSWER", 0)
        history.hangs_up(client)

    def test_one_call_is_one_missed_call_of_whoever_rang_first(self, history: History) -> None:
        self.all_give_up(history)
        assert said(history)[3:] == ["COMPLETED 102 Canceled", "COMPLETED 101 Missed", "COMPLETED 103 Canceled"]

    def test_or_one_of_each_who_rang_to_the_end(self, history: History) -> None:
        self.all_give_up(history)
        assert said(history, calls=EACH)[3:] == [
            "COMPLETED 102 Canceled",
            "COMPLETED 101 Missed",
            "COMPLETED 103 Missed",
        ]


class TestRule06RangNobody:
    """Rule 6: a call that rang nobody is a missed call too."""

    def test_for_the_first_extension_that_was_dialled_though_its_phone_did_not_ring(self, history: History) -> None:
        client = history.rings_in()
        history.refuses(history.dials(client, "PJSIP/103"))
        history.refuses(history.dials(client, "PJSIP/102"))
        history.hangs_up(client)
        assert said(history) == ["INCOMING 103", "COMPLETED 103 Missed"]

    def test_for_the_first_that_a_dial_names_though_it_made_no_leg(self, history: History) -> None:
        client = history.rings_in()
        history.runs(client, "Dial", "PJSIP/106&PJSIP/107,20,tT")
        history.hangs_up(client)
        assert said(history) == ["INCOMING 106", "COMPLETED 106 Missed"]

    def test_through_a_local_channel_as_well(self, history: History) -> None:
        client = history.rings_in()
        one, two = history.dials_local(client, "106")
        history.runs(two, "Dial", "PJSIP/106,20")
        history.hangs_up(two, one, client)
        assert said(history) == ["INCOMING 106", "COMPLETED 106 Missed"]

    def test_else_for_the_default_extension_of_its_did(self, history: History) -> None:
        history.hangs_up(history.rings_in())
        dids = [{"number": DID, "default_extension": "109"}]
        assert said(history, dids=dids) == ["INCOMING 109", "COMPLETED 109 Missed"]

    def test_else_for_the_general_one_also_after_an_ivr_or_voicemail(self, history: History) -> None:
        client = history.rings_in()
        history.picks_up(client)
        history.later(20)
        history.hangs_up(client)
        assert said(history) == ["INCOMING 100", "COMPLETED 100 Missed"]

    def test_without_any_it_is_only_counted(self, history: History) -> None:
        history.hangs_up(history.rings_in(STRANGER))
        assert silences(history, numbering=NOBODY) == [Silence.NOBODY]

    def test_over_chan_sip_whose_channel_begins_down(self, history: History) -> None:
        history.hangs_up(history.rings_in(chan_sip=True))
        assert said(history) == ["INCOMING 100", "COMPLETED 100 Missed"]
