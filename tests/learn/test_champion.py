"""The choice among learners."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon.learn.champion import Trial, choose, confirm, cross_validate, folds

DELETED = np.array([1] * 10 + [0] * 30)
RAREST = int(min(DELETED.sum(), (1 - DELETED).sum()))


def trials(**means: float) -> dict[str, Trial]:
    return {name: Trial(mean, 0.02, np.zeros(40)) for name, mean in means.items()}


def test_the_clearly_best_in_cross_validation_is_chosen() -> None:
    assert choose(trials(regression=0.9, label_spreading=0.6, fixmatch=0.7, mean_rank=0.65), RAREST) == "regression"


def test_within_the_noise_the_steadier_learner_is_chosen() -> None:
    field = trials(regression=0.62, label_spreading=0.60, fixmatch=0.61, mean_rank=0.60)
    assert choose(field, RAREST) == "label_spreading"
    assert choose(field, 5000) == "regression"  # with many labels the same gap is no noise


def answered(*losses: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """20 held-out answers that regression orders perfectly, and FixMatch but for so many kept photos ranked on top."""
    deleted = np.repeat([1, 0], [6, 14])
    right = np.linspace(1, 0, 20)
    wrong = right.copy()
    wrong[[19 - i for i in losses]] += 2
    return {"regression": right, "fixmatch": wrong}, deleted


def test_without_trials_regression_is_used_and_the_report_says_so() -> None:
    assert confirm("regression", {}, *answered()) == (
        "regression",
        "Regression was used: there are too few answers to compare the learners.",
    )


def test_a_champion_that_clearly_loses_to_regression_on_held_out_answers_is_not_used() -> None:
    field = trials(fixmatch=0.8, regression=0.7)
    champion, why = confirm("fixmatch", field, *answered(0, 1, 2, 3, 4, 5))
    assert champion == "regression"
    assert "worse than regression on the held-out answers" in why
    assert "confirm it" in confirm("fixmatch", field, *answered())[1]


def test_a_loss_that_chance_explains_does_not_cost_the_title() -> None:
    field = trials(fixmatch=0.8, regression=0.7)
    rng = np.random.default_rng(3)
    deleted = np.repeat([1, 0], [4, 40])
    signal = deleted + rng.normal(0, 1, 44)
    chances = {"regression": signal, "fixmatch": signal - 0.3 * rng.normal(0, 1, 44)}
    champion, why = confirm("fixmatch", field, chances, deleted)
    assert champion == "fixmatch"
    assert "too few to tell them apart" in why


def test_held_out_answers_of_one_kind_say_nothing() -> None:
    field = trials(fixmatch=0.8, regression=0.7)
    chances, deleted = answered(0, 1, 2)
    assert "not enough held-out answers" in confirm("fixmatch", field, chances, np.zeros_like(deleted))[1]


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=4, max_size=60), st.integers(0, 5))
def test_no_burst_stands_on_both_sides_of_a_split(labels: list[tuple[int, bool]], seed: int) -> None:
    group, deleted = np.array([g for g, _ in labels]), np.array([int(d) for _, d in labels])
    for train, test in folds(deleted, group, seed):
        assert not set(group[train].tolist()) & set(group[test].tolist())
        assert set(deleted[train].tolist()) == {0, 1}


def test_every_label_is_scored_by_learners_that_did_not_see_it() -> None:
    where, deleted = np.arange(100, 140), DELETED

    def learn(known: np.ndarray, said: np.ndarray) -> dict[str, np.ndarray]:
        scores = np.zeros(200)
        scores[known] = 1  # a learner that only remembers
        return {"regression": scores}

    found = cross_validate(learn, where, deleted, np.arange(40), 0, lambda done, total: True)
    assert found["regression"].held_out.tolist() == [0] * 40


def test_when_time_is_up_the_repeats_that_are_whole_count() -> None:
    calls = []

    def learn(known: np.ndarray, said: np.ndarray) -> dict[str, np.ndarray]:
        calls.append(len(known))
        return {"regression": np.arange(40.0)}

    found = cross_validate(learn, np.arange(40), DELETED, np.arange(40), 0, lambda done, total: False)
    assert len(calls) == 5
    assert found["regression"].sd == 0
    assert found["regression"].mean == pytest.approx(found["regression"].mean)
