"""Runs `ami-planfix` as its users do: as a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

CAPTURES = Path(__file__).parent.parent / "captures"


class Result(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, object]]:
        """Read stdout as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def ami_planfix(*arguments: str | Path, **environment: str) -> Result:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "ami_planfix", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "120", **environment},
    )
    return Result(done.returncode, done.stdout, done.stderr)
