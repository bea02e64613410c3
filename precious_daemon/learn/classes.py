"""The sort task: photos into the owner's own classes, two or more, from a few answers.

Each class is learned against the others by the learners that keep/delete has, regression and label spreading, and its chances are
shared out over the classes. Which of the two is used, and how well it does, is told by cross-validation on the answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from precious_daemon import jobfolder
from precious_daemon.learn.baseline import Doubles, Graphs, regression
from precious_daemon.learn.data import Task, read
from precious_daemon.learn.limits import Refused
from precious_daemon.learn.space import Examples
from precious_daemon.measures import Ints
from precious_daemon.models import Score

LEAST = 3  # answers of a class, so that one can be foretold from others
FOLDS = 5
NODES = 8_000  # photos of the largest graph
WEIGHT = 0.5  # of the measures beside the look, in regression
NAMES = {"regression": "regression", "spreading": "label spreading"}
Learner = Callable[[Ints, Ints], Doubles]  # answers (where (L,), class (L,)) -> log odds of each class, (n, K)


def sort(folder: Path, job: dict[str, Any]) -> None:
    """Leaves scores.bin (photo, chance of its likeliest class, that class) and, last, report.json. Raises Refused."""
    jobfolder.say("reading photos and answers", 0, 0)
    task = read(folder, job)
    where, said = _answers(task, dict(jobfolder.read_json(folder, "classes.json")))
    classes = sorted(set(said.tolist()))
    target = np.searchsorted(classes, said)
    seed = int(job["seed"])
    learners = _learners(task.examples, where, len(classes))
    group = task.examples.group[where]
    trials = {name: foretold(learn, where, target, group, seed) for name, learn in learners.items()}
    right = {name: float((found == target).mean()) for name, found in trials.items()}
    best = max(right, key=lambda name: right[name])

    jobfolder.say("sorting every photo", 0, 0)
    chance = shared_out(learners[best](where, target))
    likeliest = chance.argmax(1)
    rows = zip(task.ids.tolist(), chance.max(1).tolist(), likeliest.tolist(), strict=True)
    jobfolder.write_scores(folder, (Score(photo, keep, float(classes[place])) for photo, keep, place in rows))
    table = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(table, (target, trials[best]), 1)
    commonest = max(Counter(target.tolist()).values()) / len(target)
    sentence = (
        f"{right[best]:.0%} of your {len(target)} answers are foretold from the others by {NAMES[best]}; "
        f"always naming the commonest class would be right for {commonest:.0%}."
    )
    words = {"classes": classes, "confusion": table.tolist(), "sentence": sentence, "right": right, "learner": best}
    jobfolder.write_json(folder, "report.json", words)


def _answers(task: Task, classes: Mapping[int, int]) -> tuple[Ints, Ints]:
    """(positions, classes) of the answers about photos that were looked at, without classes that are too rare yet."""
    position = {int(photo): place for place, photo in enumerate(task.ids)}
    found = sorted((position[photo], one) for photo, one in classes.items() if photo in position)
    often = Counter(one for _, one in found)
    usable = [(place, one) for place, one in found if often[one] >= LEAST]
    if len({one for _, one in usable}) < 2:
        raise Refused(f"Answer a few more photos: at least {LEAST} of two classes each are needed to tell them apart.")
    where, said = zip(*usable, strict=True)
    return np.array(where, dtype=np.int64), np.array(said, dtype=np.int64)


def _learners(x: Examples, labelled: Ints, classes: int) -> dict[str, Learner]:
    """Regression, and spreading where one graph holds all photos."""

    def regress(where: Ints, target: Ints) -> Doubles:
        return np.stack([regression(x, where, (target == one).astype(np.int64), WEIGHT)(x) for one in range(classes)], axis=1)

    found: dict[str, Learner] = {"regression": regress}
    if len(x) <= NODES:
        graphs = Graphs(x, labelled)

        def spread(where: Ints, target: Ints) -> Doubles:
            return np.stack([graphs.learn(where, (target == one).astype(np.int64)).logits for one in range(classes)], axis=1)

        found["spreading"] = spread
    return found


def foretold(learn: Learner, where: Ints, target: Ints, group: Ints, seed: int) -> Ints:
    """(L,): the class of each answer, foretold without it and its burst; the commonest where a fold lacks a class."""
    found = np.full(len(target), Counter(target.tolist()).most_common(1)[0][0], dtype=np.int64)
    kinds = len(set(target.tolist()))
    folds = min(FOLDS, *(len(set(group[target == one].tolist())) for one in range(kinds)))
    if folds < 2:
        return found
    for train, test in StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(group, target, group):
        if len(set(target[train].tolist())) == kinds:
            found[test] = learn(where[train], target[train])[where[test]].argmax(1)
    return found


def shared_out(logits: Doubles) -> Doubles:
    """Chances of one class against the others, (n, K), brought to a sum of one."""
    chance = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    return np.asarray(chance / chance.sum(1, keepdims=True))
