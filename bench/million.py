"""A made-up library of as many photos as wanted, with all that a long life leaves behind: rows, and no files.

Photos in folders of 200, a tenth of them voted on, all scored, clustered and sorted, a twentieth in bursts, a fiftieth suggested,
a hundredth in the trash; two profiles, a task with three classes, nights, blind questions, and a log.
"""

from __future__ import annotations

import json
import math
import random
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.common import say
from bench.synthetic import add_photos, batches

if TYPE_CHECKING:
    from precious_daemon.models import Stamp
    from precious_daemon.store import Database, Store

CLUSTERS = 200
CLASSES = ("receipt", "family", "landscape")


def rows(count: int) -> Iterator[tuple[str, Stamp]]:
    from precious_daemon.models import Stamp

    for number in range(count):
        yield (
            f"{2005 + number * 20 // count}/trip {number // 200:05}/IMG_{number:07}.jpg",
            Stamp(1, number + 1000, 4_000_000, 10**18),
        )


def fill(store: Store, count: int, rng: random.Random) -> None:
    from precious_daemon.models import RootState
    from precious_daemon.store import ratings, roots

    root = store.write(roots.add, "/photos", "marker", 1, 0.0)
    store.write(roots.set_state, root.id, RootState.WATCHED, None)
    done = 0
    for part in batches(rows(count)):
        done += store.write(add_photos, root.id, done + 1, part, rng)
        say(f"  {done:,} photos")
    say("  answers, scores, groups, suggestions, trash")
    store.write(add_derived, count, rng)
    store.write(ratings.set_applied_through, 1, 0)
    say("  another profile, a task, nights, rare answers")
    store.write(add_years, count, rng)


def add_derived(db: Database, count: int, rng: random.Random) -> None:
    many, ids = db.conn.executemany, range(1, count + 1)
    many("INSERT INTO cache.pictures VALUES (?, x'00', x'00', x'00', zeroblob(60))", ((i.to_bytes(32, "big"),) for i in ids))
    many("INSERT INTO cache.scores VALUES (1, ?, ?, ?)", ((i, rng.random(), rng.random()) for i in ids))
    many(
        "INSERT INTO cache.clusters (photo_id, cluster, distance, representative, x, y, level) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (
                i,
                i - 1 if i <= CLUSTERS else rng.randrange(CLUSTERS),
                rng.random(),
                i <= CLUSTERS,
                rng.random(),
                rng.random(),
                level(i),
            )
            for i in ids
        ),
    )
    db.execute("INSERT INTO cache.cluster_sizes (cluster, size) SELECT cluster, count(*) FROM cache.clusters GROUP BY cluster")
    bursts = range(1, count // 20)
    many("INSERT INTO cache.group_members VALUES ('burst', ?, ?, ?, 'sharpest of 5')", ((i, i // 5, i % 5 == 0) for i in bursts))
    db.execute("INSERT INTO cache.group_counts VALUES ('burst', ?)", [count // 100])
    voted = rng.sample(ids, count // 10)
    many("INSERT INTO cache.ratings VALUES (1, ?, ?, ?, 3, 2, 1)", ((i, rng.gauss(25, 5), 4 + rng.random()) for i in voted))
    many(
        "INSERT INTO answers (voter_id, at, question, choice, photo_id, other_id, purpose) VALUES (1, 0, ?, ?, ?, ?, ?)",
        (
            ("pair", rng.choice(("first", "second", "draw")), voted[i], voted[i - 1], "rank")
            if i % 100
            else ("label", rng.choice(("keep", "delete")), voted[i], None, rng.choice(("train", "test", "audit")))
            for i in range(len(voted))
        ),
    )
    many(
        "INSERT INTO suggestions (uid, run, voter_id, photo_id, place, kind, keep, certified, reasons, evidence, created_at,"
        " changed_at) VALUES (?, 'r', 1, ?, ?, 'taste', ?, 1, '[\"It is blurred.\"]', '{}', 0, 0)",
        ((secrets.token_hex(16), i, i // 50, rng.random() / 10) for i in range(1, count, 50)),
    )
    gone = range(2, count, 100)
    many(
        "INSERT INTO units (id, uid, batch, voter_id, photo_id, root_id, reason, state, approved_at, changed_at) "
        "VALUES (?, ?, ?, 1, ?, 1, 'blurred', 'planned', 0, ?)",
        ((i, secrets.token_hex(16), f"batch {i // 5000}", i, i / 100) for i in gone),
    )
    many("INSERT INTO unit_files VALUES (?, 'x', 'still', 1, 1, 4000000, 1, x'00', 'y', NULL)", ((i,) for i in gone))
    db.execute("UPDATE units SET state = 'done'")
    many("UPDATE photos SET state = 'trashed' WHERE id = ?", ((i,) for i in gone))
    many(
        "INSERT INTO unsupported VALUES (1, ?, ?, ?)",
        ((f"folder {i}".encode(), suffix, 2) for i in range(count // 200) for suffix in (".txt", ".mp4")),
    )


def level(number: int) -> int:
    """At which a photo appears on the map: each level has four times as many cells as the one before, and one photo in each."""
    return max(0, math.ceil(math.log(number / 16, 4)))


def add_years(db: Database, count: int, rng: random.Random) -> None:
    """What comes with the years: a second profile, a task, nights and their verdicts, what is rare among answers and photos."""
    many, ids = db.conn.executemany, range(1, count + 1)
    db.execute("INSERT INTO voters (id, name, created_at) VALUES (2, 'Ann', 0)")
    many("INSERT INTO cache.ratings VALUES (2, ?, ?, 6, 1, 1, 0)", ((i, rng.gauss(25, 5)) for i in rng.sample(ids, count // 50)))
    many("INSERT INTO cache.guesses VALUES (1, ?, ?, 7)", ((i, rng.gauss(25, 4)) for i in range(1, count, 2)))
    add_rare_answers(db, count, rng)
    add_suggestions_of_groups(db, count)
    add_task(db, count, rng)
    add_nights(db, count, rng)
    for state, first in (("broken", 3), ("missing", 4), ("new", 5)):
        many("UPDATE photos SET state = ? WHERE id = ?", ((state, i) for i in range(first, count, 500)))
    db.execute("UPDATE photos SET content_hash = NULL WHERE state = 'new'")
    why = "2 RAW files of that name"
    many("UPDATE photos SET ambiguous = ? WHERE id = ?", ((why, i) for i in range(6, count, 500)))
    many("INSERT INTO named_clusters VALUES (?, ?, 0)", ((i, f"name {i}") for i in range(1, CLUSTERS // 4)))
    members = ((rng.randrange(1, count), i) for i in range(1, CLUSTERS // 4) for _ in range(60))
    many("INSERT OR IGNORE INTO named_cluster_members VALUES (?, ?)", members)
    db.execute("UPDATE cache.cluster_sizes SET x = abs(random() / 1e19), y = abs(random() / 1e19), radius = 0.02")


def add_rare_answers(db: Database, count: int, rng: random.Random) -> None:
    """A few of each kind, early and long ago; and labels of the second profile."""
    sql = "INSERT INTO answers (voter_id, at, question, choice, photo_id, other_id, purpose) VALUES (?, 0, ?, ?, ?, ?, ?)"
    kinds = (("audit", "keep", "audit"), ("suggestion", "keep", "review"), ("ranking", "out", "rank"), ("outside", "keep", "xmp"))
    for question, choice, purpose in kinds:
        rare = ((1, question, choice, i, None, purpose) for i in rng.sample(range(1, count), 40))
        db.conn.executemany(sql, rare)
    enough = ((1, "enough", "first", i * 5 + 1, i * 5, "audit") for i in range(1, 40))
    db.conn.executemany(sql, enough)
    others = ((2, "label", rng.choice(("keep", "delete")), i, None, "train") for i in rng.sample(range(1, count), count // 200))
    db.conn.executemany(sql, others)
    votes = rng.sample(range(1, count), count // 50)
    db.conn.executemany(sql, ((2, "pair", "first", one, votes[n - 1], "rank") for n, one in enumerate(votes)))


def add_suggestions_of_groups(db: Database, count: int) -> None:
    """Bursts that are suggested to both profiles, those that were settled, and what was held back; other kinds of groups."""
    many = db.conn.executemany
    many(
        "INSERT OR IGNORE INTO suggestions (uid, run, voter_id, photo_id, place, kind, keep, certified, reasons, keeper_id,"
        " evidence, created_at, changed_at) VALUES (?, 'r', ?, ?, ?, 'burst', NULL, 0, '[\"Less sharp.\"]', ?, '{}', 0, 0)",
        (
            (secrets.token_hex(16), voter, i, count // 50 + i // 5, i // 5 * 5)
            for voter in (1, 2)
            for i in range(6, count // 20 - 1, 5)
            if i % 50 != 1
        ),
    )
    held = ((i, place) for place, i in enumerate(range(7, count, 50)))
    many("INSERT INTO held_back VALUES (1, ?, ?, 'taste', 'you ranked it high', '[\"It is dark.\"]')", held)
    first = count // 20
    for kind in ("same", "copy", "edit", "series", "scene"):
        members = ((kind, i, i // 3, i % 3 == 0, "largest of 3") for i in range(first, first + count // 100))
        many("INSERT INTO cache.group_members VALUES (?, ?, ?, ?, ?)", members)
        db.execute("INSERT INTO cache.group_counts VALUES (?, ?)", [kind, count // 300])
        first += count // 100
    settled = range(1, count // 200)  # bursts, half of them
    many("INSERT INTO group_decisions (id, voter_id, at, best_id) VALUES (?, 1, 0, ?)", ((i, 5 * i) for i in settled))
    many("INSERT INTO group_decision_members VALUES (?, ?, ?)", ((5 * i + n, i, n < 2) for i in settled for n in range(5)))


def add_task(db: Database, count: int, rng: random.Random) -> None:
    db.execute("INSERT INTO tasks VALUES (1, 'What is it', 0)")
    classes = range(1, len(CLASSES) + 1)
    db.conn.executemany("INSERT INTO task_classes VALUES (?, 1, ?, ?)", ((i, CLASSES[i - 1], CLASSES[i - 1][0]) for i in classes))
    said = ((i, rng.choice(classes)) for i in rng.sample(range(1, count), count // 200))
    db.conn.executemany("INSERT INTO task_answers (task_id, voter_id, at, photo_id, class_id) VALUES (1, 1, 0, ?, ?)", said)
    scores = ((i, rng.choice(classes), rng.random()) for i in range(1, count + 1))
    db.conn.executemany("INSERT INTO cache.task_scores VALUES (1, 1, ?, ?, ?)", scores)


def add_nights(db: Database, count: int, rng: random.Random) -> None:
    """Runs with their logs, models, pools of blind questions and the verdicts on them."""
    runs = ((name, at, at + 60, "a line of the log\n" * 50) for at in range(100) for name in ("scan", "night", "learn", "group"))
    sql = "INSERT INTO job_runs (name, trigger, started_at, finished_at, outcome, log) VALUES (?, 'schedule', ?, ?, 'done', ?)"
    db.conn.executemany(sql, runs)
    db.conn.executemany("INSERT INTO models VALUES (?, 1, ?, 'logistic', '{}')", ((f"night {i}", i) for i in range(12)))
    drawn = {"taste": rng.sample(range(1, count), count // 20), "burst": list(range(6, count // 20 - 1, 5))}
    certificate = {"threshold": 0.1, "alpha": 0.05, "confidence": 0.95, "audits": 90, "errors": 1, "candidates": count // 20}
    for number, (kind, draws) in enumerate(drawn.items(), 1):
        db.execute("INSERT INTO pools (id, voter_id, created_at, floor, kind) VALUES (?, 1, 0, 0.5, ?)", [number, kind])
        rows = ((number, place, i, 1, i // 5 * 5 if kind == "burst" else None) for place, i in enumerate(draws))
        db.conn.executemany(
            "INSERT INTO pool_members (pool_id, position, photo_id, asked, keeper_id) VALUES (?, ?, ?, ?, ?)", rows
        )
        verdict = {"certificate": certificate, "sentence": "Certified.", "needed": 40, "ahead": draws[:20]}
        db.execute("INSERT INTO verdicts VALUES (1, ?, 0, ?)", [kind, json.dumps(verdict)])
