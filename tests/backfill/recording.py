"""Plays stories of the lab and keeps Asterisk's own records of each, beside what a daemon would have reported.

`python -m tests.backfill.recording --asterisk 22 [STORY...]`, as root, where the lab is installed.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from ami_planfix.ami.decode import decode
from ami_planfix.calls.events import Event
from ami_planfix.calls.reports import Report
from tests.backfill.cases import CASES
from tests.calls.story import CAPTURES, Story, heard
from tests.daemon.hearing import expectation
from tests.lab import Lab
from tests.lab.asterisk import Driver
from tests.lab.stories import Story as Told
from tests.lab.stories import every_story

QUIET = 0.6
"""Seconds without a new line after which a story's records are whole."""


async def record(stories: Iterable[Told], version: int, driver: Driver) -> None:
    """Play stories on one Asterisk and write their cases."""
    asterisk = f"{version}{'sip' if driver == 'chan_sip' else ''}"
    async with Lab(version, driver) as lab:
        for story in stories:
            path = CAPTURES / story.kind / f"{story.name}.expected.json"
            if not (story.can_be_played_on(asterisk) and path.exists()):
                continue
            case = await _play(lab, story, asterisk)
            suffix = "" if asterisk == "22" else f"-ast{asterisk}"
            out = CASES / story.kind / f"{story.name}{suffix}.json"
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(case, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            print(f"{story.name}: {out}", file=sys.stderr, flush=True)


async def _play(lab: Lab, story: Told, asterisk: str) -> dict[str, object]:
    await lab.quiet()
    lab.forget()
    log = lab.asterisk.folder / "log"
    files = {"cdr": log / "cdr-csv" / "Master.csv", "cel": log / "cel-custom" / "Master.csv"}
    for path in files.values():
        path.unlink(missing_ok=True)
    observer = await lab.asterisk.connect()
    try:
        await story.act(lab)
        await lab.ami.settle(observer)
    finally:
        await observer.close()
    await _settle(files.values())
    expected = expectation(story.kind, story.name, asterisk)
    events = tuple(event for raw in observer.raw if (event := decode(raw.lstrip(), 0.0)) is not None)
    return {
        "about": expected.about,
        "captured": f"{story.kind}/{story.name}",
        "asterisk": asterisk,
        "reports": [_plain(report) for report in _reports(story, expected, events)],
        **{name: _lines(path, str(lab.asterisk.asterisk_recordings_directory.parent)) for name, path in files.items()},
    }


def _reports(story: Told, expected: object, events: tuple[Event, ...]) -> list[Report]:
    assert hasattr(expected, "config")
    undisturbed = Story(story.name, expected, events)  # type: ignore[arg-type]
    return heard(undisturbed.tracker(), events)


def _plain(report: Report) -> dict[str, object]:
    return {name: value for name, value in asdict(report).items() if value not in ("", 0, None, (), False)}


def _lines(path: Path, spool: str) -> list[str]:
    return path.read_text("utf-8").replace(spool, "/var/spool/asterisk").splitlines() if path.exists() else []


async def _settle(paths: Iterable[Path]) -> None:
    """Wait until the records are written: Asterisk does so behind the events."""
    known: list[int] = []
    while True:
        sizes = [path.stat().st_size if path.exists() else 0 for path in paths]
        if sizes == known:
            return
        known = sizes
        await asyncio.sleep(QUIET)


def main() -> None:
    """Do what the words say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stories", nargs="*", metavar="STORY", help="all if none is named; a kind names its stories")
    parser.add_argument("--asterisk", type=int, choices=(22, 16), default=22)
    parser.add_argument("--driver", choices=["pjsip", "chan_sip"], default="pjsip")
    words = parser.parse_args()
    chosen = [
        story
        for story in every_story().values()
        if not words.stories or story.name in words.stories or story.kind in words.stories
    ]
    asyncio.run(record(chosen, words.asterisk, words.driver))


if __name__ == "__main__":
    main()
