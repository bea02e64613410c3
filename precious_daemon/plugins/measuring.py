"""The child in which plugins measure photos: `python -m precious_daemon.plugins.measuring JOBDIR`.

Reads job.json {"places", "settings": the tables plugins and plugin, "cache_db", "seconds"} and wanted.jsonl (plugin, content
hash, the photo as plugins see it). Leaves numbers.jsonl, a line for each photo that a plugin measured, as it is made, and at its
end measured.json: {plugin: what went wrong}. A plugin may load what it likes here: nothing of it stays in the service.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from precious_daemon import config
from precious_daemon.config import Places
from precious_daemon.plugins import Plugins, across, in_words
from precious_daemon.work import jobfolder

GIVE_UP = 20  # photos that a plugin failed on, and it is not asked about others in this run
SAY = 50  # photos between two words about how far it is
_PICTURE = "SELECT coalesce(preview, thumbnail) FROM pictures LEFT JOIN previews USING (content_hash) WHERE content_hash = ?"


def main(folder: Path) -> int:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(jobfolder.STOPPED))  # what was written is good
    jobfolder.step_back()
    job = jobfolder.read_json(folder, "job.json")
    end = time.monotonic() + (job["seconds"] or float("inf"))
    plugins = Plugins.load(Places.unpack(job["places"]), config.parse(job["settings"]))
    failures: Counter[str] = Counter()
    errors: dict[str, str] = {info.name: info.error for info in plugins.names() if info.enabled and info.error}
    whole = True
    with (
        closing(sqlite3.connect(f"file:{quote(job['cache_db'])}?mode=ro", uri=True, timeout=10)) as cache,
        open(folder / "wanted.jsonl", encoding="ascii") as wanted,
        open(folder / "numbers.jsonl", "a", encoding="ascii", buffering=1) as found,
    ):
        for count, line in enumerate(wanted):
            if time.monotonic() > end:
                whole = False
                break
            if count % SAY == 0:
                jobfolder.say("letting plugins measure photos", count, job["count"])
            one = json.loads(line)
            name = one["plugin"]
            if failures[name] >= GIVE_UP or name not in plugins.having("features"):
                continue
            picture = cache.execute(_PICTURE, [bytes.fromhex(one["content_hash"])]).fetchone()
            numbers = plugins.measure(name, across.unpack(one["photo"]), picture[0] if picture else None)
            if isinstance(numbers, Exception):
                failures[name] += 1
                errors[name] = in_words(numbers)
            else:
                found.write(json.dumps({"plugin": name, "content_hash": one["content_hash"], "numbers": numbers}) + "\n")
    jobfolder.write_json(folder, "measured.json", errors)
    return 0 if whole else jobfolder.STOPPED


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
