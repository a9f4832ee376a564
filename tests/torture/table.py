"""Shows a result to a person."""

from pathlib import Path

from tests.torture.judging import Result
from tests.torture.real import RealResult

SHOWN = 20
"""Calls with problems that are told of one by one."""


def table(result: Result, folder: Path) -> str:
    """Write it as lines of text."""
    verdict = result.verdict
    rows = [
        ("calls", result.calls),
        ("  undisturbed", result.undisturbed),
        ("messages", result.messages),
        ("reports expected", verdict.expected),
        ("  arrived", verdict.arrived),
        ("  left out, too old for a popup", verdict.left_out),
        ("  late popups, before their end", verdict.late),
        ("  refused on purpose", verdict.refused),
        ("  sent again, no answer", verdict.lost_answers),
        ("  sent again, answer forgotten in a crash", verdict.again),
        ("lost", verdict.lost),
        ("double", verdict.double),
        ("wrong status", verdict.wrong_status),
        ("wrong ext", verdict.wrong_ext),
        ("wrong otherwise", verdict.wrong),
        ("out of order", verdict.order),
        ("faults", sum(result.faults.values())),
        *((f"  {kind}", count) for kind, count in sorted(result.faults.items())),
        ("answers not as documented", sum(result.answers.values())),
        ("lives of the daemon", result.lives),
        ("longest silence, s", result.longest_silence),
        ("seconds", result.seconds),
    ]
    if result.real is not None:
        rows += _real_rows(result.real)
    lines = [f"{name:<42}{value:>10}" for name, value in rows]
    lines += [f"not done: {why}" for why in result.impossible]
    dump = folder / "database.sql"
    begin = f"read {dump} into a PostgreSQL, " if dump.exists() else ""
    for callid, problems in list(verdict.problems.items())[:SHOWN]:
        lines += ["", f"call {callid}", *(f"  {problem}" for problem in problems)]
        lines += [f"  look: {begin}start the daemon on {folder}/daemon1/config.yaml, then `... explain {callid}`"]
    for callid, problems in list(result.real.problems.items() if result.real is not None else ())[:SHOWN]:
        lines += ["", f"call {callid} on a real Asterisk", *(f"  {problem}" for problem in problems)]
    lines += ["", *(f"the daemon ended by itself: {said}" for said in result.died)]
    lines += [f"still waited at the end: {result.left}"] if result.left else []
    lines += [f"seed {result.seed}: {'well' if result.well else f'FAILED; its state is in {folder}'}"]
    return "\n".join(lines)


def _real_rows(real: RealResult) -> list[tuple[str, int]]:
    return [
        (f"on a real Asterisk {real.asterisk}: calls", real.calls),
        ("  each end known exactly", real.exact),
        ("  stories that were broken off", real.unfinished),
        ("  sent again, answer forgotten in a crash", real.again),
        ("  lost", real.lost),
        ("  double", real.double),
        ("  wrong", real.wrong),
        ("  faults", sum(real.faults.values()) + real.crashes),
        ("    asterisk: killed, restarted", real.crashes),
        *((f"    {kind}", count) for kind, count in sorted(real.faults.items())),
    ]
