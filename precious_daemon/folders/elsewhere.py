"""Past one machine: photos are read, and looked at, by the workers of a dask scheduler.

An extra, and not imported unless `ingest.executor` says so. Workers see the same folders under the same paths, and read in
processes of their own with the limits that reading has here, so that a bad file harms them no more than this machine. A worker
offers the versions that it reads with as a resource of the scheduler. One with other versions gets nothing to do, so every result
is what this machine would have made. Looking at photos is in `learn.far`, which asks for more.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import metadata
from typing import TYPE_CHECKING, Any

from precious_daemon import __version__
from precious_daemon.config import IngestSettings
from precious_daemon.errors import ServiceError
from precious_daemon.folders.pools import reading_processes

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds that a scheduler has to answer
LOOKING = "looking at photos"  # a resource: a worker looks at one batch at a time, with as many threads as the asker would
DECODERS = ("pillow", "pillow-heif", "simplejpeg", "numpy", "blake3")


def recipe() -> str:
    """What decides what comes out of a photo."""
    return ", ".join([f"precious-daemon {__version__}", *(f"{name} {metadata.version(name)}" for name in DECODERS)])


def connect(address: str) -> Client:
    """Raises ServiceError where the scheduler is not to be had."""
    if not address:
        raise ServiceError('ingest.executor is "dask", but ingest.scheduler names none: give its address, tcp://HOST:8786.')
    try:
        from distributed import Client
    except ImportError as exc:
        raise ServiceError('ingest.executor is "dask", which needs: pip install "precious-daemon[dask]"') from exc
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as exc:
        raise ServiceError(
            f"The scheduler {address} does not answer ({exc}). Start it with `dask scheduler`, or set ingest.executor to "
            '"processes".'
        ) from exc


def suited(client: Client, address: str) -> tuple[dict[str, int], list[str]]:
    """How many photos each worker that reads as this program does takes at a time, by its own address; why others are not used.

    Raises ServiceError where there is no such worker.
    """
    wanted, slots, refused = recipe(), dict[str, int](), list[str]()
    for name, worker in client.scheduler_info(n_workers=-1)["workers"].items():
        if wanted in worker["resources"]:
            slots[name] = worker["nthreads"]
        else:
            theirs = next((r for r in worker["resources"] if r.startswith("precious-daemon")), "no precious-daemon")
            refused.append(f"The worker {name} is not used: it has {theirs}, and this is {wanted}. Install that there.")
    if not slots:
        raise ServiceError(" ".join(refused) or f"{address} has no workers. Start some: precious-daemon worker {address}")
    return slots, refused


class Elsewhere(Executor):
    """Runs what a process pool would run, on the workers that read as this program does."""

    def __init__(self, settings: IngestSettings, folders: tuple[str, ...]) -> None:
        """Raises ServiceError where the scheduler, or such a worker, is not to be had."""
        self._client = connect(settings.scheduler)
        try:
            slots, self.refused = suited(self._client, settings.scheduler)
        except ServiceError:
            self._client.close()
            raise
        self.slots = sum(slots.values())
        self._tasks = self._client.get_executor(pure=False, resources={recipe(): 1}, retries=1)
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
    """Raises BrokenProcessPool where this file or another one killed the reading process; the next call gets new processes."""
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
        worker = Worker(
            address, nthreads=threads, resources={recipe(): threads, LOOKING: 1}, memory_limit=0, death_timeout=PATIENCE
        )
        try:
            async with worker:
                log.warning("reading for %s as %s, by %s", address, worker.address, recipe())
                await worker.finished()
        except (OSError, TimeoutError) as exc:
            raise ServiceError(f"The scheduler {address} does not answer. Start it first: dask scheduler") from exc

    asyncio.run(work())
