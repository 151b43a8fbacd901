"""How the books' tables came to be, revision by revision."""
