"""What the owner says with other programs: files deleted and brought back, stars in sidecars, what plugins hear."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon.asking import outside
from precious_daemon.config import OutsideSettings, Places, PluginSettings, Settings
from precious_daemon.folders import scan
from precious_daemon.hookspecs import Judgement
from precious_daemon.jobs import open_service
from precious_daemon.models import TRAINING, Choice, Group, GroupKind, GroupMember, Photo, Question
from precious_daemon.pure import sidecars
from precious_daemon.service import Service
from precious_daemon.store import answers, groups, scores
from precious_daemon.store import outside as rows
from tests.web.library import fill, root_of

NOW = 2_000_000_000.0
OFF = OutsideSettings(deleted=False, restored=False, xmp=False, plugins=False)


@pytest.fixture
def service(here: Places) -> Iterator[Service]:
    opened = open_service(here, Settings(), clock=lambda: NOW)
    yield opened
    opened.store.close()


@pytest.fixture
def library(service: Service, tmp_path: Path) -> list[Photo]:
    found = fill(service, tmp_path / "photos", 5)
    listen(service, NOW)
    return found


def rescan(service: Service, now: float) -> None:
    from precious_daemon.store import roots

    (root,) = service.store.read(roots.all_roots)
    scan.scan(service.store, root, service.settings.watch, lambda: now)


def listen(service: Service, now: float, settings: OutsideSettings | None = None) -> outside.Heard:
    return outside.listen(service.store, 1, settings or OutsideSettings(), now)


def labels(service: Service) -> dict[int, tuple[bool, str]]:
    return {label.photo_id: (label.keep, label.purpose) for label in service.store.read(answers.labels, 1)}


def test_photo_deleted_with_another_program_is_an_answer_once_it_has_been_gone_for_a_while(
    service: Service, library: list[Photo]
) -> None:
    file = root_of(service) / library[0].path
    kept = file.read_bytes()
    stat = file.stat()
    file.rename(file.with_suffix(".away"))
    rescan(service, NOW + 10)
    listen(service, NOW + 20)
    assert labels(service) == {}, "it may be on its way to another disk"
    assert listen(service, NOW + 2 * outside.GRACE).deleted == 1
    assert labels(service) == {library[0].id: (False, "outside")}
    assert listen(service, NOW + 4 * outside.GRACE) == outside.Heard(), "once"
    file.with_suffix(".away").rename(file)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert file.read_bytes() == kept
    rescan(service, NOW + 5 * outside.GRACE)
    assert listen(service, NOW + 5 * outside.GRACE).restored == 1
    assert labels(service) == {library[0].id: (True, "outside")}


def test_folder_that_was_cleared_is_no_judgement_of_each_photo(
    service: Service, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "MANY", 2)
    for photo in library[:3]:
        (root_of(service) / photo.path).unlink()
    rescan(service, NOW + 10)
    assert listen(service, NOW + 2 * outside.GRACE).deleted == 0
    assert labels(service) == {}


def test_deleting_one_of_two_copies_says_nothing_of_taste(service: Service, library: list[Photo]) -> None:
    pair = Group(GroupKind.COPY, tuple(GroupMember(photo.id, photo == library[1], "") for photo in library[:2]))
    service.store.write(groups.replace_groups, [pair])
    (root_of(service) / library[0].path).unlink()
    rescan(service, NOW + 10)
    assert listen(service, NOW + 2 * outside.GRACE).deleted == 1
    assert labels(service) == {library[0].id: (False, "duplicate")}


def test_each_source_can_be_switched_off(service: Service, library: list[Photo]) -> None:
    write_sidecar(service, library[1], 'xmp:Rating="-1"')
    (root_of(service) / library[0].path).unlink()
    rescan(service, NOW + 10)
    assert listen(service, NOW + 2 * outside.GRACE, OFF) == outside.Heard()
    assert listen(service, NOW + 3 * outside.GRACE, replace(OFF, xmp=True)).sidecars == 1
    assert labels(service) == {library[1].id: (False, "xmp")}


def test_blind_answers_stay_whatever_other_programs_say(service: Service, library: list[Photo]) -> None:
    service.store.write(answers.add, 1, Question.AUDIT, Choice.KEEP, library[0].id, None, "audit", NOW)
    service.store.write(answers.add, 1, Question.LABEL, Choice.KEEP, library[1].id, None, "test", NOW)
    write_sidecar(service, library[1], 'xmp:Rating="-1"')
    (root_of(service) / library[0].path).unlink()
    rescan(service, NOW + 10)
    assert listen(service, NOW + 2 * outside.GRACE) == outside.Heard()
    assert service.store.read(scores.audits, 1, 0.0) == {library[0].id: True}


# --- sidecars ----------------------------------------------------------------------------------------------------------

PACKET = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/"
 xmlns:precious="https://pypi.org/project/precious-daemon/ns/1.0/" {attributes}>{elements}</rdf:Description>
</rdf:RDF></x:xmpmeta>"""


def packet(attributes: str = "", elements: str = "") -> bytes:
    return PACKET.format(attributes=attributes, elements=elements).encode()


def write_sidecar(service: Service, photo: Photo, attributes: str) -> Path:
    file = (root_of(service) / photo.path).with_suffix(".xmp")
    file.write_bytes(packet(attributes))
    os.utime(file, (NOW - 100, NOW - 100 + len(attributes)))
    rescan(service, NOW + 5)
    return file


@pytest.mark.parametrize(
    ("attributes", "elements", "said"),
    [
        ('xmp:Rating="-1"', "", "delete"), ('xmp:Rating="5"', "", "keep"), ("", "<xmp:Rating>3</xmp:Rating>", "keep"),
        ('xmp:Rating="0"', "", None), ('xmp:Rating="2"', "", None), ('xmp:Rating="99"', "", None), ('xmp:Rating="x"', "", None),
        ('xmp:Label="Rejected"', "", "delete"), ('xmp:Label="Red"', "", None), ('digiKam:PickLabel="1"', "", "delete"),
        ("", "<digiKam:PickLabel>3</digiKam:PickLabel>", "keep"), ('xmp:Rating="-1" precious:Rating="-1"', "", None),
        ('xmp:Rating="4" precious:Rating="-1"', "", "keep"),
    ],
)  # fmt: skip
def test_what_a_sidecar_says(attributes: str, elements: str, said: str | None) -> None:
    assert sidecars.said(packet(attributes, elements)) == said


@given(st.binary(max_size=300))
def test_no_bytes_upset_the_reader(noise: bytes) -> None:
    assert sidecars.said(noise) is None
    assert sidecars.said(packet('xmp:Rating="5"') + noise.lstrip() + b"<") is None


def test_entities_are_not_read() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "-1">]>' + packet('xmp:Rating="&a;"')
    assert sidecars.said(bomb) is None
    assert sidecars.said(b" " * (sidecars.LARGEST + 1)) is None


def test_rating_in_a_sidecar_counts_until_it_changes(service: Service, library: list[Photo]) -> None:
    write_sidecar(service, library[0], 'xmp:Rating="-1"')
    assert listen(service, NOW + 10).sidecars == 1
    assert listen(service, NOW + 20).sidecars == 0, "read once"
    assert labels(service) == {library[0].id: (False, "xmp")}
    write_sidecar(service, library[0], 'xmp:Rating="4"   ')
    listen(service, NOW + 30)
    assert labels(service) == {library[0].id: (True, "xmp")}
    write_sidecar(service, library[0], "")
    listen(service, NOW + 40)
    assert labels(service) == {}, "the stars were taken off"


def test_what_was_said_here_after_the_sidecar_was_written_stands(service: Service, library: list[Photo]) -> None:
    service.store.write(answers.add, 1, Question.LABEL, Choice.KEEP, library[0].id, None, "train", NOW)
    write_sidecar(service, library[0], 'xmp:Rating="-1"')
    listen(service, NOW + 10)
    assert labels(service) == {library[0].id: (True, "train")}


def test_rebuilt_cache_changes_nothing_that_was_heard(service: Service, library: list[Photo]) -> None:
    write_sidecar(service, library[0], 'xmp:Rating="-1"')
    listen(service, NOW + 10)
    service.store.write(lambda db: db.execute("DELETE FROM cache.sidecars_read").rowcount)
    listen(service, NOW + 20)
    assert labels(service) == {library[0].id: (False, "xmp")}
    assert len(service.store.read(answers.page, 1)) == 1


# --- plugins -----------------------------------------------------------------------------------------------------------

HEART, STARS, REJECTED = (
    Judgement(True, "a favourite in Immich"), Judgement(True, "4 stars in Immich"), Judgement(False, "rejected in digiKam"),
)  # fmt: skip


def hear(service: Service, word: Judgement | None, photo: Photo, before: float | None, plugin: str = "immich") -> int:
    return service.store.write(outside.take_over, 1, plugin, {photo.id: word}, before, NOW + 50)


def test_word_heard_by_a_plugin_is_one_answer_and_follows_where_it_changes(service: Service, library: list[Photo]) -> None:
    shot = library[0]
    assert hear(service, HEART, shot, None) == 1
    assert labels(service) == {shot.id: (True, "elsewhere")}
    assert "elsewhere" in TRAINING
    assert (hear(service, HEART, shot, NOW), hear(service, STARS, shot, NOW)) == (0, 0), "keep is keep"
    (answer,) = service.store.read(answers.page, 1)
    assert service.store.read(rows.how, [answer.id]) == {answer.id: "4 stars in Immich"}
    assert hear(service, REJECTED, shot, NOW) == 1
    assert labels(service) == {shot.id: (False, "elsewhere")}
    assert hear(service, None, shot, NOW) == 1
    assert labels(service) == {}
    assert hear(service, HEART, shot, NOW) == 1, "a favourite again"


def test_what_the_owner_took_back_is_not_heard_again(service: Service, library: list[Photo]) -> None:
    hear(service, HEART, library[0], None)
    service.store.write(answers.undo, 1, NOW, service.store.read(answers.page, 1)[0].id)
    assert hear(service, HEART, library[0], NOW) == 0
    assert labels(service) == {}
    assert hear(service, REJECTED, library[0], NOW) == 1, "another word is a new one"
    assert labels(service) == {library[0].id: (False, "elsewhere")}


def test_nothing_is_answered_twice_and_blind_answers_stand(service: Service, library: list[Photo]) -> None:
    said = [
        ("train", Choice.KEEP, None),
        ("train", Choice.KEEP, NOW - 10),
        ("train", Choice.KEEP, NOW + 10),
        ("test", Choice.KEEP, NOW + 10),
    ]
    for photo, (purpose, choice, _) in zip(library, said, strict=False):
        service.store.write(answers.add, 1, Question.LABEL, choice, photo.id, None, purpose, NOW)
    for photo, (_, _, before) in zip(library, said, strict=False):
        hear(service, REJECTED, photo, before)
    assert [labels(service)[photo.id] for photo in library[:4]] == [
        (True, "train"), (True, "train"), (False, "elsewhere"), (True, "test"),
    ], "said here at a time when nobody knows which was later; said here later; said there later; blind"  # fmt: skip
    assert hear(service, REJECTED, library[0], NOW + 20) == 0, "it was no newer the next night"
    service.store.write(answers.undo, 1, NOW, service.store.read(answers.page, 1)[-1].id)
    assert hear(service, REJECTED, library[0], NOW + 20) == 1, "nothing stands against it any more"
    assert hear(service, REJECTED, library[0], NOW + 20, "digikam") == 0, "two programs that say the same are one answer"


def test_a_copy_that_is_not_wanted_elsewhere_says_nothing_of_taste_unless_all_of_them_go(
    service: Service, library: list[Photo]
) -> None:
    one, other, third, fourth = (photo.id for photo in library[:4])
    for pair in ((one, other), (third, fourth)):
        members = tuple(GroupMember(photo, photo == pair[0], "") for photo in pair)
        service.store.write(lambda db, m=members: groups.replace_groups(db, [*groups.all_groups(db), Group(GroupKind.SAME, m)]))
    service.store.write(outside.take_over, 1, "immich", dict.fromkeys([one, third, fourth], REJECTED), None, NOW)
    told = {one: (False, "duplicate"), third: (False, "elsewhere"), fourth: (False, "elsewhere")}
    assert labels(service) == told
    assert listen(service, NOW + 2 * outside.GRACE) == outside.Heard(), "no file was deleted and is back"
    assert labels(service) == told


async def test_plugins_are_asked_at_night_and_one_that_fails_takes_nothing_back(here: Places, tmp_path: Path) -> None:
    here.plugins.mkdir(parents=True, exist_ok=True)
    (here.plugins / "diary.py").write_text(DIARY.format(str(tmp_path / "diary.txt")))
    (tmp_path / "diary.txt").write_text("IMG_0001.jpg")
    service = open_service(here, Settings(plugins=PluginSettings(("diary",))), clock=lambda: NOW)
    try:
        shots = {Path(photo.path).name: photo.id for photo in fill(service, tmp_path / "photos", 2)}
        assert (await service.jobs.run("listen")).detail == "1 answer came or went with what you said with other programs"
        assert labels(service) == {shots["IMG_0001.jpg"]: (False, "elsewhere")}
        (tmp_path / "diary.txt").unlink()
        told = (await service.jobs.run("listen")).detail
        assert told.startswith("nothing that you said with other programs is new; diary: FileNotFoundError"), told
        assert len(labels(service)) == 1
        service.settings = replace(service.settings, outside=OFF)
        assert (await service.jobs.run("listen")).detail == "no plugin is asked what you said with other programs"
    finally:
        service.store.close()


DIARY = """
from pathlib import Path

from precious_daemon.hookspecs import Judgement, hookimpl

@hookimpl
def said(photo):
    return Judgement(False, "crossed out") if photo.name in Path({!r}).read_text() else None
"""
