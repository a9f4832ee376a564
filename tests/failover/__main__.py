"""Kills either of two daemons again and again: `python -m tests.failover --kills 50 --rate 20 --seed 1`.

Real daemon processes on one PostgreSQL, recorded calls multiplied and played over AMI to both, Planfix embedded. At the
end each report must have reached Planfix, once, right and in order. A report on its way when its daemon is killed may
be told again: nobody can know whether Planfix took it; these are counted apart (`again`).
"""

import argparse
import asyncio
import json
import sys

from tests.failover.run import Result, run

SHOWN = 10


def main() -> int:
    """Run as the words say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.failover", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="how often a daemon dies (50)")
    parser.add_argument("--rate", type=float, default=20.0, metavar="N", help="calls that begin in a second (20)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another one, other calls and deaths (1)")
    parser.add_argument("--both", action="store_true", help="sometimes kill both at once")
    parser.add_argument("--json", action="store_true", help="tell the result as JSON")
    words = parser.parse_args()
    result = asyncio.run(run(words.kills, words.rate, words.seed, _say, words.both))
    print(json.dumps(_as_row(result)) if words.json else _as_table(result))
    return 0 if result.well else 1


def _as_row(result: Result) -> dict[str, object]:
    verdict = {name: value for name, value in vars(result.verdict).items() if name != "problems"}
    row = {name: value for name, value in vars(result).items() if name != "verdict"}
    return {**row, **verdict, "well": result.well, "problems": dict(list(result.verdict.problems.items())[:SHOWN])}


def _as_table(result: Result) -> str:
    lines = [f"{name:>14}  {value}" for name, value in _as_row(result).items() if name != "problems"]
    for callid, problems in list(result.verdict.problems.items())[:SHOWN]:
        lines += [f"call {callid}:", *(f"    {problem}" for problem in problems)]
    return "\n".join(lines)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
