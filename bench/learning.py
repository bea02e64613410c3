"""How well made-up owners are understood from a few answers, by each learner and by the one that is believed.

    python -m bench.learning [--library DIR] [--classes DIR] [--quick]

An owner is made up: a rule says which photos they throw away ("persona"). Personas of quality need a library with truth.csv
beside it (path, kind, group, best); without `--library` one of example pictures is made. Personas of taste need a folder of
pictures sorted into class folders: `--classes`, or `clothing` in PRECIOUS_CORPUS; without it they are left out.

In every draw 40 % of the photos are held out by source photo, so that copies and frames never stand on both sides. Among the
rest the owner is asked as the service asks: first half of the photos that stand for most others, then those that the model
for now is in doubt about, after every two answers anew (its page has the next question ready while one is answered). Shown
are means over the draws, of average precision (AP), F1, and the share of what is to go that a certificate frees for bulk
approval after 120 blind answers.
"""

from __future__ import annotations

import csv
import os
import pickle
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.common import Figure, arguments, demo_library, report, say

JUNK = ("blur", "dark", "receipt", "screenshot")
TASTES = {
    "taste A": ("dress", "outwear", "shorts"),
    "taste B": ("hat", "pants"),
    "taste C": ("longsleeve", "shirt", "skirt", "t-shirt"),
}
GOALS = {"junk": 0.975, "taste A": 0.80, "taste B": 0.97, "taste C": 0.90}
HELD_OUT = 0.4  # of the photos
TESTED = 45  # held-out answers that confirm a champion
AUDITS = 120
AHEAD = 2  # questions asked with what is made of the same answers
VIEWED = 400  # photos of a library with augmented views
NOISE = 0.1  # share of the noisy persona's answers that are wrong


@dataclass
class World:
    """A library as the learner sees it."""

    folder: Path
    kinds: list[str]
    subjects: list[str]
    best: list[bool]
    group: np.ndarray[Any, Any]
    features: np.ndarray[Any, Any] = field(init=False)
    measures: np.ndarray[Any, Any] = field(init=False)
    hog: np.ndarray[Any, Any] = field(init=False)
    x: Any = field(init=False)
    views: Any = field(init=False)


@dataclass(frozen=True)
class Persona:
    world: World
    deleted: np.ndarray[Any, Any]
    noise: float = 0.0


# --- libraries ---------------------------------------------------------------------------------------------------------


def from_truth(library: Path, folder: Path) -> World:
    file = next(f for f in (library.parent / "truth.csv", library / "truth.csv") if f.exists())
    with open(file, newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    paths = [library / row["path"] for row in rows]
    world = World(
        folder, [r["kind"] for r in rows], [r.get("subject") or "" for r in rows], [r["best"] == "1" for r in rows],
        np.array([int(r["group"]) for r in rows]),
    )  # fmt: skip
    return look_at(world, paths)


def from_classes(classes: Path, folder: Path, most: int) -> World:
    paths = sorted(p for p in classes.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    random.Random(0).shuffle(paths)
    paths = paths[:most]
    count = len(paths)
    return look_at(World(folder, ["photo"] * count, [p.parent.name for p in paths], [True] * count, np.arange(count)), paths)


def look_at(world: World, paths: list[Path]) -> World:
    """Read, measure and embed, as the service does."""
    from precious_daemon.config import Places
    from precious_daemon.grouping.measures import facts, qualities
    from precious_daemon.learn.backbone import DIMENSION, NAME
    from precious_daemon.learn.space import Examples, Space
    from precious_daemon.pictures.ingest import read_photo
    from precious_daemon.store import schema
    from precious_daemon.work import jobfolder
    from precious_daemon.work.jobfolder import PhotoRow

    folder = world.folder
    places = Places(folder / "config.toml", folder / "data", folder / "cache", folder / "run")
    places.make()
    schema.migrate(places)
    say(f"reading {len(paths)} pictures")
    with ProcessPoolExecutor(2) as pool:
        read = list(pool.map(read_photo, map(str, paths), [60.0] * len(paths), chunksize=8))
    with closing(sqlite3.connect(places.cache_db)) as db, db:
        for f in read:
            row = [f.content_hash, f.thumbnail, f.proxy, f.hog, f.quality.pack()]
            db.execute("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?)", row)
            db.execute("INSERT OR REPLACE INTO previews VALUES (?, ?, ?)", [f.content_hash, len(f.preview), f.preview])
    say("looking at them")
    job = folder / "embed"
    job.mkdir()
    (job / "wanted.bin").write_bytes(b"".join(f.content_hash for f in read))
    jobfolder.write_json(job, "job.json", {"task": "embed", "cache_db": str(places.cache_db), "backbone": NAME, "seed": 0})
    subprocess.run([sys.executable, "-m", "precious_daemon.learn", str(job)], check=True, stdout=subprocess.DEVNULL)
    vectors = dict(jobfolder.read_embeddings(job, DIMENSION))
    world.features = np.stack([np.frombuffer(vectors[f.content_hash], "<f2").astype(np.float32) for f in read])
    world.hog = np.stack([np.frombuffer(f.hog, np.float16).astype(np.float32) for f in read])
    rows = [
        PhotoRow(i, f.content_hash.hex(), f.perceptual_hash, f.taken_at, f.camera, f.width, f.height, path.stat().st_size,
                 f.format, str(path), int(world.group[i]))
        for i, (f, path) in enumerate(zip(read, paths, strict=True))
    ]  # fmt: skip
    world.measures = np.hstack([facts(rows, world.group), qualities([f.quality for f in read])])
    space = Space.fit(world.features, world.measures)
    world.x = Examples(space.look(world.features), space.measures(world.measures), world.group)
    world.views = imagine(places.cache_db, [f.content_hash for f in read], space)
    return world


def once(folder: Path, make: Callable[[Path], World]) -> World:
    """What an earlier run left in this folder, or made now and left there: looking takes longer than learning."""
    file = folder / "world.pickle"
    if not file.exists():
        shutil.rmtree(folder, ignore_errors=True)  # an earlier run may have been stopped half-way
        folder.mkdir(parents=True)
        file.write_bytes(pickle.dumps(make(folder)))
    world: World = pickle.loads(file.read_bytes())
    return world


def imagine(cache_db: Path, hashes: list[bytes], space: Any) -> Any:
    """Augmented views of some photos at random: the same for all draws and personas, since they cost most of the time."""
    from precious_daemon.learn import views
    from precious_daemon.learn.limits import Deadline

    say("imagining variations")
    table = np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), -1)
    nobody, everybody = np.zeros(0, np.int64), np.arange(len(hashes))
    with closing(sqlite3.connect(cache_db)) as db, redirect_stdout(sys.stderr):  # the other one is for the figures
        return views.make_views(db, table, nobody, everybody, space, 0, Deadline(None, time.monotonic()), VIEWED)


# --- owners ------------------------------------------------------------------------------------------------------------


def personas(library: World, classes: World | None) -> Iterator[tuple[str, Persona]]:
    kinds = np.array(library.kinds)
    junk = np.isin(kinds, JUNK).astype(np.int64)
    yield "junk", Persona(library, junk)
    if classes is not None:
        for name, subjects in TASTES.items():
            yield name, Persona(classes, np.isin(classes.subjects, subjects).astype(np.int64))
    soft = (kinds == "burst") & ~np.array(library.best)
    yield "quality", Persona(library, (soft | np.isin(kinds, ("blur", "dark"))).astype(np.int64))
    shown, counts = np.unique([s for s in library.subjects if s] or [""], return_counts=True)
    if len(shown) > 1:
        disliked = np.array(library.subjects) == shown[counts.argmax()]
        yield "mixed", Persona(library, (np.isin(kinds, ("receipt", "screenshot")) | disliked).astype(np.int64))
    yield "noisy", Persona(library, junk, NOISE)


# --- one draw ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    labelled: np.ndarray[Any, Any]
    answers: np.ndarray[Any, Any]  # to those, with the noise
    tested: np.ndarray[Any, Any]  # held-out answers that confirm the champion
    judged: np.ndarray[Any, Any]  # held-out photos that no learner knows of


def draw(persona: Persona, labels: int, seed: int) -> Split:
    rng, world = np.random.default_rng(seed), persona.world
    order = rng.permutation(np.unique(world.group))
    sizes = np.array([(world.group == g).sum() for g in order])
    held = np.isin(world.group, order[: int(np.searchsorted(sizes.cumsum(), HELD_OUT * len(world.group))) + 1])
    pool, out = np.flatnonzero(~held), rng.permutation(np.flatnonzero(held))
    said = np.where(rng.random(len(world.group)) < persona.noise, 1 - persona.deleted, persona.deleted)
    labelled = np.sort(pool[asked(world, pool, said[pool], labels, seed)])
    few = min(TESTED, len(out) // 3)
    return Split(labelled, said[labelled], out[:few], out[few:])


def asked(world: World, pool: np.ndarray[Any, Any], said: np.ndarray[Any, Any], labels: int, seed: int) -> np.ndarray[Any, Any]:
    """Positions in the pool of the photos that the service asks about, from an owner who says `said` of each of them."""
    from precious_daemon.grouping.represent import represent
    from precious_daemon.learn.baseline import regression
    from precious_daemon.learn.instant import WEIGHT, next_questions

    x, rng = world.x.take(pool), np.random.default_rng(seed)
    chosen = represent(world.features[pool], world.measures[pool], world.group[pool], -(-labels // 2), seed)
    while len(chosen) < labels:
        counts = np.bincount(said[chosen], minlength=2)
        ahead = rng.permutation(np.setdiff1d(np.arange(len(pool)), chosen))
        if counts.min() >= 2:
            ahead = next_questions(x, chosen, said[chosen], regression(x, chosen, said[chosen], WEIGHT)(x), rng)
        if not len(ahead):
            break
        chosen = np.concatenate([chosen, ahead[: min(AHEAD, labels - len(chosen))]])
    return chosen


def trial(persona: Persona, split: Split, seed: int) -> dict[str, dict[str, float]]:
    """Figures of each learner, and of the champion, by name."""
    from sklearn.metrics import average_precision_score, f1_score

    from precious_daemon.learn import champion
    from precious_daemon.learn.baseline import Graphs

    world, where, said, judged = persona.world, split.labelled, split.answers, split.judged
    truth = persona.deleted[judged]
    began = time.perf_counter()
    graphs = Graphs(world.x, where)
    seconds = {"graphs": time.perf_counter() - began}

    def learn(some: np.ndarray[Any, Any], deleted: np.ndarray[Any, Any]) -> Mapping[str, Any]:
        return champion.learn_all(world.x, some, deleted, graphs, world.views, seed).scores

    trials = champion.cross_validate(learn, where, said, world.group[where], seed, lambda *_: True)
    field_ = champion.learn_all(world.x, where, said, graphs, world.views, seed)
    scales = {name: champion.calibrate(trials.get(name), said) for name in field_.scores}
    chances = {name: scales[name](scores) for name, scores in field_.scores.items()}
    seconds["all learners and their trials"] = time.perf_counter() - began
    known = persona.deleted[split.tested]
    held_out = {name: chance[split.tested] for name, chance in chances.items()}
    best, _ = champion.confirm(champion.choose(trials, int(min(said.sum(), (1 - said).sum()))), trials, held_out, known)
    chances["champion"] = chances[best]
    others = compared(persona, split, seed)
    found: dict[str, dict[str, float]] = {}
    for name, scores in {**chances, **others}.items():
        found[name] = {"AP": float(average_precision_score(truth, scores[judged]))}
        if name in chances:
            found[name]["F1"] = float(f1_score(truth, scores[judged] >= 0.5, zero_division=0))
    found["champion"] |= certified(persona, split, chances["champion"], seed) | {
        "against regression": found["champion"]["AP"] - found["regression"]["AP"], "seconds": sum(seconds.values())
    }  # fmt: skip
    return found


def compared(persona: Persona, split: Split, seed: int) -> dict[str, Any]:
    """Others' ways: the ancestor's features, and FixMatch from a random start with its own pseudo-labels alone."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    from precious_daemon.learn.baseline import Linear
    from precious_daemon.learn.fixmatch import Config, fixmatch

    world = persona.world
    hog = PCA(min(50, len(world.hog) - 1), random_state=seed).fit_transform(world.hog)
    model = LogisticRegression(class_weight="balanced", max_iter=2000).fit(hog[split.labelled], split.answers)
    start = np.random.default_rng(seed).normal(0, 0.1, world.x.look.shape[1]).astype(np.float32)
    blank = Linear(start, np.zeros(world.x.measures.shape[1], np.float32), 0.0)
    plain = Config(lr=0.03, p_cutoff=0.95, graph=0.0, pull=0.0, ema_m=0.99, steps=400)
    head = fixmatch(world.x, split.labelled, split.answers, world.views, np.zeros(len(world.x)), blank, seed, plain)
    return {"HOG and PCA, regression": model.decision_function(hog), "plain FixMatch": head(world.x)}


def certified(persona: Persona, split: Split, chances: np.ndarray[Any, Any], seed: int) -> dict[str, float]:
    """What the certificate frees after AUDITS blind answers: its share of all that is to go, and how right it is."""
    from precious_daemon.pure.certify import FLOOR, Draw, certify

    world, labelled = persona.world, set(split.labelled.tolist())
    keep = 1 - chances
    units: dict[int, list[int]] = {}
    for i in np.flatnonzero(keep <= FLOOR):
        if int(i) not in labelled:
            units.setdefault(int(world.group[i]), []).append(int(i))
    rng = random.Random(seed)
    order = [(rng.choice(unit), unit) for unit in units.values()]
    rng.shuffle(order)
    draws = [Draw(float(keep[unit].max()), None, len(unit)) for _, unit in order]
    verdict = certify(draws, 0.05, 0.95)
    for _ in range(AUDITS):
        if verdict.asking is None:
            break
        at = next(i for i, draw in enumerate(draws) if draw.kept is None and draw.keep <= verdict.asking)
        draws[at] = replace(draws[at], kept=not persona.deleted[order[at][0]])
        verdict = certify(draws, 0.05, 0.95)
    rest = np.setdiff1d(np.arange(len(keep)), split.labelled)
    if verdict.certificate is None:
        return {"certified recall": 0.0}
    freed = [i for d, (_, unit) in zip(draws, order, strict=True) if d.keep <= verdict.certificate.threshold for i in unit]
    return {"certified recall": float(persona.deleted[freed].sum() / max(persona.deleted[rest].sum(), 1)),
            "certified precision": float(persona.deleted[freed].mean())}  # fmt: skip


# --- all ---------------------------------------------------------------------------------------------------------------


def measure(
    owners: Mapping[str, Persona], counts: list[int], draws: int, goals: Mapping[str, float], go_on: Callable[[], bool]
) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for name, persona in owners.items():
        for labels in counts:
            rows: list[dict[str, dict[str, float]]] = []
            for seed in range(draws):
                if rows and not go_on():
                    break
                split = draw(persona, labels, seed)
                if min(split.answers.sum(), (1 - split.answers).sum()) >= 2:
                    rows.append(trial(persona, split, seed))
                    say(f"{name}, {labels} labels, draw {seed + 1}: AP {rows[-1]['champion']['AP']:.3f}")
            for learner in rows[0] if rows else ():
                for what in rows[0][learner]:
                    values = [row[learner][what] for row in rows if what in row[learner]]
                    if what == "against regression":
                        figures[f"{name}, {labels} labels, worst draw against regression"] = Figure(min(values), "AP")
                        continue
                    goal = goals.get(name) if (learner, what, labels) == ("champion", "AP", 45) else None
                    unit = "s" if what == "seconds" else f"{what} ± {np.std(values):.2f} of {len(values)}"
                    figures[f"{name}, {labels} labels, {learner}: {what}"] = Figure(float(np.mean(values)), unit, goal, True)
    return figures


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--library", type=Path)
    parser.add_argument("--classes", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for what the pictures look like, to be used again by the next run")
    parser.add_argument("--draws", type=int, default=0, help="default: 5, or 1 with --quick")
    parser.add_argument("--labels", type=int, nargs="*", default=[], help="default: 45 and 90, or 45 with --quick")
    parser.add_argument("--only", nargs="*", default=[], help="names of personas")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    began = time.monotonic()
    import torch

    global VIEWED
    corpus = Path(os.environ["PRECIOUS_CORPUS"]) / "clothing" if "PRECIOUS_CORPUS" in os.environ else None
    classes = args.classes or (corpus if corpus and corpus.is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="bench-learning-") as made:
        folder = Path(made)
        if args.quick:
            VIEWED = 60
        library = args.library or demo_library(folder / "library", 160 if args.quick else 1000)
        kept = args.keep or folder
        world = once(kept / "kinds", lambda place: from_truth(library, place))
        tasted = not args.only or any(name in TASTES for name in args.only)
        most = 120 if args.quick else 1000
        sorted_ = once(kept / "classes", lambda place: from_classes(classes, place, most)) if classes and tasted else None
        torch.set_num_threads(1)
        owners = dict(personas(world, sorted_))
        if args.quick:
            owners = {name: owner for name, owner in owners.items() if name in ("junk", "taste A", "noisy")}
        owners = {name: owner for name, owner in owners.items() if not args.only or name in args.only}
        draws = args.draws or (1 if args.quick else 5)
        counts = args.labels or ([45] if args.quick else [45, 90])
        goals = {} if args.quick else GOALS  # so few photos are no measure
        figures = measure(owners, counts, draws, goals, lambda: not args.quick or time.monotonic() - began < 35)
    conditions: dict[str, object] = {
        "library": "given" if args.library else "made of example pictures", "photos": len(world.kinds),
        "photos in classes": len(sorted_.kinds) if sorted_ else 0, "draws": draws, "photos with views": VIEWED,
    }  # fmt: skip
    report("learning", conditions, figures)


if __name__ == "__main__":
    main()
