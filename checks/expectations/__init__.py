"""Great Expectations suites for what comes from outside, one per raw table, run by the checks of its subject."""
