"""Judges a run by its evidence."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from ami_planfix.demo.planfix import Received
from tests.load.home import SETTINGS
from tests.load.verdict import Verdict, judge
from tests.torture.evidence import Evidence
from tests.torture.past import Past, proofs
from tests.torture.possible import Hearing
from tests.torture.real import RealResult


@dataclass
class Result:
    """What was found."""

    seed: int
    calls: int
    undisturbed: int
    """Calls of which the daemon heard everything for certain."""
    messages: int
    seconds: float
    faults: dict[str, int]
    answers: dict[str, int]
    lives: int
    died: list[str]
    """What a daemon said last that ended by itself, or badly."""
    longest_silence: float
    """Seconds in which Planfix got nothing."""
    impossible: list[str]
    left: dict[str, int]
    real: RealResult | None
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def well(self) -> bool:
        """Tell whether nothing was lost, double or wrong."""
        return not (self.verdict.problems or self.died or self.left or (self.real is not None and not self.real.well))


def result_of(evidence: Evidence) -> Result:
    """Judge."""
    past = Past(evidence.ends, evidence.spells, evidence.retried_at)
    reports = [one for one in evidence.received if one.fields.get("cmd") == "event"]
    came = _by_call(reports)
    ears = past.ears(evidence.listened, evidence.timeline, proofs(evidence.played, came))
    hearing = Hearing(ears, SETTINGS)
    ends = [end for each in evidence.ends.values() for end in each]
    times = sorted(one.at for one in reports)
    result = Result(
        seed=evidence.seed,
        calls=len(evidence.played),
        undisturbed=sum(map(hearing.is_undisturbed, evidence.played)),
        messages=evidence.told,
        seconds=evidence.seconds,
        faults=dict(evidence.faults),
        answers=dict(evidence.answers),
        lives=len(ends),
        died=[end.said for end in ends if end.said and not past.could_not_start(end)],
        longest_silence=round(max((later - one for one, later in pairwise(times)), default=0.0), 1),
        impossible=evidence.impossible,
        left=evidence.left,
        real=evidence.real,
    )
    for played in evidence.played:
        mine = [one for callid in played.copy.ids for one in came.pop(callid, ())]
        found = judge(hearing.histories(played), mine, past)
        for problems in found.problems.values():
            problems.insert(0, played.copy.name + ("" if played.is_whole else ", ended by a crash of Asterisk"))
        result.verdict.add(found)
    for callid, rest in came.items():
        result.verdict.wrong += len(rest)
        result.verdict.problems[callid] = [f"a call that never was: {one.event}" for one in rest]
    return result


def _by_call(received: Iterable[Received]) -> dict[str, list[Received]]:
    found: dict[str, list[Received]] = defaultdict(list)
    for one in received:
        found[one.fields["callid"]].append(one)
    return found
