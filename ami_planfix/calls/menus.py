"""What a client chooses in menus: who presses 1 in one is brought to the exten `1` of the menu's context.

A channel is in a menu from `BackGround` or `WaitExten` on, or once FreePBX says so (`IVR_CONTEXT`: its menus read
digits in ways of their own, and lead to extens all the same). The first exten of digits, `*` and `#` that it comes to
in that context is the choice: nothing else tells what was pressed, but the class `dtmf` with every tone of every call.
`i`, `t`, and an exten elsewhere (where a time-out leads) are none. Source: Asterisk, main/pbx.c; FreePBX 15 to 17,
module ivr.
"""

import re

from ami_planfix.calls.events import Newexten, VarSet
from ami_planfix.calls.pbx import Plan

APPLICATIONS = frozenset({"BackGround", "WaitExten"})
FREEPBX = "IVR_CONTEXT"
"""The variable in which FreePBX names the menu that a channel is in."""
MOST = 100
"""Choices of one channel; who goes round in circles is not followed any longer."""

_DIRECT = "from-did-direct-ivr"
"""Where FreePBX sends who dials an extension in a menu."""
_CHOICE = re.compile(r"[0-9*#]+", re.ASCII)


def enter(plan: Plan, event: Newexten) -> None:
    """Note that a channel runs one of `APPLICATIONS`; BackGround may name another context for what is pressed."""
    arguments = event.data.split(",")
    other = arguments[3].strip() if event.application == "BackGround" and len(arguments) > 3 else ""
    plan.menu = other or event.channel.context


def enter_freepbx(plan: Plan, event: VarSet) -> None:
    """Note `IVR_CONTEXT`, unless a channel has just inherited it."""
    if event.channel is not None and event.value == event.channel.context:
        plan.menu = event.value


def is_choice(plan: Plan, event: Newexten) -> bool:
    """Tell whether a channel comes out of its menu with this."""
    where = event.channel
    return bool(plan.menu) and where.context in (plan.menu, _DIRECT) and _CHOICE.fullmatch(where.exten) is not None


def choose(plan: Plan, event: Newexten) -> None:
    """Note what was chosen: the menu is left."""
    plan.menu = ""
    if len(plan.chosen) < MOST:
        plan.chosen += (event.channel.exten,)
