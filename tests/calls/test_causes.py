"""Why a leg ended, and the outcome of an outgoing call that was not answered (rules 3 and 15)."""

import pytest

from ami_planfix.calls.causes import ended_by_itself, outcome
from ami_planfix.calls.reports import Outcome

# What the far side answered -> DialStatus of the DialEnd, cause and TechCause of the leg's Hangup, outcome; as
# Asterisk 22 (chan_pjsip), 16 (chan_pjsip) and 16 (chan_sip) told it.
PJSIP_22 = {
    "404": ("NOANSWER", 1, "404", Outcome.NOT_AVAILABLE),
    "403": ("NOANSWER", 21, "403", Outcome.NOT_ALLOWED),
    "603": ("NOANSWER", 21, "603", Outcome.BUSY),
    "480": ("NOANSWER", 19, "480", Outcome.NO_ANSWER),
    "486": ("BUSY", 17, "486", Outcome.BUSY),
    "503": ("CONGESTION", 34, "503", Outcome.NOT_AVAILABLE),
    "Dial times out": ("NOANSWER", 0, "", Outcome.NO_ANSWER),
    "the caller gives up": ("CANCEL", 127, "500", Outcome.NO_ANSWER),
}
PJSIP_16 = {
    answer: (status, cause, "", Outcome.NOT_ALLOWED if answer == "603" else found)
    for answer, (status, cause, _, found) in PJSIP_22.items()
}
CHAN_SIP = {
    "404": ("NOANSWER", 1, "", Outcome.NOT_AVAILABLE),
    "403": ("NOANSWER", 21, "", Outcome.NOT_ALLOWED),
    "603": ("BUSY", 21, "", Outcome.BUSY),
    "480": ("BUSY", 19, "", Outcome.NO_ANSWER),
    "486": ("BUSY", 17, "", Outcome.BUSY),
    "503": ("CONGESTION", 34, "", Outcome.NOT_AVAILABLE),
    "Dial times out": ("NOANSWER", 16, "", Outcome.NO_ANSWER),
    "the caller gives up": ("CANCEL", 16, "", Outcome.NO_ANSWER),
}


class TestOutcomeOfAnOutgoingCall:
    """Rule 15."""

    @pytest.mark.parametrize("answer", PJSIP_22)
    def test_the_far_sides_answer_over_chan_pjsip_of_asterisk_22_is_told_apart(self, answer: str) -> None:
        status, cause, tech_cause, expected = PJSIP_22[answer]
        assert outcome(cause, tech_cause, status) is expected

    @pytest.mark.parametrize("answer", PJSIP_16)
    def test_without_the_sip_status_a_decline_looks_like_a_prohibition(self, answer: str) -> None:
        status, cause, tech_cause, expected = PJSIP_16[answer]
        assert outcome(cause, tech_cause, status) is expected

    @pytest.mark.parametrize("answer", CHAN_SIP)
    def test_the_far_sides_answer_over_chan_sip_is_told_apart(self, answer: str) -> None:
        status, cause, tech_cause, expected = CHAN_SIP[answer]
        assert outcome(cause, tech_cause, status) is expected

    @pytest.mark.parametrize("cause", [0, 16, 26, 31, 127, None])
    def test_a_cause_that_says_nothing_leaves_it_to_the_dial_status(self, cause: int | None) -> None:
        assert outcome(cause, "", "BUSY") is Outcome.BUSY
        assert outcome(cause, "", "NOANSWER") is Outcome.NO_ANSWER
        assert outcome(cause, "", "CANCEL") is Outcome.NO_ANSWER
        for status in ("CONGESTION", "CHANUNAVAIL", "ANSWER", "", "something new"):
            assert outcome(cause, "", status) is Outcome.NOT_AVAILABLE

    @pytest.mark.parametrize("status", ["", "BUSY", "NOANSWER", "CANCEL", "CONGESTION"])
    def test_a_cause_that_says_something_wins_over_the_dial_status(self, status: str) -> None:
        assert outcome(17, "", status) is Outcome.BUSY
        for cause in (18, 19):
            assert outcome(cause, "", status) is Outcome.NO_ANSWER
        for cause in (29, *range(50, 58)):
            assert outcome(cause, "", status) is Outcome.NOT_ALLOWED
        for cause in (1, 2, 3, 20, 22, 27, 28, 34, 38, 41, 42, 44, 58, 88, 102, 111, 9999, -1):
            assert outcome(cause, "", status) is Outcome.NOT_AVAILABLE

    def test_a_decline_is_busy_only_where_it_can_be_told(self) -> None:
        assert outcome(21, "603", "NOANSWER") is Outcome.BUSY
        assert outcome(21, "", "BUSY") is Outcome.BUSY
        assert outcome(21, "403", "NOANSWER") is Outcome.NOT_ALLOWED
        assert outcome(21, "", "NOANSWER") is Outcome.NOT_ALLOWED
        assert outcome(29, "", "BUSY") is Outcome.NOT_ALLOWED


class TestWhoEndedTheRinging:
    """Rule 3."""

    @pytest.mark.parametrize("cause", [17, 18, 19, 20, 21, 27, 34, 38, 1, 23])
    def test_busy_rejected_and_unreachable_phones_ended_it_themselves(self, cause: int) -> None:
        assert ended_by_itself(cause, forwarded=False)

    @pytest.mark.parametrize("cause", [0, 16, 26, 31, 127, None])
    def test_a_time_out_a_caller_who_gave_up_and_an_answer_elsewhere_are_the_dialling_sides(
        self, cause: int | None
    ) -> None:
        assert not ended_by_itself(cause, forwarded=False)

    def test_a_phone_that_forwarded_did_not_end_it_itself(self) -> None:
        assert not ended_by_itself(23, forwarded=True)
