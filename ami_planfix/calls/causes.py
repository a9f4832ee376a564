"""Why a leg ended: hangup cause and DialStatus -> who ended it, and the outcome of an outgoing call.

Causes are Q.850's, as Asterisk numbers them (Asterisk: include/asterisk/causes.h).
"""

from ami_planfix.calls.reports import Outcome

BY_THE_DIALLING_SIDE = frozenset({0, 16, 26, 31, 127})
"""Time-out, the caller gave up, answered elsewhere, a Local half dropped; they say nothing of the phone (rule 3)."""

FORBIDDEN = frozenset({21, 29, *range(50, 58)})
REJECTED = 21
SAYING = {17: Outcome.BUSY, 18: Outcome.NO_ANSWER, 19: Outcome.NO_ANSWER}
DIAL_STATUS = {"BUSY": Outcome.BUSY, "NOANSWER": Outcome.NO_ANSWER, "CANCEL": Outcome.NO_ANSWER}
SIP_DECLINE = "603"


def ended_by_itself(cause: int | None, *, forwarded: bool) -> bool:
    """Tell whether the phone ended its ringing: busy, rejected, unreachable (rule 3)."""
    return not forwarded and cause is not None and cause not in BY_THE_DIALLING_SIDE


def outcome(cause: int | None, tech_cause: str, dial_status: str) -> Outcome:
    """Decide how an outgoing call that was not answered ended (rule 15), from the leg dialled last.

    `cause` is that of its Hangup, else of its HangupRequest, else of the employee's channel; `tech_cause` is its
    SIP status (Asterisk 22), `dial_status` that of its DialEnd.
    """
    if cause in FORBIDDEN:
        declined = tech_cause == SIP_DECLINE or (cause == REJECTED and dial_status == "BUSY")
        return Outcome.BUSY if declined else Outcome.NOT_ALLOWED
    if cause is not None and cause not in BY_THE_DIALLING_SIDE:
        return SAYING.get(cause, Outcome.NOT_AVAILABLE)
    return DIAL_STATUS.get(dial_status, Outcome.NOT_AVAILABLE)
