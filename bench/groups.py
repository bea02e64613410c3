"""How well copies, re-encodings, edits, sets, bursts and their best shots are found, and what that takes.

    python -m bench.groups [--library DIR ...] [--alter N] [--home DIR] [--quick] [--imagededup PYTHON] [--clustimage PYTHON]

Beside DIR, or in it, stands truth.csv (path, kind, group, best, ...) as a demo library has it: a `copy` has the bytes of
the photo in its group, an `edit` shows the same picture in another file, an `altered` one was mirrored, turned, cropped or
recoloured, frames of kind `burst` are those of one moment, of which one is the best, and `set` is a bracket, a panorama or
a time lapse. Without DIR a library of example pictures is made, and alterations and sets of its photos are added. With N
the same is done to a copy of each DIR, for N of its photos. The figures are of all libraries together.

Precision and recall are of pairs. What is true or found of a photo is so of its copies and encodings as well. Precision is
1 where nothing was found, recall 1 where there was nothing to find. PYTHON is that of an environment with the program,
which is then run on the first library.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from bench.alterations import alter
from bench.beside import PROGRAMS, beside
from bench.common import Figure, arguments, demo_library, report, say

Pairs = set[frozenset[str]]
SHOWN = 20  # pairs of a kind that were missed or wrongly found
KINDS = ("copy", "same", "edit", "series", "burst", "scene")


@dataclass(frozen=True)
class Row:
    path: str
    kind: str
    group: str
    best: bool
    content: str = ""  # hash of its bytes: a library may hold a file twice that its truth knows as two photos


def read_truth(library: Path) -> list[Row]:
    for file in (library.parent / "truth.csv", library / "truth.csv"):
        if file.exists():
            with open(file, newline="") as rows:
                return [
                    Row(row["path"], row["kind"], row["group"], row["best"] == "1", _content(library / row["path"]))
                    for row in csv.DictReader(rows)
                ]
    raise SystemExit(f"There is no truth.csv beside {library}, so there is nothing to compare with.")


def _content(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


SIGNS = (("altered", "edit"), ("edit", "same"), ("copy", "copy"), ("set", "series"))  # the first that one of two files is


def true_pairs(rows: Iterable[Row]) -> dict[str, Pairs]:
    """Pairs of files by the kind of group that they should be in."""
    groups: dict[str, list[Row]] = defaultdict(list)
    contents: dict[str, str] = {}
    for row in rows:
        groups[contents.setdefault(row.content or row.path, row.group)].append(row)
    found: dict[str, Pairs] = {kind: set() for kind in KINDS}
    for members in groups.values():
        for a, b in combinations(members, 2):
            if kind := _kind(a, b):
                found[kind].add(frozenset((a.path, b.path)))
    return found


def _kind(a: Row, b: Row) -> str | None:
    """Of group that two files of one group of the truth should be in."""
    if a.content == b.content:
        return "copy"
    kinds = {a.kind, b.kind}
    return next((name for sign, name in SIGNS if sign in kinds), "burst" if kinds == {"burst"} else None)


def found_pairs(groups: Iterable[dict[str, Any]], paths: dict[int, str]) -> dict[str, Pairs]:
    found: dict[str, Pairs] = {kind: set() for kind in KINDS}
    whole: dict[str, list[str]] = {}  # a file with its copies and encodings
    for group in sorted(groups, key=lambda group: KINDS.index(group["kind"])):
        kind, members = group["kind"], [paths[member["photo_id"]] for member in group["members"]]
        parts = [whole.get(member, [member]) for member in members]
        pairs = {frozenset((a, b)) for one, other in combinations(parts, 2) for a in one for b in other}
        found[kind] |= pairs
        if kind in ("copy", "same"):
            everyone = sorted({path for part in parts for path in part})
            whole |= dict.fromkeys(everyone, everyone)
    return found


def best_shots(rows: Iterable[Row], groups: Iterable[dict[str, Any]], paths: dict[int, str]) -> tuple[int, int]:
    """(bursts whose best frame was chosen, bursts). A burst that was not found, or in parts, has no best chosen."""
    chosen = {
        frozenset(paths[m["photo_id"]] for m in group["members"]): paths[group["members"][0]["photo_id"]]
        for group in groups
        if group["kind"] == "burst"
    }
    bursts: dict[str, dict[str, bool]] = defaultdict(dict)
    for row in rows:
        if row.kind == "burst":
            bursts[row.group][row.path] = row.best
    made = [frames for frames in bursts.values() if len(frames) > 1 and any(frames.values())]
    right = sum(frames.get(chosen.get(frozenset(frames), ""), False) for frames in made)
    return right, len(made)


async def group(library: Path, home: Path) -> tuple[list[dict[str, Any]], dict[int, str], dict[str, Figure]]:
    """The groups as the child left them, paths by photo id, and what the child took."""
    os.environ["PRECIOUS_HOME"] = str(home)
    from precious_daemon import config
    from precious_daemon.jobs.nightwork import BACKBONE
    from precious_daemon.running.daemon import running
    from precious_daemon.store import Database, photos
    from precious_daemon.work import children, handover, jobfolder

    places = config.places()
    async with running(places, config.Settings(), [str(library)], port=0, watching=False) as started:
        service, jobs = started.service, started.service.jobs
        say("reading and looking at the photos")
        await jobs.run("scan")
        await jobs.arrivals.reading_done()
        for name in ("group", "suggest"):  # begun by themselves: here everything is compared anew
            await jobs.stop_job(name)
        await jobs.run("embed")
        for table in ("compared", "twins"):
            await service.store.awrite(Database.execute, f"DELETE FROM cache.{table}")
        with children.job_folder(places, "group") as folder:
            count = await service.store.aread(handover.write_photos, folder, None, None)
            jobfolder.write_json(
                folder,
                "job.json",
                {
                    "task": "group",
                    "cache_db": str(places.cache_db),
                    "backbone": BACKBONE,
                    "representatives": 45,
                    "clusters": asdict(service.settings.clusters),
                    "seed": 0,
                    "worker_megabytes": 1024,
                },
            )
            say(f"grouping {count} photos")
            began = time.perf_counter()
            usage = await asyncio.to_thread(_run, folder)
            took = time.perf_counter() - began
            groups = jobfolder.read_json(folder, "groups.json")
        known = await service.store.aread(photos.many, [m["photo_id"] for g in groups for m in g["members"]])
    figures = {
        "photos": Figure(count, ""),
        "grouping and clustering, wall": Figure(took, "s"),
        "grouping and clustering, CPU": Figure(usage.ru_utime + usage.ru_stime, "s"),
        "grouping and clustering, peak RSS": Figure(usage.ru_maxrss / 1000, "MB", 2000),
    }
    return groups, {photo.id: photo.path for photo in known.values()}, figures


def _run(folder: Path) -> Any:
    """Run the child to its end; what it used."""
    process = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "precious_daemon.grouping", str(folder)],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit("grouping failed")
    return usage


TOLD = (  # kind of group, in words, and the precision and recall that it should be found with
    ("copy", "exact copies", 1, 1),
    ("same", "re-encoded or resized", 1, 1),
    ("edit", "mirrored, turned, cropped, recoloured", 0.99, 0.95),
    ("series", "sets of frames", 0.99, 0.95),
    ("burst", "bursts", 0.99, 0.95),
)


def tally(rows: list[Row], groups: list[dict[str, Any]], paths: dict[int, str]) -> Counter[str]:
    """Of one library, by kind: pairs that are "true", "found" and "right"; and bursts, and best shots among them."""
    counts: Counter[str] = Counter()
    true, found = true_pairs(rows), found_pairs(groups, paths)
    for kind, name, *_ in TOLD:
        counts[f"{kind} true"] = len(true[kind])
        counts[f"{kind} found"] = len(found[kind])
        counts[f"{kind} right"] = len(true[kind] & found[kind])
        for pair in sorted(sorted(pair) for pair in found[kind] ^ true[kind])[:SHOWN]:
            say(f"{name}: {'wrongly' if frozenset(pair) in found[kind] else 'not'} together: {' and '.join(pair)}")
    counts["best"], counts["bursts"] = best_shots(rows, groups, paths)
    return counts


def told(counts: Counter[str]) -> dict[str, Figure]:
    figures = {}
    for kind, name, precision, recall in TOLD:
        true, found, right = (counts[f"{kind} {what}"] for what in ("true", "found", "right"))
        figures[f"{name}, pairs"] = Figure(true, "")
        figures[f"{name}, precision"] = Figure(right / found if found else 1, "", precision, more=True)
        figures[f"{name}, recall"] = Figure(right / true if true else 1, "", recall, more=True)
    figures["bursts"] = Figure(counts["bursts"], "")
    figures["best shot of a burst right"] = Figure(
        counts["best"] / counts["bursts"] if counts["bursts"] else 1, "", 0.9, more=True
    )
    return figures


def near_million(count: int) -> dict[str, Figure]:
    """All near pairs among random hashes, in a process of its own on one core."""
    say(f"near pairs among {count:,} hashes")
    code = (
        "import resource, sys, time, numpy as np\n"
        "from precious_daemon.grouping.hashes import near_pairs\n"
        f"hashes = np.random.default_rng(0).integers(0, 2**64, {count}, dtype=np.uint64)\n"
        "began = time.process_time()\n"
        "pairs, _ = near_pairs(hashes, 10)\n"
        "print(time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)"
    )
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    seconds, megabytes = subprocess.run(
        [sys.executable, "-c", code], env=alone, check=True, capture_output=True, text=True
    ).stdout.split()
    whole = count >= 1_000_000
    return {
        f"pairs within 10 bits among {count:,} hashes": Figure(float(seconds), "s CPU", 30 if whole else None),
        f"peak RSS at {count:,} hashes": Figure(float(megabytes), "MB", 500),
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument(
        "--library", type=Path, action="append", default=[],
        help="a folder of pictures with truth.csv beside it, or several; nothing in it is changed",
    )  # fmt: skip
    parser.add_argument("--alter", type=int, default=0, metavar="N", help="photos of each that are altered, in a copy of it")
    parser.add_argument("--home", type=Path, help="where these libraries were read to by an earlier run, or are to be")
    for program in PROGRAMS:
        parser.add_argument(f"--{program}", metavar="PYTHON", help=f"the python of an environment that has {program}")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        libraries = [_at_hand(library, Path(scratch) / str(n), args.alter) for n, library in enumerate(args.library)]
        if not libraries:
            libraries = [demo_library(Path(scratch) / "demo" / "library", 60 if args.quick else 500)]
            say("adding alterations and sets")
            alter(libraries[0], 10 if args.quick else 60)
        counts: Counter[str] = Counter()
        taken: dict[str, Figure] = {}
        for n, library in enumerate(libraries):
            groups, paths, took = asyncio.run(group(library, (args.home or Path(scratch) / "homes") / str(n)))
            counts += tally(read_truth(library), groups, paths)
            taken = {name: _together(taken.get(name), figure) for name, figure in took.items()}
        figures = taken | told(counts) | near_million(50_000 if args.quick else 1_000_000)
        pythons = {program: getattr(args, program) for program in PROGRAMS}
        true = true_pairs(read_truth(libraries[0]))
        others, missing = beside(
            pythons, libraries[0], true["copy"] | true["same"] | true["edit"], true["burst"] | true["series"]
        )
        made = (
            "given" + (f", {args.alter} photos of each altered" if args.alter else "")
            if args.library
            else "demo, with alterations"
        )
        report("groups", {"libraries": len(libraries), "made": made, "missing": missing}, figures | others)


def _at_hand(library: Path, scratch: Path, altered: int) -> Path:
    """This library, or an altered copy of it."""
    if not altered:
        return library.absolute()
    shutil.copytree(library, scratch / library.name)
    truth = next(file for file in (library.parent / "truth.csv", library / "truth.csv") if file.exists())
    shutil.copy(truth, scratch / "truth.csv")
    (scratch / library.name / "truth.csv").unlink(missing_ok=True)
    alter(scratch / library.name, altered)
    return scratch / library.name


def _together(one: Figure | None, other: Figure) -> Figure:
    """Of two libraries: what both took, and the more of memory."""
    if one is None:
        return other
    return replace(one, value=max(one.value, other.value) if one.unit == "MB" else one.value + other.value)


if __name__ == "__main__":
    main()
