"""Reads off all parts what they have counted."""

import time

from ami_planfix import __version__
from ami_planfix.alerts.watch import figures
from ami_planfix.metrics import Figures
from ami_planfix.parts import Parts
from ami_planfix.planfix.messages import status_name
from ami_planfix.status import State


async def figures_of(parts: Parts) -> Figures:
    """Read the figures of one moment; raise StorageError."""
    troubles = await parts.deliveries.troubles()
    recordings = await parts.recordings.ledger.waiting_and_missing() if parts.recordings is not None else {}
    status = parts.connection.status
    tally = parts.lookup.tally
    oldest = troubles.oldest_waiting
    return Figures(
        version=__version__,
        connected=status.connected_since is not None,
        connects=status.attempts,
        ami_messages=status.messages_read,
        ami_bytes=status.bytes_read,
        live_calls=len(parts.tracker.live()),
        ended={
            (direction.value, status_name(outcome, parts.wording)): count
            for (direction, outcome), count in parts.writer.ended.items()
        },
        silences={silence.value: count for silence, count in parts.pipeline.silences.items()},
        backlog=parts.writer.backlog,
        written=parts.writer.delay,
        damages=parts.keeping.damages,
        stands_in=parts.keeping.stands_in,
        sent=parts.delivery.sent,
        outbox={"waiting": troubles.waiting, "dead": troubles.dead},
        oldest_waiting=max(0.0, time.time() - oldest) if oldest is not None else 0.0,
        lookups={"kept": tally.kept, "answered": tally.answered, "unanswered": tally.unanswered},
        lookup_seconds=tally.seconds,
        lookups_paused=parts.lookup.is_refusing,
        recordings={progress.value: count for progress, count in recordings.items()},
        well={part.part: part.state is State.WELL for part in parts.board.parts() if part.state is not State.OFF},
        alerts=figures(parts.watch.active()),
    )
