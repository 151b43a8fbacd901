"""What we keep: one file per subject, one function per table."""
