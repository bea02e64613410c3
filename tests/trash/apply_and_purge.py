"""A process of its own, to be killed: python -m tests.trash.apply_and_purge FOLDER removes for good what is in the trash."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from precious_daemon.config import places
from precious_daemon.store import Store
from tests.trash.library import Library, ripen


async def main(folder: str) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))  # strace counts the calls of each thread
    with Store(places()) as store:
        library = Library(store, places(), Path(folder))
        ripen(library)
        await library.trash.purge(len(await library.trash.ripe()))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
