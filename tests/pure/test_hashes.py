"""Near pairs of hashes are exact, and hashes of turned pictures near."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from precious_daemon.grouping import hashes
from precious_daemon.grouping.hashes import (
    FLIPPED,
    HALF,
    LEFT,
    MIRRORED,
    RIGHT,
    TRANSPOSED,
    TRANSVERSED,
    near_between,
    near_pairs,
    turned,
)
from precious_daemon.grouping.twins import TURNED_BITS
from precious_daemon.pictures.features import perceptual_hash
from tests.pure.album import scene

HASH = st.integers(0, 2**64 - 1)
T = Image.Transpose
DONE = {
    MIRRORED: T.FLIP_LEFT_RIGHT, FLIPPED: T.FLIP_TOP_BOTTOM, HALF: T.ROTATE_180, RIGHT: T.ROTATE_270, LEFT: T.ROTATE_90,
    TRANSPOSED: T.TRANSPOSE, TRANSVERSED: T.TRANSVERSE,
}  # fmt: skip


@pytest.mark.parametrize("few", [0, hashes.FEW], ids=["by bands", "one by one"])
@settings(max_examples=25, deadline=None)
@given(
    st.lists(HASH, max_size=12),
    st.lists(st.tuples(st.integers(0, 40), st.sets(st.integers(0, 63), max_size=9)), max_size=40),
    st.integers(0, 10),
    st.integers(0, 50),
)
def test_near_pairs_are_those_of_brute_force(
    few: int, seeds: list[int], offspring: list[tuple[int, set[int]]], radius: int, cut: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "FEW", few)
        check_near_pairs(seeds, offspring, radius, cut)


def check_near_pairs(seeds: list[int], offspring: list[tuple[int, set[int]]], radius: int, cut: int) -> None:
    made = [0, *seeds]
    for parent, flipped in offspring:
        made.append(made[parent % len(made)] ^ sum(1 << bit for bit in flipped))
    expected = {
        (i, j): (made[i] ^ made[j]).bit_count()
        for j in range(len(made))
        for i in range(j)
        if (made[i] ^ made[j]).bit_count() <= radius
    }
    every = np.array(made, dtype=np.uint64)
    pairs, bits = near_pairs(every, radius)
    assert len(pairs) == len(expected)
    assert dict(zip(map(tuple, pairs.tolist()), bits.tolist(), strict=True)) == expected
    cut = min(cut, len(made))
    old, new = near_pairs(every[:cut], radius)[0], near_pairs(every[cut:], radius)[0] + cut
    between = near_between(every[:cut], every[cut:], radius)[0] + [0, cut]
    assert sorted(map(tuple, [*old.tolist(), *new.tolist(), *between.tolist()])) == sorted(expected), "what comes later is added"


def test_near_pairs_are_found_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "FEW", 0)
    made = np.random.default_rng(0).integers(0, 8, 300, dtype=np.uint64)
    whole = near_pairs(made, 3)
    monkeypatch.setattr(hashes, "CHUNK", 16)
    parts = near_pairs(made, 3)
    assert sorted(map(tuple, whole[0].tolist())) == sorted(map(tuple, parts[0].tolist()))


@pytest.mark.parametrize("how", DONE)
def test_the_hash_of_a_turned_picture_is_near_the_turned_hash(how: str) -> None:
    far = []
    for number in range(12):
        before, after = (
            perceptual_hash(np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.LANCZOS)))
            for picture in (scene(number), scene(number).transpose(DONE[how]))
        )
        guess = int(turned(np.array([before], np.uint64), how)[0])
        far.append((guess ^ after).bit_count())
        assert (before ^ after).bit_count() > 12
    assert np.median(far) <= 5
    assert max(far) <= TURNED_BITS
