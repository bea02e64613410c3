"""The sort task: photos into the owner's own classes, two or more, from a few answers.

The field is that of keep and delete: regression, label spreading, FixMatch, and the mean of the last two. The first two learn
each class against the others, and their chances are shared out over the classes; FixMatch learns all of them at once. Repeated
cross-validation chooses the champion, by the same rule: what is within its noise goes by the order of simulated owners.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedGroupKFold

from precious_daemon.grouping.measures import Ints
from precious_daemon.learn import backbone, photos
from precious_daemon.learn.baseline import Doubles, Graphs, by_neighbours, regression
from precious_daemon.learn.champion import FLOOR, FOLDS, REPEATS, Trial, choose
from precious_daemon.learn.data import Task, open_cache, read
from precious_daemon.learn.fixmatch import Lines, Views, fixmatch_classes
from precious_daemon.learn.limits import Deadline, Refused
from precious_daemon.learn.space import Examples
from precious_daemon.learn.views import make_views
from precious_daemon.work import jobfolder

LEAST = 3  # answers of a class, so that one can be foretold from others
NODES = 8_000  # photos of the largest graph
VIEWS = 400  # photos that FixMatch sees augmented: fewer than for keep and delete, since there may be many tasks in a night
VIEWS_SHARE, TRIALS_SHARE = 0.5, 0.7  # of the time that is left
LEAST_FOR_VIEWS = 15.0  # seconds left, below which FixMatch is not tried
NAMES = {
    "regression": "regression",
    "label_spreading": "label spreading",
    "fixmatch": "FixMatch",
    "mean_rank": "the mean of FixMatch and label spreading",
}
Learner = Callable[[Ints, Ints], Mapping[str, Doubles]]  # answers (where (L,), class (L,)) -> chances (n, K) by learner


def sort(folder: Path, job: dict[str, Any], deadline: Deadline) -> None:
    """Leaves scores.bin (photo, chance of its likeliest class, that class) and, last, report.json. Raises Refused."""
    jobfolder.say("reading photos and answers", 0, 0)
    task = read(folder, job)
    place, said = _answers(task, dict(jobfolder.read_json(folder, "classes.json")))
    classes = sorted(set(said.tolist()))
    target = np.searchsorted(classes, said)
    seed = int(job["seed"])
    nodes = _nodes(task, place, seed)
    x, where = task.examples.take(nodes), np.searchsorted(nodes, place)
    jobfolder.say("comparing photos", 0, 0)
    graphs = Graphs(x, where)
    views = _views(job, task, nodes, place, seed, deadline)
    torch.set_num_threads(1)  # heads are small: more threads wait for one another longer than they work
    limit = deadline.part(TRIALS_SHARE)

    def learn(where: Ints, target: Ints) -> Mapping[str, Doubles]:
        return field(x, where, target, len(classes), graphs, views, seed).chances

    def go_on(done: int, total: int) -> bool:
        jobfolder.say("trying the learners", done, total)
        return not limit.passed()

    trials = cross_validate(learn, where, target, x.group[where], seed, go_on)
    best = choose(trials, min(Counter(target.tolist()).values()))

    jobfolder.say("sorting every photo", 0, 0)
    found = field(x, where, target, len(classes), graphs, views, seed)
    chance = everywhere(task.examples, nodes, x, found, best)
    photos.write_scores(folder, task.ids, chance.max(1), np.array(classes)[chance.argmax(1)])
    jobfolder.write_json(folder, "report.json", {"classes": classes, "learner": best, **_told(trials, best, target)})


def _told(trials: Mapping[str, Trial], best: str, target: Ints) -> dict[str, Any]:
    """How well the answers are foretold, each without itself and its burst."""
    likeliest = {name: trial.held_out.argmax(1) for name, trial in trials.items()}
    commonest = Counter(target.tolist()).most_common(1)[0]
    foretold = likeliest.get(best, np.full(len(target), commonest[0]))
    kinds = int(target.max()) + 1
    table = np.zeros((kinds, kinds), dtype=int)
    np.add.at(table, (target, foretold), 1)
    sentence = (
        f"{(foretold == target).mean():.0%} of your {len(target)} answers are foretold from the others by {NAMES[best]}; "
        f"always naming the commonest class would be right for {commonest[1] / len(target):.0%}."
    )
    return {
        "confusion": table.tolist(),
        "sentence": sentence,
        "right": {name: float((row == target).mean()) for name, row in likeliest.items()},
        "average_precision": {name: trial.mean for name, trial in trials.items()},
    }


def _answers(task: Task, classes: Mapping[int, int]) -> tuple[Ints, Ints]:
    """(positions, classes) of the answers about photos that were looked at, without classes that are too rare yet."""
    position = photos.positions(task.ids, classes)
    found = sorted((position[photo], one) for photo, one in classes.items() if photo in position)
    often = Counter(one for _, one in found)
    usable = [(place, one) for place, one in found if often[one] >= LEAST]
    if len({one for _, one in usable}) < 2:
        raise Refused(f"Answer a few more photos: at least {LEAST} of two classes each are needed to tell them apart.")
    where, said = zip(*usable, strict=True)
    return np.array(where, dtype=np.int64), np.array(said, dtype=np.int64)


def _nodes(task: Task, answered: Ints, seed: int) -> Ints:
    """Positions of the photos that the graph holds, ascending: all, or those with an answer and a random sample."""
    if len(task.ids) <= NODES:
        return np.arange(len(task.ids))
    return np.unique(np.concatenate([np.random.default_rng(seed).permutation(len(task.ids))[:NODES], answered]))


def _views(job: dict[str, Any], task: Task, nodes: Ints, answered: Ints, seed: int, deadline: Deadline) -> Views | None:
    if deadline.left() < LEAST_FOR_VIEWS or job["backbone"] != backbone.named(job):
        return None
    with closing(open_cache(job["cache_db"])) as cache:
        return make_views(
            cache, task.hashes, answered, nodes, task.space, seed, deadline.part(VIEWS_SHARE), VIEWS, job.get("network")
        )


# --- the field ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """What every learner made of the same answers."""

    chances: Mapping[str, Doubles]  # by learner: (n, K) of the nodes, rows sum to one
    lines: Mapping[str, Lines]  # regression, and FixMatch where there are views
    weight: float  # of the measures beside the look


def field(x: Examples, where: Ints, target: Ints, kinds: int, graphs: Graphs, views: Views | None, seed: int) -> Field:
    """Every learner on answers at `where` (L,), `target` (L,) from 0 to kinds - 1. All classes have to be among them."""
    sides = [(target == one).astype(np.int64) for one in range(kinds)]
    spread = [graphs.learn(where, side) for side in sides]
    lines = {FLOOR: Lines.beside([regression(x, where, side, s.weight) for side, s in zip(sides, spread, strict=True)])}
    chances = {
        "label_spreading": shared_out(np.stack([s.logits for s in spread], axis=1)),
        FLOOR: shared_out(lines[FLOOR](x)),
    }
    if views is not None and len(views.where):
        graph = np.log(np.maximum(chances["label_spreading"], 1e-12))
        lines["fixmatch"] = fixmatch_classes(x, where, target, views, graph, lines[FLOOR], seed)
        chances["fixmatch"] = softmax(lines["fixmatch"](x))
        chances["mean_rank"] = mean(chances["fixmatch"], chances["label_spreading"])
    return Field(chances, lines, float(np.mean([s.weight for s in spread])))


def everywhere(examples: Examples, nodes: Ints, x: Examples, found: Field, name: str) -> Doubles:
    """Chances of one learner for all photos (n, K): lines apply as they are, label spreading goes by the 15 nearest nodes."""
    if len(nodes) == len(examples):
        return found.chances[name]
    if name in found.lines:
        return (softmax if name == "fixmatch" else shared_out)(found.lines[name](examples))
    if name == "mean_rank":
        return mean(*(everywhere(examples, nodes, x, found, part) for part in ("fixmatch", "label_spreading")))
    chance = by_neighbours(examples, x, found.weight, found.chances[name])
    chance[nodes] = found.chances[name]
    return chance


def cross_validate(
    learn: Learner, where: Ints, target: Ints, group: Ints, seed: int, go_on: Callable[[int, int], bool]
) -> dict[str, Trial]:
    """Repeated stratified group cross-validation; none where a class has a single burst.

    A trial's mean is that of the average precision of each class against the others; its `held_out` are chances (L, K), those
    of the classes' shares where a fold lacks one. `go_on(done, total)` is asked before each fold; after the first repeat it may
    say no.
    """
    kinds = int(target.max()) + 1
    count = min(FOLDS, *(len(set(group[target == one].tolist())) for one in range(kinds)))
    if count < 2:
        return {}
    shares = np.bincount(target, minlength=kinds) / len(target)
    found: dict[str, list[Doubles]] = defaultdict(list)
    for repeat in range(REPEATS):
        parts = StratifiedGroupKFold(count, shuffle=True, random_state=seed + repeat).split(group, target, group)
        held_out: dict[str, Doubles] = {}
        for done, (train, test) in enumerate(parts):
            if not go_on(repeat * count + done, REPEATS * count) and repeat:
                held_out.clear()
                break
            if len(set(target[train].tolist())) == kinds:
                for name, chances in learn(where[train], target[train]).items():
                    row = held_out.setdefault(name, np.tile(shares, (len(target), 1)))
                    row[test] = chances[where[test]]
        for name, row in held_out.items():
            found[name].append(row)
        if not held_out:
            break
    trials = {}
    for name, rows in found.items():
        precision = [average_precision_score(np.eye(kinds)[target], row, average="macro") for row in rows]
        trials[name] = Trial(float(np.mean(precision)), float(np.std(precision)), np.mean(rows, axis=0))
    return trials


def shared_out(logits: Doubles) -> Doubles:
    """Chances of one class against the others, (n, K), brought to a sum of one."""
    chance = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    return np.asarray(chance / chance.sum(1, keepdims=True))


def softmax(logits: Doubles) -> Doubles:
    """(n, K) -> (n, K)."""
    chance = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(chance / chance.sum(1, keepdims=True))


def mean(*chances: Doubles) -> Doubles:
    """The geometric mean of chances, each (n, K), brought to a sum of one."""
    return softmax(np.mean([np.log(np.maximum(one, 1e-12)) for one in chances], axis=0))
