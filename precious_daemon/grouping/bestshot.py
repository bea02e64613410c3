"""Which frame of a burst to keep, and why, in words.

Sharpness counts where the subject is: in the parts that are sharp in at least one frame (nobody focused on what is blurred in
all), and most in the middle. It is measured at full size where the originals were read, else on what was decoded. Then count
burnt-out and drowned areas, and what the owner likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from precious_daemon.models import Quality

CLEARLY = 0.02  # of sharpness: 20 % more variance; less is a matter of taste
CLIPPED = 0.02  # share of the picture that is burnt out or drowned, above the least of all frames, that is told
TASTE = 0.03  # weight of what the owner likes: decides between frames that are about equally sharp
EDITED = 0.95  # how much somebody likes what they edited
SPOKEN = 0.9  # of `liked`: the owner said so, more than a model can


@dataclass(frozen=True, slots=True)
class Frame:
    quality: Quality | None
    detail: NDArray[np.uint8] | None  # (parts,) sharpness at full size, see `features.detail`
    liked: float  # by the owner: 0 is as most, 1 is a lot
    edited: bool  # the owner made something of it
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class Verdict:
    order: list[int]  # the best first
    why: list[str]  # of each frame, by its place in the burst


def choose(frames: Sequence[Frame]) -> Verdict:
    sharp, clipped = _sharpness(frames), np.array([_clipped(frame.quality) for frame in frames])
    liked = np.array([EDITED if frame.edited else frame.liked for frame in frames])
    merit = sharp - clipped / 2 + TASTE * liked + 10 * (np.abs(liked) >= SPOKEN) * np.sign(liked)
    order = sorted(range(len(frames)), key=lambda i: (-merit[i], -frames[i].size, frames[i].name))
    return Verdict(order, [_why(frames, i, order[0], sharp, clipped, liked, merit) for i in range(len(frames))])


def _sharpness(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Of each frame, 0 to about 1: a difference of .1 is a factor e in the variance of its edges."""
    if all(frame.detail is not None for frame in frames):
        parts = np.array([frame.detail for frame in frames], float) / 255
        side = round(parts.shape[1] ** 0.5)
        off = np.abs(np.arange(side) - (side - 1) / 2) / (side / 2)
        middle = 1 - 0.8 * np.maximum(off[:, None], off[None, :]).ravel()  # the edge counts a fifth
        most = parts.max(0)
        subject = most >= np.quantile(most, 0.6)
        return np.asarray(parts[:, subject] @ middle[subject] / middle[subject].sum())
    return np.array([-1.0 if q is None else (q.sharpness + q.sharpest_tile) / 2 for q in (frame.quality for frame in frames)])


def _clipped(quality: Quality | None) -> float:
    return 0.0 if quality is None else quality.highlights + quality.shadows


def _why(
    frames: Sequence[Frame],
    i: int,
    best: int,
    sharp: NDArray[np.float64],
    clipped: NDArray[np.float64],
    liked: NDArray[np.float64],
    merit: NDArray[np.float64],
) -> str:
    others = [k for k in range(len(frames)) if k != i]
    if i != best:
        name = frames[best].name
        if liked[best] >= SPOKEN > liked[i]:
            return f"you prefer {name}"
        if sharp[best] - sharp[i] >= CLEARLY:
            return f"{name} is sharper"
        if clipped[i] - clipped[best] >= CLIPPED:
            return f"{name} is better exposed"
        return f"{name} is a little better" if merit[best] > merit[i] else f"as good as {name}"
    softer = sum(sharp[i] - sharp[k] >= CLEARLY for k in others)
    said = (
        ["you edited it" if frames[i].edited else "you like it best"]
        if liked[i] >= SPOKEN and liked[i] > max(liked[k] for k in others)
        else []
    )
    if softer == len(others):
        said.append(f"sharper than the {len(others)} others" if len(others) > 1 else "sharper than the other")
    elif softer:
        said.append(f"sharper than {softer} of the {len(others)} others")
    if max(clipped[k] for k in others) - clipped[i] >= CLIPPED and clipped[i] <= clipped.min() + CLIPPED / 2:
        said.append("best exposed")
    if not said and liked[i] > max(liked[k] for k in others):
        said.append("nearest to what you like")
    return "; ".join(said) or f"about as good as the others of {len(frames)}"
