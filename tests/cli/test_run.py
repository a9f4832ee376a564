"""`run`: what keeps the daemon from starting is found where an administrator looks for it."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_what_keeps_it_from_starting_has_the_priority_of_an_error_under_journald(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("amy: {}\n")
    with (tmp_path / "journal").open("w+") as journal:
        found = os.fstat(journal.fileno())
        done = subprocess.run(
            [sys.executable, "-m", "ami_planfix", "run", "-c", config],
            stderr=journal, env={**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}, check=False,
        )  # fmt: skip
        journal.seek(0)
        (line,) = journal.read().splitlines()
    assert done.returncode == 2
    assert line.startswith("<3>")
    told = json.loads(line.removeprefix("<3>"))
    assert told["event"] == "not started"
    assert f"{config}:1" in told["problem"]
    assert "amy" in told["problem"]
