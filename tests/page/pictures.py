"""Takes the pictures of the page that the documents show: `python -m tests.page.pictures docs/pictures`.

An office with made-up names at a quarter to four; what differs from one time to the next are seconds. Needs Chromium,
and pngquant to make them small.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.page.browser import Browser, chromium
from tests.page.office import AFTERNOON, Office, office, rush

AFTERNOON_BEGAN = 15 * 60 + 42
"""Minutes of the day that it is there."""
MOST_BYTES = 150_000
SMALLER = ("--speed=1", "--strip", "--force", "128")
"""128 colours are enough for a page."""
WELL = "document.querySelector('#verdict.well') && document.querySelector('.plot svg')"
DOWN = """document.querySelector('#verdict.waiting .notices li')
  && document.querySelector('#outbox .sums').innerText.match(/0:[1-9][0-9]/)"""
"""Reports wait for ten seconds already."""


class Picture(NamedTuple):
    """What is seen, on what screen."""

    name: str
    language: str
    is_outage: bool = False
    width: int = 1280
    height: int = 860
    dark: bool = False
    opens: str = ""
    """What is clicked before."""

    @property
    def file(self) -> str:
        """Tell what its file is called."""
        return f"{self.name}{'' if self.language == 'en' else f'-{self.language}'}.png"


PICTURES = tuple(
    picture
    for language in ("en", "ru")
    for picture in (
        Picture("page", language),
        Picture("page-outage", language, is_outage=True, height=980),
        Picture("page-timeline", language, opens="#calls li:nth-child(2) button"),
        Picture("page-phone", language, width=390, height=844, dark=True),
    )
)


def main() -> int:
    """Take all pictures; tell how large they are."""
    parser = argparse.ArgumentParser(prog="python -m tests.page.pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="where they go: docs/pictures")
    folder = parser.parse_args().folder
    if shutil.which("pngquant") is None:
        parser.exit(2, "there is no pngquant: apt install pngquant\n")
    set_clock(AFTERNOON_BEGAN)
    asyncio.run(take(folder))
    sizes = {picture.file: (folder / picture.file).stat().st_size for picture in PICTURES}
    for name, size in sizes.items():
        print(f"{size:>8}  {name}")
    return 0 if max(sizes.values()) <= MOST_BYTES else 1


def set_clock(minutes: int) -> None:
    """Move to where it is that late now; processes that are started come along."""
    now = time.gmtime()
    ahead = (minutes - now.tm_hour * 60 - now.tm_min) % (24 * 60)
    os.environ["TZ"] = f"Office-{ahead // 60:02}:{ahead % 60:02}"
    time.tzset()


async def take(folder: Path) -> None:
    """Take the pictures."""
    async with chromium() as browser:
        for language, is_outage in sorted({(one.language, one.is_outage) for one in PICTURES}):
            async with scene(language, is_outage) as shown:
                for picture in PICTURES:
                    if (picture.language, picture.is_outage) == (language, is_outage):
                        print(picture.file, file=sys.stderr)
                        await photograph(browser, shown, picture, folder / picture.file)


@asynccontextmanager
async def scene(language: str, is_outage: bool) -> AsyncIterator[Office]:
    """Have an afternoon; or the same with fifty calls and without Planfix."""
    with tempfile.TemporaryDirectory(prefix="ami-planfix-pictures-") as folder:
        async with office(Path(folder), language) as found:
            if is_outage:
                await found.planfix.stop()
            await found.talk(*(rush() if is_outage else AFTERNOON))
            yield found


async def photograph(browser: Browser, shown: Office, picture: Picture, path: Path) -> None:
    """Open the page, wait until it shows what it should, and press the button."""
    page = await browser.open(shown.url, picture.width, picture.height, picture.dark, picture.language)
    await page.until("document.querySelectorAll('#calls ol li').length >= 6")
    await page.until(DOWN if picture.is_outage else WELL)
    if picture.opens:
        await page.click(picture.opens)
        await page.until("document.querySelectorAll('#timeline li').length > 3")
    await page.until("document.getAnimations().every((one) => one.playState === 'finished')")
    await page.picture(path)
    await asyncio.to_thread(subprocess.check_call, ["pngquant", *SMALLER, f"--output={path}", str(path)])
    assert page.complaints == [], page.complaints


if __name__ == "__main__":
    sys.exit(main())
