"""The views of a picture that FixMatch compares: weak ones that change nothing, strong ones that change all but the subject.

The backbone is frozen, so a view is made and embedded once and kept as features; an epoch then costs a matrix product.
As in the paper (Sohn et al. 2020, section 2.3): weak is a flip and a shift of at most an eighth, strong is RandAugment
followed by Cutout, upon a weak view.
"""

from __future__ import annotations

import torch
from torch import Tensor

from precious_daemon.learn.vision import functional, transforms

WEAK, STRONG = 2, 3  # views of each kind
_SHIFT = 8  # a shift is at most this part of the side
_RANDAUGMENT = transforms.RandAugment(num_ops=2, magnitude=10)
_CUTOUT = transforms.RandomErasing(p=1.0, scale=(0.05, 0.25), ratio=(0.5, 2.0), value=127)


def weak(picture: Tensor) -> Tensor:
    """(3, h, w) uint8 -> the same, flipped or not and shifted."""
    h, w = picture.shape[-2:]
    shift = transforms.RandomCrop((h, w), padding=[w // _SHIFT, h // _SHIFT], padding_mode="reflect")
    moved: Tensor = shift(functional.horizontal_flip(picture) if torch.rand(()) < 0.5 else picture)
    return moved


def strong(picture: Tensor) -> Tensor:
    """(3, h, w) uint8 -> the same, with two random operations and a hole."""
    changed: Tensor = _CUTOUT(_RANDAUGMENT(weak(picture)))
    return changed


def views(picture: Tensor, seed: int) -> Tensor:
    """(3, h, w) uint8 -> (WEAK + STRONG, 3, h, w). The same seed gives the same views, whatever was drawn before."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return torch.stack([weak(picture) for _ in range(WEAK)] + [strong(picture) for _ in range(STRONG)])
