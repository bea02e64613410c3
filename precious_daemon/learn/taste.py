"""Taste: one number per photo that orders the library, from the chance of being kept and from the owner's votes.

It is the log odds of keep plus a linear preference that the pairwise votes ask for; without votes it is the log odds alone.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from precious_daemon.grouping.measures import Floats, Ints
from precious_daemon.learn.baseline import Doubles, Linear
from precious_daemon.learn.space import Examples

VARIANCE = 10.0  # of the preference's weights before any vote, as regression's, for rows of length one
STEPS = 60  # of L-BFGS, at most


def ranking_loss(winner: Tensor, loser: Tensor) -> Tensor:
    """Bradley and Terry 1952: the mean of -log sigmoid(winner - loser). Scores (votes,) each."""
    return F.softplus(loser - winner).mean()


def preference(x: Examples, weight: float, keep: Doubles, votes: Ints) -> Linear:
    """The linear part of taste that makes the votes likeliest, beside the log odds of keep (n,).

    votes (V, 2): positions of winner and loser. Its prior is zero, so that few votes change little.
    """
    axes = x.look.shape[1]
    found = np.zeros(axes + x.measures.shape[1], dtype=np.float32)
    if len(votes):
        rows = x.take(votes.ravel()).weighed(weight).reshape(len(votes), 2, -1)
        found = _fit(torch.from_numpy(rows), torch.from_numpy(keep[votes]).float())
    return Linear(found[:axes], np.float32(weight) * found[axes:], 0.0)


def _fit(rows: Tensor, keep: Tensor) -> Floats:
    """rows (V, 2, m) and keep (V, 2) of winner and loser -> weights (m,)."""
    weights = torch.zeros(rows.shape[-1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        score = keep + rows @ weights
        loss = ranking_loss(score[:, 0], score[:, 1]) + weights.square().sum() / (2 * VARIANCE * len(rows))
        torch.autograd.backward(loss)
        return loss.item()

    optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    found: Floats = weights.detach().numpy()
    return found
