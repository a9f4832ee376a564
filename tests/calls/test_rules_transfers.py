"""Transfers, pickup, forwarding and parking, rule by rule."""

import pytest

from ami_planfix.calls import events
from tests.calls.events_of import CLIENT, STRANGER, History, Line
from tests.calls.playing import reports_of, said

EACH = {"transfers": "each"}
BEGUN = ["INCOMING 101", "ACCEPTED 101"]


@pytest.fixture
def history() -> History:
    return History()


def conversation(history: History) -> tuple[Line, Line]:
    """101 talks with the client for three seconds."""
    client = history.rings_in()
    leg = history.converses(client)
    history.later(3)
    return client, leg


def consultation(history: History, leg: Line) -> tuple[Line, Line]:
    """101 consults 102 on a second line (REFER): the second channel of 101, the phone of 102."""
    second = history.phone_calls("101", "102")
    colleague = history.dials(second, "PJSIP/102")
    history.rings(colleague)
    assert leg.alive
    return second, colleague


def joins(history: History, leg: Line, second: Line, client: Line, *, dest: str = "Bridge") -> None:
    app = "Dial" if dest == "App" else ""
    history.say(events.AttendedTransfer(history.at, "Success", leg.now, second.now, client.now, None, dest, app))


class TestRule07BlindTransfer:
    """Rule 7."""

    def test_the_target_rings_and_takes_over_when_bridged(self, history: History) -> None:
        client, leg = conversation(history)
        history.transfers_blindly(leg, client, "102")
        assert said(history) == BEGUN
        target = history.dials(client, "PJSIP/102")
        history.rings(target)
        assert said(history)[2:] == ["INCOMING 102"]
        history.later(10)
        history.answers(target)
        history.meet(client, target)
        assert said(history)[2:] == ["INCOMING 102", "ACCEPTED 102", "COMPLETED 101 Canceled"]
        history.later(4)
        history.hangs_up(target, client)
        assert said(history)[5:] == ["COMPLETED 102 Success 7 s"]

    def test_nobody_answers_there_and_the_one_who_talked_last_has_the_success(self, history: History) -> None:
        client, leg = conversation(history)
        history.transfers_blindly(leg, client, "102")
        target = history.dials(client, "PJSIP/102")
        history.rings(target)
        history.later(10)
        history.refuses(target, "NOANSWER", 0)
        history.hangs_up(client)
        assert said(history)[2:] == ["INCOMING 102", "COMPLETED 102 Canceled", "COMPLETED 101 Success 3 s"]

    def test_a_redirect_without_any_event_of_its_own_is_the_same(self, history: History) -> None:
        client, leg = conversation(history)
        history.leaves(client, leg)
        history.hangs_up(leg)
        target = history.dials(client, "PJSIP/102")
        history.rings(target)
        history.answers(target)
        history.meet(client, target)
        history.hangs_up(client, target)
        assert said(history)[2:] == [
            "INCOMING 102",
            "ACCEPTED 102",
            "COMPLETED 101 Canceled",
            "COMPLETED 102 Success 3 s",
        ]

    def test_transferred_there_and_back_the_first_one_has_a_second_part(self, history: History) -> None:
        client, leg = conversation(history)
        for extension in ("102", "101"):
            history.transfers_blindly(leg, client, extension)
            leg = history.dials(client, f"PJSIP/{extension}")
            history.rings(leg)
            history.answers(leg)
            history.meet(client, leg)
            history.later(2)
        history.hangs_up(client, leg)
        assert said(history)[2:] == [
            "INCOMING 102",
            "ACCEPTED 102",
            "COMPLETED 101 Canceled",
            "INCOMING 101",
            "ACCEPTED 101",
            "COMPLETED 102 Canceled",
            "COMPLETED 101 Success 7 s",
        ]


class TestRule08AttendedTransfer:
    """Rule 8."""

    def test_a_consultation_on_a_second_line_sends_nothing_until_the_client_meets_the_colleague(
        self, history: History
    ) -> None:
        client, leg = conversation(history)
        second, colleague = consultation(history, leg)
        history.answers(colleague)
        bridge = history.meet(second, colleague)
        history.later(10)
        assert said(history) == BEGUN
        history.enters(client, bridge, swap=second)
        joins(history, leg, second, client)
        history.leaves(leg)
        history.hangs_up(second, leg)
        assert said(history)[2:] == ["INCOMING 102", "ACCEPTED 102", "COMPLETED 101 Canceled"]
        history.later(5)
        history.hangs_up(client, colleague)
        assert said(history)[5:] == ["COMPLETED 102 Success 18 s"]

    def test_given_up_and_back_with_the_client_it_was_the_same_conversation(self, history: History) -> None:
        client, leg = conversation(history)
        second, colleague = consultation(history, leg)
        history.refuses(colleague)
        history.hangs_up(second)
        history.later(5)
        history.hangs_up(client, leg)
        assert said(history) == [*BEGUN, "COMPLETED 101 Success 8 s"]

    def test_handed_over_while_the_colleague_rings_the_incoming_comes_with_the_transfer(self, history: History) -> None:
        client, leg = conversation(history)
        second, colleague = consultation(history, leg)
        assert said(history) == BEGUN
        joins(history, leg, second, client, dest="App")
        assert said(history)[2:] == ["INCOMING 102"]
        colleague.source = client
        history.leaves(client, leg)
        history.hangs_up(leg, second)
        history.later(5)
        history.answers(colleague)
        history.meet(client, colleague)
        history.later(2)
        history.hangs_up(colleague, client)
        assert said(history)[3:] == ["ACCEPTED 102", "COMPLETED 101 Canceled", "COMPLETED 102 Success 5 s"]

    def test_a_feature_code_transfer_counts_from_the_moment_at_which_the_client_meets_the_colleague(
        self, history: History
    ) -> None:
        client, leg = conversation(history)
        with_client = leg.bridge
        assert with_client is not None
        one, two = history.local("102", by=client)
        history.talk(leg, one)
        colleague = history.dials(two, "PJSIP/102")
        history.rings(colleague)
        history.answers(colleague)
        history.meet(two, colleague)
        history.later(4)
        assert said(history) == BEGUN
        history.enters(one, with_client)
        assert said(history)[2:] == ["INCOMING 102", "ACCEPTED 102", "COMPLETED 101 Canceled"]
        history.hangs_up(leg, client, one, two, colleague)
        assert said(history)[5:] == ["COMPLETED 102 Success 7 s"]


class TestRule09TransferToOutside:
    """Rule 9."""

    def test_a_blind_transfer_to_the_outside_leaves_the_call_with_the_one_who_made_it(self, history: History) -> None:
        client, leg = conversation(history)
        history.transfers_blindly(leg, client, STRANGER)
        outside = history.dials(client, "PJSIP/provider", f"{STRANGER}@provider")
        history.rings(outside)
        history.answers(outside)
        history.meet(client, outside)
        history.later(60)
        assert said(history) == BEGUN
        history.hangs_up(outside, client)
        assert said(history) == [*BEGUN, "COMPLETED 101 Success 3 s"]

    def test_a_consultation_with_an_outside_number_is_an_outgoing_call_until_both_are_joined(
        self, history: History
    ) -> None:
        client, leg = conversation(history)
        second, outside = history.calls_out("101", STRANGER)
        history.later(2)
        bridge = outside.bridge
        assert bridge is not None
        history.enters(client, bridge, swap=second)
        joins(history, leg, second, client)
        history.leaves(leg)
        history.hangs_up(second, leg)
        history.later(30)
        history.hangs_up(client, outside)
        told = reports_of(history)
        incoming = [one for one in told if str(one.callid) == client.linkedid]
        consulted = [one for one in told if str(one.callid) == second.linkedid]
        assert [one.client for one in incoming] == [CLIENT] * 3
        assert incoming[-1].outcome == "success"
        assert [one.client for one in consulted] == [STRANGER] * 3
        assert (consulted[-1].outcome, consulted[-1].duration) == ("success", 2)


class TestRule10Pickup:
    """Rule 10."""

    def test_whoever_picks_up_gets_incoming_and_accepted_and_all_who_rang_are_canceled(self, history: History) -> None:
        client = history.rings_in()
        legs = [history.dials(client, f"PJSIP/{extension}") for extension in (101, 103)]
        history.rings(*legs)
        fetcher = history.phone_calls("102", "*8")
        history.say(events.Pickup(history.at, fetcher.now, legs[0].now))
        history.say(events.DialEnd(history.at, client.now, fetcher.now, "ANSWER", ""))
        history.picks_up(fetcher)
        history.hangs_up(*legs, cause=26)
        history.meet(client, fetcher)
        assert said(history)[2:] == [
            "INCOMING 102",
            "ACCEPTED 102",
            "COMPLETED 101 Canceled",
            "COMPLETED 103 Canceled",
        ]
        history.hangs_up(client, fetcher)
        assert said(history)[6:] == ["COMPLETED 102 Success"]

    def test_a_colleague_who_calls_another_and_is_picked_up_is_nobodys_business(self, history: History) -> None:
        caller = history.phone_calls("103", "101")
        leg = history.dials(caller, "PJSIP/101")
        history.rings(leg)
        fetcher = history.phone_calls("102", "*8")
        history.say(events.Pickup(history.at, fetcher.now, leg.now))
        history.hangs_up(leg, cause=26)
        history.meet(caller, fetcher)
        history.hangs_up(caller, fetcher)
        assert said(history) == []


class TestRule11Forwarding:
    """Rule 11."""

    def test_a_phone_that_forwards_to_a_colleague(self, history: History) -> None:
        client = history.rings_in()
        first = history.dials(client, "PJSIP/101")
        one, two = history.dials_local(client, "102")
        history.refuses(first, "CANCEL", 23, forward="102")
        second = history.dials(two, "PJSIP/102")
        history.rings(second)
        assert said(history) == ["INCOMING 102"]
        history.refuses(second)
        history.hangs_up(one, two, client)
        assert said(history) == ["INCOMING 102", "COMPLETED 102 Missed"]

    def test_the_configured_mobile_is_the_employees(self, history: History) -> None:
        client = history.rings_in()
        mobile = history.dials(client, "PJSIP/provider", "79261110101@provider")
        history.rings(mobile)
        history.answers(mobile)
        history.meet(client, mobile)
        history.hangs_up(client, mobile)
        assert said(history) == ["INCOMING 101", "ACCEPTED 101", "COMPLETED 101 Success"]

    @pytest.mark.parametrize("exten", ["103", "FMPR-103"])
    def test_an_unknown_mobile_dialled_in_the_name_of_an_extension_is_that_extensions(
        self, history: History, exten: str
    ) -> None:
        client = history.rings_in()
        _, two = history.dials_local(client, exten)
        history.rings(history.dials(two, "PJSIP/provider", f"{STRANGER}@provider"))
        assert said(history) == ["INCOMING 103"]

    def test_a_call_forward_of_freepbx_is_the_extensions_whose_place_it_takes(self, history: History) -> None:
        client = history.rings_in()
        history.sets(client, "DEXTEN", "103")
        history.runs(client, "Dial", f"Local/{STRANGER}@from-internal/n,20,tr")
        _, two = history.dials_local(client, STRANGER)
        history.rings(history.dials(two, "PJSIP/provider", f"{STRANGER}@provider"))
        assert said(history) == ["INCOMING 103"]

    def test_so_is_one_without_a_local_channel_and_only_for_the_dial_that_follows(self, history: History) -> None:
        client = history.rings_in()
        history.sets(client, "DEXTEN", "103")
        history.runs(client, "Dial", f"PJSIP/{STRANGER}@provider,20")
        forwarded = history.dials(client, "PJSIP/provider", f"{STRANGER}@provider")
        history.rings(forwarded)
        history.refuses(forwarded, "NOANSWER", 0)
        history.runs(client, "Dial", f"PJSIP/{STRANGER}@provider,20")
        history.rings(history.dials(client, "PJSIP/provider", f"{STRANGER}@provider"))
        assert said(history) == ["INCOMING 103", "COMPLETED 103 Canceled", "INCOMING 100"]

    def test_picking_up_the_mobile_is_not_accepted_until_the_call_is_taken(self, history: History) -> None:
        client = history.rings_in()
        one, two = history.dials_local(client, "FMPR-103")
        mobile = history.dials(two, "PJSIP/provider", f"{STRANGER}@provider")
        history.rings(mobile)
        history.answers(mobile)  # and hears "press 1 to accept"
        history.later(3)
        assert said(history) == ["INCOMING 103"]
        history.talk(mobile, two)
        history.talk(one, client)
        assert said(history) == ["INCOMING 103", "ACCEPTED 103"]


class TestRule12Parking:
    """Rule 12."""

    @staticmethod
    def parked(history: History) -> Line:
        client, leg = conversation(history)
        history.leaves(leg)
        history.parks(client)
        history.hangs_up(leg)
        history.later(20)
        return client

    def test_fetched_by_a_colleague_it_is_a_completed_transfer(self, history: History) -> None:
        client = self.parked(history)
        assert said(history) == BEGUN
        fetcher = history.phone_calls("102", "701")
        history.picks_up(fetcher)
        history.say(events.UnParkedCall(history.at, client.now, fetcher.now))
        history.talk(fetcher, client)
        history.later(4)
        history.hangs_up(client, fetcher)
        assert said(history)[2:] == [
            "INCOMING 102",
            "ACCEPTED 102",
            "COMPLETED 101 Canceled",
            "COMPLETED 102 Success 7 s",
        ]

    def test_back_with_the_one_who_parked_it_nothing_is_sent(self, history: History) -> None:
        client = self.parked(history)
        history.say(events.ParkedCallTimeOut(history.at, client.now, "PJSIP/101"))
        history.leaves(client)
        back = history.dials(client, "PJSIP/101")
        history.rings(back)
        assert said(history) == BEGUN
        history.answers(back)
        history.meet(client, back)
        history.later(4)
        history.hangs_up(client, back)
        assert said(history) == [*BEGUN, "COMPLETED 101 Success 7 s"]

    def test_a_client_who_gives_up_in_the_parking_space_has_talked(self, history: History) -> None:
        client = self.parked(history)
        history.hangs_up(client)
        assert said(history) == [*BEGUN, "COMPLETED 101 Success 3 s"]


class TestRule13TransfersEach:
    """Rule 13: with `transfers: each`, whoever talked gets Success with its own talk."""

    def test_each_who_talked_has_a_success_at_the_moment_at_which_it_would_be_canceled(self, history: History) -> None:
        client, leg = conversation(history)
        history.transfers_blindly(leg, client, "102")
        history.later(10)
        target = history.dials(client, "PJSIP/102")
        history.rings(target)
        history.answers(target)
        history.meet(client, target)
        history.later(5)
        history.hangs_up(client, target)
        assert said(history, calls=EACH)[2:] == [
            "INCOMING 102",
            "ACCEPTED 102",
            "COMPLETED 101 Success 3 s",
            "COMPLETED 102 Success 8 s",
        ]

    def test_whoever_only_rang_is_still_canceled(self, history: History) -> None:
        client = history.rings_in()
        legs = [history.dials(client, f"PJSIP/{extension}") for extension in (101, 102)]
        history.rings(*legs)
        history.answers(legs[0], legs[1])
        history.meet(client, legs[0])
        assert said(history, calls=EACH)[-1] == "COMPLETED 102 Canceled"
