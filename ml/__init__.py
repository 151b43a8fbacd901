"""Models: fit, forecast, judge. Plain frames in, plain results out; no pipeline is known here."""
