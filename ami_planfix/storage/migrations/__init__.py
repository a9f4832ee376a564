"""The numbered steps that lead from any released schema to the present one; run by `schema`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def steps() -> tuple[str, ...]:
    """Tell all steps that this version knows, newest first."""
    return tuple(step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions())


def upgrade(connection: Connection, to: str = "head") -> None:
    """Take all steps that the database has not taken, up to one, within the connection's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
