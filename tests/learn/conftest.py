"""One small library for all tests of this folder: its pictures are embedded once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from precious_daemon.config import Places
from precious_daemon.learn.embed import embed
from precious_daemon.learn.limits import Deadline
from precious_daemon.store import Store
from tests.learn.library import Library, labels_of, start

torch.set_num_threads(1)  # as a child with "threads": 1


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
