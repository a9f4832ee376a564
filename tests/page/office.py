"""A made-up office with a day behind it: its clients, its calls, and moments at which its page is worth a look."""

import random
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aiohttp import ClientSession
from sqlalchemy import update

from ami_planfix.calls.reports import CallId, Direction, Extension, Outcome, Report, Stage
from ami_planfix.demo.planfix import EmbeddedPlanfix
from ami_planfix.entries import State
from ami_planfix.outbox import Outbox
from ami_planfix.planfix.messages import Contact
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.tables import outbox as rows
from tests.daemon_process import PBX_TOKEN, Place, Process
from tests.load.exchange import Exchange
from tests.load.home import place_beside
from tests.load.recorded import copy_of

NAMES = {
    "en": (
        "Anna Belova, Vega", "Igor Lanin", "Workshop North", "Dr. Maria Stein", "Pavel Orlov, Terra", "Hotel Aurora",
        "Lena Sokolova", "Boris Kuhn, Kuhn & Sons", "Garden Centre Linden", "Nina Frolova",
    ),
    "ru": (
        "Анна Белова, «Вега»", "Игорь Ланин", "Мастерская «Север»", "Мария Штейн", "Павел Орлов, «Терра»",
        "Гостиница «Аврора»", "Елена Соколова", "Борис Кун", "Садовый центр «Липа»", "Нина Фролова",
    ),
}  # fmt: skip
DIDS = {
    "en": {"74951230001": "Sales", "74951230003": "Support"},
    "ru": {"74951230001": "Продажи", "74951230003": "Поддержка"},
}
TO_BE_SET_UP: dict[str, object] = {"allowed_hosts": ["127.0.0.1"]}
"""The section `planfix` before the integration was switched on."""
_EXTENSION = re.compile(rb"(?<![0-9.])10([1-3])(?![0-9])")
_OUTCOMES = (
    (Direction.INCOMING, Outcome.SUCCESS, 58),
    (Direction.INCOMING, Outcome.MISSED, 7),
    (Direction.OUTGOING, Outcome.SUCCESS, 24),
    (Direction.OUTGOING, Outcome.NO_ANSWER, 6),
    (Direction.OUTGOING, Outcome.BUSY, 3),
    (Direction.OUTGOING, Outcome.NOT_AVAILABLE, 2),
)
"""Who called, how it ended, and how many of a hundred."""
_BUSY = {8: 4, 9: 12, 10: 19, 11: 22, 12: 15, 13: 9, 14: 18, 15: 14, 16: 16, 17: 11, 18: 3}
"""Calls of each hour."""


@dataclass(frozen=True)
class Talk:
    """A call that goes on: a recorded story until a moment of it."""

    story: str
    until: float
    """Seconds of the story."""
    age: float
    """Seconds since it began."""
    client: int
    shift: int = 0
    """How much higher its extensions are than in the story."""
    speed: float = 0.1

    def messages(self, now: float) -> Iterator[bytes]:
        """Tell what Asterisk has said of it so far."""
        begin = now - self.age
        for at, raw in copy_of(self.story, self.client, begin, self.speed):
            if at <= begin + self.until / self.speed:
                yield _EXTENSION.sub(lambda found: b"10%d" % (int(found[1]) + self.shift), raw)


IN, OUT, GROUP, QUEUE = (
    "incoming/direct_client_hangs_up",
    "outgoing/out_answered",
    "ring_group/ring_all_second_answers",
    "queue/queue_answered",
)
AFTERNOON = (
    Talk(IN, 1.5, 1284, 5550101),
    Talk(GROUP, 1.5, 431, 5550127, shift=2),
    Talk(OUT, 1.5, 342, 5550139, shift=2),
    Talk(IN, 1.5, 96, 5550152, shift=4),
    Talk(OUT, 1.5, 41, 5550174, shift=6),
    Talk(GROUP, 0.5, 8, 5550186, shift=5),
)


def rush() -> tuple[Talk, ...]:
    """Fifty calls at once."""
    chance = random.Random(5)
    stories = ((IN, 1.5), (GROUP, 1.5), (OUT, 1.5), (IN, 0.5), (GROUP, 0.5), (QUEUE, 1.5))
    return tuple(
        Talk(*chance.choice(stories), 5 + 14 * number * chance.random(), 5550100 + number, chance.randrange(7))
        for number in range(50)
    )


class Office:
    """A daemon that runs beside its peers, and what has happened so far."""

    def __init__(self, place: Place, exchange: Exchange, process: Process, language: str) -> None:
        self.place, self.exchange, self.process = place, exchange, process
        self.url = f"http://127.0.0.1:{place.admin_port}/"
        self._language = language

    @property
    def planfix(self) -> EmbeddedPlanfix:
        """Give the account."""
        return self.place.planfix

    async def talk(self, *talks: Talk) -> None:
        """Let calls go on, and let the dialplan ask who calls."""
        names = NAMES[self._language]
        async with ClientSession() as session:
            for number, talk in enumerate(talks):
                phone = f"7910{talk.client}"
                if number % 4 != 3:
                    self.planfix.contacts[phone] = Contact(names[number % len(names)], Extension("101"))
                for _ in range(3):
                    async with session.get(f"{self.url}contact", params={"phone": phone}) as answer:
                        await answer.read()
        now = time.time()
        for talk in talks:
            self.exchange.tell(talk.messages(now))


@asynccontextmanager
async def office(
    folder: Path, language: str = "en", day: bool = True, **sections: dict[str, object]
) -> AsyncIterator[Office]:
    """Open it; `day`: it has been busy since the morning."""
    (folder / "recordings").mkdir()
    async with (
        Exchange() as exchange,
        EmbeddedPlanfix(pbx_token=PBX_TOKEN, pbx_url="https://pbx.example.com/planfix") as planfix,
    ):
        place = place_beside(exchange, planfix, folder)
        place.sections["recordings"] = {"directory": f"{folder}/recordings", "cache": f"{folder}/cache"}
        place.sections["dids"] = [{"number": number, "name": name} for number, name in DIDS[language].items()]
        for name, section in sections.items():
            place.sections[name] = section
        place.write_config()
        if day:
            await write_day(place, time.time())
        async with place.daemon() as process:
            await place.logged_in()
            yield Office(place, exchange, process, language)


async def write_day(place: Place, now: float) -> None:
    """Write down the calls of the day so far, all delivered."""
    chance = random.Random(11)
    local = datetime.fromtimestamp(now).astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    moments = sorted(
        at
        for hour, count in _BUSY.items()
        for _ in range(count)
        if (at := midnight + (hour + chance.random()) * 3600) < now - 60
    )
    kinds = [(direction, outcome) for direction, outcome, _ in _OUTCOMES]
    weights = [weight for *_, weight in _OUTCOMES]
    async with await open_database(str(place.sections["storage"]["url"])) as database:  # type: ignore[call-overload]
        outbox = Outbox(database)
        async with database.write() as connection:
            for number, at in enumerate(moments):
                direction, outcome = chance.choices(kinds, weights)[0]
                report = _ended(number, at, direction, outcome)
                await outbox.put(connection, [report], at)
            await connection.execute(update(rows).values(state=State.DELIVERED, settled=rows.c.created))


def _ended(number: int, at: float, direction: Direction, outcome: Outcome) -> Report:
    return Report(
        at=at, callid=CallId(f"{at:.0f}.{number}"), direction=direction, client=f"7910555{1000 + number}",
        did="74951230001", extension=Extension(f"10{1 + number % 8}"), part=1, stage=Stage.COMPLETED, rule="4",
        cause="Hangup", outcome=outcome, duration=90 if outcome is Outcome.SUCCESS else 0,
    )  # fmt: skip
