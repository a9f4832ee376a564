"""Performs a story of the lab before a daemon, and asks of Planfix what the rules demand of the story."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tests.daemon.hearing import expectation
from tests.daemon.running import Post
from tests.lab import Lab
from tests.lab.stories import (
    attended_transfer,
    blind_transfer,
    hunt,
    incoming,
    internal,
    outgoing,
    pickup,
    queue,
    ring_group,
)

Act = Callable[[Lab], Awaitable[None]]

MAIN_JOB: list[Act] = [
    incoming.direct_client_hangs_up,
    incoming.direct_no_answer,
    ring_group.ring_all_second_answers,
    hunt.hunt_third_answers,
    queue.queue_answered,
    outgoing.out_answered,
    outgoing.out_busy,
    outgoing.out_no_answer,
    outgoing.out_404,
    outgoing.out_forbidden_by_dialplan,
    internal.internal_answered,
    blind_transfer.blind_refer_answered,
    attended_transfer.attended_refer,
    pickup.pickup_group,
]
"""What is performed on every Asterisk, at once."""


def sentence(act: Act) -> str:
    """Say what happens in a story."""
    return (act.__doc__ or "").strip().splitlines()[0]


async def perform(act: Act, at_work: Post) -> None:
    """Perform a story; Planfix hears what is demanded, and nothing else."""
    at_work.lab.forget()
    at_work.forget()
    await act(at_work.lab)
    kind, story = act.__module__.rpartition(".")[2], act.__name__
    await at_work.demand(expectation(kind, story, at_work.asterisk))


async def perform_everywhere(act: Act, at_work: Sequence[Post]) -> None:
    """Perform a story on several Asterisks at once: people take their time, machines hardly any."""
    ended = await asyncio.gather(*(perform(act, one) for one in at_work), return_exceptions=True)
    failures: list[Exception] = []
    for one, failure in zip(at_work, ended, strict=True):
        if isinstance(failure, Exception):
            failure.add_note(f"on Asterisk {one.asterisk}")
            failures.append(failure)
    if failures:
        raise ExceptionGroup(f"not as the rules demand: {sentence(act)}", failures)
