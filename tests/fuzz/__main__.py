"""Attacks what listens and reads: `python -m tests.fuzz [TARGET...] --seconds 60 --seed 1`; status 1 on findings."""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from hypothesis import HealthCheck, settings

from tests.fuzz.asterisk import HostileAsterisk
from tests.fuzz.captures import HostileCapture
from tests.fuzz.configuration import HostileConfiguration
from tests.fuzz.listeners import Admin, Control, FastAgi, Page, Recordings, Server
from tests.fuzz.planfix import HostilePlanfix
from tests.fuzz.reading import Calls, Stream, Wire
from tests.fuzz.records import HostileRecords
from tests.fuzz.running import Run, Tally
from tests.fuzz.target import Target

KINDS: tuple[type[Target], ...] = (
    Wire,
    Stream,
    Calls,
    HostileAsterisk,
    HostilePlanfix,
    HostileConfiguration,
    HostileCapture,
    HostileRecords,
    Server,
    Recordings,
    Admin,
    Page,
    Control,
    FastAgi,
)
TARGETS = {kind.name: kind for kind in KINDS}
FOUND = Path("fuzz-found")


def main() -> int:
    """Run as the words say; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
        epilog="\n".join(f"{name:14} {kind.about}" for name, kind in TARGETS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET", help="what to attack (all)")
    parser.add_argument("--seconds", type=float, default=60, metavar="S", help="for all targets together (60)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another one, other inputs (0)")
    parser.add_argument("--out", type=Path, default=FOUND, metavar="DIR", help=f"for what does harm ({FOUND})")
    parser.add_argument("--input", type=Path, metavar="FILE", help="try one input again, of one TARGET")
    parser.add_argument("--json", action="store_true", help="tell the result as JSON")
    words = parser.parse_args()
    settings.register_profile("fuzz", deadline=None, database=None, suppress_health_check=tuple(HealthCheck))
    settings.load_profile("fuzz")
    chosen = [TARGETS[name]() for name in words.targets or TARGETS]
    if words.input is not None:
        if len(words.targets) != 1:
            parser.error("--input needs the one TARGET that it is for")
        return asyncio.run(again(chosen[0], words.input.read_bytes()))
    tallies = [attack(one, words.seed, words.seconds / len(chosen), words.out) for one in chosen]
    print(json.dumps([asdict(one) for one in tallies]) if words.json else table(tallies))
    return 1 if any(tally.findings for tally in tallies) else 0


def attack(target: Target, seed: int, seconds: float, out: Path) -> Tally:
    """Attack one target; each has an event loop of its own."""
    say(f"{target.name}: {target.about}; {seconds:.0f} s")
    return asyncio.run(Run(target, seed, out, say).spend(seconds))


async def again(target: Target, data: bytes) -> int:
    """Try one input; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(target, 0, Path(folder), say)
        async with target:
            (fault,), suffered = await run.round([data])
    fault = fault or suffered
    say(fault or "nothing happens")
    return 1 if fault else 0


def table(tallies: list[Tally]) -> str:
    """Write the counts, then each finding."""
    lines = [f"{'target':<14}{'inputs':>9}{'a second':>10}{'findings':>10}"]
    lines += [f"{one.target:<14}{one.inputs:>9}{one.per_second:>10.0f}{len(one.findings):>10}" for one in tallies]
    lines += [f"{one.target}: {found.file}: {found.words.splitlines()[0]}" for one in tallies for found in one.findings]
    return "\n".join(lines)


def say(line: str) -> None:
    """Tell the person who waits."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
