"""One small library for all tests of this folder: its pictures are embedded once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from precious_daemon.config import Places
from precious_daemon.learn import fixmatch, views
from precious_daemon.learn.backbone import Backbone
from precious_daemon.learn.embed import embed
from precious_daemon.learn.limits import Deadline
from precious_daemon.store import Store
from tests.learn.library import Library, labels_of, start

torch.set_num_threads(1)  # as a child with "threads": 1


class Remembering(Backbone):
    """What the network sees in a picture is worked out once for all tests of this folder."""

    seen: ClassVar[dict[tuple[str, bytes], Tensor]] = {}

    def __call__(self, pictures: Tensor) -> Tensor:
        key = self.name, hashlib.sha256(pictures.numpy().tobytes()).digest()
        if key not in self.seen:
            self.seen[key] = super().__call__(pictures)
        return self.seen[key]


@pytest.fixture(scope="session", autouse=True)
def _remembering() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "Backbone", Remembering)
        yield


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """FixMatch as ever, for a fifth as long: for tests of what is around it."""
    monkeypatch.setattr(fixmatch, "Config", partial(fixmatch.Config, steps=40))


def new_library(folder: Path, count: int) -> Library:
    here = Places(folder / "config.toml", folder / "data", folder / "cache", folder / "run")
    with Store(here):
        pass
    library = Library(here, count)
    library.fill()
    return library


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """36 photos, a third of them junk, with their features in the cache. Read only."""
    library = new_library(tmp_path_factory.mktemp("embedded"), 36)
    job = library.embed_job()
    assert embed(job, {"cache_db": str(library.places.cache_db), "backbone": "efficientnet-lite2-260"}, Deadline(None, 0))
    library.keep_embeddings(job)
    return library


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """12 photos that nobody has looked at yet."""
    return new_library(tmp_path, 12)


@pytest.fixture(scope="session")
def learnt(embedded: Library) -> Path:
    """The results of a whole child on 16 training and 12 test labels."""
    folder = embedded.learn_job("whole", labels_of(embedded))
    process = start(folder)
    out, err = process.communicate(timeout=200)
    assert (process.returncode, err) == (0, "")
    said = [json.loads(line) for line in out.splitlines()]
    assert {word["what"] for word in said} >= {"comparing photos", "imagining variations", "trying the learners"}
    return folder
