"""What every benchmark shares: a library to run on, figures in a table for people and one JSON line for programs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Figure:
    """One number. `goal` is a lower bound where `more` is better, an upper bound otherwise; None is for information."""

    value: float
    unit: str
    goal: float | None = None
    more: bool = False

    @property
    def ok(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.more else self.value <= self.goal


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="end within 50 s on 2 cores, on a small library")
    return parser


def say(text: str) -> None:
    """Progress, apart from the figures."""
    print(text, file=sys.stderr, flush=True)


def demo_library(folder: Path, count: int) -> Path:
    """A library of example pictures, made by a process of its own."""
    say(f"making a library of {count} pictures")
    command = [sys.executable, "-m", "precious_daemon.demo", str(folder), "--count", str(count)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    then = time.time() - 3600
    for path in folder.rglob("*"):
        os.utime(path, (then, then))  # files just written would wait to settle
    return folder


def report(bench: str, conditions: Mapping[str, object], figures: dict[str, Figure]) -> None:
    """The table, and as the last line the JSON."""
    conditions = {"machine": f"{os.cpu_count()} cores, {platform.machine()}", "python": platform.python_version(), **conditions}
    width = max(map(len, figures))
    for name, figure in figures.items():
        goal = (
            ""
            if figure.goal is None
            else f"  goal {'>=' if figure.more else '<='} {figure.goal:g}: {'met' if figure.ok else 'missed'}"
        )
        print(f"{name:{width}}  {figure.value:10.4g} {figure.unit}{goal}")
    values = {
        name: {key: value for key, value in (asdict(figure) | {"ok": figure.ok}).items() if key != "more"}
        for name, figure in figures.items()
    }
    print(json.dumps({"bench": bench, "conditions": conditions, "figures": values}))


def rss_mb(pid: int | str = "self") -> float:
    """Resident memory of a process, MB (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
