"""The map of a library: every cluster a disc, alike ones near each other, and its photos packed in it around the centre.

Centres are laid out by t-SNE (van der Maaten and Hinton 2008) of so few points that it takes a second, from a fixed start; then
discs are pushed apart. In a disc a photo's way from the middle is its rank by distance to the centre, and its direction that of
its two main components there: so neighbours are alike, and no two lie on each other.

A map of a million is looked at through levels: at level l it is a grid of 4 * 2^l cells a side, and a photo appears at the first
level at which it is the nearest to its centre in a cell that is still free, or at the last one, where each has its own place.
So a window holds a few hundred photos, whatever there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from precious_daemon.grouping.cluster.kmeans import Indexes, Points

Floats = NDArray[np.floating[Any]]

CELLS = 4  # of a tile, a side
DEEPEST = 14
ROOM = 1.12  # radius of a disc, for what its photos need: some more may come
WIDE = 1.5  # a window is wider than high
PUSHES = 400


@dataclass(frozen=True, slots=True)
class Layout:
    """`x`, `y` (n,) of photos in 0..1, `level` (n,) at which each appears; `discs` (k, 3): x, y and radius of clusters; `unit`
    lies between photos that are beside each other."""

    x: Points
    y: Points
    level: Indexes
    discs: Points
    unit: float


def lay_out(points: Points, assignment: Indexes, distance: Points, centres: Points, seed: int) -> Layout:
    """Place points (n, d), each with its cluster and its distance to that cluster's centre; centres (k, d). Deterministic."""
    k = len(centres)
    sizes = np.bincount(assignment, minlength=k)
    radius = (np.sqrt(sizes / 3) + 0.5) * ROOM
    with threadpool_limits(1):
        middle = _apart(_projected(centres, seed), radius)
        place = np.zeros((len(points), 2))
        rank = np.zeros(len(points))
        order = np.argsort(assignment, kind="stable")
        for c, members in enumerate(np.split(order, np.searchsorted(assignment[order], np.arange(1, k)))):
            members = members[np.argsort(distance[members], kind="stable")]
            place[members] = middle[c] + _packed(_direction(points[members] - centres[c]))
            rank[members] = np.arange(len(members))
    low, high = (middle - radius[:, None]).min(0), (middle + radius[:, None]).max(0)
    side = float((high - low).max())
    shift = (side - (high - low)) / 2 - low
    place = np.clip((place + shift) / side, 0, 0.9999999).astype(np.float32)  # as it is kept: cells are told by that
    depth = min(DEEPEST, max(0, int(np.ceil(np.log2(side / CELLS)))))
    discs = np.column_stack([(middle + shift) / side, radius / side]).astype(np.float32)
    x, y = place.T
    return Layout(x, y, _levels(place, rank, depth), discs, 1 / side)


def places_in(disc: Floats, taken: int, count: int) -> Points:
    """(count, 2) places for photos that come later into a disc of (x, y, radius) that holds `taken`: around the others."""
    unit = disc[2] / ((np.sqrt(taken / 3) + 0.5) * ROOM)
    found = disc[:2] + _rings(np.arange(taken, taken + count), np.full(count, np.nan)) * unit
    return np.asarray(np.clip(found, 0, 0.9999999), dtype=np.float32)


def _projected(centres: Points, seed: int) -> Floats:
    """(k, 2) of about unit spread."""
    k = len(centres)
    flat: Floats = (centres - centres.mean(0)) @ _axes(centres).T
    flat = flat / max(float(flat.std()), 1e-9)
    if k > 4:
        start = (flat * 1e-4).astype(np.float32)
        flat = TSNE(perplexity=min(15.0, (k - 1) / 3), init=start, random_state=seed, max_iter=500).fit_transform(centres)
    flat = flat - flat.mean(0)
    unit: Floats = flat / np.maximum(flat.std(0), 1e-9)
    return unit


def _apart(flat: Floats, radius: Floats) -> Floats:
    """(k, 2) centres of discs that do not overlap: pulled to the middle, pushed off each other."""
    k = len(flat)
    spread = np.sqrt((np.pi * radius**2).sum()) * 0.5
    place: Floats = flat.astype(np.float64) * spread * [WIDE**0.5, WIDE**-0.5]
    place += np.column_stack([np.cos(np.arange(k)), np.sin(np.arange(k))]) * 1e-3  # no two in one place
    near = radius[:, None] + radius[None]
    for step in range(2 * PUSHES):
        if step < PUSHES:
            place *= [0.985, 0.975]
        gap = place[:, None] - place[None]
        far = np.sqrt(np.square(gap).sum(2))
        np.fill_diagonal(far, np.inf)
        over = np.maximum(near - far, 0)
        if step >= PUSHES and not over.any():
            break
        share = near.diagonal()[None] / near / 2  # the smaller one gives way
        place += (gap / far[..., None] * (over * share * 1.02)[..., None]).sum(1)
    return place


def _direction(rows: Points) -> Points:
    """(n,) angle of each on the two main components of all; from a sample where there are many."""
    if len(rows) < 3:
        return np.zeros(len(rows), np.float32)
    sample = rows[:: max(1, len(rows) // 2_000)]
    flat = rows @ _axes(sample).T
    return np.asarray(np.arctan2(flat[:, 1], flat[:, 0]), dtype=np.float32)


def _axes(rows: Points) -> Floats:
    """(2, d) of the most variance, each turned so that its largest part is positive; zeros where there is none."""
    _, _, axes = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    axes = np.pad(axes[:2], ((0, 2 - len(axes[:2])), (0, 0)))
    largest = axes[np.arange(2), np.abs(axes).argmax(1)]
    return np.asarray(axes * np.where(largest < 0, -1, 1)[:, None])


def _packed(angle: Floats) -> Floats:
    """(n, 2) places by rank: a middle, and rings of 6, 12, 18, ... around it, each in the order of the angles."""
    return _rings(np.arange(len(angle)), angle)


def _rings(rank: Indexes, angle: Floats) -> Floats:
    ring = np.floor((np.sqrt(12.0 * rank - 3, where=rank > 0, out=np.full(len(rank), -3.0)) + 3) / 6).astype(np.int64)
    first = np.where(ring > 0, 1 + 3 * ring * (ring - 1), 0)
    order = np.lexsort((angle, ring)) if not np.isnan(angle).any() else np.arange(len(rank))
    spot = np.zeros(len(rank))
    spot[order] = (rank - first)[np.lexsort((rank, ring))]
    turn = 2 * np.pi * (spot + 0.5) / np.maximum(6 * ring, 1) - np.pi
    return np.column_stack([ring * np.cos(turn), ring * np.sin(turn)])


def _levels(place: Floats, rank: Floats, depth: int) -> Indexes:
    """(n,) the first level at which each photo has a cell to itself; at the last one all that are left."""
    level = np.full(len(place), depth, np.int64)
    waiting = np.argsort(rank, kind="stable")
    shown = np.zeros(0, np.int64)
    for at in range(depth):
        side = CELLS << at
        cell = np.floor(place * np.float32(side)).astype(np.int64) @ np.array([1, side])
        free = waiting[~np.isin(cell[waiting], cell[shown])]
        new = free[np.unique(cell[free], return_index=True)[1]]
        level[new] = at
        shown = np.concatenate([shown, new])
        waiting = waiting[level[waiting] == depth]
    return level
