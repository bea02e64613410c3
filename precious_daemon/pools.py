"""The processes that read photos: where a hostile file can do no harm."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor


def reading_processes(count: int, megabytes: int) -> ProcessPoolExecutor:
    """So many, which start when there is something to read, each with this much address space."""
    # one thread each: the pool itself uses the cores, and every thread of a worker takes address space
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PILLOW_BLOCKS_MAX", "16")  # memory of one picture is used for the next: 2 ms each
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=spawn, initializer=_prepare, initargs=(megabytes,))


def _prepare(megabytes: int) -> None:
    """In the process: the room that imports numpy and Pillow is loaded there only."""
    from precious_daemon.ingest import prepare_worker

    prepare_worker(megabytes)
