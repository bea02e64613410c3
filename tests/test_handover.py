"""What children are given: the right photos, and what belongs together."""

from __future__ import annotations

from pathlib import Path

import pytest

from precious_daemon.models import Choice, Group, GroupKind, GroupMember, Question, Rating, Score, Stamp
from precious_daemon.store import Database, Store, answers, changes, groups, ratings, roots, scores
from precious_daemon.work import handover, jobfolder


@pytest.fixture
def six(store: Store, tmp_path: Path) -> Store:
    """Six photos that were read; the fifth is in the trash, the sixth missing."""
    root = store.write(roots.add, str(tmp_path), "m", 1, 0.0)

    def fill(db: Database) -> None:
        for number in range(1, 7):
            changes.add_still(db, root.id, f"{number}.jpg", Stamp(1, number, 10, 0), 0.0)
        db.execute("UPDATE photos SET state = 'present', content_hash = randomblob(32), perceptual_hash = -1, "
                   "format = 'JPEG', width = 4, height = 3")  # fmt: skip
        db.execute("UPDATE photos SET state = 'trashed' WHERE id = 5")
        db.execute("UPDATE photos SET state = 'missing' WHERE id = 6")

    store.write(fill)
    return store


def given(store: Store, folder: Path, voter_id: int | None = None) -> list[int]:
    store.read(handover.write_photos, folder, voter_id)
    return [row.id for row in jobfolder.read_photos(folder)]


def test_grouping_is_given_what_is_there(six: Store, tmp_path: Path) -> None:
    assert given(six, tmp_path) == [1, 2, 3, 4]


def test_deleted_photo_goes_on_teaching_and_an_unlabelled_one_does_not(six: Store, tmp_path: Path) -> None:
    six.write(answers.add, 1, Question.LABEL, Choice.DELETE, 5, None, "train", 0.0)
    assert given(six, tmp_path, 1) == [1, 2, 3, 4, 5]
    assert given(six, tmp_path) == [1, 2, 3, 4]


def test_groups_that_overlap_are_one_unit(six: Store, tmp_path: Path) -> None:
    def member(photo_id: int) -> GroupMember:
        return GroupMember(photo_id, False, "")

    burst = Group(GroupKind.BURST, (member(1), member(2)))
    copies = Group(GroupKind.COPY, (member(2), member(3)))
    six.write(groups.replace_groups, [burst, copies])
    six.read(handover.write_photos, tmp_path)
    assert [row.burst for row in jobfolder.read_photos(tmp_path)] == [1, 1, 1, 4]
    assert jobfolder.read_photos(tmp_path)[0].perceptual_hash == (1 << 64) - 1


def test_the_children_are_told_what_the_owner_likes_and_prefers(six: Store, tmp_path: Path) -> None:
    def say(db: Database) -> None:
        answers.add(db, 1, Question.LABEL, Choice.KEEP, 2, None, "train", 0.0)
        answers.add(db, 1, Question.LABEL, Choice.DELETE, 3, None, "train", 0.0)
        scores.replace_scores(db, 1, [Score(1, 0.5, 3.0), Score(2, 0.1, 9.0), Score(4, 0.5, 4.0), Score(5, 0.5, 5.0)])
        ratings.put(db, 1, 4, Rating(30.0, 2.0, wins=3))

    six.write(say)
    six.read(handover.write_photos, tmp_path, None, 1)
    liked = {row.id: row.liked for row in jobfolder.read_photos(tmp_path)}
    assert (liked[2], liked[3]) == (1.0, -1.0)
    assert liked[1] == pytest.approx(-0.8)
    assert liked[4] == pytest.approx(-0.8), "the only one that was compared; what was said comes before the model's guess"


def test_a_preferred_folder_is_told_by_its_name_anywhere_in_the_path() -> None:
    folders = ["Lightroom/export", "2023"]
    places = [
        handover.preference(path, folders)
        for path in ("/p/Lightroom/export/a.jpg", "/p/2023/08/a.jpg", "/p/2023.jpg", "/p/x2023/a")
    ]
    assert places == [0, 1, 2, 2]
