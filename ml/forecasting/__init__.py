"""Models of the forecasting desk; see ``CARD.md`` for what they may be used for."""
