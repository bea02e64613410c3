"""A small real library for the tests of the trash: a folder with photos, a store, and a trash over both."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3

from precious_daemon.config import Places, Settings, parse
from precious_daemon.models import Photo, PhotoState, Role, Root, Stamp, Suggestion, SuggestionState, Unit, UnitState
from precious_daemon.store import Store, answers, changes, photos, roots, suggestions, units
from precious_daemon.trash import Outcome, Trash
from precious_daemon.trash.gate import MARKER
from precious_daemon.trash.moves import Disk
from precious_daemon.trash.records import TRASH

NOON = 1_800_000_000.0
_ROOMY = {"trash": {"batch": 1000, "daily_percent": 100.0, "purge_days": 30}}
ROOMY = parse(_ROOMY)
DESKTOP = parse(_ROOMY | {"plugins": {"enabled": ["trash"]}})
DATA_HOME = "XDG_DATA_HOME"  # where it is set, photos go to the trash of the desktop that is in it


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Library:
    """`add` photos, `suggest` them, `approve` and `apply`; `contents` is every byte sequence on the disk and where."""

    def __init__(
        self, store: Store, places: Places, folder: Path, settings: Settings | None = None, disk: Disk | None = None
    ) -> None:
        settings = settings or (DESKTOP if DATA_HOME in os.environ else ROOMY)
        self.store, self.places, self.settings = store, places, settings
        self.clock = Clock()
        self.folder = folder
        self.trash = Trash(store, places, settings, self.clock, disk)
        known = [root for root in store.read(roots.all_roots) if root.path == str(folder)]
        self.root = known[0] if known else self.add_root(folder)

    def add_root(self, folder: Path, marker: str | None = "0123456789abcdef") -> Root:
        folder.mkdir(exist_ok=True)
        if marker and not (folder / MARKER).exists():
            (folder / MARKER).write_text(marker + "\n")
        return self.store.write(roots.add, str(folder), marker, folder.stat().st_dev, self.clock())

    def add(self, name: str, content: bytes, *companions: str, root: Root | None = None) -> Photo:
        """A present photo with companions, whose content is that of the still and their name."""
        root = root or self.root
        base = Path(root.path)
        for each, data in [(name, content), *((c, content + os.fsencode(c)) for c in companions)]:
            (base / each).parent.mkdir(parents=True, exist_ok=True)
            (base / each).write_bytes(data)
        return self.know(name, *companions, root=root)

    def know(self, name: str, *companions: str, root: Root | None = None) -> Photo:
        root = root or self.root
        base = Path(root.path)
        photo_id = self.store.write(changes.add_still, root.id, name, stamp(base / name), self.clock())
        for companion in companions:
            role = Role.SIDECAR if companion.lower().endswith((".xmp", ".aae")) else Role.VIDEO
            self.store.write(changes.put_file, photo_id, root.id, companion, role, stamp(base / companion))
        self.read(photo_id, base / name)
        return self.photo(photo_id)

    def read(self, photo_id: int, file: Path) -> None:
        """What ingest does, as far as it matters here."""
        digest = blake3(file.read_bytes()).digest()
        sql = "UPDATE files SET content_hash = ? WHERE photo_id = ? AND role = 'still'"
        self.store.write(lambda db: db.execute(sql, [digest, photo_id]))
        sql = "UPDATE photos SET state = 'present', content_hash = ? WHERE id = ?"
        self.store.write(lambda db: db.execute(sql, [digest, photo_id]))

    def photo(self, photo_id: int) -> Photo:
        return self.store.read(photos.get, photo_id)

    def suggest(self, *chosen: Photo, kind: str = "taste", keeper: Photo | None = None, certified: bool = False) -> list[str]:
        """Add open suggestions, and return their names."""
        known = {r.photo.id: r.suggestion for r in self.store.read(suggestions.page, 1)}
        known |= {p.id: Suggestion(p.id, kind, 0.01, certified, ("it is blurred",), keeper and keeper.id) for p in chosen}
        self.store.write(suggestions.replace_open, 1, "run", list(known.values()), self.clock())
        states = SuggestionState.OPEN, SuggestionState.APPROVED
        names = {row.photo.id: row.uid for state in states for row in self.store.read(suggestions.page, 1, state)}
        return [names[p.id] for p in chosen]

    def approve(self, *chosen: Photo, kind: str = "taste", keeper: Photo | None = None) -> str:
        return asyncio.run(self.trash.approve(1, self.suggest(*chosen, kind=kind, keeper=keeper)))

    def apply(self, batch: str, count: int | None = None, dry_run: bool = False) -> list[Outcome]:
        return asyncio.run(self.trash.apply(batch, count, dry_run))

    def send(self, *chosen: Photo) -> list[Unit]:
        """Approve and apply; all have to go."""
        outcomes = self.apply(self.approve(*chosen))
        assert all(o.moved for o in outcomes), outcomes
        return [o.unit for o in outcomes]

    def undo(self, *chosen: Unit) -> list[Outcome]:
        return asyncio.run(self.trash.undo([unit.uid for unit in chosen]))

    def recover(self) -> list[str]:
        return asyncio.run(self.trash.recover())

    def root_now(self) -> Root:
        return self.store.read(roots.get, self.root.id)

    def contents(self) -> dict[str, list[str]]:
        """Digest of every file of the owner to the paths it is at, those in the trash of the desktop too."""
        return everything(self.folder)

    def trashed(self, unit: Unit) -> list[Path]:
        """Where the files of a unit are, while it is in the trash."""
        return [Path(unit.place or self.folder) / (f.trash_path or "") for f in unit.files]

    def units(self, *states: UnitState) -> list[Unit]:
        return self.store.read(units.in_states, *states)

    def check_agreement(self) -> None:
        """What the journal says of each unit is what is on the disk."""
        for unit in self.units(*UnitState):
            if unit.state is UnitState.DONE:
                assert all(path.is_file() for path in self.trashed(unit)), unit
                assert all(info_of(path).is_file() for path in self.trashed(unit) if unit.place), unit
                assert self.photo(unit.photo_id).state == "trashed"
            elif any(u.photo_id == unit.photo_id and u.id > unit.id for u in self.units(*UnitState)):
                continue  # a later unit tells where it is
            elif unit.state is UnitState.PURGED:
                assert not any(path.exists() for path in self.trashed(unit)), unit
                assert self.photo(unit.photo_id).state == "purged"
            else:
                assert unit.state in (UnitState.REFUSED, UnitState.UNDONE, UnitState.APPROVED), unit
                assert not any(path.is_file() for path in self.trashed(unit)), unit
                assert self.photo(unit.photo_id).state != "trashed"
        assert not list((self.folder / TRASH).rglob("record.json.new"))


def info_of(path: Path) -> Path:
    """What stands beside a file in the trash of the desktop."""
    return path.parent.parent / "info" / f"{path.name}.trashinfo"


def ripen(library: Library, days: int = 31) -> None:
    """The service runs for so many days."""
    for _ in range(days):
        library.clock.now += 86400
        library.store.write(units.note_day, library.clock.now)


def everything(folder: Path) -> dict[str, list[str]]:
    """As `contents`, with what is in the trash of the desktop."""
    found = contents(folder)
    if DATA_HOME in os.environ:
        for digest, paths in contents(Path(os.environ[DATA_HOME])).items():
            found.setdefault(digest, []).extend(paths)
    return found


def contents(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place, _, names in os.walk(os.fsencode(folder)):
        for name in names:
            path = os.path.join(place, name)
            ours = name in (b"record.json", b"record.json.new", os.fsencode(MARKER)) or name.endswith(b".trashinfo")
            if not ours and not os.path.islink(path):
                with open(path, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
                found.setdefault(digest, []).append(os.fsdecode(os.path.relpath(path, os.fsencode(folder))))
    return found


def stamp(file: Path) -> Stamp:
    status = file.stat()
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def said(outcomes: Sequence[Outcome]) -> str:
    """The one sentence of an outcome that did not move anything."""
    (outcome,) = outcomes
    assert not outcome.moved, outcome
    return outcome.message


class Killed(BaseException):
    """The process ends here: nothing that it would do afterwards is done."""


class FaultyDisk(Disk):
    """Fails at the `at`-th change (from 1): killed before or after it, or with an error number instead of it."""

    def __init__(self) -> None:
        super().__init__()
        self.arm(None)

    def arm(self, at: int | None, how: str | int = "before", only: str | None = None) -> None:
        self.at, self.how, self.only, self.count = at, how, only, 0

    @contextmanager
    def _change(self, name: str) -> Iterator[None]:
        self.count += self.only in (None, name)
        due = self.count == self.at and self.only in (None, name)
        if due and self.how == "before":
            raise Killed
        if due and isinstance(self.how, int):
            raise OSError(self.how, os.strerror(self.how))
        yield
        if due:
            raise Killed

    def make_folder(self, folder: int, name: str) -> None:
        with self._change("mkdir"):
            pass
        super().make_folder(folder, name)

    def write_record(self, folder: int, data: bytes) -> None:
        with self._change("record"):
            pass
        super().write_record(folder, data)

    def write_new(self, folder: int, name: str, data: bytes) -> None:
        with self._change("info" if name.endswith(".trashinfo") else "new"):
            super().write_new(folder, name, data)

    def drop(self, folder: int, name: str) -> None:
        with self._change("drop info" if name.endswith(".trashinfo") else "drop one"):
            super().drop(folder, name)

    def drop_record(self, folder: int) -> None:
        with self._change("drop"):
            super().drop_record(folder)

    def drop_folder(self, folder: int, name: str) -> None:
        with self._change("drop"):
            super().drop_folder(folder, name)

    def _rename(self, source_folder: int, source: bytes, target_folder: int, target: bytes) -> None:
        with self._change("rename"):
            super()._rename(source_folder, source, target_folder, target)

    def _sync(self, fd: int) -> None:
        with self._change("sync"):
            super()._sync(fd)


def check_refused(library: Library, batch: str, *words: str) -> None:
    """Applying the batch moves nothing, says these words, and leaves everything as it was before the approval."""
    before = library.contents()
    message = said(library.apply(batch))
    for word in words:
        assert word in message, message
    assert message[-1] in ".?", message
    assert library.contents() == before
    assert not list((library.folder / TRASH).glob("*"))
    assert library.store.read(suggestions.counts, 1)[SuggestionState.OPEN] == 1
    assert library.photo(1).state is PhotoState.PRESENT
    assert not library.store.read(answers.labels, 1), "a refused approval is no answer"
    library.check_agreement()
