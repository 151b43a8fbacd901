"""Where Alembic finds the books: on the connection ``books.engine.create_books`` hands over, inside its transaction."""

from alembic import context

from books.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
