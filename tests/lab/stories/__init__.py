"""Calls as people make them: one small function per story, for tests and for recording captures.

A story is a public `async def` whose only parameter is `lab`; its kind is its module. It returns when the
last channel is gone. `only_on` says which Asterisks can play it.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.lab.pbx import Lab
from tests.lab.stories.telling import limits_of

Act = Callable[[Lab], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Story:
    """One story, and where it belongs."""

    kind: str
    name: str
    act: Act
    only_on: frozenset[str]

    def can_be_played_on(self, asterisk: str) -> bool:
        """Tell whether an Asterisk ("22", "16" or "16sip") can play it."""
        return asterisk in self.only_on


def every_story() -> dict[str, Story]:
    """Return all stories by name."""
    stories: dict[str, Story] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for name, act in inspect.getmembers(module, inspect.iscoroutinefunction):
            if name.startswith("_") or list(inspect.signature(act).parameters) != ["lab"]:
                continue
            if name in stories:
                raise ValueError(f"two stories are called {name}")
            stories[name] = Story(module_info.name, name, act, limits_of(act))
    return stories
