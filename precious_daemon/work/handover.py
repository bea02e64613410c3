"""What child processes are given to work on: the store's rows, written into a job folder."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from precious_daemon.config import AskSettings
from precious_daemon.errors import NotEnoughAnswers
from precious_daemon.models import TRAINING, Group, GroupKind, Lineup, Vote
from precious_daemon.store import Database, answers, groups, numbers, photos, ratings, roots, scores
from precious_daemon.work import jobfolder
from precious_daemon.work.jobfolder import PhotoRow

NIGHTS = 60  # that the history shows
LEAST_OF_A_CLASS = 2  # labels that say keep, and that say delete
NONE_LIKED = (1 << 63, 0.0)  # after the last photo


def write_wanted(db: Database, backbone: str, folder: Path) -> int:
    """Content hashes of the photos that a network has not seen yet; how many there are."""
    count = 0
    with open(folder / "wanted.bin", "wb") as file:
        for content_hash in photos.unembedded(db, backbone):
            file.write(content_hash)
            count += 1
    return count


def write_photos(
    db: Database,
    folder: Path,
    taught_by: int | None = None,
    liked_by: int | None = None,
    prefer_folders: Sequence[str] = (),
) -> int:
    """Every present photo, and with `taught_by` those gone that this voter labelled; how many there are.

    With `liked_by`, how much this voter likes each.
    """
    units = _units(group for group in groups.all_groups(db) if group.kind is not GroupKind.SCENE)
    watched = {root.id: root.path for root in roots.all_roots(db)}
    likes = iter(scores.liked(db, liked_by) if liked_by is not None else ())
    count = 0

    def rows() -> Iterator[PhotoRow]:
        nonlocal count
        liked = next(likes, NONE_LIKED)
        for photo, perceptual_hash, kind, shot in photos.for_children(db, taught_by):
            count += 1
            root = watched.get(photo.root_id, "")
            while liked[0] < photo.id:
                liked = next(likes, NONE_LIKED)
            yield PhotoRow(
                photo.id, (photo.content_hash or b"").hex(), perceptual_hash, photo.taken_at, photo.camera,
                photo.width or 0, photo.height or 0, photo.size, kind, photo.path, units.get(photo.id, photo.id),
                root, preference(posixpath.join(root, photo.path), prefer_folders), *shot,
                liked[1] if liked[0] == photo.id else 0.0,
            )  # fmt: skip

    jobfolder.write_photos(folder, rows())
    return count


def preference(path: str, folders: Sequence[str]) -> int:
    """The place of the first of these folders that a photo is in, or how many there are. "a/b" is any folder b in an a."""
    inside = f"/{posixpath.dirname(path).strip('/')}/"
    return next((n for n, name in enumerate(folders) if f"/{name.strip('/')}/" in inside), len(folders))


def _units(found: Iterable[Group]) -> dict[int, int]:
    """Photos that belong together, over all kinds of groups, by the smallest photo id among them."""
    leader: dict[int, int] = {}

    def find(photo_id: int) -> int:
        while leader.setdefault(photo_id, photo_id) != photo_id:
            leader[photo_id] = leader[leader[photo_id]]
            photo_id = leader[photo_id]
        return photo_id

    for group in found:
        ids = [find(member.photo_id) for member in group.members]
        for other in ids:
            leader[find(other)] = find(min(ids))
    return {photo_id: find(photo_id) for photo_id in leader}


def write_numbers(db: Database, folder: Path, plugins: Sequence[str]) -> None:
    """What these plugins measured, for models to learn from."""
    jobfolder.write_numbers(folder, numbers.of_all(db, plugins))


def write_answers(db: Database, folder: Path, voter_id: int) -> None:
    """The labels and votes of one voter that count."""
    jobfolder.write_labels(folder, answers.labels(db, voter_id))
    jobfolder.write_votes(folder, answers.votes_on_two(answers.votes(db, voter_id)))


def nights(db: Database, voter_id: int) -> list[dict[str, Any]]:
    """{at, average_precision, interval} of the models so far on the answers held back then, oldest first."""
    found = []
    for model in reversed(scores.models(db, voter_id, NIGHTS)):
        test = ((model["report"].get("learners") or {}).get(model["champion"]) or {}).get("test") or {}
        interval = (test.get("intervals") or {}).get("average_precision")
        found.append({"at": model["at"], "average_precision": test.get("average_precision"), "interval": interval})
    return found


def write_comparisons(db: Database, folder: Path, voter_id: int) -> tuple[int, int]:
    """All comparisons of a voter that count, and what their photos' ratings started from; (newest answer, how many)."""
    through, count = answers.newest_comparison(db, voter_id), 0

    def rows() -> Iterator[Vote | Lineup]:
        nonlocal count
        for answer_id, vote in answers.votes(db, voter_id):
            if answer_id <= through:
                count += 1
                yield vote

    jobfolder.write_comparisons(folder, rows())
    jobfolder.write_ratings(folder, "starts.bin", ratings.priors(db, voter_id).items())
    return through, count


def check_enough(db: Database, voter_id: int, settings: AskSettings) -> None:
    """Raises NotEnoughAnswers with what is missing."""
    if missing := lacking(db, voter_id, settings):
        raise NotEnoughAnswers(missing)


def lacking(db: Database, voter_id: int, settings: AskSettings) -> str | None:
    """Why no model can be made for this voter yet, and what to do about it; None where one can."""
    training = [label for label in answers.labels(db, voter_id) if label.purpose in TRAINING]
    missing = settings.train_labels - len(training)
    if missing > 0:
        return f"{missing} more answers to learn from are needed before training ({len(training)} of {settings.train_labels})."
    deleted = sum(not label.keep for label in training)
    if deleted < LEAST_OF_A_CLASS:
        return (
            f'{_few(deleted)} of your {len(training)} answers {"says" if deleted == 1 else "say"} "delete", so there is nothing '
            "yet to learn from what you would throw away. Until two do, suggestions come from copies and bursts alone. The next "
            "questions show what is thrown away most often: blurred, dark and empty photos, screenshots, pages of text. If you "
            "keep those as well, there is little to clean up here, and nothing more that you need to do."
        )
    kept = len(training) - deleted
    if kept < LEAST_OF_A_CLASS:
        return (
            f'{_few(kept)} of your {len(training)} answers {"says" if kept == 1 else "say"} "keep", so there is nothing yet to '
            "tell what you would throw away from what you love. Until two do, suggestions come from copies and bursts alone. "
            "Answer a few more photos; some that you keep are surely among them."
        )
    return None


def _few(count: int) -> str:
    return f"Only {count}" if count else "None"
