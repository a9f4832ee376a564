"""Where a daemon lives that hears the recorded calls: configured as their PBX was."""

from pathlib import Path

from ami_planfix.calls.tracker import Settings
from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.daemon_process import Place
from tests.load.exchange import Exchange
from tests.load.recorded import recorded_calls

SETTINGS = Settings(missed_each=True)
"""What the tracker is told by that configuration."""


def place_beside(exchange: Exchange, planfix: EmbeddedPlanfix, folder: Path, username: str = "") -> Place:
    """Make a home in a folder; `username`: who the daemon is for Asterisk, if there are several."""
    place = Place(exchange, planfix, folder)
    if username:
        place.change("ami", username=username)
    config = recorded_calls()[0].story.expected.config
    place.sections |= config.model_dump(mode="json", include={"numbering", "trunks"}, exclude_defaults=True)
    place.write_config()
    return place
