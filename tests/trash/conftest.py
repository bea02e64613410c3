from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from precious_daemon.config import Places
from precious_daemon.store import Store
from tests.trash.library import Library


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`PRECIOUS_HOME` in memory where there is such a place: the photos are on a real disk, and that is what is tested."""
    with tempfile.TemporaryDirectory(prefix="precious-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        monkeypatch.setenv("PRECIOUS_HOME", folder)
        yield Path(folder)


@pytest.fixture
def library(store: Store, here: Places, tmp_path: Path) -> Library:
    return Library(store, here, tmp_path / "photos")
