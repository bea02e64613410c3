"""How fast photos go to the trash, come back, and are removed for good, with every check made: units a second.

    python -m bench.delete [--quick] [--units N] [--bytes N] [--in DIR]

Each unit is a still with a companion. To move it, both are opened without following links and hashed twice (at approval and
right before the move), a record is written beside them, every folder is put on the disk, and the journal is committed with
synchronous=FULL before and after. The floor beside it does the least that a careful mover could: hash both files once, rename
them without replacing, and sync both folders.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from blake3 import blake3

from bench.common import Figure, arguments, report, say

if TYPE_CHECKING:
    from precious_daemon.store import Store

T = TypeVar("T")


def fill(store: Store, folder: Path, count: int, size: int) -> list[str]:
    """A watched folder with `count` photos that are read and suggested; the names of the suggestions."""
    from precious_daemon.folders import watched
    from precious_daemon.models import Role, Stamp, Suggestion
    from precious_daemon.store import Database, changes, suggestions

    root = watched.add_root(store, str(folder), time.time())

    def stamp(path: Path) -> Stamp:
        status = path.stat()
        return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    wanted = []
    for number in range(count):
        still, film = f"{number // 100}/IMG_{number}.JPG", f"{number // 100}/IMG_{number}.MOV"
        for name in (still, film):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(os.urandom(size // 2))
        photo = store.write(changes.add_still, root.id, still, stamp(folder / still), 0.0)
        store.write(changes.put_file, photo, root.id, film, Role.VIDEO, stamp(folder / film))
        digest = blake3((folder / still).read_bytes()).digest()
        for sql in (
            "UPDATE files SET content_hash = ? WHERE photo_id = ? AND role = 'still'",
            "UPDATE photos SET state = 'present', content_hash = ? WHERE id = ?",
        ):
            store.write(Database.execute, sql, [digest, photo])
        wanted.append(Suggestion(photo, "taste", 0.01, False, ("it is blurred",)))
    return store.write(suggestions.put_open, 1, "bench", wanted, 0.0)


def floor(folder: Path, count: int) -> None:
    """Hash, rename, sync: what is left if nothing is written down and nothing is checked again."""
    away = folder / "away"
    away.mkdir()
    for number in range(count):
        for suffix in ("JPG", "MOV"):
            path = folder / f"{number // 100}/IMG_{number}.{suffix}"
            with path.open("rb") as file:
                blake3(file.read()).digest()
            os.rename(path, away / path.name)
        for place in (path.parent, away):
            descriptor = os.open(place, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
    for path in away.iterdir():
        path.rename(folder / f"{int(path.stem[4:]) // 100}" / path.name)


def timed(what: str, action: Callable[[], T]) -> tuple[float, T]:
    say(what)
    began = time.perf_counter()
    result = action()
    return time.perf_counter() - began, result


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--units", type=int, help="how many; 2,000, or 200 with --quick")
    parser.add_argument("--bytes", type=int, default=4_000_000, help="of both files of a unit")
    parser.add_argument("--in", dest="place", help="where to make the photos; the folder for temporary files")
    given = parser.parse_args()
    count = given.units or (200 if given.quick else 2000)
    home = Path(tempfile.mkdtemp(prefix="delete-", dir=given.place))
    os.environ["PRECIOUS_HOME"] = str(home / "home")
    from precious_daemon import config
    from precious_daemon.store import Store, units
    from precious_daemon.trash import Trash

    settings = config.parse({"trash": {"batch": 100_000, "daily_percent": 100.0, "purge_days": 30}})
    folder = home / "photos"
    folder.mkdir()
    now = time.time()
    try:
        with Store(config.places()) as store:
            say(f"making {count:,} photos of {given.bytes / 1e6:g} MB")
            names = fill(store, folder, count, given.bytes)
            least, _ = timed("floor", lambda: floor(folder, count))
            trash = Trash(store, config.places(), settings, lambda: now)
            approving, batch = timed("approve", lambda: asyncio.run(trash.approve(1, names)))
            moving, outcomes = timed("move", lambda: asyncio.run(trash.apply(batch, count)))
            assert all(outcome.moved for outcome in outcomes), [o.message for o in outcomes if not o.moved][:3]
            gone = [outcome.unit.uid for outcome in outcomes]
            restoring, _ = timed("undo", lambda: asyncio.run(trash.undo(gone)))
            again = fill_again(store)
            asyncio.run(trash.apply(asyncio.run(trash.approve(1, again)), count))
            for _ in range(32):
                now += 86400
                store.write(units.note_day, now)
            purging, outcomes = timed("remove for good", lambda: asyncio.run(trash.purge(count)))
            assert sum(outcome.moved for outcome in outcomes) == count
    finally:
        shutil.rmtree(home)
    report(
        "delete",
        {"units": count, "MB a unit": given.bytes / 1e6, "load average": f"{os.getloadavg()[0]:.1f}"},
        {
            "approve": Figure(count / approving, "units/s"),
            "move to the trash": Figure(count / moving, "units/s"),
            "both, against hash + rename + sync": Figure((approving + moving) / least, "x floor"),
            "put back": Figure(count / restoring, "units/s"),
            "remove for good": Figure(count / purging, "units/s"),
        },
    )


def fill_again(store: Store) -> list[str]:
    """The same photos, suggested once more after they came back."""
    from precious_daemon.models import Suggestion
    from precious_daemon.store import suggestions

    store.write(lambda db: db.execute("UPDATE suggestions SET state = 'withdrawn'"))
    ids = store.read(lambda db: [row[0] for row in db.execute("SELECT id FROM photos WHERE state = 'present'")])
    wanted = [Suggestion(photo, "taste", 0.01, False, ("it is blurred",)) for photo in ids]
    return store.write(suggestions.put_open, 1, "bench again", wanted, 1.0)


if __name__ == "__main__":
    main()
