"""How much hypothesis tries: always the same few seconds' worth, or more with HYPOTHESIS_PROFILE=long."""

import os

from hypothesis import HealthCheck, Phase, settings

_PHASES = (Phase.explicit, Phase.generate, Phase.target, Phase.shrink)
_NO_HURRY = tuple(HealthCheck)  # drawing a damaged story takes its time, and is worth it

settings.register_profile(
    "bounded",
    max_examples=400,
    phases=_PHASES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=_NO_HURRY,
)
settings.register_profile(
    "long", max_examples=20_000, phases=_PHASES, deadline=None, database=None, suppress_health_check=_NO_HURRY
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "bounded"))
