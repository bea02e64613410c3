"""What the owner says of suggestions is stored as answers, in step with what becomes of the photos."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from precious_daemon.config import Places, PluginSettings, Settings
from precious_daemon.errors import CountNeeded, NotFound, TrashRefused
from precious_daemon.hookspecs import PluginPhoto, hookimpl
from precious_daemon.models import Choice, PhotoState, Question, SuggestionState, UnitState
from precious_daemon.plugins import Plugins
from precious_daemon.plugins.find import Found
from precious_daemon.store import Store, answers, suggestions
from precious_daemon.suggesting import review, telling
from tests.trash.library import Library, said


def service(library: Library) -> Any:
    plugins = Plugins(library.places, Settings(plugins=PluginSettings(enabled=())), [])
    return SimpleNamespace(store=library.store, trash=library.trash, clock=library.clock, plugins=plugins, background=set())


def labels(library: Library) -> dict[int, bool]:
    return {label.photo_id: label.keep for label in library.store.read(answers.labels, 1)}


def states(library: Library) -> dict[SuggestionState, int]:
    return {state: count for state, count in library.store.read(suggestions.counts, 1).items() if count}


def test_approving_moves_the_photo_and_stores_a_delete_answer(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    names = library.suggest(photo)
    (outcome,) = asyncio.run(review.approve_and_apply(service(library), 1, names))
    assert outcome.moved
    assert outcome.message == "Moved IMG_1.JPG to the trash."
    (answer,) = library.store.read(answers.recent, 1, 9)
    assert (answer.question, answer.choice, answer.purpose) == (Question.SUGGESTION, Choice.DELETE, "review")
    assert labels(library) == {photo.id: False}
    assert states(library) == {SuggestionState.TRASHED: 1}


@pytest.mark.parametrize("kind", ["copy", "same", "burst"])
def test_approving_a_duplicate_says_nothing_about_taste(library: Library, kind: str) -> None:
    photo, keeper = library.add("IMG_1.JPG", b"same"), library.add("keeper.jpg", b"same")
    names = library.suggest(photo, kind=kind, keeper=keeper)
    asyncio.run(review.approve_and_apply(service(library), 1, names))
    (answer,) = library.store.read(answers.recent, 1, 9)
    assert (answer.choice, answer.purpose) == (Choice.DELETE, "duplicate")


def test_dismissing_keeps_the_photo_and_stores_a_keep_answer(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    names = library.suggest(photo)
    assert asyncio.run(review.dismiss(service(library), 1, names)) == 1
    (answer,) = library.store.read(answers.recent, 1, 9)
    assert (answer.question, answer.choice, answer.purpose) == (Question.SUGGESTION, Choice.KEEP, "review")
    assert labels(library) == {photo.id: True}
    assert states(library) == {SuggestionState.DISMISSED: 1}
    assert asyncio.run(review.dismiss(service(library), 1, names)) == 0, "it is not stored twice"
    assert len(library.store.read(answers.recent, 1, 9)) == 1


def test_dismissing_an_unknown_suggestion_stores_nothing(library: Library) -> None:
    names = library.suggest(library.add("IMG_1.JPG", b"content"))
    with pytest.raises(NotFound):
        asyncio.run(review.dismiss(service(library), 1, [*names, "0" * 32]))
    assert states(library) == {SuggestionState.OPEN: 1}
    assert not labels(library)


def test_restoring_takes_back_the_delete_and_nothing_else(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    add = library.store.write
    add(answers.add, 1, Question.LABEL, Choice.KEEP, photo.id, None, "train", library.clock())
    names = library.suggest(photo)
    (outcome,) = asyncio.run(review.approve_and_apply(service(library), 1, names))
    assert labels(library) == {photo.id: False}
    add(answers.add, 1, Question.PAIR, Choice.FIRST, photo.id, photo.id, "train", library.clock())
    (outcome,) = asyncio.run(review.undo(service(library), 1, [outcome.unit.uid]))
    assert outcome.moved
    assert labels(library) == {photo.id: True}, "what was said before counts again"
    assert len(list(library.store.read(lambda db: list(answers.votes(db, 1))))) == 1
    assert library.store.read(lambda db: db.execute("SELECT count(*) FROM answers").fetchone()[0]) == 4, "append-only"
    assert states(library) == {SuggestionState.RESTORED: 1}


def test_an_answer_that_the_owner_took_back_already_stays_taken_back(library: Library) -> None:
    names = library.suggest(library.add("IMG_1.JPG", b"content"))
    (outcome,) = asyncio.run(review.approve_and_apply(service(library), 1, names))
    (said_so,) = library.store.read(answers.recent, 1, 1)
    library.store.write(answers.undo, 1, library.clock(), said_so.id)
    assert asyncio.run(review.undo(service(library), 1, [outcome.unit.uid]))[0].moved
    assert not labels(library)


def test_a_restored_photo_is_not_suggested_again(library: Library) -> None:
    photo = library.add("IMG_1.JPG", b"content")
    (outcome,) = asyncio.run(review.approve_and_apply(service(library), 1, library.suggest(photo)))
    asyncio.run(review.undo(service(library), 1, [outcome.unit.uid]))
    with pytest.raises(KeyError):
        library.suggest(photo)


def test_too_many_at_once_store_nothing_until_the_count_is_typed(store: Store, here: Places, tmp_path: Any) -> None:
    library = Library(store, here, tmp_path / "photos", settings=Settings())
    names = library.suggest(*(library.add(f"{i}.jpg", bytes([i])) for i in range(21)))
    with pytest.raises(CountNeeded) as needed:
        asyncio.run(review.approve_and_apply(service(library), 1, names))
    assert needed.value.count == 21
    assert states(library) == {SuggestionState.OPEN: 21}
    assert not labels(library)
    outcomes = asyncio.run(review.approve_and_apply(service(library), 1, names, needed.value.count))
    assert all(o.moved for o in outcomes)


def test_the_same_suggestion_twice_counts_once(library: Library) -> None:
    names = library.suggest(library.add("IMG_1.JPG", b"content"))
    assert len(asyncio.run(review.approve_and_apply(service(library), 1, names * 2))) == 1


def test_a_second_tab_is_told_that_it_is_done(library: Library) -> None:
    names = library.suggest(library.add("IMG_1.JPG", b"content"))
    asyncio.run(review.approve_and_apply(service(library), 1, names))
    with pytest.raises(TrashRefused, match=r"IMG_1.JPG is not suggested any more"):
        asyncio.run(review.approve_and_apply(service(library), 1, names))


def test_two_tabs_at_once_move_it_once(library: Library) -> None:
    names = library.suggest(library.add("IMG_1.JPG", b"content"))

    async def both() -> list[Any]:
        tasks = [review.approve_and_apply(service(library), 1, names) for _ in range(2)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(both())
    assert [u.state for u in library.units(*UnitState)].count(UnitState.DONE) == 1
    assert library.photo(1).state is PhotoState.TRASHED
    assert states(library) == {SuggestionState.TRASHED: 1}
    assert len(library.store.read(answers.recent, 1, 9)) == 1
    library.check_agreement()


def test_a_page_that_is_closed_leaves_nothing_approved(library: Library) -> None:
    names = library.suggest(*(library.add(f"{i}.jpg", bytes([i])) for i in range(6)))

    async def scenario() -> None:
        task = asyncio.create_task(review.approve_and_apply(service(library), 1, names))
        while not library.units(UnitState.DONE):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert not library.units(UnitState.APPROVED, UnitState.PLANNED)
    assert SuggestionState.APPROVED not in states(library)
    library.check_agreement()


def test_a_changed_photo_is_told_and_stays_suggested(library: Library) -> None:
    names = library.suggest(library.add("IMG_1.JPG", b"content"))
    (library.folder / "IMG_1.JPG").write_bytes(b"edited")
    outcomes = asyncio.run(review.approve_and_apply(service(library), 1, names))
    assert "has changed since it was last read" in said(outcomes)
    assert states(library) == {SuggestionState.OPEN: 1}
    assert not labels(library)


def test_plugins_are_told_what_went_and_what_came_back(library: Library) -> None:
    heard: list[tuple[str, str]] = []

    class Listener:
        @hookimpl
        def trashed(self, photos: tuple[PluginPhoto, ...]) -> None:
            heard.extend(("trashed", photo.name) for photo in photos)

        @hookimpl
        def restored(self, photos: tuple[PluginPhoto, ...]) -> None:
            heard.extend(("restored", photo.name) for photo in photos)

    here = service(library)
    settings = Settings(plugins=PluginSettings(enabled=("listener",)))
    here.plugins = Plugins(library.places, settings, [Found("listener", "built in", "", Listener)])

    async def there_and_back() -> None:
        (outcome,) = await review.approve_and_apply(here, 1, library.suggest(library.add("IMG_1.JPG", b"x")))
        await telling.finish(here)
        await review.undo(here, 1, [outcome.unit.uid])
        await telling.finish(here)

    asyncio.run(there_and_back())
    assert heard == [("trashed", "IMG_1.JPG"), ("restored", "IMG_1.JPG")]
