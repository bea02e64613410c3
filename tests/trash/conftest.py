from __future__ import annotations

from pathlib import Path

import pytest

from precious_daemon.config import Places
from precious_daemon.store import Store
from tests.trash.library import Library


@pytest.fixture(autouse=True)
def _no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From here on, photos go to the trash of the desktop, which is this one: on the disk of the photos, as it has to be."""
    (tmp_path / "share").mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path / "share" / "Trash"


@pytest.fixture(params=["own", "desktop"])
def either(request: pytest.FixtureRequest) -> str:
    """A test that holds for both trashes. Ask for it before `library`."""
    if request.param == "desktop":
        request.getfixturevalue("desktop")
    return str(request.param)


@pytest.fixture
def library(store: Store, here: Places, tmp_path: Path) -> Library:
    return Library(store, here, tmp_path / "photos")
