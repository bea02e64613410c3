"""How well copies, re-encodings, bursts and their best shots are found, and what that takes.

    python -m bench.groups [--library DIR] [--quick]

Beside DIR, or in it, stands truth.csv (path, kind, group, best, ...) as a demo library has it: a `copy` has the bytes of
the photo in its group, an `edit` shows the same picture in another file, and frames of kind `burst` are those of one
moment, of which one is the best. Without DIR a library of example pictures is made.

Precision and recall are of pairs. The encodings of a photo are those of its copies as well. Precision is 1 where nothing
was found, recall 1 where there was nothing to find.
"""

from __future__ import annotations

import asyncio
import csv
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from bench.common import Figure, arguments, demo_library, report, say

Pairs = set[frozenset[str]]


@dataclass(frozen=True)
class Row:
    path: str
    kind: str
    group: str
    best: bool


def read_truth(library: Path) -> list[Row]:
    for file in (library.parent / "truth.csv", library / "truth.csv"):
        if file.exists():
            with open(file, newline="") as rows:
                return [Row(row["path"], row["kind"], row["group"], row["best"] == "1") for row in csv.DictReader(rows)]
    raise SystemExit(f"There is no truth.csv beside {library}, so there is nothing to compare with.")


def true_pairs(rows: Iterable[Row]) -> dict[str, Pairs]:
    """Pairs of files by the kind of group that they should be in."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.group].append(row)
    found: dict[str, Pairs] = {"copy": set(), "same": set(), "burst": set(), "edit": set(), "series": set(), "scene": set()}
    for members in groups.values():
        for a, b in combinations(members, 2):
            kinds = {a.kind, b.kind}
            kind = "same" if "edit" in kinds else "copy" if "copy" in kinds else "burst" if kinds == {"burst"} else None
            if kind:
                found[kind].add(frozenset((a.path, b.path)))
    return found


def found_pairs(groups: Iterable[dict[str, Any]], paths: dict[int, str]) -> dict[str, Pairs]:
    found: dict[str, Pairs] = {"copy": set(), "same": set(), "burst": set(), "edit": set(), "series": set(), "scene": set()}
    copies: dict[str, list[str]] = {}
    for group in sorted(groups, key=lambda group: group["kind"] != "copy"):
        members = [paths[member["photo_id"]] for member in group["members"]]
        if group["kind"] == "copy":
            copies |= dict.fromkeys(members, members)
        whole = {path for member in members for path in copies.get(member, [member])}
        pairs = {frozenset(pair) for pair in combinations(sorted(whole), 2)}
        found[group["kind"]] |= pairs if group["kind"] == "copy" else pairs - found["copy"]
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
    from precious_daemon import children, config, handover, jobfolder
    from precious_daemon.daemon import running
    from precious_daemon.jobs import BACKBONE
    from precious_daemon.store import photos

    places = config.places()
    async with running(places, config.Settings(), [str(library)], port=0, watching=False) as started:
        service, jobs = started.service, started.service.jobs
        say("reading and looking at the photos")
        await jobs.run("scan")
        await jobs.reading_done()
        await jobs.run("embed")
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


def compare(rows: list[Row], groups: list[dict[str, Any]], paths: dict[int, str]) -> dict[str, Figure]:
    figures = {}
    true, found = true_pairs(rows), found_pairs(groups, paths)
    for kind, name, precision, recall in (
        ("copy", "exact copies", 1, 1),
        ("same", "re-encoded or resized", 0.99, 0.95),
        ("burst", "bursts", 0.99, 0.95),
    ):
        right = len(true[kind] & found[kind])
        figures[f"{name}, pairs"] = Figure(len(true[kind]), "")
        figures[f"{name}, precision"] = Figure(right / len(found[kind]) if found[kind] else 1, "", precision, more=True)
        figures[f"{name}, recall"] = Figure(right / len(true[kind]) if true[kind] else 1, "", recall, more=True)
        for pair in sorted(sorted(pair) for pair in found[kind] ^ true[kind])[:5]:
            say(f"{name}: {'wrongly' if frozenset(pair) in found[kind] else 'not'} together: {' and '.join(pair)}")
    right, bursts = best_shots(rows, groups, paths)
    figures["bursts"] = Figure(bursts, "")
    figures["best shot of a burst right"] = Figure(right / bursts if bursts else 1, "", 0.9, more=True)
    return figures


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--library", type=Path, help="a folder of pictures with truth.csv beside it; nothing in it is changed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        library = args.library or demo_library(Path(scratch) / "library", 120 if args.quick else 500)
        rows = read_truth(library.absolute())
        groups, paths, taken = asyncio.run(group(library.absolute(), Path(scratch) / "home"))
        report("groups", {"library": "given" if args.library else "demo"}, taken | compare(rows, groups, paths))


if __name__ == "__main__":
    main()
