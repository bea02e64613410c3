"""The formulas, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from precious_daemon.learn.baseline import Linear, Platt, gate, log_odds
from precious_daemon.learn.champion import mean_rank
from precious_daemon.learn.fixmatch import Head, Lines, align, align_classes, cosine, supervised_loss, unlabelled_loss, update_ema
from precious_daemon.learn.taste import ranking_loss


def test_supervised_loss_is_the_weighted_mean_of_cross_entropies() -> None:
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]])
    loss = supervised_loss(logits, torch.tensor([0, 1]), torch.tensor([1.0, 3.0]))
    assert float(loss) == pytest.approx((math.log(2) + 3 * math.log(4 / 3)) / 4)


def test_unlabelled_loss_counts_only_sure_photos_and_divides_by_all() -> None:
    logits_s = torch.tensor([[0.0, 0.0], [0.0, math.log(3)], [5.0, -5.0]])
    pseudo = torch.tensor([[0.05, 0.95], [0.1, 0.9], [0.2, 0.8]])
    assert float(unlabelled_loss(logits_s, pseudo, p_cutoff=0.9)) == pytest.approx((math.log(2) + math.log(4 / 3)) / 3)


def test_no_gradient_flows_into_the_pseudo_labels() -> None:
    pseudo = torch.tensor([[0.02, 0.98]], requires_grad=True)
    logits = torch.zeros(1, 2, requires_grad=True)
    unlabelled_loss(logits, pseudo, 0.9).backward()
    assert pseudo.grad is None
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0.5, -0.5]]


def test_ranking_loss_is_bradley_terry() -> None:
    loss = ranking_loss(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.0]))
    assert float(loss) == pytest.approx((-math.log(1 / (1 + math.exp(-1))) + math.log(2)) / 2)


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=30), st.floats(0.05, 0.95))
def test_aligned_chances_have_the_share_as_their_mean_and_keep_their_order(values: list[float], share: float) -> None:
    log_odds_ = np.array(values)
    aligned = align(log_odds_, share)
    assert float((1 / (1 + np.exp(-aligned))).mean()) == pytest.approx(share, abs=1e-4)
    assert np.allclose(np.diff(aligned), np.diff(log_odds_), atol=1e-9)


@settings(deadline=None)
@given(st.integers(2, 5), st.integers(0, 10_000), st.floats(0.1, 8))
def test_aligned_classes_each_have_their_share(kinds: int, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    logits, shares = rng.normal(0, scale, (200, kinds)), rng.dirichlet(np.full(kinds, 5.0))
    aligned = align_classes(logits, shares)
    chances = np.exp(aligned - aligned.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    assert np.abs(chances.mean(0) - shares).max() < 0.03
    shift = (aligned - logits) - (aligned - logits)[:1]
    assert np.abs(shift).max() < 1e-6, "one shift for all photos"


def test_ema_moves_by_one_minus_its_momentum() -> None:
    start = Lines.two_sided(Linear(np.zeros(1, dtype=np.float32), np.zeros(1, dtype=np.float32), 0.0))
    ema, model = Head(start), Head(start)
    torch.nn.init.constant_(model.look, 2.0)
    update_ema(ema, model, ema_m=0.75)
    assert ema.look.tolist() == [[0.5, 0.5]]


def test_schedule_falls_from_one_to_the_cosine_of_seven_sixteenths() -> None:
    assert cosine(0, 100) == 1
    assert cosine(100, 100) == pytest.approx(math.cos(7 * math.pi / 16))


def test_head_starts_as_the_regression_it_is_given() -> None:
    start = Linear(np.array([1, 2], dtype=np.float32), np.array([3], dtype=np.float32), 0.5)
    logits = Head(Lines.two_sided(start))(torch.tensor([[1.0, 1.0]]), torch.tensor([[2.0]]))
    assert float((logits[:, 1] - logits[:, 0]).detach()) == pytest.approx(9.5)
    again = Head(Lines.two_sided(start)).lines().linear()
    assert (again.look.tolist(), again.measures.tolist(), again.offset) == ([1, 2], [3], 0.5)


def test_log_odds_compare_mean_votes_so_that_the_commoner_class_has_no_head_start() -> None:
    votes = np.array([[0.4, 0.1, 0.3]])
    found = log_odds(votes, np.ones((1, 3)), np.array([1, 0, 0]), floor=0.1)
    assert found.tolist() == pytest.approx([math.log((0.4 + 0.1) / (0.2 + 0.1))])


def test_mean_rank_depends_on_order_alone() -> None:
    a, b = np.array([0.1, 0.5, 0.9, 0.2]), np.array([-3.0, 8.0, 9.0, -1.0])
    assert mean_rank(a, b).tolist() == mean_rank(np.exp(a), b * 2).tolist()
    assert mean_rank(a, b).argsort().tolist() == [0, 3, 1, 2]


def test_gate_believes_the_scoring_that_foretells_the_labels() -> None:
    deleted = np.array([1, 0] * 10)
    telling, blind = np.where(deleted == 1, 2.0, -2.0), np.zeros(20)
    shares, _ = gate(np.stack([blind, telling]), deleted)
    assert shares[1] > 0.99
    assert shares.sum() == pytest.approx(1)


@settings(deadline=None)  # the first fit is slow
@given(st.lists(st.tuples(st.floats(-9, 9), st.booleans()), min_size=4, max_size=40))
def test_calibration_never_turns_an_order_round(pairs: list[tuple[float, bool]]) -> None:
    scores, deleted = np.array([p[0] for p in pairs]), np.array([int(p[1]) for p in pairs])
    chances = Platt.fit(scores, deleted)(np.sort(scores))
    assert (np.diff(chances) >= 0).all()
    assert ((chances >= 0) & (chances <= 1)).all()
