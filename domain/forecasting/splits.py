"""Walk-forward folds: learn from the past, be tested on what came next, never the other way round."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fold:
    """Positions to learn from and positions to be tested on; the second lie wholly after the first."""

    train: range
    test: range


def walk_forward(
    observations: int, *, train: int, test: int, step: int | None = None, expanding: bool = False, purge: int = 0
) -> list[Fold]:
    """Cut ``observations`` consecutive days into folds, oldest first.

    Parameters
    ----------
    observations : int
        Number of days, oldest first.
    train, test : int
        Days in the first training window and in every test window.
    step : int, optional
        Days from one test window to the next; by default ``test``, so that each day is tested once.
    expanding : bool, default=False
        Whether the training window keeps its first day (and grows) or moves along (and forgets).
    purge : int, default=0
        Days dropped from the end of each training window. A target that looks ``h`` days ahead needs ``purge=h``:
        the last targets before the test window are made of the test window's own days.

    Returns
    -------
    list[Fold]
        Empty where the first fold does not fit; a last, shorter test window is not made.
    """
    step = test if step is None else step
    assert train > purge >= 0, "nothing is left to learn from"
    assert test >= 1 and step >= 1
    folds = []
    for start in range(train, observations - test + 1, step):
        first = 0 if expanding else start - train
        folds.append(Fold(train=range(first, start - purge), test=range(start, start + test)))
    return folds
