"""`alerts test` sends by each way, from the command itself; `alerts` shows what the daemon has told."""

import asyncio
import json
import sys
from pathlib import Path

import yaml

from tests.alerts.receiving import Hook, PostOffice


async def run(file: Path, *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ami_planfix", "alerts", *words, "-c", str(file),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def written(folder: Path, **section: object) -> Path:
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump({"ami": {"name": "north"}, "alerts": section}))
    return file


async def test_each_way_gets_a_test_and_one_that_fails_does_not_stop_the_other(tmp_path: Path) -> None:
    async with Hook(status=404, answer="no such bot").listening() as hook, PostOffice().open() as office:
        mail = {"port": office.port, "tls": "none", "sender": "pbx@example.com", "to": ["admin@example.com"]}
        file = written(tmp_path, language="ru", webhook={"url": hook.url}, mail=mail)
        status, out, _ = await run(file, "test")
        hook.status = 200
        well, _, _ = await run(file, "test")
    assert (status, well) == (1, 0)
    assert "webhook: failed: 127.0.0.1 answered 404 no such bot" in out
    assert "SECRET" not in out
    assert "took it: 2.0.0 queued as 4XyZ" in out
    assert [mail["Subject"].partition(": ")[2] for mail in office.received] == ["Это проверка"] * 2
    assert hook.received[0]["event"] == "test"


async def test_where_nobody_is_to_be_told(tmp_path: Path) -> None:
    status, out, err = await run(written(tmp_path), "test")
    assert (status, out) == (1, "")
    assert "neither alerts.webhook nor alerts.mail" in err


async def test_what_is_wrong_is_shown(tmp_path: Path) -> None:
    asked = {"alerts": [{"trouble": "token", "since": 1_795_440_000.0, "words": "401", "told": ["mail"]}]}
    body = json.dumps(asked).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"admin": {"socket": str(tmp_path / "control.sock")}}))
    async with await asyncio.start_unix_server(answer, tmp_path / "control.sock"):
        table = await run(file)
        rows = await run(file, "--json")
    assert "Planfix refuses our token  mail" in table[1]
    assert json.loads(rows[1]) == asked["alerts"][0]
