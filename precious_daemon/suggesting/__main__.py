"""The child that chooses what could go: `python -m precious_daemon.suggesting JOBDIR`.

Reads job.json {"voter", "now", "places", "settings"} and, read-only, the library; asks the plugins. Leaves what `propose.write`
does, and plugins.json: what came of asking them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from precious_daemon import config
from precious_daemon.config import Places
from precious_daemon.plugins import Plugins
from precious_daemon.service import Service
from precious_daemon.store import Store
from precious_daemon.suggesting import propose
from precious_daemon.trash import Trash
from precious_daemon.work import jobfolder

HOOKS = "rule", "veto", "people"


def main(folder: Path) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(jobfolder.STOPPED))
    jobfolder.step_back()
    job = jobfolder.read_json(folder, "job.json")
    places, settings, now = Places.unpack(job["places"]), config.parse(job["settings"]), job["now"]
    with Store(places, writer=False) as store:
        plugins = Plugins.load(places, settings)
        service = Service(places, settings, store, Trash(store, places, settings), plugins, lambda: now)
        propose.write(folder, asyncio.run(propose.choose(service, job["voter"])))
        jobfolder.write_json(folder, "plugins.json", plugins.outcomes(*HOOKS))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
