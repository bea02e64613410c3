"""A provisional model: a regression that follows each answer within a second, until the night's learners have their turn.

`python -m precious_daemon.learn.instant JOBDIR` reads the photos and their features once, as a learn job has them. Then each
line on its standard input is `[[photo id, keep], ...]`, all labels so far, and it answers with one line: what it makes of them
(`Guess`, as JSON). It ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from precious_daemon import jobfolder
from precious_daemon.learn import photos
from precious_daemon.learn.baseline import Doubles, regression
from precious_daemon.learn.data import Task, read
from precious_daemon.measures import Ints

WEIGHT = 0.5  # of the measures: between the owners who need them and those whom they mislead
ASKED = 32  # photos proposed for the next questions
SURE = 12  # photos shown as the likeliest to go
CHOICE = 2_000  # photos looked at for the next questions
FEW = 5  # labels of a class, below which more of it are looked for


def main(folder: Path) -> None:
    jobfolder.step_back()
    task = read(folder, jobfolder.read_json(folder, "job.json"))
    rng = np.random.default_rng(0)
    _say({"ready": len(task.ids)})
    for line in sys.stdin:
        labels = {int(photo): bool(keep) for photo, keep in json.loads(line)}
        _say(guess(task, labels, rng))


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def guess(task: Task, labels: dict[int, bool], rng: np.random.Generator) -> dict[str, Any]:
    """{"answers", "to_go", "photos", "ask": photo ids, "sure": photo ids}; "to_go" is None while a class is missing."""
    position = photos.positions(task.ids, labels)
    where = np.array(sorted(position[photo] for photo in labels if photo in position), dtype=np.int64)
    deleted = np.array([not labels[int(task.ids[place])] for place in where], dtype=np.int64)
    found: dict[str, Any] = {"answers": len(where), "photos": len(task.ids), "to_go": None, "ask": [], "sure": []}
    if min(int(deleted.sum()), int((1 - deleted).sum())) < 2:
        return found
    log_odds = regression(task.examples, where, deleted, WEIGHT)(task.examples)
    log_odds += np.log(deleted.mean() / (1 - deleted.mean()))  # the regression takes both classes for equally frequent
    unknown = np.setdiff1d(np.arange(len(task.ids)), where)
    sure = unknown[np.argsort(-log_odds[unknown], kind="stable")][:SURE]
    found["to_go"] = int((log_odds[unknown] > 0).sum())
    found["sure"] = [int(i) for i in task.ids[sure[log_odds[sure] > 0]]]
    found["ask"] = [int(i) for i in task.ids[next_questions(task, where, deleted, log_odds, rng)]]
    return found


def next_questions(task: Task, where: Ints, deleted: Ints, log_odds: Doubles, rng: np.random.Generator) -> Ints:
    """Positions of at most ASKED photos, the most telling first: in doubt, far from every label, and one of each burst.

    While a class has only a few labels, photos likely to be of it count as in doubt: nothing is learnt of what was never seen.
    """
    bursts = set(task.examples.group[where].tolist())
    drawn = rng.permutation(len(task.ids))[: 4 * CHOICE]
    drawn = drawn[np.sort(np.unique(task.examples.group[drawn], return_index=True)[1])]
    drawn = np.array([i for i in drawn if int(task.examples.group[i]) not in bursts][:CHOICE], dtype=np.int64)
    if not len(drawn):
        return drawn
    rows = task.examples.take(drawn).weighed(WEIGHT)
    known = task.examples.take(where).weighed(WEIGHT)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    known /= np.maximum(np.linalg.norm(known, axis=1, keepdims=True), 1e-9)
    chance = 1 / (1 + np.exp(-np.clip(log_odds[drawn], -30, 30)))
    wanted = chance if deleted.sum() < FEW else 1 - chance if (1 - deleted).sum() < FEW else 1 - np.abs(2 * chance - 1)
    near = (rows @ known.T).max(1)
    chosen: list[int] = []
    for _ in range(min(ASKED, len(drawn))):  # each also far from those proposed before it
        value = wanted * np.maximum(1 - near, 0)
        value[chosen] = -1
        chosen.append(int(value.argmax()))
        near = np.maximum(near, rows @ rows[chosen[-1]])
    return np.asarray(drawn[chosen])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
