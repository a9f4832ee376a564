"""What Planfix has been told of us, compared with what is so."""

import pytest
import structlog

from ami_planfix.planfix.messages import Ping
from ami_planfix.setup import compare

OURS = "https://pbx.example.com"


@pytest.mark.parametrize(
    ("told", "event", "remedy"),
    [
        (Ping("another", f"{OURS}/planfix"), "planfix has another pbx token", "`server` / `token`"),
        (Ping("the-token", "https://old.example.com/planfix"), "planfix has another pbx address", "put ours"),
    ],
)
def test_what_planfix_has_wrong_is_said_with_its_remedy(told: Ping, event: str, remedy: str) -> None:
    with structlog.testing.capture_logs() as logs:
        compare(told, "the-token", OURS)
    (line,) = logs
    assert (line["event"], line["log_level"]) == (event, "warning")
    assert remedy in line["remedy"]
    assert "another" not in line.values()


@pytest.mark.parametrize(
    "told", [Ping("the-token", f"{OURS}/planfix"), Ping("the-token", f"{OURS}/planfix/"), Ping("", "")]
)
def test_what_is_right_or_not_told_is_not_spoken_of(told: Ping) -> None:
    with structlog.testing.capture_logs() as logs:
        compare(told, "the-token", OURS)
    assert logs == []
