"""What a call's data tag gets: the DID's fields, the dialplan's, and our own where they are wanted."""

import pytest

from ami_planfix.calls.attributes import LONGEST, MOST
from ami_planfix.calls.events import Uniqueid, UserEvent
from ami_planfix.calls.reports import Stage
from tests.calls.events_of import CLIENT, COMPANY, DID, History
from tests.calls.playing import reports_of, tracker_of

SITE: dict[str, object] = {"dids": [{"number": DID, "data": {"utm_source": "site", "page": "1"}}]}
LINE: dict[str, object] = {
    "trunks": [{"channel": "PJSIP/provider", "number": COMPANY, "data": {"line": "1", "page": "2"}}]
}
OURS: dict[str, object] = {"calls": {"attributes": ["queue", "waiting", "hangup"]}}
CHOICES: dict[str, object] = {"calls": {"attributes": ["ivr"]}}


@pytest.fixture
def history() -> History:
    return History()


def data_of(history: History, **sections: object) -> dict[str, str]:
    """Play a history: the fields of the last report; no report before a COMPLETED has any."""
    reports = reports_of(history, **sections)
    assert not [one for one in reports if one.stage is not Stage.COMPLETED and one.data]
    return dict(reports[-1].data)


class TestTheConfigurations:
    def test_a_lines_fields_are_sent_for_calls_in_and_out(self, history: History) -> None:
        history.hangs_up(history.rings_in())
        assert data_of(history, **LINE) == {"line": "1", "page": "2"}
        out = History()
        out.hangs_up(*reversed(out.calls_out()))
        assert data_of(out, **LINE) == {"line": "1", "page": "2"}

    def test_a_dids_win_over_its_lines(self, history: History) -> None:
        history.hangs_up(history.rings_in())
        assert data_of(history, **LINE, **SITE) == {"line": "1", "page": "1", "utm_source": "site"}


class TestTheDialplans:
    def test_a_variable_on_the_clients_channel_is_sent_with_the_end(self, history: History) -> None:
        client = history.rings_in()
        history.sets(client, "PLANFIX_DATA_utm_source", "yandex")
        leg = history.converses(client)
        history.hangs_up(client, leg)
        assert data_of(history) == {"utm_source": "yandex"}

    def test_it_wins_over_what_is_configured_and_an_empty_one_takes_it_away(self, history: History) -> None:
        client = history.rings_in()
        history.sets(client, "PLANFIX_DATA_utm_source", "yandex")
        history.sets(client, "PLANFIX_DATA_page", "")
        history.hangs_up(client)
        assert data_of(history, **SITE) == {"utm_source": "yandex"}

    def test_what_is_configured_is_sent_where_the_dialplan_says_nothing(self, history: History) -> None:
        history.hangs_up(history.rings_in())
        assert data_of(history, **SITE) == {"utm_source": "site", "page": "1"}

    def test_an_employees_channel_counts_too_and_the_clients_wins(self, history: History) -> None:
        client = history.rings_in()
        leg = history.converses(client)
        history.sets(leg, "PLANFIX_DATA_mood", "good")
        history.sets(leg, "PLANFIX_DATA_who", "employee")
        history.sets(client, "PLANFIX_DATA_who", "client")
        history.hangs_up(leg, client)
        assert data_of(history) == {"mood": "good", "who": "client"}

    def test_the_channel_of_the_employee_who_calls_out(self, history: History) -> None:
        phone = history.phone_calls("101", CLIENT)
        history.sets(phone, "PLANFIX_DATA_campaign", "5")
        leg = history.dials(phone, "PJSIP/provider", f"{CLIENT}@provider", shown=COMPANY)
        history.sets(leg, "PLANFIX_DATA_trunk", "provider")
        history.refuses(leg)
        history.hangs_up(phone)
        assert data_of(history) == {"campaign": "5", "trunk": "provider"}

    def test_other_calls_have_none_of_it(self, history: History) -> None:
        client, other = history.rings_in(), history.rings_in("79035550000")
        history.sets(client, "PLANFIX_DATA_a", "1")
        history.hangs_up(client)
        history.hangs_up(other)
        assert data_of(history) == {}

    def test_of_two_clients_who_are_joined_each_keeps_its_own(self, history: History) -> None:
        client, other = history.rings_in(), history.rings_in("79035550000")
        history.sets(client, "PLANFIX_DATA_a", "1")
        history.sets(other, "PLANFIX_DATA_b", "2")
        leg = history.converses(client)
        history.converses(other, "PJSIP/102")
        assert leg.bridge is not None
        history.enters(other, leg.bridge)
        history.hangs_up(client, other)
        ends = {one.client: dict(one.data) for one in reports_of(history) if one.stage is Stage.COMPLETED}
        assert ends == {CLIENT: {"a": "1"}, "79035550000": {"b": "2"}}

    def test_what_nobody_can_have_meant_is_left_out_or_cut(self, history: History) -> None:
        client = history.rings_in()
        for number in range(MOST + 10):
            history.sets(client, f"PLANFIX_DATA_n{number}", "x" * 2 * LONGEST)
        for name in ("PLANFIX_DATA_", "PLANFIX_DATA_a-b", "PLANFIX_DATA_" + "a" * 65, "PLANFIX_DATA_ф", "OTHER"):
            history.sets(client, name, "1")
        history.sets(client, "PLANFIX_DATA_n0", "a\r\nb")
        history.hangs_up(client)
        data = data_of(history)
        assert list(data) == [f"n{number}" for number in range(MOST)]
        assert data["n0"] == "a b"
        assert data["n1"] == "x" * LONGEST


class TestUserEvents:
    def test_they_tell_fields_as_variables_do_and_the_later_of_both_wins(self, history: History) -> None:
        client = history.rings_in()
        history.sets(client, "PLANFIX_DATA_utm_source", "yandex")
        history.tells(client, utm_source="direct", page="")
        history.tells(client, campaign="5")
        history.sets(client, "PLANFIX_DATA_campaign", "6")
        history.hangs_up(client)
        assert data_of(history, **SITE) == {"utm_source": "direct", "campaign": "6"}

    def test_on_an_employees_channel(self, history: History) -> None:
        client = history.rings_in()
        leg = history.converses(client)
        history.tells(leg, mood="good")
        history.hangs_up(leg, client)
        assert data_of(history) == {"mood": "good"}

    def test_on_an_employees_channel_that_has_left_the_conversation(self, history: History) -> None:
        """A hangup handler: the bridge is gone by then."""
        client = history.rings_in()
        leg = history.converses(client)
        history.leaves(leg)
        history.tells(leg, mood="good")
        history.hangs_up(leg, client)
        assert data_of(history) == {"mood": "good"}

    def test_on_the_half_of_a_local_channel_before_anybody_rings(self, history: History) -> None:
        client = history.rings_in()
        first, second = history.dials_local(client, "101")
        history.tells(second, way="group")
        history.hangs_up(first, second, client)
        assert data_of(history) == {"way": "group"}

    def test_on_a_local_half_behind_which_an_employee_is(self, history: History) -> None:
        client = history.rings_in()
        first, second = history.dials_local(client, "101")
        leg = history.dials(second, "PJSIP/101")
        history.rings(leg)
        history.answers(leg)
        history.meet(second, leg)
        history.answers(first)
        history.meet(client, first)
        history.tells(second, way="queue")
        history.hangs_up(leg, second, first, client)
        assert data_of(history) == {"way": "queue"}

    def test_of_a_channel_that_does_not_exist(self, history: History) -> None:
        client = history.rings_in()
        history.say(UserEvent(history.at, Uniqueid("1.1"), (("a", "1"),)))
        history.hangs_up(client)
        history.tells(client, late="1")
        assert data_of(history) == {}

    def test_what_nobody_can_have_meant_is_left_out_or_cut(self, history: History) -> None:
        client = history.rings_in()
        many = {f"n{number}": "x" * 2 * LONGEST for number in range(MOST + 10)}
        history.tells(client, **{"": "1", "a-b": "1", "a" * 65: "1", "ф": "1"}, **many)
        history.tells(client, n0="a\r\nb", n1="<b>'; DROP TABLE calls")
        history.hangs_up(client)
        data = data_of(history)
        assert list(data) == [f"n{number}" for number in range(MOST)]
        assert (data["n0"], data["n1"], data["n2"]) == ("a b", "<b>'; DROP TABLE calls", "x" * LONGEST)


class TestMenus:
    def test_what_was_pressed_while_it_spoke_or_waited(self, history: History) -> None:
        for application in ("BackGround", "WaitExten"):
            story = History()
            client = story.rings_in()
            story.goes_to(client, "s", "ivr")
            story.runs(client, application, "welcome")
            story.goes_to(client, "1", "ivr")
            story.goes_to(client, "600", "ext-group")
            story.converses(client)
            story.hangs_up(client)
            assert data_of(story, **CHOICES) == {"ivr": "1"}
            assert data_of(story) == {}

    def test_the_choice_may_be_a_dial_at_once(self, history: History) -> None:
        client = history.rings_in()
        history.goes_to(client, "s", "ivr")
        history.runs(client, "WaitExten", "4")
        client.exten = "1"
        history.runs(client, "Dial", "PJSIP/101,30")
        history.converses(client)
        history.hangs_up(client)
        assert data_of(history, **CHOICES) == {"ivr": "1"}

    def test_menus_below_menus_and_again(self, history: History) -> None:
        client = history.rings_in()
        for context, choice in (("ivr-1", "2"), ("ivr-2", "*"), ("ivr-1", "101")):
            history.goes_to(client, "s", context)
            history.runs(client, "BackGround", "welcome")
            history.runs(client, "WaitExten", "4")
            history.goes_to(client, choice, context)
        history.hangs_up(client)
        assert data_of(history, **CHOICES) == {"ivr": "2,*,101"}

    def test_a_wrong_key_or_none_is_no_choice(self, history: History) -> None:
        client = history.rings_in()
        history.goes_to(client, "s", "ivr")
        history.runs(client, "WaitExten", "4")
        history.goes_to(client, "i", "ivr")
        history.goes_to(client, "t", "ivr")
        history.goes_to(client, "101", "from-internal")
        history.hangs_up(client)
        assert data_of(history, **CHOICES) == {}

    def test_an_exten_that_the_dialplan_itself_goes_on_to_is_no_choice(self, history: History) -> None:
        client = history.rings_in()
        history.goes_to(client, "s", "ivr")
        history.runs(client, "WaitExten", "4")
        history.goes_to(client, "1", "ivr")
        history.goes_to(client, "2", "ivr")
        history.hangs_up(client)
        assert data_of(history, **CHOICES) == {"ivr": "1"}

    def test_background_may_send_elsewhere(self, history: History) -> None:
        client = history.rings_in()
        history.goes_to(client, "s", "sub-menu")
        history.runs(client, "BackGround", "welcome,,,choices")
        history.goes_to(client, "3", "choices")
        history.hangs_up(client)
        assert data_of(history, **CHOICES) == {"ivr": "3"}

    def test_freepbx_reads_digits_and_goes_to_the_exten(self, history: History) -> None:
        for context in ("ivr-7", "from-did-direct-ivr"):
            story = History()
            client = story.rings_in()
            story.goes_to(client, "s", "ivr-7")
            story.sets(client, "IVR_CONTEXT", "ivr-7")
            story.goes_to(client, "101", context)
            story.hangs_up(client)
            assert data_of(story, **CHOICES) == {"ivr": "101"}

    def test_a_channel_that_inherits_the_name_of_the_menu_is_in_none(self, history: History) -> None:
        client = history.rings_in()
        history.goes_to(client, "s", "ivr-7")
        first, second = history.dials_local(client, "101", "ext-local")
        history.sets(second, "IVR_CONTEXT", "ivr-7")
        history.goes_to(second, "1", "ivr-7")
        history.hangs_up(first, second, client)
        assert data_of(history, **CHOICES) == {}

    def test_the_dialplans_word_wins(self, history: History) -> None:
        client = history.rings_in()
        history.goes_to(client, "s", "ivr")
        history.runs(client, "WaitExten", "4")
        history.goes_to(client, "1", "ivr")
        history.tells(client, ivr="sales")
        history.hangs_up(client)
        assert data_of(history, **CHOICES) == {"ivr": "sales"}

    def test_what_is_no_choice_is_not_used(self, history: History) -> None:
        client = history.rings_in()
        history.goes_to(client, "1", "from-trunk")
        tracker = tracker_of()
        assert [tracker.handle(event).used for event in history.events] == [True, False]

    def test_who_goes_round_in_circles_is_cut_short(self, history: History) -> None:
        client = history.rings_in()
        for _ in range(2 * LONGEST):
            history.goes_to(client, "s", "ivr")
            history.runs(client, "WaitExten", "4")
            history.goes_to(client, "1", "ivr")
        history.hangs_up(client)
        assert len(data_of(history, **CHOICES)["ivr"]) <= LONGEST


class TestOurOwn:
    def test_they_are_sent_only_where_they_are_wanted(self, history: History) -> None:
        client = history.rings_in()
        history.runs(client, "Queue", "q-all,tT,,,10")
        history.hangs_up(client)
        assert data_of(history) == {}
        assert data_of(history, calls={"attributes": ["queue"]}) == {"queue": "q-all"}

    def test_queue_waiting_time_and_who_hung_up(self, history: History) -> None:
        client = history.rings_in()
        history.later(2)
        history.runs(client, "Queue", "q-all,tT,,,10")
        history.later(5)
        leg = history.converses(client)
        history.later(30)
        history.asks_to_hang_up(leg)
        history.hangs_up(leg)
        history.asks_to_hang_up(client)
        history.hangs_up(client)
        assert data_of(history, **OURS) == {"queue": "q-all", "waiting": "8", "hangup": "employee"}

    def test_the_client_who_gave_up_waiting(self, history: History) -> None:
        client = history.rings_in()
        leg = history.dials(client, "PJSIP/101")
        history.rings(leg)
        history.later(7.9)
        history.asks_to_hang_up(client)
        history.hangs_up(leg, client)
        assert data_of(history, **OURS) == {"waiting": "7", "hangup": "client"}

    def test_a_phone_that_refused_did_not_end_the_call(self, history: History) -> None:
        client = history.rings_in()
        leg = history.dials(client, "PJSIP/101")
        history.rings(leg)
        history.asks_to_hang_up(leg, cause=None)
        history.refuses(leg)
        history.later(3)
        history.hangs_up(client)
        assert data_of(history, **OURS) == {"waiting": "3", "hangup": "pbx"}

    def test_who_handed_the_call_on_did_not_end_it(self, history: History) -> None:
        client = history.rings_in()
        leg = history.converses(client)
        history.asks_to_hang_up(leg)
        history.transfers_blindly(leg, client, "102")
        history.converses(client, "PJSIP/102")
        history.asks_to_hang_up(client)
        history.hangs_up(client)
        assert data_of(history, **OURS)["hangup"] == "client"

    def test_an_outgoing_call_waits_until_the_client_answers(self, history: History) -> None:
        phone, leg = history.calls_out()
        history.asks_to_hang_up(phone)
        history.hangs_up(phone, leg)
        assert data_of(history, **OURS) == {"waiting": "1", "hangup": "employee"}
