"""The processes that read photos: where a hostile file can do no harm."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor


def reading_processes(count: int, megabytes: int, folders: tuple[str, ...]) -> ProcessPoolExecutor:
    """So many, which start when there is something to read: each with this much address space, to read in these folders."""
    # one thread each: the pool itself uses the cores, and every thread of a worker takes address space
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PILLOW_BLOCKS_MAX", "16")  # memory of one picture is used for the next: 2 ms each
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=spawn, initializer=_prepare, initargs=(megabytes, folders))


def _prepare(megabytes: int, folders: tuple[str, ...]) -> None:
    """In the process: the room that imports numpy and Pillow is loaded there only."""
    from precious_daemon.ingest import prepare_worker

    prepare_worker(megabytes, folders)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()  # behind the same bars


def _end_with_the_parent() -> None:
    """One that is killed cannot say so, and a process of a pool would wait for work for ever: it holds that pipe open itself."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
