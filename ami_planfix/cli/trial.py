"""`trial`: sends each documented sequence to the real account, and asks what Planfix shows."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import click

from ami_planfix.calls.reports import Report
from ami_planfix.cli.options import DEFAULT, config_option, json_option
from ami_planfix.cli.output import print_json, print_table, tell
from ami_planfix.config.load import load
from ami_planfix.config.model import Config
from ami_planfix.errors import ConfigurationError, PlanfixError
from ami_planfix.planfix.account import find_credentials
from ami_planfix.planfix.api import PlanfixApi
from ami_planfix.planfix.messages import Wording, event_name
from ami_planfix.trial import SEQUENCES, Sequence, reports_of

SECTIONS = {"planfix", "storage"}
Answers = list[tuple[Sequence, str, str]]
"""Each sequence, Planfix's answer, and what the administrator saw."""


@click.command()
@config_option
@json_option
@click.option("--yes", is_flag=True, help="Do not ask, neither before nor what Planfix shows.")
@click.option(
    "--ext",
    "employees",
    nargs=2,
    required=True,
    metavar="EXT EXT",
    help="Two employees' extensions, as in Planfix.",
)
@click.option("--phone", default="79990000001", show_default=True, help="The client's number to show.")
@click.option("--number", default="", help="The company's number to show.")
@click.option("--pause", default=1.0, show_default=True, help="Seconds between reports.")
def trial(
    config: Path | None,
    as_json: bool,
    yes: bool,
    employees: tuple[str, str],
    phone: str,
    number: str,
    pause: float,
) -> int:
    """Try the real account: send each sequence of reports with a test number, and ask what Planfix shows.

    It leaves a dozen calls in the history of the two employees.
    """
    file = config or DEFAULT
    ami = load(file, {"ami"}, secrets=False).ami  # only its name is asked for
    settings = load(file, SECTIONS).model_copy(update={"ami": ami})
    if not yes:
        click.confirm(f"Send {len(SEQUENCES)} test calls with the number {phone} to Planfix?", abort=True, err=True)
    answers = asyncio.run(_try_all(settings, yes, employees, phone, number, pause))
    for sequence, answer, seen in answers:
        if as_json:
            print_json({"sequence": sequence.name, "documented": sequence.documented, "answer": answer, "seen": seen})
    if not as_json:
        headings = ("sequence", "documented", "Planfix answered", "seen")
        print_table(headings, [[s.name, "yes" if s.documented else "no", a, seen] for s, a, seen in answers])
    refused = [sequence.name for sequence, answer, _ in answers if sequence.documented and answer != "200"]
    return 1 if refused else 0


async def _try_all(
    settings: Config, yes: bool, employees: tuple[str, str], phone: str, number: str, pause: float
) -> Answers:
    answers: Answers = []
    async with _planfix(settings) as api:
        await api.ping()
        begun = int(time.time())
        for nth, sequence in enumerate(SEQUENCES, 1):
            callid = f"trial-{begun}-{nth}"
            reports = reports_of(sequence, callid, phone, number, employees, map(float, count(begun)))
            tell(f"{nth}/{len(SEQUENCES)} {sequence.name}: {' '.join(event_name(one.stage) for one in reports)}")
            answer = await _send(api, reports, pause)
            seen = "" if yes else click.prompt(f"   Planfix: {answer}. Seen there? ({sequence.question})", err=True)
            answers.append((sequence, answer, seen))
    return answers


async def _send(api: PlanfixApi, reports: list[Report], pause: float) -> str:
    for report in reports:
        try:
            await api.event(report)
        except PlanfixError as fault:
            return str(fault)
        await asyncio.sleep(pause)
    return "200"


@asynccontextmanager
async def _planfix(settings: Config) -> AsyncIterator[PlanfixApi]:
    """Open the account that the file names, else the one that `setup` brought."""
    section = settings.planfix
    credentials = await find_credentials(section, settings.storage.url.get_secret_value(), settings.ami.name)
    if credentials is None:
        raise ConfigurationError("planfix.url and planfix.token are missing, and Planfix has not set them up")
    wording = Wording(section.canceled_status, section.hidden_number)
    api = PlanfixApi(lambda: credentials, wording, section.timeout)
    try:
        yield api
    finally:
        await api.close()
