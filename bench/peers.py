"""Beside others, in one run: the same files and the same made-up owners, each program in an environment of its own.

    python -m bench.peers --envs DIR [--install] [--quick] [--only NAME...]

DIR/NAME/bin/python is the Python of the environment of the peer NAME; `--install` makes those that are absent, with pip. What
cannot be had is named, and left out. Compared are reading (pyvips, imagehash, imagededup, difPy, cleanvision, czkawka's binding),
copies (imagededup), pictures worth labelling (clustimage), votes (image-ranker's way to choose pairs, on the same ratings) and
learning (plain FixMatch, which starts at random and believes its own labels alone). Reading is CPU time of one core for
each photo; theirs makes one hash, thumbnail or set of checks, ours the whole recipe with the rows in the database.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from bench import clusters, groups, ingest, learning, votes
from bench.alterations import alter
from bench.beside import beside
from bench.common import Figure, arguments, demo_library, report, say

PEERS = {
    "pyvips": "pyvips[binary]",
    "imagehash": "imagehash",
    "imagededup": "imagededup",
    "czkawka": "czkawka",
    "difPy": "difPy",
    "cleanvision": "cleanvision",
    "clustimage": "clustimage",
}
FOLDER_PROGRAMS = {  # those that take a folder and not a photo
    "difPy": "import difPy; difPy.search(difPy.build(folder, show_progress=False), show_progress=False)",
    "cleanvision": "from cleanvision import Imagelab; Imagelab(data_path=folder, verbose=False).find_issues(n_jobs=1)",
}
WHOLE = """
import sys, time
folder, began = sys.argv[1], time.process_time()
{work}
print(time.process_time() - began)
"""


def environments(folder: Path, install: bool) -> tuple[dict[str, str], list[str]]:
    """(Python by peer, what is missing)."""
    found, missing = {}, []
    for name, package in PEERS.items():
        python = folder / name / "bin" / "python"
        if not python.exists() and install:
            say(f"installing {name}")
            venv.create(folder / name, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "-q", package, "numpy", "pillow"], check=False, stdout=sys.stderr)
        if python.exists() and version(str(python), name):
            found[name] = str(python)
        else:
            missing.append(f"{name} (pip install {package})")
    return found, missing


def version(python: str, package: str) -> str | None:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def reading(pythons: dict[str, str], scratch: Path, quick: bool) -> Iterator[tuple[str, Figure]]:
    files = ingest.camera_files(scratch / "camera", 3 if quick else 8)
    figures, _ = ingest.compare(files, scratch / "home", 2 if quick else 5, list(pythons.values()))
    ours = figures["whole recipe, per photo"].value
    yield "reading a photo: ours, all of it", Figure(ours, "ms")
    for name in ingest.RIVALS:
        if theirs := figures.get(f"{name}, per photo"):
            yield f"reading a photo: {name}", theirs
    for name, work in FOLDER_PROGRAMS.items():
        if name in pythons:
            say(name)
            command = [pythons[name], "-W", "ignore", "-c", WHOLE.format(work=work), str(files[0].parent)]
            done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                seconds = float(done.stdout.split()[-1])
                yield f"reading a photo: {name}", Figure(1000 * seconds / len(files), "ms")
            else:
                say(f"{name} failed: {done.stderr[-300:]}")


def copies(pythons: dict[str, str], scratch: Path, quick: bool) -> Iterator[tuple[str, Figure]]:
    library = demo_library(scratch / "copies", 60 if quick else 200)
    alter(library, 10 if quick else 30)
    rows = groups.read_truth(library)
    found, paths, _ = asyncio.run(groups.group(library, scratch / "copies-home"))
    true, ours = groups.true_pairs(rows), groups.found_pairs(found, paths)
    wanted, had = (set().union(*(pairs[kind] for kind in ("copy", "same", "edit"))) for pairs in (true, ours))
    yield "copies and edits: ours, precision", Figure(len(wanted & had) / max(1, len(had)), "")
    yield "copies and edits: ours, recall", Figure(len(wanted & had) / max(1, len(wanted)), "")
    figures, _ = beside(pythons, library, wanted, true["burst"] | true["series"] | true["scene"])
    for name, figure in figures.items():
        yield f"copies and edits: {name}", figure


def representatives(pythons: dict[str, str], scratch: Path, quick: bool) -> Iterator[tuple[str, Figure]]:
    count = 200 if quick else 1000
    python = Path(pythons["clustimage"]) if "clustimage" in pythons else None
    figures = clusters.a_thousand(python, count, scratch)
    what = f"{count:,} photos to {clusters.LABELS} representatives"
    yield f"{what}: ours", figures[f"{count} photos to {clusters.LABELS}"]
    if python:
        yield f"{what}: clustimage", figures["the same, clustimage"]


def voting(pythons: dict[str, str], scratch: Path, quick: bool) -> Iterator[tuple[str, Figure]]:
    photos, owners, most = (60, 1, 300) if quick else (200, 3, 800)
    ways: dict[str, tuple[Callable[..., votes.Way], bool]] = {
        "ours, four at a time": (lambda ratings, rng: votes.Ours(ratings, False, 4, rng), False),
        "ours, pairs": (lambda ratings, rng: votes.Ours(ratings, False, 2, rng), False),
        "image-ranker, auto-shuffle": (lambda ratings, rng: votes.ImageRanker(ratings, True, rng), False),
    }
    for name, (make, prior) in ways.items():
        say(name)
        in_turn, at_once = votes.curve(make, photos, most, owners, prior)
        taus = in_turn if "image-ranker" in name else at_once
        yield f"answers to tau .75 on {photos} photos: {name}", Figure(votes.needed(taus, 0.75), "answers")


def learned(pythons: dict[str, str], scratch: Path, quick: bool) -> Iterator[tuple[str, Figure]]:
    library = demo_library(scratch / "learning", 160 if quick else 500)
    world = learning.once(scratch / "kinds", lambda place: learning.from_truth(library, place))
    owners = {name: owner for name, owner in learning.personas(world, None) if name == "junk"}
    figures = learning.measure(owners, [45], 1 if quick else 3, {}, lambda: True)
    for learner, name in (("champion", "ours"), ("plain FixMatch", "plain FixMatch"), ("regression", "regression")):
        if found := figures.get(f"junk, 45 labels, {learner}: AP"):
            yield f"average precision after 45 labels: {name}", Figure(found.value, "")


PARTS = {"reading": reading, "copies": copies, "representatives": representatives, "votes": voting, "learning": learned}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--envs", type=Path, required=True, help="a folder of environments, one for each peer")
    parser.add_argument("--install", action="store_true", help="make those that are absent")
    parser.add_argument("--only", nargs="*", default=list(PARTS), choices=list(PARTS))
    options = parser.parse_args()
    random.seed(0)
    pythons, missing = environments(options.envs.absolute(), options.install)
    versions = {name: version(python, name) for name, python in pythons.items()}
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        for name in options.only:
            say(f"--- {name}")
            figures |= PARTS[name](pythons, Path(scratch), options.quick)
    for name in missing:
        say(f"missing: {name}")
    conditions = {
        "Pillow here": metadata.version("pillow"), "versions": versions, "missing": missing,
        "load average": f"{os.getloadavg()[0]:.1f}", "quick": options.quick,
    }  # fmt: skip
    report("peers", conditions, figures)


if __name__ == "__main__":
    main()
