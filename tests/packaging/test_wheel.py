"""The wheel has all that the program needs beside its modules, and pipx installs it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ami_planfix import __version__

PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.packages


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(PROJECT)]
    subprocess.run(command, check=True)
    (built,) = folder.glob("ami_planfix-*.whl")
    return built


def test_every_file_of_the_package_is_in_it(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "ami_planfix"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    names = set(zipfile.ZipFile(wheel).namelist())
    assert not set(filter(None, tracked.stdout.split("\0"))) - names
    for folder in ("asterisk", "systemd"):
        for file in (PROJECT / folder).iterdir():
            assert f"ami_planfix/shipped/{folder}/{file.name}" in names


def test_pipx_takes_it_and_it_runs_far_from_its_sources(wheel: Path, tmp_path: Path) -> None:
    named = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin"), "PYTHONPATH": ""}
    environment = os.environ | named
    exactly = f"--constraint {PROJECT / 'requirements.lock'}"
    subprocess.run(["pipx", "install", f"--pip-args={exactly}", wheel], check=True, env=environment, cwd=tmp_path)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(tmp_path / "bin" / "ami-planfix"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)

    assert __version__ in run("--version").stdout
    assert '"COMPLETED"' in run("demo", "--json").stdout
    assert "[ami-planfix]" in run("init", "--print", "--yes", "--pbx", "192.0.2.1", "-c", "new.yaml").stdout
    (tmp_path / "config.yaml").write_text("ami: {secret: a-secret-of-ours}\n")
    assert "no errors" in run("check", "-c", "config.yaml").stderr
