"""Ports for whoever listens in a test."""

import itertools
import os
import random
import socket
from contextlib import suppress

_NOT_THE_KERNELS = range(10_001, 20_000)
"""Below those that the kernel gives to anybody who connects to something, and below RTP's (`lab/etc/rtp.conf`)."""
_mine = itertools.cycle(random.Random(os.getpid()).sample(_NOT_THE_KERNELS, len(_NOT_THE_KERNELS)))


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Find a port that nobody listens on, and that nobody finds too: tests run side by side, in processes of theirs."""
    for port in itertools.islice(_mine, len(_NOT_THE_KERNELS)):
        with suppress(OSError), socket.socket(socket.AF_INET, kind) as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")
