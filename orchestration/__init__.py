"""When, where, with what. Knows every file, means nothing."""
