"""Risk: what the book may lose, in a scenario and in the tail of many."""
