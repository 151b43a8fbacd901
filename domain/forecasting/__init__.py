"""Forecasting volatility: what is forecast, the rules of thumb to beat, and how a forecast is scored."""
