"""Folds what Planfix was sent into sayings: a report and its repetitions.

To repeat is right while a report has not been settled (200 or 400), where the daemon could not know that it had been,
because it died (`Circumstances.forgot`), and where an administrator wants it (`retried`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ami_planfix.demo.planfix import Received

Form = tuple[tuple[str, str], ...]
TAKEN, REFUSED = 200, 400
_NOT_SAID = frozenset({"planfix_token", "record_link"})


class Circumstances(Protocol):
    """What the daemons suffered."""

    def forgot(self, since: float, until: float) -> bool:
        """Tell whether a daemon died between these times that may have had no time to note an answer of `since`."""

    def retried(self, since: float, until: float) -> bool:
        """Tell whether an administrator had what was refused sent again between these times."""

    def age(self, at: float, until: float) -> float:
        """Tell how old what happened `at` was at most before `until`, by any daemon's clock."""


class Quiet:
    """The circumstances of daemons that suffered nothing."""

    def forgot(self, since: float, until: float) -> bool:
        """Tell that nobody died."""
        return False

    def retried(self, since: float, until: float) -> bool:
        """Tell that nobody did."""
        return False

    def age(self, at: float, until: float) -> float:
        """Tell its true age."""
        return until - at


class NothingForgotten(Quiet):
    """The same circumstances, but that whoever died had noted all answers: what says the same is another part's."""

    def __init__(self, around: Circumstances) -> None:
        self._around = around

    def retried(self, since: float, until: float) -> bool:
        """Tell what these tell."""
        return self._around.retried(since, until)

    def age(self, at: float, until: float) -> float:
        """Tell what these tell."""
        return self._around.age(at, until)


@dataclass(eq=False)
class Saying:
    """A report that came, with its repetitions."""

    form: Form
    first: float
    """When it came first."""
    settled: float | None = None
    """When it was first taken or refused."""
    taken: float | None = None
    """When it was last taken."""
    refused: bool = False
    """It was refused, if perhaps taken later."""
    again: int = 0
    """How often it came although it had been taken, since the daemon did not live to note it."""
    is_dead: bool = False
    """It was refused when it came last, however it was answered before."""
    lost_answers: int = 0
    """How often it came without getting an answer that says yes or no."""

    def get(self, name: str) -> str:
        """Tell one of its fields."""
        return dict(self.form).get(name, "")

    def __str__(self) -> str:
        return " ".join(value for name in ("event", "ext", "status") if (value := self.get(name)))


def form_of(fields: Mapping[str, str]) -> Form:
    """Make comparable what a report says."""
    return tuple(sorted((name, value) for name, value in fields.items() if name not in _NOT_SAID))


def sayings(received: Sequence[Received], around: Circumstances) -> list[Saying]:
    """Fold what came for one call, in the order in which it first came."""
    found: list[Saying] = []
    ordered = sorted(received, key=lambda one: one.at)
    for number, one in enumerate(ordered):
        form = form_of(one.fields)
        saying = _repeated(found, form, one.at, ordered[number:], around)
        if saying is None:
            saying = Saying(form, one.at)
            found.append(saying)
        if one.status in (TAKEN, REFUSED):
            answered = one.at + one.delay
            saying.settled = saying.settled or answered
            saying.taken = answered if one.status == TAKEN else saying.taken
            saying.is_dead = one.status == REFUSED
            saying.refused |= saying.is_dead
        else:
            saying.lost_answers += 1
    return found


def _repeated(
    found: Sequence[Saying], form: Form, at: float, to_come: Sequence[Received], around: Circumstances
) -> Saying | None:
    alike = [saying for saying in reversed(found) if saying.form == form]
    for saying in alike:
        if saying.settled is None or (saying.is_dead and around.retried(saying.settled, at)):
            return saying
    ext = dict(form)["ext"]
    later: list[Saying] = []
    for saying in reversed(found):
        if saying.get("ext") == ext:
            answered = saying.settled if saying.taken is None else saying.taken
            if answered is not None and not around.forgot(answered, at):
                return None
            if saying in alike and _come_too(later, ext, to_come):
                saying.again += 1
                return saying
            later.append(saying)
    return None


def _come_too(later: Sequence[Saying], ext: str, to_come: Sequence[Received]) -> bool:
    """Tell whether a part's end comes again, too: else it is not its beginning that comes again, but another one's."""
    ends = [saying.form for saying in later if saying.get("event") == "COMPLETED"]
    coming = [one.fields for one in to_come if one.fields["ext"] == ext and one.fields["event"] == "COMPLETED"]
    return not ends or (bool(coming) and form_of(coming[0]) == ends[0])
