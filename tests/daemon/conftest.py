"""Fixtures of the live tests, and what was measured, shown at the end."""

import statistics
from collections import defaultdict
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab import Lab

SANE = 2.0
"""Seconds; a first INCOMING that takes longer is not slow but wrong."""

_measured: dict[str, list[float]] = defaultdict(list)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_lab() -> AsyncIterator[Lab]:
    """Run an Asterisk 22 for all tests of a module."""
    async with Lab(version=22) as lab:
        yield lab


@pytest.fixture
def lab(running_lab: Lab) -> Lab:
    """Have the lab forget the last story."""
    running_lab.forget()
    return running_lab


def note_delays(asterisk: str, delays: list[float]) -> None:
    """Keep how long first INCOMINGs took, for the summary; they must be sane."""
    _measured[asterisk] += delays
    assert delays
    assert all(-SANE < delay < SANE for delay in delays), delays


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show how soon popups were there."""
    for asterisk, delays in _measured.items():
        if delays:
            terminalreporter.write_line(
                f"Asterisk {asterisk}: first INCOMING at Planfix after the AMI event: "
                f"{len(delays)} calls, median {1000 * statistics.median(delays):.1f} ms, "
                f"worst {1000 * max(delays):.1f} ms"
            )
