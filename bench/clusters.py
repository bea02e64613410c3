"""Which photos stand for the others: how fast they are found, and how well a model does that was taught with them.

    python -m bench.clusters [--quick] [--library DIR] [--home DIR] [--clustimage PYTHON]

* A million points of 128 dimensions into 200 clusters beside scikit-learn's MiniBatchKMeans, on one core: all times are of CPU,
  with one thread each, so that what else the machine does counts little.
* A thousand photos to 45 that stand for them, beside clustimage, the ancestor's way: PYTHON is that of an environment in which
  clustimage is installed (`python -m venv X && X/bin/pip install clustimage`). Both get the same features.
* 45 labels on representatives chosen by each kind of features, method and choice: average precision on the other photos of a
  regression on the embedding, mean over personas and draws. DIR is a library with truth.csv beside it (path, kind, ..., and
  `subject` for the taste personas); without it one of example pictures is made. The personas are nobody's real decision.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bench.common import Figure, arguments, demo_library, report, rss_mb, say
from precious_daemon.grouping.cluster import Options, cluster
from precious_daemon.grouping.cluster.kmeans import kmeans, nearest_centre
from precious_daemon.grouping.cluster.space import Space
from precious_daemon.grouping.represent import represent

ONE_CORE = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # for everybody
LABELS = 45
JUNK = ("blur", "dark", "receipt", "screenshot")
TASTES = {"A": ("dress", "outwear", "shorts"), "B": ("hat", "pants"), "C": ("longsleeve", "shirt", "skirt", "t-shirt")}
KINDS = ("embedding", "embedding+hog", "hog", "pixels", "hog+pixels")
FEW = "calinski-harabasz"  # this score likes few clusters, so that several photos stand for each
THEIRS = """
import json, sys, time
import numpy as np
from clustimage import Clustimage
x, most = np.load(sys.argv[1]), int(sys.argv[2])
began = time.process_time()
c = Clustimage(method="pca", verbose=0)
c.results = {"feat": x, "labels": None, "xycoord": None, "filenames": None, "pathnames": None, "img": None}
c.embedding(x, metric="euclidean")
c.cluster(cluster="agglomerative", evaluate="silhouette", min_clust=3, max_clust=most + 1, cluster_space="high")
labels, places = c.results["labels"], c.results["xycoord"]
centres = [places[labels == label].mean(0) for label in np.unique(labels)]
found = {int(np.square(places - centre).sum(1).argmin()) for centre in centres}
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
print(json.dumps({"seconds": time.process_time() - began, "mb": peak / 1000,
                  "found": len(found)}))
"""
OURS = """
import json, sys, time
import numpy as np
from precious_daemon.grouping.cluster import cluster
from precious_daemon.grouping.cluster.space import Space
x = np.load(sys.argv[1])
began = time.process_time()
points = Space.fit([(x, 1.0)], 0).points([x])
found = cluster(points, int(sys.argv[2]), 0)
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
print(json.dumps({"seconds": time.process_time() - began, "mb": peak / 1000,
                  "found": len(found.representatives)}))
"""


# --- speed -------------------------------------------------------------------------------------------------------------


def many_points(count: int, k: int) -> dict[str, Figure]:
    """Blobs that lie into each other, twice as many as there will be clusters."""
    from sklearn.cluster import MiniBatchKMeans

    say(f"{count:,} points into {k} clusters")
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2 * k, 128)).astype(np.float32)[rng.integers(0, 2 * k, count)]
    points += rng.standard_normal((count, 128), dtype=np.float32) * 1.5
    before = rss_mb()
    began = time.process_time()
    _, distance = nearest_centre(points, kmeans(points, k, 0))
    took, inertia = time.process_time() - began, float(np.square(distance, dtype=np.float64).sum())
    more = rss_mb() - before
    say("the same with MiniBatchKMeans")
    began = time.process_time()
    theirs = MiniBatchKMeans(k, n_init=1, random_state=0).fit(points)
    batch = time.process_time() - began
    whole = count >= 1_000_000
    return {
        f"{count:,} x 128 into {k}": Figure(took, "s of CPU", 10 if whole else None),
        "the same, beyond the points": Figure(more, "MB"),
        "the same, MiniBatchKMeans": Figure(batch, "s of CPU"),
        "inertia, of MiniBatchKMeans'": Figure(inertia / float(theirs.inertia_), "x", 1.0),
    }


def a_thousand(python: Path | None, count: int, scratch: Path) -> dict[str, Figure]:
    """Of features of 2,048 numbers, as the ancestor's HOG has them; each program in a process of its own."""
    rng = np.random.default_rng(0)
    features = np.abs(rng.normal(size=(60, 2048)).astype(np.float32)[rng.integers(0, 60, count)])
    features += rng.random((count, 2048), dtype=np.float32) * 0.8
    file = scratch / "features.npy"
    np.save(file, features)
    say(f"{count} photos to {LABELS} representatives")
    ours = _run(Path(sys.executable), OURS, file)
    figures = {
        f"{count} photos to {LABELS}": Figure(ours["seconds"], "s of CPU"),
        "the same, peak RSS": Figure(ours["mb"], "MB", 200),
    }
    if python:
        say("the same with clustimage")
        theirs = _run(python, THEIRS, file)
        figures["the same, clustimage"] = Figure(theirs["seconds"], "s of CPU")
        figures["the same, clustimage's peak RSS"] = Figure(theirs["mb"], "MB")
        figures["faster than clustimage"] = Figure(theirs["seconds"] / ours["seconds"], "x", 50, more=True)
    return figures


def _run(python: Path, program: str, file: Path) -> dict[str, Any]:
    command = [str(python), "-W", "ignore", "-c", program, str(file), str(LABELS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | ONE_CORE)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


# --- what is worth labelling -------------------------------------------------------------------------------------------


def looked_at(library: Path, home: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Paths of the photos and their features by kind, as the service reads them."""
    os.environ["PRECIOUS_HOME"] = str(home)
    from precious_daemon import config
    from precious_daemon.grouping import __main__ as grouping
    from precious_daemon.grouping import clustering
    from precious_daemon.grouping.measures import facts, qualities
    from precious_daemon.jobs.nightwork import BACKBONE
    from precious_daemon.running.daemon import running
    from precious_daemon.store import groups
    from precious_daemon.work import children, handover, jobfolder

    async def read() -> tuple[list[str], dict[str, np.ndarray]]:
        places = config.places()
        async with running(places, config.Settings(), [str(library)], port=0, watching=False) as started:
            say("reading and looking at the photos")
            jobs = started.service.jobs
            await jobs.run("scan")
            await jobs.arrivals.reading_done()
            await jobs.run("embed")
            await jobs.run("group")
            bursts = await started.service.store.aread(groups.all_groups)
            with children.job_folder(places, "bench") as folder:
                await started.service.store.aread(handover.write_photos, folder)
                rows = jobfolder.read_photos(folder)
                looks = grouping.read_looks(folder, places.cache_db, rows, BACKBONE, lambda _: None)
                keys = [bytes.fromhex(row.content_hash) for row in rows]
                pixels = clustering.read_pixels(folder / "pixels.f16", places.cache_db, keys)
                number = {m.photo_id: i for i, group in enumerate(bursts) for m in group.members}
                together = np.array([number.get(row.id, len(rows) + i) for i, row in enumerate(rows)], dtype=np.int64)
                measures = np.hstack([facts(rows, together), qualities(looks.quality)])
                found: dict[str, np.ndarray] = {
                    "embedding": looks.embedding,
                    "hog": looks.hog,
                    "pixels": pixels,
                    "measures": measures,
                }
                found["together"] = together[:, None]
                return [row.path for row in rows], {kind: np.array(matrix, np.float32) for kind, matrix in found.items()}

    return asyncio.run(read())


def personas(library: Path, paths: Iterable[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By name: (n,) who is deleted, and (n,) who the persona is asked about."""
    places = [file for file in (library.parent / "truth.csv", library / "truth.csv") if file.exists()]
    if not places:
        raise SystemExit(f"There is no truth.csv beside {library}, so there is nothing to compare with.")
    with open(places[0], newline="") as file:
        truth = {row["path"]: row for row in csv.DictReader(file)}
    rows = [truth[path] for path in paths]
    kinds = np.array([row["kind"] for row in rows])
    found = {"junk": (np.isin(kinds, JUNK), np.ones(len(rows), bool))}
    subjects = np.array([row.get("subject") or "" for row in rows])
    for name, classes in TASTES.items():
        theirs, asked = np.isin(subjects, classes), (subjects != "") & ~np.isin(kinds, JUNK)
        if (theirs & asked).sum() >= LABELS:
            found[f"taste {name}"] = (theirs, asked)
    return found


def worth(features: dict[str, np.ndarray], who: dict[str, tuple[np.ndarray, np.ndarray]], draws: int) -> dict[str, Figure]:
    """Mean average precision after 45 labels on the representatives of each way to choose them."""
    from precious_daemon.grouping.clustering import WEIGHTS

    def of_kinds(wanted: str, rows: np.ndarray, seed: int) -> np.ndarray:
        kinds = wanted.split("+")
        blocks = [(features[kind][rows], WEIGHTS[kind] if len(kinds) > 1 else 1.0) for kind in kinds]
        return Space.fit(blocks, seed).points([matrix for matrix, _ in blocks])

    def chosen(wanted: str, **options: str) -> Callable[[np.ndarray, int], np.ndarray]:
        return lambda rows, seed: cluster(of_kinds(wanted, rows, seed), LABELS, seed, Options(**options)).representatives

    def telling(rows: np.ndarray, seed: int) -> np.ndarray:
        together = features["together"][rows, 0].astype(np.int64)
        return represent(features["embedding"][rows], features["measures"][rows], together, LABELS, seed)

    ways: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
        "random photos": lambda rows, seed: np.random.default_rng(seed).permutation(len(rows))[:LABELS],
        "what tells most": telling,
        **{f"{kinds}": chosen(kinds) for kinds in KINDS},
        "embedding+hog, agglomerative": chosen("embedding+hog", method="agglomerative"),
        "embedding+hog, hdbscan": chosen("embedding+hog", method="hdbscan"),
        "embedding+hog, k-center": chosen("embedding+hog", score="calinski-harabasz", representatives="k-center"),
        "embedding+hog, facility-location": chosen(
            "embedding+hog", score="calinski-harabasz", representatives="facility-location"
        ),
    }
    figures = {}
    for way, choose in ways.items():
        say(f"45 labels by {way}")
        found = [_average_precision(features["embedding"], *who[name], choose, seed) for name in who for seed in range(draws)]
        figures[f"AP, labels by {way}"] = Figure(float(np.mean(found)), "")
    return figures


def _average_precision(
    embedding: np.ndarray, deleted: np.ndarray, asked: np.ndarray, choose: Callable[[np.ndarray, int], np.ndarray], seed: int
) -> float:
    """Of one draw: representatives of a random three quarters are labelled, the other quarter is held out."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score

    rows = np.random.default_rng(1000 + seed).permutation(np.flatnonzero(asked))
    held, rest = rows[: len(rows) // 4], np.sort(rows[len(rows) // 4 :])
    labelled = rest[choose(rest, seed)]
    if len(set(deleted[labelled].tolist())) < 2:
        return float(deleted[held].mean())  # nothing to learn from: no better than chance
    unit = embedding / np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-9)
    model = LogisticRegression(C=10, max_iter=500, class_weight="balanced").fit(unit[labelled], deleted[labelled])
    return float(average_precision_score(deleted[held], model.decision_function(unit[held])))


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--library", type=Path, help="a folder of pictures with truth.csv beside it; nothing in it is changed")
    parser.add_argument("--home", type=Path, help="where that library was read to by an earlier run, or is to be")
    parser.add_argument("--clustimage", type=Path, help="the Python of an environment with clustimage")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, threadpool_limits(1):
        folder = Path(scratch)
        figures = many_points(60_000 if args.quick else 1_000_000, 50 if args.quick else 200)
        figures |= a_thousand(args.clustimage, 200 if args.quick else 1000, folder)
        library = (args.library or demo_library(folder / "library", 150 if args.quick else 600)).absolute()
        paths, features = looked_at(library, args.home or folder / "home")
        who = personas(library, paths)
        figures |= worth(features, who, 3 if args.quick else 10)
    conditions = {
        "threads": 1, "library": "given" if args.library else "demo", "photos": len(paths), "personas": list(who),
        "labels": LABELS,
    }  # fmt: skip
    report("clusters", conditions, figures)


if __name__ == "__main__":
    main()
