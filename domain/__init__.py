"""What we know: the desk's mathematics and law as pure functions of plain values. No I/O, no framework."""
