"""Fixtures for every test: a home of its own, a store, a clock that only the test moves."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from precious_daemon.config import Places, places
from precious_daemon.store import Store, schema


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`PRECIOUS_HOME` of this test alone, in memory where there is such a place; photos are on a real disk."""
    with tempfile.TemporaryDirectory(prefix="precious-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        monkeypatch.setenv("PRECIOUS_HOME", folder)
        yield Path(folder)


@pytest.fixture(scope="session", autouse=True)
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new library is a copy of one that was made by all migrations: they take 0.1 s, and most tests need a library."""
    folder, migrate = tmp_path_factory.mktemp("made"), schema.migrate
    made = Places(folder / "config.toml", folder / "data", folder / "cache", folder / "run")
    made.make()
    migrate(made)

    def copy_or_migrate(places: Places) -> None:
        for new, old in ((places.library_db, made.library_db), (places.cache_db, made.cache_db)):
            if not new.exists():
                shutil.copy(old, new)
        migrate(places)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "migrate", copy_or_migrate)
        yield


@pytest.fixture
def here(home: Path) -> Places:
    return places()


@pytest.fixture
def store(here: Places) -> Iterator[Store]:
    with Store(here) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_leaked_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    until(lambda: not [t for t in threading.enumerate() if t not in before and not t.daemon], 30, "threads were left behind")


def until(condition: Callable[[], bool], seconds: float = 10, message: str = "it did not happen", every: float = 0.02) -> None:
    """Wait for a condition, and fail with the message where it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, message
        threading.Event().wait(every)
