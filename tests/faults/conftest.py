from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.process import ServiceProcess
from tests.faults.disks import Disk, small_memory, unmount

ROOT = sys.platform == "linux" and os.geteuid() == 0


@pytest.fixture(autouse=True)
def _may_mount() -> None:
    if not ROOT:
        pytest.skip("mounting file systems needs root on Linux")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk.img", tmp_path / "disk")
    yield made
    made.close()


@pytest.fixture
def little(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    path = tmp_path / "little"
    small_memory(path, 8)
    yield path
    unmount(path)


@pytest.fixture
def services() -> Iterator[list[ServiceProcess]]:
    """Services that a test has started: none outlives it."""
    started: list[ServiceProcess] = []
    yield started
    for service in started:
        if hasattr(service, "process"):
            service.close()
