"""Past one machine: photos are read by the workers of a dask scheduler, which see the same folders under the same paths.

An extra, and not imported unless `ingest.executor` says so. A worker reads in processes of its own with the limits that reading
has here, so that a bad file harms it no more than this machine. It offers the versions that it reads with as a resource of the
scheduler's: one of other versions gets nothing to do, and can make nothing that this machine would not have made.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import metadata
from typing import Any

from precious_daemon import __version__
from precious_daemon.config import IngestSettings
from precious_daemon.errors import ServiceError
from precious_daemon.pools import reading_processes

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds that a scheduler has to answer
DECODERS = ("pillow", "pillow-heif", "simplejpeg", "numpy", "blake3")


def recipe() -> str:
    """What decides what comes out of a photo."""
    return ", ".join([f"precious-daemon {__version__}", *(f"{name} {metadata.version(name)}" for name in DECODERS)])


class Elsewhere(Executor):
    """Runs what a process pool would run, on the workers that read as this program does."""

    def __init__(self, settings: IngestSettings, folders: tuple[str, ...]) -> None:
        """Raises ServiceError where the scheduler, or such a worker, is not to be had."""
        address = settings.scheduler
        if not address:
            raise ServiceError('ingest.executor is "dask", but ingest.scheduler names none: give its address, tcp://HOST:8786.')
        try:
            from distributed import Client
        except ImportError as exc:
            raise ServiceError('ingest.executor is "dask", which needs: pip install "precious-daemon[dask]"') from exc
        try:
            self._client = Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError) as exc:
            raise ServiceError(
                f"The scheduler {address} does not answer ({exc}). Start it with `dask scheduler`, or set ingest.executor to "
                '"processes".'
            ) from exc
        wanted, self.slots, self.refused = recipe(), 0, list[str]()
        for name, worker in self._client.scheduler_info(n_workers=-1)["workers"].items():
            if wanted in worker["resources"]:
                self.slots += worker["nthreads"]
            else:
                theirs = next((r for r in worker["resources"] if r.startswith("precious-daemon")), "no precious-daemon")
                self.refused.append(f"The worker {name} is not used: it has {theirs}, and this is {wanted}. Install that there.")
        if not self.slots:
            self._client.close()
            raise ServiceError(
                " ".join(self.refused) or f"{address} has no workers. Start some: precious-daemon worker {address}"
            )
        self._tasks = self._client.get_executor(pure=False, resources={wanted: 1}, retries=1)
        self._limits = settings.worker_megabytes, folders

    def submit(self, work: Callable[..., Any], /, *what: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = self._tasks.submit(_on_worker, self._limits, work, *what, **named)
        return done

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._client.close()


# --- on a worker -------------------------------------------------------------------------------------------------------

_pools: dict[tuple[int, tuple[str, ...]], ProcessPoolExecutor] = {}  # by the limits that a service has set
_processes = 1
_one_at_a_time = threading.Lock()


def _on_worker(limits: tuple[int, tuple[str, ...]], work: Callable[..., Any], *what: Any) -> Any:
    """Raises BrokenProcessPool where a file killed the process that read it, or another one did; then there are new ones."""
    with _one_at_a_time:
        pool = _pools[limits] = _pools.get(limits) or reading_processes(_processes, *limits)
    try:
        return pool.submit(work, *what).result()
    except BrokenProcessPool:
        with _one_at_a_time:
            if _pools.get(limits) is pool:
                del _pools[limits]
        raise


def work_for(address: str, threads: int) -> None:
    """Read for the services that use the scheduler of this address, until SIGINT. Raises ServiceError where it is not there."""
    try:
        from distributed import Worker
    except ImportError as exc:
        raise ServiceError('Reading for others needs: pip install "precious-daemon[dask]"') from exc

    global _processes
    _processes = threads

    async def work() -> None:
        worker = Worker(address, nthreads=threads, resources={recipe(): threads}, death_timeout=PATIENCE)
        try:
            async with worker:
                log.warning("reading for %s as %s, by %s", address, worker.address, recipe())
                await worker.finished()
        except (OSError, TimeoutError) as exc:
            raise ServiceError(f"The scheduler {address} does not answer. Start it first: dask scheduler") from exc

    asyncio.run(work())
