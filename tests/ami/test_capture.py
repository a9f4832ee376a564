"""Captures: what is read, what is refused, what never gets into one."""

import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_planfix.ami.capture import REDACTED, Writer, read, redacted
from ami_planfix.errors import CaptureError

LOG = b"Event: A\r\nX: 1\r\n\r\nResponse: Success\r\n\r\nEvent: B\r\n\r\n"


class TestReading:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "a.ami"

    def test_messages_come_in_order(self, path: Path) -> None:
        path.write_bytes(LOG)
        assert list(read(path)) == [b"Event: A\r\nX: 1", b"Response: Success", b"Event: B"]

    def test_packed_files_are_read_too(self, path: Path) -> None:
        path.write_bytes(gzip.compress(LOG))
        assert len(list(read(path))) == 3

    def test_a_banner_is_no_message(self, path: Path) -> None:
        path.write_bytes(b"Asterisk Call Manager/5.0.2\r\n" + LOG)
        assert len(list(read(path))) == 3

    def test_the_last_message_needs_no_empty_line(self, path: Path) -> None:
        path.write_bytes(LOG.rstrip())
        assert len(list(read(path))) == 3

    def test_a_log_may_begin_in_the_middle_of_a_message(self, path: Path) -> None:
        path.write_bytes(b"Exten: 101\r\nPriority: 1\r\n\r\n" + LOG)
        assert len(list(read(path))) == 3

    def test_many_reads_are_one_stream(self, path: Path) -> None:
        path.write_bytes(LOG * 20_000)
        assert sum(1 for _ in read(path)) == 60_000

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            (b"", 1),
            (b"\0\1\2\r\n\r\n", 1),
            (b"<html>\n<body>", 1),
            (LOG + b"what is this\r\n\r\n", 8),
            (LOG + b"x" * 1_000_000 + b"\r\n\r\n", 8),
            (b"X: " + b"x" * 1_000_000 + b"\r\n\r\nwhat is this\r\n", 3),
            (b"Asterisk Call Manager/5.0.2\r\n" + LOG + b"\r\nX: 1\r\n\r\n", 10),
        ],
    )
    def test_what_is_no_log_is_refused_with_file_and_line(self, path: Path, content: bytes, line: int) -> None:
        path.write_bytes(content)
        with pytest.raises(CaptureError, match=rf"a\.ami:{line}: "):
            list(read(path))

    def test_a_missing_file_is_said_so(self, path: Path) -> None:
        with pytest.raises(CaptureError, match=r"a\.ami: cannot be read: No such file"):
            list(read(path))

    def test_a_broken_packed_file_is_said_so(self, path: Path) -> None:
        path.write_bytes(gzip.compress(LOG)[:-12])
        with pytest.raises(CaptureError, match="cannot be read"):
            list(read(path))


class TestWriting:
    def test_every_event_has_a_time(self) -> None:
        stream = io.BytesIO()
        writer = Writer(stream)
        writer.write(b"Event: A\r\nX: 1", 12.5)
        writer.write(b"Event: B\r\nTimestamp: 3.0", 12.5)
        writer.write(b"Response: Success", 12.5)
        assert stream.getvalue() == (
            b"Event: A\r\nTimestamp: 12.500000\r\nX: 1\r\n\r\n"
            b"Event: B\r\nTimestamp: 3.0\r\n\r\n"
            b"Response: Success\r\n\r\n"
        )

    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "a.ami"
        with path.open("wb") as stream:
            writer = Writer(stream)
            writer.write(b"Event: A\r\nX: 1", 12.5)
        assert list(read(path)) == [b"Event: A\r\nTimestamp: 12.500000\r\nX: 1"]


class TestRedaction:
    @pytest.mark.parametrize(
        "raw",
        [
            b"Action: Login\r\nUsername: u\r\nSecret: hush",
            b"Action: Login\r\nAuthType: MD5\r\nKey: hush",
            b"Event: PeerEntry\r\nMD5Secret: hush\r\nX: 1",
            b"Event: Registry\r\nremote-Password:hush",
            b"Event: X\r\nauth_token: hush",
            b"Response: Success\r\nChallenge: hush",
            b"Event: ChallengeResponseFailed\r\nChallenge: hush\r\nResponse: hush\r\nExpectedResponse: hush",
            b"Event: VarSet\r\nVariable: SIP_PASSWORD\r\nValue: hush",
            b"Event: VarSet\r\nVariable: __API_TOKEN\r\nValue: hush",
            b"Event: Newchannel\r\nChanVariable: API_TOKEN=hush",
            b"Action: Originate\r\nVariable: my_secret=hush\r\nVariable: a=b",
            b"Event: Newexten\r\nApplication: Set\r\nAppData: MYSECRET=hush",
            b"Response: Success\r\nOutput:   Secret               : hush\r\nOutput:   Callerid : 1",
            b"Response: Success\r\nOutput: password = hush",
            b"Event: DBGetResponse\r\nFamily: SIP\r\nKey: 101/secret\r\nVal: hush",
            b"Response: Follows\r\n  Secret  hush\r\n--END COMMAND--",
        ],
    )
    def test_secrets_do_not_get_in(self, raw: bytes) -> None:
        clean = redacted(raw)
        assert b"hush" not in clean
        assert REDACTED in clean
        assert clean.count(b"\r\n") == raw.count(b"\r\n")

    @pytest.mark.parametrize(
        "raw",
        [
            b"Event: VarSet\r\nVariable: FROM_DID\r\nValue: 74951230001",
            b"Event: DBGetResponse\r\nFamily: DEVICE\r\nKey: 101/user\r\nVal: 101",
            b"Response: Success\r\nMessage: Authentication accepted",
            b"Event: InvalidPassword\r\nAccountID: 101",
        ],
    )
    def test_the_rest_stays_as_it_is(self, raw: bytes) -> None:
        assert redacted(raw) == raw

    @given(st.binary())
    def test_nothing_makes_it_raise(self, raw: bytes) -> None:
        redacted(raw)
