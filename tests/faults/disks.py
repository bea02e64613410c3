"""Real file systems that come, go, fill up and lose power: loop devices and tmpfs."""

from __future__ import annotations

import array
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import until

_EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), linux/fs/ext4/ext4.h
_NO_LOG_FLUSH = 2


MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-m", "0"],
    "btrfs": ["mkfs.btrfs", "-q"],
    "vfat": ["mkfs.vfat"],
}


class Missing(Exception):
    """This machine has no such file system."""


class Disk:
    """A file system in a file, mounted at `path`. Missing where this machine has none of this kind."""

    def __init__(self, image: Path, path: Path, megabytes: int = 64, kind: str = "ext4") -> None:
        self.image, self.path = image, path
        path.mkdir(exist_ok=True)
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        if shutil.which(MAKE[kind][0]) is None:
            raise Missing(f"{MAKE[kind][0]} is not installed")
        _run(*MAKE[kind], str(image))
        done = subprocess.run(["mount", "-o", "loop", str(image), str(path)], capture_output=True, text=True, check=False)
        if "unknown filesystem type" in done.stderr:
            raise Missing(f"this kernel has no {kind}; tests/faults/uml.py has others")
        assert done.returncode == 0, done.stderr

    def mount(self, options: str = "") -> None:
        _run("mount", "-o", "loop" + (f",{options}" if options else ""), str(self.image), str(self.path))

    def remount(self, options: str) -> None:
        _run("mount", "-o", f"remount,{options}", str(self.path))

    def unmount(self) -> None:
        """Now, whoever has files open on it."""
        _run("umount", "-l", str(self.path))

    def cut_the_power(self) -> None:
        """As if the plug were pulled: nothing more reaches the disk, not even what its journal holds back."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _EXT4_IOC_SHUTDOWN, array.array("I", [_NO_LOG_FLUSH]))
        finally:
            os.close(descriptor)

    def power_up(self) -> None:
        """The machine starts again: the file system is mounted anew, and its journal replayed."""
        _run("umount", str(self.path))
        self.mount()

    def close(self) -> None:
        while os.path.ismount(self.path):
            self.unmount()
        self.image.unlink()


class Passing:
    """A file system that cannot rename without replacing, mounted at `path` over `folder`: see tests/faults/passing.py."""

    def __init__(self, folder: Path, path: Path) -> None:
        self.path = path
        for place in (folder, path):
            place.mkdir(exist_ok=True)
        self._process = subprocess.Popen([sys.executable, "-m", "tests.faults.passing", str(folder), str(path)])
        until(lambda: os.path.ismount(path) or self._process.poll() is not None)

    def close(self) -> None:
        _run("umount", "-l", str(self.path))
        self._process.wait(10)


class Fat(Passing):
    """FAT by the driver fusefat, which cannot do it either. Missing where that is not installed."""

    def __init__(self, folder: Path, path: Path) -> None:
        self.path, image = path, folder.with_suffix(".img")
        path.mkdir()
        if not all(map(shutil.which, ("mkfs.vfat", "fusefat"))):
            raise Missing("fusefat or mkfs.vfat is not installed")
        with image.open("wb") as file:
            file.truncate(64 << 20)
        _run("mkfs.vfat", str(image))
        self._process = subprocess.Popen(
            ["fusefat", "-f", "-o", "rw+", str(image), str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: os.path.ismount(path))


def small_memory(path: Path, megabytes: int) -> None:
    """Mount a tmpfs of this size."""
    path.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path))


def bind(what: Path, where: Path) -> None:
    """The same file system once more, somewhere else."""
    where.mkdir(parents=True, exist_ok=True)
    _run("mount", "--bind", str(what), str(where))


def unmount(path: Path) -> None:
    _run("umount", "-l", str(path))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)
