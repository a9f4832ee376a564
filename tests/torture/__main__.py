"""`python -m tests.torture`: exit status 1 if anything was lost, double or wrong."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.torture.evidence import Evidence
from tests.torture.judging import result_of
from tests.torture.run import Torture, Wanted
from tests.torture.table import table

RATE = 12.0


def main() -> int:
    """Run as the words say."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--calls", type=int, default=1000, metavar="N", help="calls to play (1000)")
    parser.add_argument("--faults", type=int, default=20, metavar="M", help="incidents among them (20)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="another one, another run (0)")
    parser.add_argument("--rate", type=float, default=RATE, metavar="R", help=f"calls a second ({RATE:g})")
    parser.add_argument("--seconds", type=float, metavar="S", help="play no longer than that, the calm after it apart")
    parser.add_argument("--storage", choices=("sqlite", "postgresql"), default="sqlite", help="(sqlite)")
    parser.add_argument("--daemons", type=int, choices=(1, 2), default=1, help="two take --storage postgresql (1)")
    parser.add_argument("--asterisk", type=int, choices=(16, 22), help="beside them, calls on a real one of the lab")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the state is kept")
    parser.add_argument("--json", action="store_true", help="tell the result as JSON")
    parser.add_argument("--again", type=Path, metavar="DIR", help="judge once more what was kept of a run")
    words = parser.parse_args()
    if words.daemons > 1 and words.storage == "sqlite":
        parser.error("two daemons share a PostgreSQL: --storage postgresql")
    folder = words.again or words.folder or Path(tempfile.mkdtemp(prefix="torture-"))
    if words.again is None:
        folder.mkdir(parents=True, exist_ok=True)
        calls = min(words.calls, int(words.rate * (words.seconds or 1e9)))
        wanted = Wanted(calls, words.faults, words.seed, words.rate, words.storage, words.daemons, words.asterisk)
        asyncio.run(Torture(wanted, folder).run()).keep(folder)
    result = result_of(Evidence.of(folder))
    if words.json:
        print(json.dumps({**asdict(result), "well": result.well}))
    else:
        print(table(result, folder))
    if result.well and words.folder is None and words.again is None:
        shutil.rmtree(folder)
    return 0 if result.well else 1


if __name__ == "__main__":
    sys.exit(main())
