"""One large message in small pieces: the time must be that of its size, not of its size times its pieces."""

from collections.abc import Callable

from ami_planfix.ami.wire import Splitter
from tests.benchmarks.measuring import Figure, Result, contest, median, processor_time, ratio

LINE = b"Output: " + b"x" * 246 + b"\r\n"
PIECES = 32_768
"""Of 256 bytes: 8 MB."""


def run() -> Result:
    """Measure."""
    whole, half, naive = contest(_round(PIECES), _round(PIECES // 2), _naive(PIECES // 16), rounds=5)
    return Result(
        "pieces",
        [
            Figure("8 MB in 32,768 pieces", median(whole), "s", "half of it", median(half), goal="0.1 s"),
            Figure(
                "for 0.5 MB alone", median(whole) / 16, "s", "rest + chunk", median(naive), 16 * ratio(whole, naive)
            ),
        ],
    )


def _round(pieces: int) -> Callable[[], float]:
    def work() -> None:
        splitter = Splitter(lf=False)
        splitter.feed(b"Response: Success\r\n")
        for _ in range(pieces):
            splitter.feed(LINE)
        (message,) = splitter.feed(b"\r\n")
        assert len(message) > pieces * len(LINE)

    return lambda: processor_time(work)


def _naive(pieces: int) -> Callable[[], float]:
    """Make what is usually written; of 8 MB nobody would wait for it."""

    def work() -> None:
        rest = b""
        for _ in range(pieces):
            *messages, rest = (rest + LINE).split(b"\r\n\r\n")
            assert not messages

    return lambda: processor_time(work)
