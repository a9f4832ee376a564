"""Bytes to messages and back."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_planfix.ami.wire import LINE_LIMIT, Message, Splitter, encode, event_name, parse, stamped
from ami_planfix.errors import WireError

BANNER = b"Asterisk Call Manager/5.0.2\r\n"
STREAM = (
    BANNER
    + b"Response: Success\r\nMessage: Authentication accepted\r\n\r\n"
    + "Event: Newchannel\r\nCallerIDName: Пётр\r\nAccountCode: \r\n\r\n".encode()
    + b"Event: VarSet\r\nVariable: X\r\nValue: \r\n\r\n"
)
MESSAGES = [
    b"Response: Success\r\nMessage: Authentication accepted",
    "Event: Newchannel\r\nCallerIDName: Пётр\r\nAccountCode: ".encode(),
    b"Event: VarSet\r\nVariable: X\r\nValue: ",
]


def cut(stream: bytes, places: list[int], *, lf: bool = True) -> list[bytes]:
    splitter = Splitter(lf=lf)
    bounds = [0, *sorted(places), len(stream)]
    return [message for start, end in pairwise(bounds) for message in splitter.feed(stream[start:end])]


class TestCutting:
    @pytest.mark.parametrize("place", range(len(STREAM) + 1))
    def test_a_cut_at_any_byte_changes_nothing(self, place: int) -> None:
        assert cut(STREAM, [place]) == MESSAGES
        assert cut(STREAM, [place], lf=False) == MESSAGES

    @pytest.mark.parametrize("place", range(0, 2 * len(STREAM) + 1, 3))
    def test_only_what_a_connection_begins_with_is_its_banner(self, place: int) -> None:
        assert cut(STREAM * 2, [place], lf=False) == cut(STREAM * 2, [], lf=False)

    def test_single_bytes_change_nothing(self) -> None:
        assert cut(STREAM, list(range(len(STREAM)))) == MESSAGES

    @given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a: b", b"\r\n\r\n"])), st.data())
    def test_whatever_the_line_ends_cuts_change_nothing(self, parts: list[bytes], data: st.DataObject) -> None:
        stream = b"".join(parts)
        places = data.draw(st.lists(st.integers(0, len(stream))))
        assert cut(stream, places) == cut(stream, [])

    def test_files_with_bare_line_feeds_are_read_too(self) -> None:
        assert cut(b"Event: A\nX: 1\n\nEvent: B\r\n\n\nEvent: C\n\r\n", []) == [
            b"Event: A\nX: 1",
            b"Event: B",
            b"Event: C",
        ]

    def test_the_banner_is_kept_apart(self) -> None:
        splitter = Splitter()
        splitter.feed(STREAM)
        assert splitter.banner == "Asterisk Call Manager/5.0.2"

    def test_what_was_not_ended_is_the_rest(self) -> None:
        splitter = Splitter()
        assert splitter.feed(b"Event: A\r\n\r\nEvent: B\r\nX") == [b"Event: A"]
        assert splitter.rest() == b"Event: B\r\nX"

    @pytest.mark.parametrize("size", [7, 1460, 1_000_000])
    def test_a_message_over_the_limit_is_refused_however_it_comes(self, size: int) -> None:
        splitter = Splitter(limit=1000)
        stream = b"X: " + b"y" * 1000 + b"\r\n\r\n"
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        with pytest.raises(WireError, match="larger than 1000 bytes"):
            list(map(splitter.feed, pieces))

    def test_a_large_message_in_small_pieces_is_joined_once(self) -> None:
        # Eight megabytes in pieces of 256 bytes: quadratic time would be minutes, and the test would hang.
        line = b"Output: " + b"x" * 246 + b"\r\n"
        splitter = Splitter()
        assert splitter.feed(b"Response: Success\r\n") == []
        for _ in range(32_768):
            assert splitter.feed(line) == []
        (message,) = splitter.feed(b"\r\n")
        assert len(message) == 32_768 * 256 - 2 + len(b"Response: Success\r\n")


class TestParsing:
    def test_headers_keep_their_order_and_repetitions(self) -> None:
        message = parse(b"Event: X\r\nVariable: a=1\r\nVariable: b=2")
        assert message.headers == (("Event", "X"), ("Variable", "a=1"), ("Variable", "b=2"))
        assert message.all("variable") == ["a=1", "b=2"]
        assert message.get("VARIABLE") == "a=1"

    def test_empty_and_unspaced_values_are_values(self) -> None:
        message = parse(b"Event:X\r\nAccountCode:\r\nOutput:   two blanks are kept\r\nValue: ")
        assert message.headers == (
            ("Event", "X"),
            ("AccountCode", ""),
            ("Output", "  two blanks are kept"),
            ("Value", ""),
        )
        assert "Value" in message
        assert "Language" not in message

    def test_a_line_without_a_colon_is_left_out(self) -> None:
        assert parse(b"Event: X\r\nnonsense\r\nA: b").headers == (("Event", "X"), ("A", "b"))

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("Пётр Ильич".encode(), "Пётр Ильич"),
            ("Пётр Ильич".encode("cp1251"), "Пётр Ильич"),
            ("Рёва".encode("cp1251"), "Рёва"),
            ("Пётр Ильич".encode()[:-1], "Пётр Ильи"),
            ('"Пётр'.encode()[:-1] + b'" <101>', '"Пёт" <101>'),
            (b"plain", "plain"),
        ],
    )
    def test_names_are_utf8_also_if_cut_else_cp1251(self, value: bytes, text: str) -> None:
        assert parse(b"CallerIDName: " + value).get("CallerIDName") == text

    @given(st.binary())
    def test_nothing_makes_it_raise(self, raw: bytes) -> None:
        parse(raw)
        event_name(raw)

    def test_a_message_does_not_show_its_values(self) -> None:
        assert "hush" not in repr(parse(b"Response: Success\r\nSecret: hush"))

    def test_messages_are_equal_by_their_headers(self) -> None:
        assert parse(b"A: 1") == Message([("A", "1")])
        assert parse(b"A: 1") != parse(b"A: 2")


class TestEventNames:
    @pytest.mark.parametrize(
        ("raw", "name"),
        [
            (b"Event: Hangup\r\nX: 1", b"Hangup"),
            (b"Event: Hangup\nX: 1", b"Hangup"),
            (b"Event: Hangup", b"Hangup"),
            (b"event:Hangup\r\nX: 1", b"Hangup"),
            (b"Response: Success\r\nEvent: no", b""),
            (b"", b""),
        ],
    )
    def test_the_first_line_tells(self, raw: bytes, name: bytes) -> None:
        assert event_name(raw) == name


class TestStamping:
    def test_an_event_without_a_time_gets_that_of_its_arrival(self) -> None:
        assert stamped(b"Event: X\r\nA: b", 1.5) == b"Event: X\r\nTimestamp: 1.500000\r\nA: b"
        assert stamped(b"Event: X\nA: b", 1.5) == b"Event: X\nTimestamp: 1.500000\nA: b"
        assert stamped(b"Event: X", 1.5) == b"Event: X\r\nTimestamp: 1.500000"

    def test_an_event_with_a_time_keeps_it(self) -> None:
        raw = b"Event: X\r\nTimestamp: 2.000000\r\nA: b"
        assert stamped(raw, 1.5) == raw


class TestEncoding:
    def test_an_action_is_its_lines_and_an_empty_one(self) -> None:
        assert encode("Originate", [("Variable", "a=1"), ("Variable", "b=ж")]) == (
            "Action: Originate\r\nVariable: a=1\r\nVariable: b=ж\r\n\r\n".encode()
        )

    @pytest.mark.parametrize("bad", ["a\r\nAction: Command", "a\n", "a\r", "a\0b"])
    def test_a_value_cannot_end_its_line(self, bad: str) -> None:
        with pytest.raises(WireError, match="AMI header Exten: its value has a CR, LF or NUL"):
            encode("Originate", [("Exten", bad)])
        with pytest.raises(WireError, match="AMI header Action"):
            encode(bad, [])

    @pytest.mark.parametrize("bad", ["", "a:b", "a\r\nb", " a"])
    def test_a_name_cannot_be_more_than_a_name(self, bad: str) -> None:
        with pytest.raises(WireError, match="cannot be the name"):
            encode("Ping", [(bad, "x")])

    def test_what_asterisk_would_drop_is_refused(self) -> None:
        with pytest.raises(WireError, match=f"longer than the {LINE_LIMIT} bytes"):
            encode("Ping", [("X", "y" * LINE_LIMIT)])

    def test_a_refusal_does_not_tell_the_value(self) -> None:
        with pytest.raises(WireError) as caught:
            encode("Login", [("Secret", "hush\n")])
        assert "hush" not in str(caught.value)

    def test_text_that_is_none_is_refused(self) -> None:
        with pytest.raises(WireError, match="no Unicode text"):
            encode("Ping", [("X", "\udcff")])

    @given(st.lists(st.tuples(st.from_regex(r"[A-Za-z]{1,9}", fullmatch=True), st.text(max_size=50))))
    def test_what_is_sent_is_what_is_read(self, headers: list[tuple[str, str]]) -> None:
        try:
            data = encode("X", headers)
        except WireError:
            return
        (raw,) = Splitter().feed(data)
        assert parse(raw).headers == (("Action", "X"), *headers)
