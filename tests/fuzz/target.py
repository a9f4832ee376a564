"""What is attacked: makes hostile inputs, tries them, and says what must hold afterwards."""

from random import Random
from typing import Self


class Target:
    """One thing that takes input from outside; opened for a run as an asynchronous context."""

    name: str
    about: str
    at_once = 1
    """Inputs that are tried side by side, in a round."""
    patience = 30.0
    """Seconds that one input may take; more is a finding."""

    def make(self, random: Random) -> bytes:
        """Make an input; the same one for the same state of `random`."""
        raise NotImplementedError

    async def attempt(self, data: bytes) -> None:
        """Try an input; raise whatever if it does harm."""
        raise NotImplementedError

    async def meanwhile(self) -> None:
        """Be an honest user while inputs are tried; raise if one is not served."""

    async def well(self) -> None:
        """Raise if what was attacked has suffered."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what `__aenter__` opened."""
