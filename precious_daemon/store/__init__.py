"""SQLite: what the library knows. One connection writes, in a thread of its own; readers have read-only ones.

`library.db` is what cannot be made again, `cache.db` (attached as `cache`) what can. Each other module here holds
the functions for one kind of row: they take a `Database` first and are run by `Store.write` or `Store.read`.
"""

from __future__ import annotations

import asyncio
import contextvars
import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from precious_daemon.config import Places
from precious_daemon.errors import DatabaseError, LibraryLocked
from precious_daemon.machine.lean import hollow, without

# numpy and decimal are for column types, the rest for its command line, its search and its changes of tables: 19 MB saved
with without("numpy"), hollow("sqlite_utils.recipes", "decimal", "sqlite_utils.create_table_parser", "sqlite_fts4"):
    from sqlite_utils import Database

__all__ = ["Database", "Lock", "Store", "connect", "insert"]

T = TypeVar("T")
P = ParamSpec("P")
READERS = 2
STUDIES = 2
"""Threads for what reads the whole library. None of the pages waits for those; until one is needed, there is none."""


class Lock:
    """One writer per library, whoever it is: the service, or a command while the service is not running."""

    def __init__(self, places: Places) -> None:
        places.make()
        self._fd = os.open(places.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise LibraryLocked(
                f"This library is already open in process {holder or '?'}. Stop it first, or set PRECIOUS_HOME to another one."
            ) from exc
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let go; doing so twice does no harm."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Store:
    """The databases of one library. `writer=False` opens them for reading only; `new_cache` throws the old one away."""

    def __init__(self, places: Places, *, writer: bool = True, new_cache: bool = False) -> None:
        self.places = places
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._said = deque[tuple[Callable[[], Any], Future[Any]]]()
        self._lock = Lock(places) if writer else None
        from precious_daemon.store import schema

        try:
            if writer:
                if new_cache:
                    for suffix in ("", "-wal", "-shm"):
                        places.cache_db.with_name(places.cache_db.name + suffix).unlink(missing_ok=True)
                schema.migrate(places)
                self._writer: ThreadPoolExecutor | None = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
                self._db = self._writer.submit(self._connect, True).result()
            else:
                self._writer = None
                if not places.library_db.exists():
                    raise DatabaseError("There is no library yet. Start one with: precious-daemon run FOLDER")
                if schema.is_behind(places):  # the program is newer than the library, and nothing else is running
                    self._lock = Lock(places)
                    schema.migrate(places)
                    self._lock.release()
            self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
            self._studies = ThreadPoolExecutor(STUDIES, thread_name_prefix="store-study")
        except BaseException:
            if self._lock:
                self._lock.release()
            raise

    def _connect(self, writer: bool) -> Database:
        db = connect(self.places, writer=writer)
        self._connections.append(db.conn)
        return db

    def _act(self, action: Callable[[], T]) -> T:
        self._store_said()
        with self._db.atomic():
            return action()

    def _store_said(self) -> None:
        """All that waits to be said in one transaction, each part of it whole or not at all."""
        done: list[tuple[Future[Any], Any]] = []
        try:
            if self._said:
                with self._db.atomic():
                    for _ in range(len(self._said)):  # what comes meanwhile waits for the next
                        action, said = self._said.popleft()
                        if said.set_running_or_notify_cancel():
                            self._store_one(action, said, done)
        except Exception as exc:  # noqa: BLE001  # the disk, mostly: whoever waits for it is told
            for said, _ in done:
                said.set_exception(exc)
        else:
            for said, value in done:
                said.set_result(value)

    def _store_one(self, action: Callable[[], Any], said: Future[Any], done: list[tuple[Future[Any], Any]]) -> None:
        try:
            with self._db.atomic():  # a savepoint
                done.append((said, action()))
        except Exception as exc:
            said.set_exception(exc)
            if not self._db.conn.in_transaction:  # a full disk ends it for all
                raise

    def _look(self, action: Callable[[Database], T]) -> T:
        db = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = self._connect(False)
        return action(db)

    def write(self, action: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `action(db, ...)` in one transaction on the writing thread, and wait until it is on disk."""
        assert self._writer, "opened for reading only"
        return self._writer.submit(self._act, partial(action, self._db, *args, **kwargs)).result()

    def read(self, action: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `action(db, ...)` on a read-only connection."""
        return self._readers.submit(self._look, lambda db: action(db, *args, **kwargs)).result()

    async def awrite(self, action: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write` for the event loop. A cancelled caller does not cancel what is being written."""
        assert self._writer, "opened for reading only"
        return await asyncio.wrap_future(self._writer.submit(self._act, partial(action, self._db, *args, **kwargs)))

    async def asay(self, action: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`awrite` for the little that somebody says: before all else that waits, and together with what others say.

        The wait for the disk is nearly all that an answer costs, and fifty people wait for it once.
        """
        assert self._writer, "opened for reading only"
        said = Future[T]()
        self._said.append((partial(action, self._db, *args, **kwargs), said))
        self._writer.submit(self._store_said)
        return await asyncio.wrap_future(said)

    async def aread(self, action: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` for the event loop, of what takes milliseconds: whatever shows a page waits for the same few threads."""
        around = contextvars.copy_context()  # such as the language that is spoken
        return await asyncio.wrap_future(self._readers.submit(around.run, self._look, lambda db: action(db, *args, **kwargs)))

    async def astudy(self, action: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `aread`, of what goes through the whole library, however long that takes."""
        around = contextvars.copy_context()
        return await asyncio.wrap_future(self._studies.submit(around.run, self._look, lambda db: action(db, *args, **kwargs)))

    def close(self) -> None:
        """Finish what is queued, close the connections, let go of the lock."""
        self._readers.shutdown()
        self._studies.shutdown()
        if self._writer:
            self._writer.shutdown()
        for connection in self._connections:
            connection.close()
        if self._lock:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(places: Places, *, writer: bool) -> Database:
    """A connection to `library.db` with `cache.db` attached as `cache`."""
    mode = "rw" if writer else "ro"
    uri = f"{places.library_db.absolute().as_uri()}?mode={mode}"
    try:
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=10)
        try:
            connection.execute("ATTACH ? AS cache", (f"{places.cache_db.absolute().as_uri()}?mode={mode}",))
            connection.execute("PRAGMA main.synchronous=FULL")  # what the owner said survives a power cut
            connection.execute("PRAGMA cache.synchronous=NORMAL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA temp_store=MEMORY")
            connection.execute("PRAGMA cache_size=-2048")
            connection.execute("PRAGMA cache.cache_size=-2048")
            if not writer:
                connection.execute("PRAGMA wal_autocheckpoint=0")  # the writer alone checkpoints
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as exc:
        raise DatabaseError(f"{places.library_db} cannot be opened: {exc}.") from exc
    return Database(connection, execute_plugins=False)


def insert(db: Database, table: str, row: dict[str, Any]) -> int:
    """Add a row and return its id."""
    sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
    row_id = db.execute(sql, list(row.values())).lastrowid
    assert row_id is not None, table
    return row_id
