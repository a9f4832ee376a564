"""The benchmarks' command line: `python -m tests.benchmarks [NAME...] [--json] [--plot FILE.svg]`."""

import argparse
import importlib
import json
import sys
from pathlib import Path

from tests.benchmarks.measuring import HEADINGS, Result, say
from tests.benchmarks.plot import draw

NAMES = ("parse", "reports", "lag", "memory", "startup", "pieces")
IF_NAMED = ("asterisk",)
"""Which need more than this machine has by itself."""
HELP = f"of {', '.join(NAMES)}, all of these if none is named; and {', '.join(IF_NAMED)} (root, the lab, sipp)"


def main() -> int:
    """Measure what is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, *IF_NAMED, []], metavar="NAME", help=HELP)
    parser.add_argument("--json", action="store_true", help="tell the figures as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw them besides")
    words = parser.parse_args()
    results: list[Result] = []
    for name in words.names or NAMES:
        say(f"{name} ...")
        results.append(importlib.import_module(f"tests.benchmarks.{name}").run())
        if not words.json:
            _print(results[-1])
    if words.json:
        print(
            json.dumps({result.name: [figure.as_json() for figure in result.figures] for result in results}, indent=1)
        )
    if words.plot is not None:
        words.plot.write_text(draw(results), "utf-8")
    return 0


def _print(result: Result) -> None:
    rows = [HEADINGS, *(figure.as_row() for figure in result.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
