"""The tables; `migrations` make them, and a test holds both to each other.

Times are seconds since the epoch. `pbx` is `ami.name`: several PBXs, each with its daemon, share a database; `owner`
is one daemon among those that listen to the same PBX.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine.interfaces import Dialect

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


class _Bytes(LargeBinary):
    """Bytes as they are: what SQLite's driver is asked to make of them first is dear and not needed."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """Change nothing."""


_Id = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER is a row's number in SQLite

outbox = Table(
    "outbox",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("pbx", String(64), nullable=False),
    Column("callid", String(200), nullable=False),
    Column("extension", String(64), nullable=False),
    Column("part", Integer, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("client", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", Float, nullable=False),
    Column("claimed_by", String(100), nullable=False, server_default=""),
    Column("claimed_until", Float, nullable=False, server_default="0"),
    Column("answer", Text, nullable=False, server_default=""),
    Column("created", Float, nullable=False),
    Column("settled", Float),
    UniqueConstraint("pbx", "callid", "extension", "part", "stage", name="outbox_identity_key"),
)
_waiting = text("state = 'waiting'")
_popups = text("state = 'waiting' AND stage IN ('rang', 'dialled', 'accepted')")
Index(
    "outbox_waiting_idx",
    outbox.c.pbx,
    outbox.c.callid,
    outbox.c.id,
    sqlite_where=_waiting,
    postgresql_where=_waiting,
)
Index("outbox_popups_idx", outbox.c.pbx, outbox.c.at, sqlite_where=_popups, postgresql_where=_popups)
Index("outbox_order_idx", outbox.c.pbx, outbox.c.id, sqlite_where=_waiting, postgresql_where=_waiting)
Index("outbox_state_idx", outbox.c.state, outbox.c.settled)
Index("outbox_client_idx", outbox.c.client, outbox.c.at)

journal = Table(
    "journal",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("pbx", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("raw", _Bytes, nullable=False),
    Column("owner", String(100), nullable=False, server_default=""),
)
Index("journal_at_idx", journal.c.at)

journal_channels = Table(
    "journal_channels",
    metadata,
    Column("pbx", String(64), primary_key=True),
    Column("uniqueid", String(150), primary_key=True),
    Column("journal_id", _Id, ForeignKey("journal.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("live", Boolean, nullable=False, server_default=false()),
    sqlite_with_rowid=False,
)
Index("journal_channels_journal_id_idx", journal_channels.c.journal_id)
Index(
    "journal_channels_live_idx",
    journal_channels.c.pbx,
    journal_channels.c.journal_id,
    sqlite_where=text("live"),
    postgresql_where=text("live"),
)

settings = Table(
    "settings",
    metadata,
    Column("pbx", String(64), primary_key=True, server_default=""),
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

recordings = Table(
    "recordings",
    metadata,
    Column("pbx", String(64), primary_key=True),
    Column("callid", String(200), primary_key=True),
    Column("at", Float, nullable=False),
    Column("files", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("expires", Float),
    Column("settled", Float),
    sqlite_with_rowid=False,
)
Index("recordings_state_idx", recordings.c.pbx, recordings.c.state, recordings.c.at)

presence = Table(
    "presence",
    metadata,
    Column("pbx", String(64), primary_key=True),
    Column("owner", String(255), primary_key=True),
    Column("since", Float, primary_key=True),
    Column("until", Float, nullable=False),
    sqlite_with_rowid=False,
)
