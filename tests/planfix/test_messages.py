import json

import pytest

from ami_planfix.calls.reports import Extension, Outcome, Stage
from ami_planfix.planfix.messages import (
    Contact,
    InvalidCommand,
    MakeCall,
    Ping,
    Setup,
    Wording,
    as_json_line,
    complaint,
    contact_form,
    event_form,
    parse_command,
    parse_contact,
    parse_ping,
    presented_token,
    record_form,
)
from tests.making import report


class TestEvent:
    """Planfix API, table of `event`."""

    def test_a_popup_says_who_rings_and_nothing_of_an_end(self) -> None:
        assert list(event_form(report(Stage.RANG)).items()) == [
            ("cmd", "event"),
            ("type", "in"),
            ("event", "INCOMING"),
            ("phone", "79101234567"),
            ("diversion", "74951230000"),
            ("ext", "101"),
            ("callid", "1700000000.1"),
        ]

    def test_an_end_adds_duration_recording_status_and_data_in_this_order(self) -> None:
        ended = report(
            Stage.COMPLETED,
            outcome=Outcome.SUCCESS,
            duration=61,
            recorded=True,
            data=(("utm_source", "site"), ("campaign", "осень")),
        )
        assert list(event_form(ended).items())[7:] == [
            ("duration", "61"),
            ("is_recorded", "1"),
            ("status", "Success"),
            ("data_utm_source", "site"),
            ("data_campaign", "осень"),
        ]

    def test_a_link_to_the_recording_goes_with_the_end_of_a_recorded_call_alone(self) -> None:
        link = "https://pbx.example.com/recordings/0/1.mp3"
        ended = report(Stage.COMPLETED, outcome=Outcome.SUCCESS, duration=61, recorded=True)
        assert event_form(ended, record_link=link)["record_link"] == link
        assert "record_link" not in event_form(ended)
        for other in (report(Stage.ACCEPTED), report(Stage.COMPLETED, outcome=Outcome.MISSED)):
            assert "record_link" not in event_form(other, record_link=link)

    @pytest.mark.parametrize(
        ("stage", "name", "kind"),
        [
            (Stage.RANG, "INCOMING", "in"),
            (Stage.DIALLED, "OUTGOING", "out"),
            (Stage.ACCEPTED, "ACCEPTED", "in"),
            (Stage.COMPLETED, "COMPLETED", "in"),
        ],
    )
    def test_every_stage_has_its_word(self, stage: Stage, name: str, kind: str) -> None:
        form = event_form(report(stage))
        assert (form["event"], form["type"]) == (name, kind)

    @pytest.mark.parametrize(
        ("outcome", "status"),
        [
            (Outcome.SUCCESS, "Success"),
            (Outcome.MISSED, "Missed"),
            (Outcome.CANCELED, "Canceled"),
            (Outcome.BUSY, "Busy"),
            (Outcome.NO_ANSWER, "NoAnswer"),
            (Outcome.NOT_AVAILABLE, "NotAvailable"),
            (Outcome.NOT_ALLOWED, "NotAllowed"),
        ],
    )
    def test_every_outcome_has_its_word(self, outcome: Outcome, status: str) -> None:
        assert event_form(report(Stage.COMPLETED, outcome=outcome))["status"] == status

    def test_the_administrator_chooses_how_canceled_is_spelt_and_what_a_hidden_number_is(self) -> None:
        wording = Wording(canceled_status="Cancelled", hidden_number="hidden")
        form = event_form(report(Stage.COMPLETED, client=""), wording)
        assert (form["status"], form["phone"]) == ("Cancelled", "hidden")

    def test_a_line_of_json_has_numbers_as_numbers_and_the_time_in_utc(self) -> None:
        ended = report(Stage.COMPLETED, outcome=Outcome.SUCCESS, duration=61, data=(("name", "Ёлка"),))
        line = as_json_line(ended)
        assert "\n" not in line
        assert "Ёлка" in line
        fields = json.loads(line)
        assert fields["time"] == "2023-11-14T22:13:20.250000+00:00"
        assert (fields["duration"], fields["is_recorded"], fields["data_name"]) == (61, 0, "Ёлка")
        assert "planfix_token" not in fields


class TestOtherForms:
    def test_a_recording_is_permanent_unless_said(self) -> None:
        assert record_form("1.1", "https://pbx/x") == {
            "cmd": "record",
            "callid": "1.1",
            "record_link": "https://pbx/x",
        }
        assert record_form("1.1", "https://pbx/x", temporary=True)["is_temp"] == "1"

    def test_a_contact_is_asked_for_with_or_without_a_call(self) -> None:
        assert contact_form("79101234567") == {"cmd": "contact", "phone": "79101234567"}
        assert contact_form("79101234567", "1.1")["callid"] == "1.1"


class TestAnswers:
    @pytest.mark.parametrize(
        ("body", "contact"),
        [
            (b'{"contact_name": "John Smith", "manager": 103}', Contact("John Smith", Extension("103"))),
            (b'{"contact_name": "John Smith", "responsible": "103"}', Contact("John Smith", Extension("103"))),
            ('{"contact_name": "Ёлка"}'.encode(), Contact("Ёлка", None)),
            (b'{"contact_name": "a\\r\\nb", "manager": "1;x"}', Contact("a b", None)),
            (b'{"contact_name": 7, "manager": null}', Contact("7", None)),
            (b"{}", Contact("", None)),
            (b"", Contact("", None)),
            (b"[1]", None),
            (b"<html>", None),
            (b"[" * 100_000, None),
        ],
    )
    def test_a_contact_is_read_in_either_spelling_and_never_believed(
        self, body: bytes, contact: Contact | None
    ) -> None:
        assert parse_contact(body) == contact

    def test_a_ping_is_read_and_its_token_not_shown(self) -> None:
        ping = parse_ping(b'{"pbxToken": "hush-hush", "pbxUrl": "https://pbx/planfix"}')
        assert ping == Ping("hush-hush", "https://pbx/planfix")
        assert "hush" not in repr(ping)
        assert parse_ping(b"nothing") is None

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b'{"error": "Invalid parameters"}', "Invalid parameters"),
            (b'{"error": {"a": 1}}', '{"error": {"a": 1}}'),
            (b"line\r\nline\x1b[31m\x00", "line line [31m"),
            (b"\xff", "\ufffd"),
            (b'{"error": "no \\ud800 such"}', "no \ufffd such"),
            ("\u05fe\u200b\ufeff\U000e0041".encode(), "\ufffd" * 4),
            (b"", ""),
        ],
    )
    def test_a_complaint_becomes_one_harmless_line(self, body: bytes, words: str) -> None:
        assert complaint(body) == words

    def test_a_complaint_is_short(self) -> None:
        assert len(complaint(b"x" * 60_000)) == 200


class TestCommands:
    """Planfix API, tables of `makeCall` and `setup`."""

    def test_a_click_names_who_calls_whom(self) -> None:
        form = {"cmd": "makeCall", "from": " 101 ", "to": "+7 910 123-45-67", "token": "t"}
        assert parse_command(form) == MakeCall("101", "+7 910 123-45-67")
        assert presented_token(form) == "t"

    def test_a_setup_names_the_account_and_hides_its_token(self) -> None:
        setup = parse_command({"cmd": "setup", "planfix_token": "hush", "planfix_url": "https://a.planfix.ru"})
        assert setup == Setup("https://a.planfix.ru", "hush")
        assert "hush" not in repr(setup)

    @pytest.mark.parametrize(
        ("form", "reason"),
        [
            ({}, "cmd is missing"),
            ({"cmd": "reboot\r\nnow"}, "cmd is 'reboot now'"),
            ({"cmd": "makeCall", "from": "101"}, "to missing in makeCall"),
            ({"cmd": "makeCall", "to": " "}, "from and to missing in makeCall"),
            ({"cmd": "setup", "planfix_url": "x"}, "planfix_token missing in setup"),
        ],
    )
    def test_what_lacks_something_says_what(self, form: dict[str, str], reason: str) -> None:
        command = parse_command(form)
        assert isinstance(command, InvalidCommand)
        assert reason in command.reason
