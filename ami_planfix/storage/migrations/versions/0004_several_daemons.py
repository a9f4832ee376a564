"""Several daemons on one database: settings of each PBX, each daemon's own journal, popups found at once.

Steps only add: a daemon of the version before goes on while this one migrates.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Change the tables."""
    op.add_column("journal", sa.Column("owner", sa.String(100), nullable=False, server_default=""))
    popups = sa.text("state = 'waiting' AND stage IN ('rang', 'dialled', 'accepted')")
    op.create_index("outbox_popups_idx", "outbox", ["pbx", "at"], sqlite_where=popups, postgresql_where=popups)
    _give_each_pbx_its_settings()


def _give_each_pbx_its_settings() -> None:
    connection = op.get_bind()
    kept = [(row.name, row.value) for row in connection.execute(sa.text("SELECT name, value FROM settings"))]
    op.drop_table("settings")
    settings = op.create_table(
        "settings",
        sa.Column("pbx", sa.String(64), nullable=False, server_default=""),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("pbx", "name", name="settings_pk"),
    )
    pbxs = {""} | {name.removeprefix("devices.") for name, _ in kept if name.startswith("devices.")}
    for table in ("outbox", "recordings", "presence", "journal"):
        pbxs.update(connection.execute(sa.text(f"SELECT DISTINCT pbx FROM {table}")).scalars())  # noqa: S608
    rows = [
        {"pbx": pbx, "name": "devices" if name == f"devices.{pbx}" else name, "value": value}
        for pbx in sorted(pbxs)
        for name, value in kept
        if not name.startswith("devices.") or name == f"devices.{pbx}"
    ]
    if rows:
        op.bulk_insert(settings, rows)
