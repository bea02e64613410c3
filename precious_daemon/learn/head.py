"""A model in its file, and what it makes of a photo: everything after the network, as one small module of torch.

The file is safetensors, which holds numbers and nothing that runs; no other kind is read. The module gives what the night
gave, for photos that it has never seen: `night.everywhere` in one formula. Only the photos of the graph itself, when label
spreading has a say, were scored by the graph, and here go by their nearest neighbours in it as all others do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn

from precious_daemon.grouping.measures import DEVIATIONS, MEASURES, Floats
from precious_daemon.learn.baseline import GRAPH_AXES, NEIGHBOURS, Linear, Platt, coordinates, mean_length
from precious_daemon.learn.champion import ORDER, Field
from precious_daemon.learn.limits import Refused
from precious_daemon.learn.numbers import read_safetensors
from precious_daemon.learn.space import Examples, Space

CLASSES = "delete,keep"
_LINEAR = {"regression": "regression", "fixmatch": "fixmatch", "mean_rank": "fixmatch"}
_GRAPH = ("label_spreading", "mean_rank")


# --- the file ----------------------------------------------------------------------------------------------------------


def tensors(space: Space, nodes: Examples, field: Field, champion: str, scale: Platt, liking: Linear) -> dict[str, Floats]:
    """Everything that scores a photo: the space, the champion's weights or nodes, its calibration, the preference."""
    found: dict[str, Floats] = {
        "space.centre": space.centre, "space.axes": space.axes, "space.middle": space.middle, "space.spread": space.spread,
        "calibration": np.array([scale.slope, scale.offset], dtype=np.float32),
        **liking.tensors("taste"),
    }  # fmt: skip
    if champion in _LINEAR:
        found |= field.linear[_LINEAR[champion]].tensors(_LINEAR[champion])
    if champion in _GRAPH:
        length, weight = mean_length(nodes), field.spread.weight
        found["nodes.coordinates"] = coordinates(nodes, weight, length)
        found["nodes.log_odds"] = field.spread.logits.astype(np.float32)
        found["nodes.scale"] = np.array([length, weight], dtype=np.float32)
    if champion == "mean_rank":
        for name in ("fixmatch", "label_spreading"):
            found[f"ranks.{name}"] = np.sort(field.scores[name]).astype(np.float32)
    return found


def save(file: Path, found: Mapping[str, Floats], about: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    part = file.with_name(file.name + ".part")
    metadata = {name: str(value) for name, value in about.items()} | {"classes": CLASSES}
    save_file({name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in found.items()}, part, metadata)
    part.replace(file)


def load(file: Path, backbone: str) -> Head:
    """The model in a file. Raises Refused where it is none, or was taught on the features of another network."""
    stored = read_safetensors(file)
    champion, taught_on = stored.about.get("champion", ""), stored.about.get("backbone", "")
    if champion not in ORDER or stored.about.get("classes") != CLASSES:
        raise Refused(f"{file.name} holds no model of this program: it does not say which of {', '.join(ORDER)} it is.")
    if taught_on != backbone:
        raise Refused(f"{file.name} was taught on the features of {taught_on}, and this library has those of {backbone}.")
    missing = sorted(set(_wanted(champion)) - set(stored.tensors))
    if missing:
        raise Refused(f"{file.name} lacks {missing[0]}: an earlier version made it. The next night's model has it.")
    numbers = [name for name in stored.about.get("numbers", "").split(",") if name]
    if len(stored.tensors["space.middle"]) != MEASURES + len(numbers):
        raise Refused(
            f"{file.name} was taught with numbers that plugins gave, and does not say which. The next night's model does."
        )
    head = Head(champion, stored.tensors)
    head.numbers = numbers
    try:
        with torch.inference_mode():
            said = head(torch.zeros(2, len(head.centre)), torch.zeros(2, MEASURES + len(numbers)))
    except (RuntimeError, IndexError) as exc:
        raise Refused(f"The tensors of {file.name} do not fit together ({str(exc).splitlines()[0]}).") from exc
    if not all(torch.isfinite(part).all() for part in said):
        raise Refused(f"{file.name} gives no numbers.")
    return head


def _wanted(champion: str) -> list[str]:
    names = ["space.centre", "space.axes", "space.middle", "space.spread", "calibration", "taste.look", "taste.measures",
             "taste.offset"]  # fmt: skip
    if champion in _LINEAR:
        names += [f"{_LINEAR[champion]}.{part}" for part in ("look", "measures", "offset")]
    if champion in _GRAPH:
        names += ["nodes.coordinates", "nodes.log_odds", "nodes.scale"]
    return names + (["ranks.fixmatch", "ranks.label_spreading"] if champion == "mean_rank" else [])


# --- what it makes of a photo ------------------------------------------------------------------------------------------


class Head(nn.Module):
    """Features of the network (n, F) and raw measures (n, m), NaN where unknown -> keep and taste, (n,) each.

    The measures are MEASURES of the program's, and then `numbers`, by name, of the plugins that were there when it was taught.
    """

    centre: Tensor  # (F,)
    axes: Tensor  # (F, axes)
    middle: Tensor  # (MEASURES,)
    slant: Tensor  # (MEASURES,): one over the spread

    def __init__(self, champion: str, found: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.champion = champion
        self.numbers: list[str] = []
        self._linear = _LINEAR.get(champion, "")
        for name in _wanted(champion):
            self.register_buffer(_plain(name), found[name].float())
        spread = found["space.spread"].float()
        self.limit = DEVIATIONS / math.sqrt(max(int(torch.isfinite(spread).sum()), 1))
        self.register_buffer("slant", torch.where(torch.isfinite(spread), 1 / spread, 0.0))  # what never varied has no say
        self.register_buffer("centre", found["space.centre"].float())
        self.register_buffer("axes", found["space.axes"].float())
        self.register_buffer("middle", found["space.middle"].float())

    def forward(self, features: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        look = (features.clamp(min=0).sqrt() - self.centre) @ self.axes
        known = torch.where(torch.isnan(raw), self.middle, raw)
        measures = ((known - self.middle) * self.slant).clamp(-self.limit, self.limit)
        slope, offset = self.get_buffer("calibration")
        logit = slope * self._score(look, measures) + offset
        return torch.sigmoid(-logit), -logit + self._line("taste", look, measures)

    def _line(self, name: str, look: Tensor, measures: Tensor) -> Tensor:
        """`baseline.Linear` of that name."""
        side = look @ self.get_buffer(f"{name}_look") + measures @ self.get_buffer(f"{name}_measures")
        return side + self.get_buffer(f"{name}_offset")

    def _score(self, look: Tensor, measures: Tensor) -> Tensor:
        """Log odds of "delete" by the champion, not yet calibrated."""
        if self.champion == "label_spreading":
            return self._by_neighbours(look, measures)
        linear = self._line(self._linear, look, measures)
        if self.champion != "mean_rank":
            return linear
        near, known = self._by_neighbours(look, measures), self.get_buffer("ranks_label_spreading")
        ranks = (_rank(self.get_buffer("ranks_fixmatch"), linear) + _rank(known, near)) / 2
        return torch.logit(ranks.clamp(0.5 / len(known), 1 - 0.5 / len(known)))

    def _by_neighbours(self, look: Tensor, measures: Tensor) -> Tensor:
        """The mean of the 15 nodes that look most alike, each by its cosine."""
        length, weight = self.get_buffer("nodes_scale")
        log_odds = self.get_buffer("nodes_log_odds")
        rows = torch.cat([look[:, :GRAPH_AXES] / length, weight * measures], dim=1)
        rows = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-9)
        near = (rows @ self.get_buffer("nodes_coordinates").T).topk(min(NEIGHBOURS, len(log_odds)), dim=1)
        pull = near.values.clamp(min=1e-6)
        found: Tensor = (log_odds[near.indices] * pull).sum(1) / pull.sum(1)
        return found


def _rank(known: Tensor, scores: Tensor) -> Tensor:
    """Share of the known scores that lie below: `searchsorted`, in operations that every format has."""
    return (known[None, :] < scores[:, None]).float().mean(1)


def _plain(name: str) -> str:
    return name.replace(".", "_")
