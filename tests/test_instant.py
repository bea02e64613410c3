"""The model for now: each answer is followed by what it makes of all of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from precious_daemon.asking.instant import Instant
from precious_daemon.models import Choice, Question
from precious_daemon.store import Database, Store, answers
from precious_daemon.suggesting import people
from tests.learn.library import content_hash

JOB = {"backbone": "some-network", "seed": 0}


def fill(db: Database, count: int) -> None:
    """Photos of two looks: those of even number are of the kind that the owner lets go."""
    import struct

    rng = random.Random(0)
    root = db.execute("INSERT INTO roots (path, marker, state, added_at) VALUES (?, ?, ?, 0)", [b"/p", "m", "watched"]).lastrowid
    for n in range(1, count + 1):
        vector = [(3.0 if (i < 8) == (n % 2 == 0) else 0.5) + rng.random() for i in range(16)]
        db.execute(
            "INSERT INTO photos (id, uid, root_id, path, state, content_hash, perceptual_hash, width, height, format, size, "
            "added_at, changed_at) VALUES (?, ?, ?, ?, 'present', ?, ?, 40, 30, 'JPEG', 1000, 0, 0)",
            [n, f"{n:032x}", root, f"{n}.jpg".encode(), content_hash(n), n],
        )
        blob = struct.pack("<16e", *vector)
        db.execute("INSERT INTO cache.embeddings VALUES (?, ?, ?)", [content_hash(n), JOB["backbone"], blob])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    from precious_daemon.config import Places

    places = Places(tmp_path / "config.toml", tmp_path / "data", tmp_path / "cache", tmp_path / "run")
    with Store(places) as opened:
        await opened.awrite(fill, 60)
        yield opened


@pytest.fixture
async def instant(store: Store, tmp_path: Path) -> AsyncIterator[Instant]:
    from precious_daemon.config import Places

    places = Places(tmp_path / "config.toml", tmp_path / "data", tmp_path / "cache", tmp_path / "run")

    async def job() -> dict[str, object]:
        return JOB | {"cache_db": str(places.cache_db)}

    followed = Instant(store, places, job, idle=5.0)
    yield followed
    await followed.stop()


async def label(store: Store, number: int, keep: bool, voter_id: int = 1) -> None:
    choice = Choice.KEEP if keep else Choice.DELETE
    await store.awrite(answers.add, voter_id, Question.LABEL, choice, number, None, "train", time.time())


async def test_each_answer_is_followed_within_a_second(store: Store, instant: Instant) -> None:
    await label(store, 1, True)
    instant.answered(1)
    await instant.settled()
    assert instant.guess(1) is None, "one answer tells no difference"
    for number in (2, 3, 4):
        await label(store, number, number % 2 == 1)
    instant.answered(1)
    await instant.settled()
    await label(store, 5, True)
    began = time.perf_counter()
    instant.answered(1)
    await instant.settled()
    assert time.perf_counter() - began < 1.0
    second = instant.guess(1)
    assert second
    assert (second.answers, second.photos, second.to_go) == (5, 60, 28)
    assert all(number % 2 == 0 for number in second.sure)
    assert second.ask
    assert not {1, 2, 3, 4, 5} & set(second.ask)
    instant.forget(1)
    assert instant.guess(1) is None


async def test_the_helper_ends_when_nobody_answers_and_starts_again(store: Store, instant: Instant, tmp_path: Path) -> None:
    instant._idle = 0.2
    for number in (1, 2, 3, 4):
        await label(store, number, number % 2 == 1)
    for _ in range(2):
        instant.answered(1)
        task = instant._task
        assert task
        await asyncio.wait_for(task, 60)
        assert instant.guess(1)
        instant.forget(1)
    assert not list((tmp_path / "cache" / "jobs").glob("instant-*"))


async def test_two_people_who_answer_at_once_both_have_a_model(store: Store, instant: Instant) -> None:
    anna = (await store.awrite(people.add, "Anna", 1.0)).id
    for number in (1, 2, 3, 4):
        await label(store, number, number % 2 == 1)
        await label(store, number, number % 2 == 0, anna)
    instant.answered(1)
    instant.answered(anna)
    await instant.settled()
    mine, hers = instant.guess(1), instant.guess(anna)
    assert mine
    assert hers
    assert {number % 2 for number in mine.sure} == {0}
    assert {number % 2 for number in hers.sure} == {1}
