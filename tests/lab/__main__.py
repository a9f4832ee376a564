"""The lab's command line: `python -m tests.lab install`, `python -m tests.lab record`."""

import argparse
import asyncio
import sys
from pathlib import Path

from tests.lab.install import SUITES, InstallError, install
from tests.lab.record import record
from tests.lab.stories import every_story


def main() -> int:
    """Do what the words say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    installing = commands.add_parser("install", help="get the Asterisks and all else that tests need (as root)")
    installing.add_argument(
        "versions", nargs="*", type=int, choices=[*SUITES, []], help="22, 16; both if none is named"
    )
    recording = commands.add_parser("record", help="play stories and write their AMI streams")
    recording.add_argument(
        "stories", nargs="*", metavar="STORY", help="all if none is named; a kind names all of its stories"
    )
    recording.add_argument("--asterisk", type=int, choices=list(SUITES), default=22)
    recording.add_argument("--driver", choices=["pjsip", "chan_sip"], default="pjsip")
    recording.add_argument("--out", type=Path, required=True, metavar="DIR")
    commands.add_parser("stories", help="list the stories")
    words = parser.parse_args()
    try:
        match words.command:
            case "install":
                install(words.versions or tuple(SUITES))
            case "record":
                return _record(words.stories, words.asterisk, words.driver, words.out)
            case "stories":
                for story in every_story().values():
                    print(f"{story.kind}/{story.name}: {story.act.__doc__}")
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _record(names: list[str], version: int, driver: str, out: Path) -> int:
    stories = every_story()
    kinds = {story.kind for story in stories.values()}
    if unknown := set(names) - stories.keys() - kinds:
        print(
            f"no such story or kind: {', '.join(sorted(unknown))}; see `python -m tests.lab stories`",
            file=sys.stderr,
        )
        return 2
    chosen = [story for story in stories.values() if not names or story.name in names or story.kind in names]
    failed = asyncio.run(record(chosen, version, "chan_sip" if driver == "chan_sip" else "pjsip", out))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
