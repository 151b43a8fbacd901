"""What must be true: one file per subject, one function per invariant."""
