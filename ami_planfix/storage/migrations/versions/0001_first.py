"""The first schema: outbox, journal, settings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_outbox()
    _make_journal()
    op.create_table(
        "settings",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="settings_pk"),
    )


def _make_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("pbx", sa.String(64), nullable=False),
        sa.Column("callid", sa.String(200), nullable=False),
        sa.Column("extension", sa.String(64), nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", sa.Float, nullable=False),
        sa.Column("claimed_by", sa.String(100), nullable=False, server_default=""),
        sa.Column("claimed_until", sa.Float, nullable=False, server_default="0"),
        sa.Column("answer", sa.Text, nullable=False, server_default=""),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("settled", sa.Float),
        sa.PrimaryKeyConstraint("id", name="outbox_pk"),
        sa.UniqueConstraint("pbx", "callid", "extension", "part", "stage", name="outbox_identity_key"),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "outbox_waiting_idx",
        "outbox",
        ["pbx", "callid", "id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_index("outbox_order_idx", "outbox", ["pbx", "id"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_index("outbox_state_idx", "outbox", ["state", "settled"])
    op.create_index("outbox_client_idx", "outbox", ["client", "at"])


def _make_journal() -> None:
    op.create_table(
        "journal",
        sa.Column("id", _ID, nullable=False),
        sa.Column("pbx", sa.String(64), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="journal_pk"),
    )
    op.create_index("journal_at_idx", "journal", ["at"])
    op.create_table(
        "journal_channels",
        sa.Column("pbx", sa.String(64), nullable=False),
        sa.Column("uniqueid", sa.String(150), nullable=False),
        sa.Column("journal_id", _ID, nullable=False),
        sa.Column("live", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("pbx", "uniqueid", "journal_id", name="journal_channels_pk"),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journal.id"], name="journal_channels_journal_id_fk", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("journal_channels_journal_id_idx", "journal_channels", ["journal_id"])
    live = sa.text("live")
    op.create_index(
        "journal_channels_live_idx",
        "journal_channels",
        ["pbx", "journal_id"],
        sqlite_where=live,
        postgresql_where=live,
    )
