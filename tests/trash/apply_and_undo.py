"""A process of its own, to be killed: python -m tests.trash.apply_and_undo FOLDER BATCH applies a batch and undoes it."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from precious_daemon.config import places
from precious_daemon.store import Store
from tests.trash.library import Library


async def main(folder: str, batch: str) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))  # strace counts the calls of each thread
    with Store(places()) as store:
        trash = Library(store, places(), Path(folder)).trash
        outcomes = await trash.apply(batch)
        await trash.undo([o.unit.uid for o in outcomes if o.moved])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
