"""`kill -9` at any moment: what was written is delivered by the next start, once."""

import asyncio
import os
import signal
import sys

from ami_planfix.delivery import Delivery, Settings
from ami_planfix.demo import planfix as embedded
from ami_planfix.demo.planfix import EmbeddedPlanfix
from ami_planfix.outbox import Outbox
from ami_planfix.planfix.account import Credentials
from ami_planfix.planfix.api import PlanfixApi
from ami_planfix.storage.schema import open_database
from tests.test_pipeline import CALLS, expected, heard

PROGRAM = """
import asyncio, sys
from ami_planfix.delivery import Delivery, Settings
from ami_planfix.outbox import Outbox
from ami_planfix.planfix.account import Credentials
from ami_planfix.planfix.api import PlanfixApi
from ami_planfix.storage.schema import open_database
from tests.calls.playing import tracker_of
from tests.making import pipeline_of
from tests.test_pipeline import heard

async def main(database_url, planfix_url, token, name):
    database = await open_database(database_url)
    outbox = Outbox(database)
    api = PlanfixApi(lambda: Credentials(planfix_url, token))
    delivery = Delivery(database, outbox, api, Settings(popup_max_age=1e10))
    pipeline, writer = pipeline_of(database, outbox, tracker_of(), lambda _: delivery.wake())
    await pipeline.restore()
    tasks = [asyncio.create_task(part.run()) for part in (pipeline, delivery)]
    for one in heard(name):
        pipeline.heard([one])
        await writer.all_written()
    print("heard all", flush=True)
    await asyncio.gather(*tasks)

asyncio.run(main(*sys.argv[1:]))
"""


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()


async def test_killed_with_reports_undelivered_and_with_requests_on_their_way(database_url: str) -> None:
    wanted = [line.removesuffix(" 1 s") for line in expected(heard(CALLS[0]))]
    async with EmbeddedPlanfix() as planfix:
        planfix.fault_for = lambda _: embedded.hang()
        first = await start(database_url, planfix.url, planfix.token, CALLS[0])
        assert first.stdout is not None
        async for line in first.stdout:
            if line == b"heard all\n":
                break
        await planfix.wait_for(lambda received: len(received) >= 3)
        await kill(first)
        planfix.fault_for = lambda _: None
        planfix.release()
        async with await open_database(database_url) as database:
            api = PlanfixApi(lambda: Credentials(planfix.url, planfix.token))
            settings = Settings(popup_max_age=1e10)
            delivery = Delivery(database, Outbox(database), api, settings)
            task = asyncio.create_task(delivery.run())
            await planfix.wait_for(lambda _: len(planfix.events()) >= len(wanted))
            await delivery.stop()
            await task
            await api.close()
        assert sorted(planfix.events()) == sorted(wanted)
        completed = [one for one in planfix.events() if one.startswith("COMPLETED")]
        assert len(set(completed)) == len(completed) == 3
