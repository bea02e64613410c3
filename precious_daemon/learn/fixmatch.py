"""FixMatch (Sohn et al. 2020) on the features of a frozen network, for a handful of labels of two or more classes.

Plain FixMatch from a random start fell far below regression with 45 labels. What this one does otherwise, and why:

* it starts from the regression, so that the first pseudo-labels are no worse than that;
* pseudo-labels come from the neighbour graph together with the weakly augmented views, as in SimMatch and CoMatch;
* they are aligned with the class share of the labels before the cut-off, so that one class cannot swallow the other;
* measures of quality stand behind a gate that is learned, and are not augmented: blur is a reason, not a disguise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import logsumexp
from torch import Tensor, nn

from precious_daemon.grouping.measures import Floats, Ints
from precious_daemon.learn.baseline import Doubles, Linear
from precious_daemon.learn.space import Examples

ROUNDS = 4  # in which the classes are aligned, where there are more than two


@dataclass(frozen=True, slots=True)
class Config:
    """Every hyperparameter. Chosen on simulated owners, on average over all of them."""

    steps: int = 200  # of the optimizer; a step is a few milliseconds on cached features
    lr: float = 1.0  # large, because rows have a length of one
    momentum: float = 0.9  # Nesterov's
    batch: int = 64  # labels in a step, or all if they are fewer
    uratio: int = 7  # unlabelled photos for each label in a batch (the paper's mu)
    lambda_u: float = 1.0  # weight of the unlabelled loss
    p_cutoff: float = 0.9  # a pseudo-label counts when its class is at least this likely (the paper's tau)
    temperature: float = 0.1  # sharpens the graph's log odds, which are modest by nature
    graph: float = 0.8  # share of the graph in a pseudo-label; the rest is the model's own on the weak views
    ema_m: float = 0.98  # momentum of the averaged weights, which label and are kept in the end
    pull: float = 1e-4  # L2 towards the regression


@dataclass(frozen=True, slots=True)
class Views:
    """Cached looks of augmented views, for some of the photos."""

    where: Ints  # (v,) positions of those photos
    weak: Floats  # (v, WEAK, axes)
    strong: Floats  # (v, STRONG, axes)


@dataclass(frozen=True, slots=True)
class Lines:
    """A linear map to the logits of K classes."""

    look: Floats  # (axes, K)
    measures: Floats  # (MEASURES, K)
    offset: Floats  # (K,)

    def __call__(self, x: Examples) -> Doubles:
        """(n, K)."""
        return np.asarray(x.look @ self.look + x.measures @ self.measures + self.offset, dtype=np.float64)

    @classmethod
    def two_sided(cls, one: Linear) -> Lines:
        """Log odds of "delete" as logits of keep and delete."""
        return cls(_halves(one.look), _halves(one.measures), _halves(np.array([one.offset], dtype=np.float32))[0])

    @classmethod
    def beside(cls, ones: Sequence[Linear]) -> Lines:
        """The log odds of each class against the others as its logit."""
        return cls(
            np.stack([one.look for one in ones], axis=1), np.stack([one.measures for one in ones], axis=1),
            np.array([one.offset for one in ones], dtype=np.float32),
        )  # fmt: skip

    def linear(self) -> Linear:
        """Of two classes, the log odds of the second."""
        look, measures, offset = (part[..., 1] - part[..., 0] for part in (self.look, self.measures, self.offset))
        return Linear(look, measures, float(offset))


def _halves(weights: Floats) -> Floats:
    """(m,) of log odds -> (m, 2) of logits."""
    return np.stack([-weights / 2, weights / 2], axis=1).astype(np.float32)


class Head(nn.Module):
    """Two linear maps, the second behind a gate between 0 and 2 that starts at 1."""

    def __init__(self, start: Lines) -> None:
        super().__init__()
        self.look, self.measures, self.offset = (
            nn.Parameter(torch.from_numpy(part.astype(np.float32))) for part in (start.look, start.measures, start.offset)
        )
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, look: Tensor, measures: Tensor) -> Tensor:
        """(batch, axes), (batch, measures) -> logits (batch, K)."""
        return look @ self.look + 2 * torch.sigmoid(self.gate) * (measures @ self.measures) + self.offset

    @torch.no_grad()
    def lines(self) -> Lines:
        """The same without the gate."""
        opened = 2 * torch.sigmoid(self.gate) * self.measures
        return Lines(*(part.detach().clone().numpy() for part in (self.look, opened, self.offset)))


def supervised_loss(logits: Tensor, y_lb: Tensor, weight: Tensor) -> Tensor:
    """FixMatch eq. 3, weighted: by balanced classes, and by what each label still counts. logits (batch, classes), y_lb (batch,),
    weight (batch,)."""
    return (F.cross_entropy(logits, y_lb, reduction="none") * weight).sum() / weight.sum()


def unlabelled_loss(logits_s: Tensor, pseudo: Tensor, p_cutoff: float) -> Tensor:
    """FixMatch eq. 4. logits_s (batch, classes) of strong views, pseudo (batch, classes) chances from the weak side.

    A photo counts when its likeliest class reaches the cut-off; the mean is over the whole batch, so that few that count
    weigh little. No gradient flows into the pseudo-labels.
    """
    confidence, label = pseudo.detach().max(-1)
    losses = F.cross_entropy(logits_s, label, reduction="none")
    return (losses * (confidence >= p_cutoff)).mean()


def align(log_odds: Doubles, share: float) -> Doubles:
    """Log odds of a class shifted so that their mean chance is its share (distribution alignment, Berthelot et al. 2020).

    (n,) -> (n,). The shift is found by bisection, since the mean chance rises with it.
    """
    low, high = -log_odds.max() - 30.0, -log_odds.min() + 30.0
    for _ in range(60):
        shift = (low + high) / 2
        chance = 1 / (1 + np.exp(-np.clip(log_odds + shift, -60, 60)))
        low, high = (shift, high) if chance.mean() < share else (low, shift)
    return np.asarray(log_odds + (low + high) / 2)


def align_classes(logits: Doubles, shares: Doubles) -> Doubles:
    """`align` for K classes: one shift a class, so that the mean chance of each is its share. (n, K), (K,) -> (n, K).

    Class by class against all others. Two classes need it once; more are gone round, as the shift of one moves the others.
    """
    aligned = logits.copy()
    two = aligned.shape[1] == 2
    for _ in range(1 if two else ROUNDS):
        for one in range(1 if two else 0, aligned.shape[1]):
            others = logsumexp(np.delete(aligned, one, axis=1), axis=1)
            aligned[:, one] = align(aligned[:, one] - others, float(shares[one])) + others
    return aligned


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, ema_m: float) -> None:
    """ema <- ema_m * ema + (1 - ema_m) * model."""
    for averaged, current in zip(ema.parameters(), model.parameters(), strict=True):
        averaged.mul_(ema_m).add_(current, alpha=1 - ema_m)


def cosine(step: int, steps: int) -> float:
    """The paper's schedule: cos(7 pi k / 16 K)."""
    return math.cos(7 * math.pi * step / (16 * steps))


def fixmatch(
    x: Examples,
    where: Ints,
    deleted: Ints,
    views: Views,
    graph: Doubles,
    start: Linear,
    seed: int,
    config: Config | None = None,
    belief: Doubles | None = None,
) -> Linear:
    """`fixmatch_classes` for keep and delete. `graph` (n,) are label spreading's log odds of "delete"."""
    two = np.stack([-graph / 2, graph / 2], axis=1)
    return fixmatch_classes(x, where, deleted, views, two, Lines.two_sided(start), seed, config, belief).linear()


def fixmatch_classes(
    x: Examples,
    where: Ints,
    target: Ints,
    views: Views,
    graph: Doubles,
    start: Lines,
    seed: int,
    config: Config | None = None,
    belief: Doubles | None = None,
) -> Lines:
    """Train a head for K classes on labels at `where` (L,), `target` (L,) from 0 to K - 1, and on the photos that have views.

    `graph` (n, K) are label spreading's logits, found from the same labels; `belief` (L,) is what each counts.
    """
    c = config or Config()
    rng = torch.Generator().manual_seed(seed)
    look, measures = torch.from_numpy(x.look), torch.from_numpy(x.measures)
    weak, strong = torch.from_numpy(views.weak), torch.from_numpy(views.strong)
    view_of = torch.full((len(x),), -1).index_put((torch.from_numpy(views.where),), torch.arange(len(views.where)))

    lb, y = torch.from_numpy(where), torch.from_numpy(target)
    counts = torch.bincount(y, minlength=graph.shape[1]).float()
    weight = (len(y) / (len(counts) * counts.clamp(min=1)))[y] * (1.0 if belief is None else torch.from_numpy(belief).float())
    ulb = torch.from_numpy(views.where[~np.isin(views.where, where)])
    graph_logits = torch.from_numpy(align_classes(graph / c.temperature, (counts / counts.sum()).double().numpy())).float()

    model, ema, anchor = Head(start), Head(start), Head(start)
    optimizer = torch.optim.SGD(model.parameters(), lr=c.lr, momentum=c.momentum, nesterov=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine(step, c.steps))

    def draw(choices: Tensor, count: int) -> Tensor:
        return choices[torch.randint(len(choices), (count,), generator=rng)]

    def one_view(of: Tensor, photos: Tensor) -> Tensor:
        """A random view of each photo; the photo as it is where it has none."""
        row = view_of[photos]
        chosen = of[row, torch.randint(of.shape[1], (len(photos),), generator=rng)]
        return torch.where((row >= 0)[:, None], chosen, look[photos])

    for _ in range(c.steps if len(ulb) and len(lb) else 0):
        pick = torch.arange(len(lb)) if len(lb) <= c.batch else draw(torch.arange(len(lb)), c.batch)
        x_lb, y_lb = one_view(weak, lb[pick]), y[pick]
        photos = draw(ulb, c.batch * c.uratio)
        x_ulb_w, x_ulb_s = weak[view_of[photos]].mean(1), one_view(strong, photos)

        with torch.no_grad():
            own = ema(x_ulb_w, measures[photos])
            pseudo = (c.graph * graph_logits[photos] + (1 - c.graph) * own).softmax(-1)

        loss = supervised_loss(model(x_lb, measures[lb[pick]]), y_lb, weight[pick])
        loss = loss + c.lambda_u * unlabelled_loss(model(x_ulb_s, measures[photos]), pseudo, c.p_cutoff)
        loss = loss + c.pull * sum(
            (p - q.detach()).square().sum() for p, q in zip(model.parameters(), anchor.parameters(), strict=True)
        )
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        update_ema(ema, model, c.ema_m)
    return ema.lines()
