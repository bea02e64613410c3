"""Fixtures for every test: a home of its own, a store, a clock that only the test moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from precious_daemon.config import Places, places
from precious_daemon.store import Store


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`PRECIOUS_HOME` of this test alone."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("PRECIOUS_HOME", str(folder))
    return folder


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
    until(lambda: not [t for t in threading.enumerate() if t not in before and not t.daemon], 5, "threads were left behind")


def until(condition: Callable[[], bool], seconds: float = 10, message: str = "it did not happen") -> None:
    """Wait for a condition, and fail with the message where it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, message
        threading.Event().wait(0.02)
