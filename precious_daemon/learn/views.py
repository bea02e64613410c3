"""Makes and embeds the augmented views for FixMatch: labelled photos first, then others at random until the time is up."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import numpy as np

from precious_daemon.grouping.measures import Ints
from precious_daemon.learn.augment import WEAK, views
from precious_daemon.learn.backbone import Backbone, read_picture
from precious_daemon.learn.data import seen
from precious_daemon.learn.fixmatch import Views
from precious_daemon.learn.limits import Deadline
from precious_daemon.learn.photos import Hashes
from precious_daemon.learn.space import Space
from precious_daemon.work.jobfolder import say

MOST = 1_000  # photos: pseudo-labels of more would say the same again; about 150 ms each on 2 cores


def make_views(
    cache: sqlite3.Connection,
    hashes: Hashes,
    labelled: Ints,
    nodes: Ints,
    space: Space,
    seed: int,
    deadline: Deadline,
    most: int = MOST,
    own: Mapping[str, str] | None = None,
) -> Views:
    """Views of photos among `nodes`; positions in the result are places in `nodes`. A broken thumbnail is passed over.

    `own` is the network that the owner named, where there is one.
    """
    order = np.random.default_rng(seed).permutation(len(nodes))
    order = np.concatenate([order[np.isin(nodes[order], labelled)], order[~np.isin(nodes[order], labelled)]])
    total = min(len(order), max(most, len(labelled)))
    network = Backbone(own)
    where, weak, strong = [], [], []
    for place in order[:total]:
        if deadline.passed():
            break
        key = hashes[nodes[place]].tobytes()
        jpeg = seen(cache, key)
        try:
            shown = read_picture(jpeg) if jpeg else None
        except ValueError:
            shown = None
        if shown is not None:
            # the seed goes with the picture, so that its views are the same whichever others there are
            looks = space.look(network(views(shown, seed ^ int.from_bytes(key[:7]))).numpy())
            where.append(place)
            weak.append(looks[:WEAK])
            strong.append(looks[WEAK:])
        if len(where) % 10 == 0:
            say("imagining variations", len(where), total)
    axes = space.axes.shape[1]
    return Views(
        np.array(where, dtype=np.int64),
        np.array(weak, dtype=np.float32).reshape(len(where), -1, axes) if where else np.zeros((0, 1, axes), dtype=np.float32),
        np.array(strong, dtype=np.float32).reshape(len(where), -1, axes) if where else np.zeros((0, 1, axes), dtype=np.float32),
    )
