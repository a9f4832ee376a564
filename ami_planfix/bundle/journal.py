"""The service's own log, as systemd keeps it: why it did not start, nothing else can tell."""

import asyncio

LINES = 300
WITHIN = 10.0
"""Seconds that reading it may take."""


async def journal() -> str:
    """Read the last lines of all our services; `''` without systemd, or without the right to read them."""
    words = ("-u", "ami-planfix*", "-n", str(LINES), "-o", "short-iso", "--no-pager", "--quiet")
    try:
        process = await asyncio.create_subprocess_exec(
            "journalctl", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(WITHIN):
            told, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return told.decode("utf-8", "replace")
