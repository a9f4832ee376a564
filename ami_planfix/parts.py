"""Makes the parts from the configuration and puts them together; nothing runs yet."""

import hashlib
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from ami_planfix.alerts.book import SHARED, Book, own
from ami_planfix.alerts.leading import Leading
from ami_planfix.alerts.looking import Looking, Unsent
from ami_planfix.alerts.message import Place
from ami_planfix.alerts.watch import Watch
from ami_planfix.alerts.ways import ways_of
from ami_planfix.ami.connection import Connection
from ami_planfix.ami.settings import settings_of
from ami_planfix.backfill.filling import Kept, Live
from ami_planfix.backfill.parts import Records, make_records
from ami_planfix.calls.attributes import Attribute
from ami_planfix.calls.reports import Report
from ami_planfix.calls.tracker import Settings as TrackerSettings
from ami_planfix.calls.tracker import Tracker
from ami_planfix.config.model import Config
from ami_planfix.contacts.answer import Contacts
from ami_planfix.contacts.lookup import Limits, Lookup
from ami_planfix.deliveries import Deliveries
from ami_planfix.delivery import Delivery
from ami_planfix.delivery import Settings as DeliverySettings
from ami_planfix.gate import Planfix
from ami_planfix.makecall import MakeCall
from ami_planfix.numbering import Numbering
from ami_planfix.outbox import Outbox
from ami_planfix.phones import Phones
from ami_planfix.pipeline import Pipeline
from ami_planfix.planfix.account import Account
from ami_planfix.planfix.api import PlanfixApi
from ami_planfix.planfix.messages import Wording
from ami_planfix.planfix.observing import Observing
from ami_planfix.presence import Presence
from ami_planfix.recordings.parts import Recordings, have_links, make_recordings
from ami_planfix.retention import Retention
from ami_planfix.status import Board, State
from ami_planfix.storage.database import Database
from ami_planfix.storage.keeping import Keeping
from ami_planfix.storage.notices import Notices, Topic
from ami_planfix.storage.settings import Settings
from ami_planfix.timelines import Timelines
from ami_planfix.writing import Writer

LONGEST_OWNER = 100
STORAGE = "storage"
"""The database's name among the parts."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the daemon starts and stops."""

    config: Config
    observe: bool
    board: Board
    wording: Wording
    database: Database
    keeping: Keeping
    account: Account
    api: PlanfixApi
    delivery: Delivery
    retention: Retention
    deliveries: Deliveries
    timelines: Timelines
    numbering: Numbering
    phones: Phones
    tracker: Tracker
    pipeline: Pipeline
    writer: Writer
    connection: Connection
    presence: Presence
    notices: Notices
    records: Records
    clicks: MakeCall
    lookup: Lookup
    contacts: Contacts
    recordings: Recordings | None
    """None without a place where links could lead to."""
    watch: Watch


async def make_parts(config: Config, observe: bool, board: Board, stack: AsyncExitStack) -> Parts:
    """Make all parts; what must be closed again is on the stack. Raises ConfigurationError, StorageError.

    An observer keeps its own state in a folder that goes with it, so that nothing of it is ever sent.
    """
    wording = Wording(config.planfix.canceled_status, config.planfix.hidden_number, have_links(config))
    keeping, database = await _opened(config, observe, board, stack)
    settings = Settings(database, config.ami.name)
    account = await _account(config, settings)
    api = _api(config, account, wording, stack)
    pbx, owner = config.ami.name, _owner(config)
    notices = Notices(database, pbx)
    outbox, presence = Outbox(database, pbx, owner), Presence(database, pbx, owner)
    delivery = _delivery(config, database, outbox, Observing(wording) if observe else api, board)
    account.listen(delivery.account_changed)
    notices.listen(Topic.REPORTS, delivery.wake)
    numbering = Numbering(config)
    phones = await _phones(numbering, settings)
    tracker = _tracker(config, numbering)
    recordings = await _recordings(config, observe, database, outbox, delivery, tracker, board)
    if recordings is not None:
        stack.callback(recordings.close)
        api.send_links(recordings.link_in)
    writer = _writer(database, outbox, delivery, recordings)
    pipeline = Pipeline(database, tracker, writer)
    live = _live(config, tracker, numbering, pipeline, delivery, recordings)
    records = make_records(config, Kept(database, outbox, presence), live, board)
    connection = Connection(settings_of(config.ami), pipeline, greet=_greeting(phones, records))
    writer.attach(connection)
    deliveries = Deliveries(database, pbx)
    lookup = _lookup(config, account, board, stack)
    contacts = Contacts(config, numbering, lookup, connection)
    return Parts(
        config=config,
        observe=observe,
        board=board,
        wording=wording,
        database=database,
        keeping=keeping,
        account=account,
        api=api,
        delivery=delivery,
        retention=Retention(database, outbox, presence, config.delivery.retention_days, config.calls.timeline_days),
        deliveries=deliveries,
        timelines=Timelines(database, pbx, deliveries, lambda: _tracker(config, numbering)),
        numbering=numbering,
        phones=phones,
        tracker=tracker,
        pipeline=pipeline,
        writer=writer,
        connection=connection,
        presence=presence,
        notices=notices,
        records=records,
        clicks=MakeCall(config, numbering, connection, contacts.name),
        lookup=lookup,
        contacts=contacts,
        recordings=recordings,
        watch=_watch(config, observe, database, deliveries, presence, board, stack),
    )


def _watch(
    config: Config,
    observe: bool,
    database: Database,
    deliveries: Deliveries,
    presence: Presence,
    board: Board,
    stack: AsyncExitStack,
) -> Watch:
    pbx = config.ami.name
    settings, leading = Settings(database, pbx), Leading(database, pbx)
    stack.push_async_callback(leading.end)
    files = config.server.tls if config.server is not None else None
    return Watch(
        config.alerts,
        Looking(
            board,
            _unsent(database, deliveries),
            _others(presence),
            config.alerts.outbox_age,
            (files.certificate, files.private_key) if files is not None else None,
        ),
        (Book(settings, own(_owner(config))), Book(settings, SHARED)),
        leading.leads,
        [] if observe else ways_of(config.alerts),
        Place(socket.gethostname(), pbx),
    )


def _unsent(database: Database, deliveries: Deliveries) -> Callable[[], Awaitable[Unsent]]:
    async def unsent() -> Unsent:
        found = await deliveries.troubles()
        oldest = found.oldest_waiting
        return Unsent(found.waiting, None if oldest is None else oldest - database.skew, found.dead)

    return unsent


def _others(presence: Presence) -> Callable[[], Awaitable[bool]]:
    async def others_listen() -> bool:
        return bool(await presence.others())

    return others_listen


def _owner(config: Config) -> str:
    """Name this daemon among those that share the database; the same after a restart."""
    name = f"{socket.gethostname()}{config.admin.socket}"
    return name if len(name) <= LONGEST_OWNER else hashlib.sha256(name.encode()).hexdigest()


def _delivery(config: Config, database: Database, outbox: Outbox, planfix: Planfix, board: Board) -> Delivery:
    each = config.delivery
    return Delivery(database, outbox, planfix, DeliverySettings(each.history == "opened", each.popup_max_age), board)


def _writer(database: Database, outbox: Outbox, delivery: Delivery, recordings: Recordings | None) -> Writer:
    noting = [recordings.waiting.noting] if recordings is not None else []
    return Writer(database, outbox, [*noting, delivery.taking])


def _live(
    config: Config,
    tracker: Tracker,
    numbering: Numbering,
    pipeline: Pipeline,
    delivery: Delivery,
    recordings: Recordings | None,
) -> Live:
    def written(_: Iterable[Report]) -> None:
        delivery.wake()
        if recordings is not None:
            recordings.waiting.wake()

    return Live(
        lambda: frozenset(call.callid for call in tracker.live()),
        pipeline.settle,
        lambda: _tracker(config, numbering),
        recordings.waiting.note if recordings is not None else _note_nothing,
        written,
    )


def _greeting(phones: Phones, records: Records) -> Callable[[Connection], Awaitable[None]]:
    async def greet(asker: Connection) -> None:
        await phones.ask(asker)
        await records.greet(asker)

    return greet


async def _note_nothing(_connection: AsyncConnection, _reports: Iterable[Report]) -> None:
    """Note no recordings: nobody could open a link."""


async def _recordings(
    config: Config,
    observe: bool,
    database: Database,
    outbox: Outbox,
    delivery: Delivery,
    tracker: Tracker,
    board: Board,
) -> Recordings | None:
    if observe:
        # What nobody is going to hear is not converted.
        as_they_are = config.recordings.model_copy(update={"format": "original"})
        config = config.model_copy(update={"recordings": as_they_are})

    def is_live(callid: str) -> bool:
        return tracker.is_live(callid)

    return await make_recordings(config, database, outbox, delivery.wake, is_live, board)


def _tracker(config: Config, numbering: Numbering) -> Tracker:
    each = config.calls
    wanted = frozenset(map(Attribute, each.attributes))
    choices = TrackerSettings(config.ami.name, each.transfers == "each", each.missed == "each", wanted)
    return Tracker(numbering, choices)


def _lookup(config: Config, account: Account, board: Board, stack: AsyncExitStack) -> Lookup:
    limits = Limits(config.contacts.timeout, config.contacts.cache, config.contacts.at_once)
    # A session of its own: reports that wait for a slow Planfix are in no caller's way.
    api = PlanfixApi(account.credentials, timeout=limits.timeout)
    stack.push_async_callback(api.close)

    def tell(reason: str) -> None:
        board.say("contacts", State.WAITING if reason else State.WELL, reason)

    lookup = Lookup(api, limits, listener=tell)
    stack.push_async_callback(lookup.close)
    account.listen(lookup.forget)
    return lookup


def _api(config: Config, account: Account, wording: Wording, stack: AsyncExitStack) -> PlanfixApi:
    api = PlanfixApi(account.credentials, wording, config.planfix.timeout)
    stack.push_async_callback(api.close)
    return api


async def _phones(numbering: Numbering, settings: Settings) -> Phones:
    phones = Phones(numbering, settings)
    await phones.load()
    return phones


async def _account(config: Config, settings: Settings) -> Account:
    section = config.planfix
    account = Account(settings, section.url, section.token.get_secret_value(), section.allowed_hosts)
    await account.load()
    return account


async def _opened(config: Config, observe: bool, board: Board, stack: AsyncExitStack) -> tuple[Keeping, Database]:
    def say(state: State, detail: str) -> None:
        board.say(STORAGE, state, detail)

    if observe:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ami-planfix-")))
        keeping = Keeping(f"sqlite:///{folder}/observed.db", False, folder / "stand-in.db", say)
    else:
        url, socket = config.storage.url.get_secret_value(), config.admin.socket
        keeping = Keeping(url, config.storage.durable, socket.with_name(f"{socket.stem}-stand-in.db"), say)
    return keeping, await stack.enter_async_context(await keeping.open())
