"""What is kept of a run, so that it can be judged, also once more: `python -m tests.torture --again FOLDER`."""

import pickle
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ami_planfix.demo.planfix import Received
from tests.load.exchange import Listening, Timeline
from tests.load.player import Played
from tests.torture.keeper import End
from tests.torture.real import RealResult
from tests.torture.troubles import Spell

_FILE = "evidence.pickle"


@dataclass
class Evidence:
    """A run."""

    seed: int
    played: list[Played]
    told: int
    """Messages."""
    listened: list[Listening]
    timeline: Timeline
    received: list[Received]
    ends: dict[str, list[End]]
    """Of each daemon, by its name for Asterisk."""
    spells: list[Spell]
    faults: Counter[str]
    answers: Counter[str]
    """Of Planfix, not as documented."""
    impossible: list[str]
    """What could not be done here."""
    left: dict[str, int]
    """What still waited when the patience was over."""
    retried_at: float
    """When what was refused was sent again, seconds since the epoch."""
    statuses: list[int]
    """The daemons', at their end."""
    seconds: float
    real: RealResult | None = None
    """The part on a real Asterisk, judged."""

    def keep(self, folder: Path) -> None:
        """Write it down."""
        with (folder / _FILE).open("wb") as file:
            pickle.dump(self, file)

    @staticmethod
    def of(folder: Path) -> "Evidence":
        """Read it again."""
        with (folder / _FILE).open("rb") as file:
            found = pickle.load(file)
        assert isinstance(found, Evidence)
        return found
