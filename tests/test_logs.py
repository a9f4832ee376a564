"""One line per thing that happened, without secrets, for a terminal and for journald."""

import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from ami_planfix.logs import KEPT, KEPT_OF_A_KIND, Format, configure, redact, times, troubles


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    before, level, ours = root.handlers[:], root.level, logging.getLogger("ami_planfix").level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.getLogger("ami_planfix").setLevel(ours)
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_where_nobody_reads_along() -> None:
    stream = io.StringIO()
    configure("info", Format.AUTO, stream)
    structlog.get_logger("ami_planfix.delivery").info("report delivered", call="1.2", extension="101")
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "report delivered", "level": "info", "call": "1.2", "extension": "101"}


def test_text_in_a_terminal() -> None:
    stream = Terminal()
    configure("info", Format.AUTO, stream)
    structlog.get_logger("ami_planfix.delivery").info("report delivered", name="Иванов")
    assert "report delivered" in stream.getvalue()
    assert "Иванов" in stream.getvalue()


@pytest.mark.parametrize("form", [Format.TEXT, Format.JSON])
def test_no_stranger_steers_the_terminal_of_who_reads(form: Format) -> None:
    stream = io.StringIO()
    configure("info", form, stream)
    logger = structlog.get_logger("ami_planfix.web")
    logger.warning("click refused", client="\x1b]0;owned\x07", reason="\u202egnp", extension="\x9b31m", name="Ёж")
    logger.error("request failed", exc_info=ValueError("\x1b[2J"))
    logging.getLogger("aiohttp.server").error("GET \x1b[31m")
    written = stream.getvalue()
    assert "\\x1b]0;owned\\x07" in written.replace("\\\\", "\\")
    assert "Ёж" in written
    assert all(line.isprintable() for line in written.split("\n"))


@pytest.mark.parametrize("form", [Format.TEXT, Format.JSON])
def test_no_stranger_writes_a_line_of_the_log(form: Format) -> None:
    """A line `wrong token address=...` has whoever is at that address banned."""
    stream = io.StringIO()
    configure("info", form, stream)
    forged = "x\n12:00:00 [warning  ] wrong token                      address=192.0.2.1 times=9"
    logger = structlog.get_logger("ami_planfix.web")
    logger.warning("click refused", client=forged, reason=[forged])
    logging.getLogger("asyncio").error("from %s", forged)
    try:
        int(forged)
    except ValueError:
        logger.exception("request failed", path=forged)
    logger.error("request failed", exc_info=ValueError(forged))
    lines = stream.getvalue().splitlines()
    assert "Traceback" in stream.getvalue()
    assert not [line for line in lines if line.startswith("12:00:00")]
    assert len([line for line in lines if not line.startswith("  | ")]) == 4


def test_the_level_is_ours_and_libraries_are_heard_from_warning_on() -> None:
    stream = io.StringIO()
    configure("warning", Format.JSON, stream)
    structlog.get_logger("ami_planfix.x").info("not shown")
    logging.getLogger("aiohttp.server").info("not shown either")
    logging.getLogger("aiohttp.server").warning("shown")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["shown"]


@pytest.mark.parametrize(
    "fields",
    [
        {"token": "hunter2"},
        {"planfix_token": "hunter2"},
        {"Secret": "hunter2"},
        {"authorization": "Bearer hunter2"},
        {"reason": "POST failed: cmd=ping&planfix_token=hunter2&x=1"},
        {"reason": "Secret: hunter2"},
        {"body": '{"pbxToken": "hunter2"}'},
    ],
)
def test_secrets_never_reach_a_line(fields: dict[str, str]) -> None:
    stream = io.StringIO()
    configure("info", Format.JSON, stream)
    structlog.get_logger("ami_planfix.x").warning("something failed", **fields)
    assert "hunter2" not in stream.getvalue()
    assert "redacted" in stream.getvalue()


def test_secrets_never_reach_a_trace() -> None:
    for stream in (io.StringIO(), Terminal()):
        configure("info", Format.AUTO, stream)
        try:
            int("cmd=ping&planfix_token=hunter2")
        except ValueError:
            structlog.get_logger("ami_planfix.x").exception("request failed")
        assert "ValueError" in stream.getvalue()
        assert "hunter2" not in stream.getvalue()


def test_what_is_no_secret_stays() -> None:
    text = "extension 101 dials 79101234567 (context from-internal)"
    assert redact(text) == text


def test_a_line_break_in_a_value_begins_no_new_line() -> None:
    for form in (Format.JSON, Format.TEXT):
        stream = io.StringIO()
        configure("info", form, stream)
        structlog.get_logger("ami_planfix.x").info("click refused", client="7910\nforged line")
        assert len(stream.getvalue().splitlines()) == 1


def test_journald_gets_the_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        configure("info", Format.AUTO, stream)
        structlog.get_logger("ami_planfix.x").error("token refused")
        structlog.get_logger("ami_planfix.x").info("report delivered")
        stream.flush()
        stream.seek(0)
        lines = stream.read().splitlines()
    assert [line[:4] for line in lines] == ["<3>{", "<6>{"]


def test_the_last_warnings_and_errors_are_kept_without_secrets_newest_first() -> None:
    configure("info", Format.JSON, io.StringIO())
    log = structlog.get_logger("ami_planfix.web")
    log.warning("wrong token", address="192.0.2.7", token="hush")
    log.info("report delivered")
    logging.getLogger("aiohttp").error("gone wrong, secret=hush")
    last, before, *_ = troubles()
    assert last["event"] == "gone wrong, secret=[redacted]"
    assert last["level"] == "error"
    assert (before["event"], before["address"]) == ("wrong token", "192.0.2.7")
    assert "hush" not in str(troubles())
    for number in range(2 * KEPT):
        log.warning(f"address {number} refused", number=number)
    assert [line["number"] for line in troubles()] == list(range(2 * KEPT - 1, KEPT - 1, -1))


def test_a_flood_of_one_kind_does_not_wash_away_the_others() -> None:
    configure("info", Format.JSON, io.StringIO())
    log = structlog.get_logger("ami_planfix.x")
    before = times("report postponed")
    log.error("planfix refused our token")
    for number in range(1000):
        log.warning("report postponed", number=number)
    kept = troubles()
    assert [line["number"] for line in kept[:KEPT_OF_A_KIND]] == list(range(999, 999 - KEPT_OF_A_KIND, -1))
    assert kept[KEPT_OF_A_KIND]["event"] == "planfix refused our token"
    assert times("report postponed") - before == 1000
