"""Run by Alembic: the migrations, on the connection that `rcae.line.record.schema` hands over."""

from alembic import context

from rcae.line.record.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
