"""A PostgreSQL of the tests' own: Debian's package, a cluster in a temporary folder, a free port on loopback."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.daemon_process import LEASH
from tests.ports import free_port

DAEMONS_USER = "postgres"
"""Whom the server runs as when we are root, as whom it refuses to run."""
PASSWORD = "password-of-the-tests"


class PostgreSql:
    """A server; `stop`, `kill` and `start` let it go and come back with its databases."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._options = options
        self._databases = 0
        self._server: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(folder, DAEMONS_USER, DAEMONS_USER)
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        _run([_program("initdb"), "-D", str(self._data), "-U", "postgres", "-A", "scram-sha-256", "--no-sync",
              f"--pwfile={password}", "-E", "UTF8", "--no-locale"])  # fmt: skip

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        words = [_program("postgres"), "-D", str(self._data), "-p", str(self.port), "-h", "127.0.0.1",
                 "-k", str(self._folder), "-c", "log_min_messages=fatal", *self._options]  # fmt: skip
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen([*LEASH, *_as_its_user(words)], stderr=log, stdout=log)
        ready = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"]
        while subprocess.run(ready, check=False).returncode:
            assert self._server.poll() is None, (self._folder / "log").read_text()

    def stop(self, how: str = "fast") -> None:
        """Stop it as an administrator does (`fast`), or as a power cut (`immediate`)."""
        _run([_program("pg_ctl"), "stop", "-s", "-w", "-m", how, "-D", str(self._data)])
        if self._server is not None:
            self._server.wait()
            self._server = None

    def database(self) -> str:
        """Make an empty database; return its URL."""
        self._databases += 1
        name = f"test{self._databases}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        """Tell the URL of a database."""
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def sql(self, statement: str, name: str = "postgres") -> str:
        """Run a statement as an administrator; return what it says."""
        words = [_program("psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(name)]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def dump(self, url: str, file: Path) -> None:
        """Write a database down."""
        with file.open("wb") as output:
            subprocess.run([_program("pg_dump"), url], check=True, stdout=output)

    @property
    def _data(self) -> Path:
        return self._folder / "data"


@contextmanager
def a_postgresql(*options: str) -> Iterator[PostgreSql]:
    """Run a server as long as the context lasts; `options` go to `postgres`."""
    folder = Path(tempfile.mkdtemp(prefix="ami-planfix-postgresql-"))
    try:
        server = PostgreSql(folder, *options)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    """Find a program of the newest server that is installed; Debian keeps them out of the way."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    path = str(found[-1]) if found else shutil.which(name)
    assert path, f"no PostgreSQL here: {name} not found; `python -m tests.lab install` installs it on Debian"
    return path


def _as_its_user(words: Sequence[str]) -> list[str]:
    if os.geteuid() != 0:
        return list(words)
    return ["setpriv", f"--reuid={DAEMONS_USER}", f"--regid={DAEMONS_USER}", "--clear-groups", *words]


def _run(words: Sequence[str]) -> None:
    done = subprocess.run(_as_its_user(words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words[0]}: {done.stdout}{done.stderr}"
