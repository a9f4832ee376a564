"""How long to wait before the next attempt to connect: pure arithmetic."""

from typing import NamedTuple


class Pacing(NamedTuple):
    """Pauses between attempts, in seconds."""

    first: float = 0.5
    most: float = 30.0
    refused_first: float = 60.0
    """After a refused login: fail2ban counts them, so that seconds would shut us out."""
    refused_most: float = 600.0
    steady: float = 30.0
    """A connection that lived this long was a good one; after it, counting begins anew."""

    def after_failure(self, failures: int, chance: float) -> float:
        """Return the pause after so many failures in a row (1 or more); `chance` is in [0, 1)."""
        # Half of it by chance, so that daemons whose PBX restarted do not come back all at once.
        return _doubled(self.first, self.most, failures) * (0.5 + chance / 2)

    def after_refusal(self, refusals: int, chance: float) -> float:
        """Return the pause after so many refused logins in a row: never less than `refused_first`."""
        return _doubled(self.refused_first, self.refused_most, refusals) * (1 + chance / 10)


def _doubled(first: float, most: float, count: int) -> float:
    # The exponent is bounded, since a PBX may be away for weeks.
    return min(most, first * 2.0 ** min(count - 1, 32))
