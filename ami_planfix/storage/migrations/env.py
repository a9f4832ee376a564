"""What Alembic runs for each command: the steps, in the transaction that `schema` began."""

from alembic import context

from ami_planfix.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
context.run_migrations()
