"""Alembic environment: it runs the migrations on the connection of `rcae.line.record.schema`."""

from alembic import context

from rcae.line.record.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
