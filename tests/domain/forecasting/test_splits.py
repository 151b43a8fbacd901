import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.forecasting.splits import walk_forward


@given(
    st.integers(0, 300), st.integers(11, 80), st.integers(1, 40), st.integers(1, 40), st.booleans(), st.integers(0, 10)
)
def test_no_target_taught_is_made_of_a_day_tested(
    observations: int, train: int, test: int, step: int, expanding: bool, horizon: int
) -> None:
    """A target at day t is made of days t+1 … t+horizon; purged by the horizon, none of them is tested."""
    folds = walk_forward(observations, train=train, test=test, step=step, expanding=expanding, purge=horizon)
    for fold in folds:
        assert fold.train[-1] + horizon < fold.test[0]
        assert len(fold.test) == test
        assert fold.train[0] >= 0
        assert fold.test[-1] < observations


def test_by_default_each_day_is_tested_once() -> None:
    tested = [day for fold in walk_forward(50, train=20, test=10) for day in fold.test]
    assert tested == list(range(20, 50))


def test_what_does_not_fit_makes_no_fold() -> None:
    assert walk_forward(29, train=20, test=10) == []
    assert len(walk_forward(30, train=20, test=10)) == 1


def test_a_purge_that_leaves_nothing_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="nothing is left"):
        walk_forward(100, train=5, test=5, purge=5)
