"""`python -m precious_daemon.learn JOBDIR`: reads `job.json` there, leaves its results there, says how far it is on stdout."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from precious_daemon.work import jobfolder

REFUSED = 3  # exit status: report.json says in a sentence why there is no result


def main(folder: Path) -> int:
    started = time.monotonic()
    # Results are appended record by record or put in their place whole: there is nothing to tidy up, at any moment.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(jobfolder.STOPPED))
    jobfolder.step_back()
    job = jobfolder.read_json(folder, "job.json")
    _set_threads(int(job.get("threads") or 0))
    try:
        return _run(folder, job, started)
    except MemoryError:
        jobfolder.write_json(folder, "report.json", {"error": "Learning needs more memory than this computer can give."})
        return REFUSED


def _run(folder: Path, job: dict[str, Any], started: float) -> int:
    from precious_daemon.learn.limits import Deadline, Refused  # these import numpy and torch: after the threads are set

    deadline = Deadline(job.get("seconds"), started)
    try:
        if job["task"] == "embed":
            from precious_daemon.learn.embed import embed

            return 0 if embed(folder, job, deadline) else jobfolder.STOPPED
        if job["task"] == "sort":
            from precious_daemon.learn.classes import sort

            sort(folder, job, deadline)
            return 0
        if job["task"] == "export":
            from precious_daemon.learn.exporting import export

            export(folder, job)
            return 0
        if job["task"] == "apply":
            from precious_daemon.learn.applying import apply

            apply(folder, job, deadline)
            return 0
        from precious_daemon.learn.night import learn

        learn(folder, job, deadline)
        return 0
    except Refused as exc:
        jobfolder.write_json(folder, "report.json", {"error": str(exc)})
        return REFUSED


def _set_threads(threads: int) -> None:
    """Read by the numeric libraries when they are loaded. Waiting threads sleep: others want the processor, too."""
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    if threads:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(threads)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
