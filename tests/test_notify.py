"""What systemd is told, over a real socket; nothing without one."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ami_planfix.notify import ServiceManager


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(path))
        found.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield found


def test_the_words_of_a_life(systemd: socket.socket) -> None:
    manager = ServiceManager()
    manager.ready()
    manager.status("planfix: не отвечает\nсовсем")
    manager.ends(anew=True)
    manager.ends(anew=False)
    manager.close()
    manager.ready()
    heard = [systemd.recv(4096).decode() for _ in range(4)]
    assert heard == ["READY=1", "STATUS=planfix: не отвечает совсем", "RELOADING=1", "STOPPING=1"]
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(4096)


async def test_the_watchdog_is_fed_only_while_alive(systemd: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3000")
    systemd.setblocking(False)
    asked: list[bool] = []
    enough = asyncio.Event()

    def alive() -> bool:
        asked.append(len(asked) < 3)
        if len(asked) == 6:
            enough.set()
        return asked[-1]

    manager = ServiceManager()
    feeding = asyncio.create_task(manager.watchdog(alive))
    await enough.wait()
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)
    manager.close()
    fed = []
    while True:
        try:
            fed.append(systemd.recv(64))
        except BlockingIOError:
            break
    assert fed == [b"WATCHDOG=1"] * 3


@pytest.mark.parametrize("environment", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}])
async def test_without_a_watchdog_there_is_nothing_to_feed(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    manager = ServiceManager()
    manager.ready()
    await manager.watchdog(lambda: True)
    manager.close()
