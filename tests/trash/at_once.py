"""One of many processes, each with a library of its own over one folder: ready, wait for a line, then send or undo all."""

from __future__ import annotations

import sys
from pathlib import Path

from precious_daemon.config import places
from precious_daemon.models import UnitState
from precious_daemon.store import Store
from tests.trash.library import Library


def main(folder: str, name: str, count: int) -> None:
    """With a count: photos of `name`, in folders of their own, go to the trash. With 0: all that is there comes back."""
    with Store(places()) as store:
        library = Library(store, places(), Path(folder))
        chosen = [library.add(f"{name}/{i}/IMG.JPG", f"{name} {i}".encode()) for i in range(count)]
        batch = library.approve(*chosen) if count else None
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        outcomes = library.apply(batch) if batch else library.undo(*library.units(UnitState.DONE))
        assert all(outcome.moved for outcome in outcomes), outcomes


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
