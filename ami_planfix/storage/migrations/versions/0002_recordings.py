"""Recordings: what is waited for, and what links lead to."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "recordings",
        sa.Column("pbx", sa.String(64), nullable=False),
        sa.Column("callid", sa.String(200), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("files", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        sa.Column("expires", sa.Float),
        sa.Column("settled", sa.Float),
        sa.PrimaryKeyConstraint("pbx", "callid", name="recordings_pk"),
        sqlite_with_rowid=False,
    )
    op.create_index("recordings_state_idx", "recordings", ["pbx", "state", "at"])
