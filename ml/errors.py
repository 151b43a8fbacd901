"""The failures of models somebody can act on."""

from domain.errors import DeskError


class TooLittleHistory(DeskError):
    """Too few days of returns to fit a model and to test it on days it has not seen, or to forecast at all."""


class ModelNotUsable(DeskError):
    """A saved model that is missing, was altered after it was saved, or was made for other features."""
