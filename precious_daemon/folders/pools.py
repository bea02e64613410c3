"""The processes that read photos: where a hostile file can do no harm."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor


def reading_processes(count: int, megabytes: int, folders: tuple[str, ...]) -> ProcessPoolExecutor:
    """A pool of `count` processes, started when there is something to read, each with so much memory and only these folders."""
    # one thread each: the pool itself uses the cores, and every thread of a worker takes address space
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PILLOW_BLOCKS_MAX", "16")  # keeps the memory of one picture for the next: saves 2 ms each
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=spawn, initializer=_prepare, initargs=(megabytes, folders))


def _prepare(megabytes: int, folders: tuple[str, ...]) -> None:
    """In the process: the room that imports numpy and Pillow is loaded there only."""
    from precious_daemon.pictures.ingest import prepare_worker

    prepare_worker(megabytes, folders)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()  # behind the same bars


def _end_with_the_parent() -> None:
    """End with a parent that is killed: this process would wait for work for ever, as it holds the pool's pipe open itself."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
