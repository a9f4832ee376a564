"""`init`: finds out and asks, writes what the daemon needs, starts it, and lets doctor look."""

import socket
from collections.abc import Callable
from pathlib import Path

import click

from ami_planfix.cli.main import WELL
from ami_planfix.cli.options import DEFAULT, Configuration
from ami_planfix.cli.output import tell
from ami_planfix.config.instance import instance_of
from ami_planfix.errors import ConfigurationError
from ami_planfix.init import pasting, plan
from ami_planfix.init.machine import Machine
from ami_planfix.init.plan import Plan
from ami_planfix.init.questions import NONE, QUESTIONS, Answers, Question, complaint, read
from ami_planfix.init.steps import carry_out
from ami_planfix.init.surroundings import Surroundings, look

Command = Callable[..., int]


def _answering(command: Command) -> Command:
    """Add an option for each question."""
    for question in reversed(QUESTIONS):
        command = click.option(question.option, question.name, metavar="ANSWER", help=question.text + ".")(command)
    return command


@click.command()
@click.option(
    "-c", "--config", type=Configuration(), default=DEFAULT, metavar="FILE",
    help=f"The configuration to write (default: {DEFAULT}).",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Ask nothing: take the options, else what is proposed.")
@click.option("--dry-run", is_flag=True, help="Only show what would be written and run.")
@click.option(
    "--print", "only_print", is_flag=True, help="Only print what to paste into the PBX's files; no root needed."
)
@click.option("--pbx", default="", metavar="ADDRESS", help="Asterisk is on another machine, at this address.")
@_answering
@click.pass_obj
def init(
    machine: Machine | None,
    /,
    config: Path,
    yes: bool,
    dry_run: bool,
    only_print: bool,
    pbx: str,
    **given: str | None,
) -> int:
    """Set everything up: find Asterisk, ask, write the configuration and Asterisk's user, start, and look.

    Run it with sudo on the PBX. Run again it changes nothing that is there already.
    """
    if instance := instance_of(config):
        raise ConfigurationError(
            f"init sets up the daemon of {DEFAULT}; for ami-planfix@{instance} copy that file to {config} and choose "
            "other ports (docs/admin/packages.md)"
        )
    machine = machine or Machine()
    if not (machine.is_root or dry_run or only_print):
        raise ConfigurationError("init writes into /etc: run it with sudo, or with --dry-run, or --print")
    around = look(machine, beside=bool(pbx))
    _say_what_was_found(around)
    file = str(config.absolute())
    try:
        answers = Answers() if machine.exists(file) else _ask(around, given, yes or only_print)
    except click.Abort:
        tell("\nnothing was changed")
        raise
    made = plan.make(around, answers, file, pbx)
    if only_print or pbx:
        new = around.asterisk.has_new_filters if around.asterisk is not None else True
        click.echo(pasting.for_pbx(around, made.known, _address_towards(pbx), new))
    if only_print:
        return WELL
    return _carry_out(made, machine, dry_run, config)


def _carry_out(made: Plan, machine: Machine, dry_run: bool, config: Path) -> int:
    if made.kept:
        tell(f"{config} is there already and stays as it is")
    if made.manager is not None and made.manager.theirs is not None:
        tell(f"Asterisk has a user of our name already ({made.manager.theirs.file}); it stays as it is")
    count = carry_out(made.steps, machine, tell, dry_run, made.known.all)
    if dry_run:
        tell(f"{count} steps; nothing was changed" if count else "nothing would be changed")
        return WELL
    if not count:
        tell("nothing had to be changed")
    _let_doctor_look(config, machine)
    click.echo(f"\n{pasting.for_planfix(made.known)}")
    return WELL


def _let_doctor_look(config: Path, machine: Machine) -> None:
    """Show what is still to be mended: that is doctor's to say, and no failure of init."""
    from ami_planfix.cli.doctor import look_at  # noqa: PLC0415 - --print need not wait for it

    if not machine.exists("/run/systemd/system"):
        tell(f"there is no systemd here: start the daemon with `{machine.program} run -c {config}`")
    look_at(config)


def _ask(around: Surroundings, given: dict[str, str | None], silent: bool) -> Answers:
    answers = Answers()
    for question in QUESTIONS:
        if not question.needed(answers):
            answers[question.name] = ""
            continue
        answer = given[question.name]
        if answer is None:
            proposal = question.propose(around, answers)
            answer = proposal if silent else _prompt(question, proposal, answers)
        elif wrong := complaint(question, answer := read(answer), answers):
            raise click.BadParameter(f"{answer!r}: allowed: {wrong}", param_hint=question.option)
        answers[question.name] = answer
    return answers


def _prompt(question: Question, proposal: str, before: Answers) -> str:
    click.echo(f"\n{question.why}", err=True)
    while True:
        answer = read(click.prompt(question.text, default=proposal or NONE, err=True))
        wrong = complaint(question, answer, before)
        if not wrong:
            return answer
        tell(f"allowed: {wrong}")


def _say_what_was_found(around: Surroundings) -> None:
    asterisk = around.asterisk
    if asterisk is not None:
        kind = "under FreePBX" if asterisk.freepbx else "plain"
        found = asterisk.endpoints
        tell(
            f"Asterisk {asterisk.version or '(version unknown)'}, {kind}, in {asterisk.etc}: "
            f"{len(found.phones)} phones, {len(found.lines)} lines"
        )
    tell(f"country {around.place.country}: {around.place.why}")


def _address_towards(pbx: str) -> str:
    """Tell our own address as the PBX sees it; nothing is sent."""
    if not pbx:
        return "127.0.0.1"
    with socket.socket(socket.AF_INET6 if ":" in pbx else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((pbx, 5038))
        except OSError:
            return "ADDRESS-OF-THE-DAEMON"
        return str(probe.getsockname()[0])
