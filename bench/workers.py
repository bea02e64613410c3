"""Past one machine: photos read and looked at by one, two, three workers of a dask scheduler, and to the byte as here.

    python -m bench.workers [--quick] [--photos N] [--library DIR]

Scheduler and workers are processes of this machine, so that no more of them than it has cores can be any faster: the wall tells
of the overhead, and the processor time of how far it would go. A photo costs its worker so much, and this program and the
scheduler, of which there is one each however many work, so much; their quotient is how many workers these can keep busy.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench.common import Figure, arguments, demo_library, report, say

MOST = 3
SECONDS = 30.0  # for one photo


@contextmanager
def program(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def processor(pids: Sequence[int]) -> float:
    """Seconds that these processes and their children have taken."""
    seconds, left = 0.0, list(pids)
    while left:
        pid = left.pop()
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        seconds += sum(map(int, words[11:13])) / os.sysconf("SC_CLK_TCK")
        for task in Path(f"/proc/{pid}/task").iterdir():
            left += map(int, (task / "children").read_text().split())
    return seconds


def read(paths: list[str], address: str, workers: int) -> dict[str, Any]:
    """What reading gives, by path."""
    from precious_daemon.config import IngestSettings
    from precious_daemon.folders.elsewhere import Elsewhere
    from precious_daemon.folders.pools import reading_processes
    from precious_daemon.folders.readers import _read

    folders = (os.path.commonpath(paths),)
    with Elsewhere(IngestSettings(scheduler=address), folders) if workers else reading_processes(1, 1024, folders) as pool:
        return dict(zip(paths, pool.map(_read, paths, [SECONDS] * len(paths)), strict=True))


@contextmanager
def looker(address: str, workers: int) -> Iterator[Callable[[list[bytes]], dict[bytes, object]]]:
    """What finds features by picture, its networks loaded."""
    import torch

    from precious_daemon.learn.backbone import BATCH, Backbone, look, shape
    from precious_daemon.learn.far import Workers
    from precious_daemon.learn.limits import Deadline

    torch.set_num_threads(1)
    network = Backbone()

    def batches(previews: list[bytes]) -> Iterator[tuple[list[bytes], list[bytes]]]:
        shapes: dict[tuple[int, int], list[bytes]] = {}
        for preview in previews:
            shapes.setdefault(shape(preview), []).append(preview)
        for alike in shapes.values():
            yield from ((alike[i : i + BATCH], alike[i : i + BATCH]) for i in range(0, len(alike), BATCH))

    def paired(found: Iterable[tuple[list[bytes], Sequence[object]]]) -> dict[bytes, object]:
        return {key: row for keys, rows in found for key, row in zip(keys, rows, strict=True)}

    if not workers:
        yield lambda previews: paired((keys, look(network, jpegs)) for keys, jpegs in batches(previews))
        return
    with closing(Workers(address, None, network)) as far:
        if far.count < workers:
            raise SystemExit("; ".join(far.notes))
        yield lambda previews: paired(far.look(batches(previews), Deadline(None, 0.0)))


def measured(work: Callable[[], dict[Any, Any]], pids: Sequence[int], ours: Sequence[int]) -> tuple[Any, float, float, float]:
    """(what came of it, seconds, processor seconds of workers, and of those that there is one of)."""
    wall, theirs, shared = time.perf_counter(), processor(pids), processor(ours) + time.process_time()
    found = work()
    return found, time.perf_counter() - wall, processor(pids) - theirs, processor(ours) + time.process_time() - shared


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--photos", type=int, help="48, or 16 with --quick")
    parser.add_argument("--library", type=Path, help="JPEGs to read; made where none are named")
    options = parser.parse_args()
    count = options.photos or (16 if options.quick else 48)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = options.library or demo_library(Path(scratch, "pictures"), count * 2)
        paths = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() == ".jpg")[:count]
        scheduler = stack.enter_context(
            program("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "8796", "--no-dashboard")
        )
        figures = compare(paths, "tcp://127.0.0.1:8796", scheduler.pid, stack)
    conditions = {"photos": len(paths), "load average": f"{os.getloadavg()[0]:.1f}", "threads of a worker": 1}
    report("workers", conditions, figures)


def compare(paths: list[str], address: str, scheduler: int, stack: ExitStack) -> dict[str, Figure]:
    from distributed import Client

    figures: dict[str, Figure] = {}
    alone: dict[str, dict[Any, Any]] = {}
    client = stack.enter_context(Client(address, timeout=30, set_as_default=False))
    workers: list[int] = []
    for number in range(MOST + 1):
        if number:
            started = stack.enter_context(program("-m", "precious_daemon", "worker", "--threads", "1", address))
            workers.append(started.pid)
            client.wait_for_workers(number)
        read(paths[:2], address, number)  # who reads has started, and loaded what it needs
        facts, *took = measured(partial(read, paths, address, number), workers, [scheduler])
        figures |= told("reading", number, len(paths), *took)
        previews = [facts[path].preview for path in paths]
        with looker(address, number) as look:
            features, *took = measured(partial(look, previews), workers, [scheduler])
        figures |= told("looking", number, len(paths), *took)
        alone = alone or {"facts": facts, "features": features}
        figures[f"{number or 'no'} workers: photos that are not to the byte as here"] = Figure(
            sum(facts[p] != alone["facts"][p] for p in paths) + sum(features[p] != alone["features"][p] for p in previews), "", 0
        )
        say(f"{number} workers")
    return figures


def told(what: str, workers: int, count: int, wall: float, theirs: float, shared: float) -> dict[str, Figure]:
    if not workers:
        return {f"{what}, here, one process": Figure(count / wall, "/s")}
    found = {f"{what}, {workers} workers": Figure(count / wall, "/s")}
    if workers == MOST:
        found[f"{what}, processor time of a worker"] = Figure(1000 * theirs / count, "ms a photo")
        found[f"{what}, of what there is one of"] = Figure(1000 * shared / count, "ms a photo")
        found[f"{what}, workers it could feed"] = Figure(theirs / shared, "")
    return found


if __name__ == "__main__":
    main()
