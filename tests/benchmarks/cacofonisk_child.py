"""cacofonisk at work, in an environment of its own: knows nothing of ours, takes turns as it is told.

`python cacofonisk_child.py FILE`: reads the stream; for each line on stdin, plays it from bytes to what its reporter is
told, and says on stdout how many seconds of processor time that took, and how often the reporter was told something.
"""

import asyncio
import gc
import logging
import sys
import time
from contextlib import suppress

from cacofonisk.handlers import EventHandler
from cacofonisk.reporters import BaseReporter
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

READ = 65_536


class Reporter(BaseReporter):  # type: ignore[misc]
    """Counts what it is told."""

    def __init__(self) -> None:
        self.told = 0

    def on_b_dial(self, caller: object, targets: object) -> None:
        """Somebody's phone rings."""
        self.told += 1

    def on_up(self, caller: object, target: object) -> None:
        """They talk."""
        self.told += 1

    def on_hangup(self, caller: object, reason: object) -> None:
        """It is over."""
        self.told += 1


class Transport:
    """Takes what is written, to nowhere."""

    def write(self, data: bytes) -> None:
        """Take it."""

    def close(self) -> None:
        """Be closed."""


def play(reads: list[bytes], loop: asyncio.AbstractEventLoop) -> tuple[float, int]:
    """Play the stream as its `AmiRunner` would."""
    reporter = Reporter()
    handler = EventHandler(reporter=reporter)
    manager = Manager(loop=loop)

    def on_event(manager: Manager, event: object) -> None:
        # It does not know all that Asterisk does; what it does not, costs it nothing here.
        with suppress(AssertionError, KeyError, AttributeError):
            handler.on_event(event)

    for name in handler.event_handlers():
        manager.register_event(name, on_event)
    protocol = AMIProtocol()
    protocol.connection_made(Transport())
    protocol.factory, protocol.encoding = manager, "utf8"
    gc.collect()
    begin = time.process_time()
    for data in reads:
        protocol.data_received(data)
    return time.process_time() - begin, reporter.told


def main() -> None:
    """Take turns."""
    logging.disable(logging.CRITICAL)
    with open(sys.argv[1], "rb") as file:
        stream = file.read()
    reads = [stream[start : start + READ] for start in range(0, len(stream), READ)]
    loop = asyncio.new_event_loop()
    for _ in sys.stdin:
        print(*play(reads, loop), flush=True)


if __name__ == "__main__":
    main()
