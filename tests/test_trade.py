"""Out and in again: preferences to train on, prompts of generated pictures, the best of each event."""

from __future__ import annotations

import csv
import json
import struct
import sys
import zlib
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from pyarrow import parquet

from precious_daemon.asking import ledger, trade
from precious_daemon.cli import cli
from precious_daemon.config import Places, Settings
from precious_daemon.jobs import open_service
from precious_daemon.models import Choice, Photo, Question, Rating, Stamp
from precious_daemon.pure import highlights, prompts
from precious_daemon.pure.highlights import Candidate
from precious_daemon.store import Database, Store, answers, changes, ratings, roots
from tests.web.library import fill

WORDS = "a cat — 猫, sitting\nSteps: 20"


@pytest.fixture
def library(here: Places, tmp_path: Path) -> list[Photo]:
    """Five photos with answers, and no service that runs."""
    service = open_service(here, Settings())
    found = fill(service, tmp_path / "photos", 5)

    def say(db: Database) -> None:
        a, b, c, d, e = (photo.id for photo in found)
        for question, choice, first, second, more in (
            (Question.PAIR, Choice.SECOND, a, b, ()), (Question.PAIR, Choice.DRAW, a, c, ()),
            (Question.PAIR, Choice.SKIP, a, d, ()),
            (Question.FOUR, Choice.SECOND, a, b, (c, d)), (Question.FOUR, Choice.ORDER, c, d, (e,)),
        ):  # fmt: skip
            answers.add(db, 1, question, choice, first, second, "rank", 1.0, None, more)
        ledger.catch_up(db, 1)

    service.store.write(say)
    service.store.close()
    return found


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_preferences_say_what_the_owner_told_apart(library: list[Photo], tmp_path: Path) -> None:
    assert "7 pairs" in run("votes", "preferences", str(tmp_path / "p.jsonl"))
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    a, b, c, d, e = (photo.path for photo in library)
    told = [(b, a), (b, a), (b, c), (b, d), (c, d), (c, e), (d, e)]
    assert [(row["chosen"], row["rejected"]) for row in rows] == told
    assert {tuple(row) for row in rows} == {("prompt", "chosen", "rejected")}
    run("votes", "preferences", "--hashes", str(tmp_path / "p.parquet"))
    table = parquet.read_table(tmp_path / "p.parquet")
    assert table.column_names == ["prompt", "chosen", "rejected"]
    names = {photo.path: f"blake3:{(photo.content_hash or b'').hex()}" for photo in library}
    assert [(row["chosen"], row["rejected"]) for row in table.to_pylist()] == [(names[x], names[y]) for x, y in told]


def test_parquet_without_its_reader_says_what_to_install(
    library: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = CliRunner().invoke(cli, ["votes", "preferences", str(tmp_path / "p.parquet")])
    assert result.exit_code == 1
    assert "precious-daemon[parquet]" in result.output


def test_my_answers_on_the_command_line(library: list[Photo]) -> None:
    listed = json.loads(run("answers", "--json", "--kind", "comparisons"))["answers"]
    assert len(listed) == 5
    assert "In this order, for the ranking" in run("answers")
    assert "Taken back" in run("undo-answer", str(listed[-1]["id"]))
    assert len(json.loads(run("answers", "--json"))["answers"]) == 4


def test_album_of_the_best_as_links_and_as_copies(library: list[Photo], tmp_path: Path) -> None:
    assert "1 events" in run("votes", "highlights", "--top", "2", str(tmp_path / "album"))
    links = sorted((tmp_path / "album").rglob("*.jpg"))
    assert [link.name for link in links] == [f"01 {library[1].path}", f"02 {library[2].path}"]
    assert all(link.is_symlink() and link.resolve().parent == tmp_path / "photos" for link in links)
    run("votes", "highlights", "--copy", str(tmp_path / "album"))
    assert links[0].is_symlink(), "what is there stays"
    copies = [file for file in (tmp_path / "album").rglob("*.jpg") if not file.is_symlink()]
    assert len(copies) == 3


# --- the best of each event --------------------------------------------------------------------------------------------

candidates = st.lists(
    st.builds(
        Candidate, st.integers(1, 10**6), st.floats(0, 1e6), st.floats(-20, 60),
        st.frozensets(st.sampled_from("abc"), max_size=1),
        st.one_of(st.none(), st.integers(0, 3)),
    ),
    max_size=30, unique_by=lambda c: c.photo_id,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(candidates, st.integers(1, 5))
def test_each_event_gives_its_best_and_no_two_of_a_burst(found: list[Candidate], top: int) -> None:
    by_id = {c.photo_id: c for c in found}
    events = highlights.choose(found, top, pause=1e5)
    assert sum(event.photos for event in events) == len(found)
    assert all(earlier.ends + 1e5 < later.begins for earlier, later in pairwise(events))
    for event in events:
        chosen = [by_id[i] for i in event.chosen]
        assert 1 <= len(chosen) <= top
        groups = [name for c in chosen for name in c.groups]
        assert len(groups) == len(set(groups))
        inside = [c for c in found if event.begins <= c.taken_at <= event.ends]
        assert chosen[0].value == max(c.value for c in inside)


def test_variety_counts_beside_worth() -> None:
    sea = [Candidate(i, 0.0, 30.0 - i / 10, cluster=1) for i in range(5)]
    hill = Candidate(9, 0.0, 27.0, cluster=2)
    (event,) = highlights.choose([*sea, hill], 2)
    assert event.chosen == (0, 9)


@pytest.mark.parametrize("rated", [0, 5000])
def test_pages_of_events_together_are_all_events(store: Store, rated: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the ratings, where few are said to be rated, and by the photos."""
    monkeypatch.setattr(ratings, "count", lambda db, voter_id: rated)
    monkeypatch.setattr(trade, "HIGHLIGHTS_AMONG", 7)
    monkeypatch.setattr(trade, "EVENTS", 2)
    times = [day * 1e5 + second for day, count in enumerate([1, 4, 2, 5, 1, 3, 6]) for second in range(count)]

    def fill(db: Database) -> None:
        root = roots.add(db, "/pictures", "m", 1, 0.0)
        for number, at in enumerate(times):
            photo = changes.add_still(db, root.id, f"{number}.jpg", Stamp(1, number, 1, 0), 0.0)
            db.execute("UPDATE photos SET state = 'present', taken_at = ? WHERE id = ?", [at, photo])
            if number % 5:
                ratings.put(db, 1, photo, Rating(20.0 + number % 3, 1.0))

    store.write(fill)
    whole = highlights.choose(store.read(ratings.for_highlights, 1, None, 100), 2, 1000.0)
    pages, before = [], None
    while not pages or before is not None:
        found, before = store.read(trade.best_before, 1, 2, 1000.0, before)
        assert len(found) <= 2
        pages += [event for event, _ in found]
    assert pages[::-1] == whole
    assert sum(event.photos for event in whole) == sum(1 for number in range(len(times)) if number % 5)


# --- prompts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "packed iTXt"])
def test_prompt_of_a_png(kind: str, tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    text = WORDS if "iTXt" in kind else "a cat\nSteps: 20"
    if "iTXt" in kind:
        info.add_itxt("parameters", text, zip=kind.startswith("packed"))
    else:
        info.add_text("parameters", text, zip=kind == "zTXt")
    Image.new("RGB", (9, 9)).save(tmp_path / "x.png", pnginfo=info)
    assert prompts.read(str(tmp_path / "x.png")) == text


@pytest.mark.parametrize("code", [b"UNICODE\0", b"ASCII\0\0\0"])
def test_prompt_of_a_jpeg(code: bytes, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = code + WORDS.encode("utf-16-le" if code.startswith(b"U") else "utf-8")
    Image.new("RGB", (9, 9)).save(tmp_path / "x.jpg", exif=exif)
    assert prompts.read(str(tmp_path / "x.jpg")) == WORDS


@pytest.mark.parametrize("head", [["file", "prompt"], ["Image", "Prompt"]])
def test_prompt_of_a_table_beside_the_picture(head: list[str], tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "x.webp")
    with open(tmp_path / "prompts.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, ["y.webp", "a dog"], ["x.webp", WORDS]])
    assert prompts.read(str(tmp_path / "x.webp")) == WORDS
    assert prompts.read(str(tmp_path / "z.webp")) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1\0\x80Exif\0\0II*\0\x08\0\0\0"]))
def test_no_bytes_upset_the_reader(tmp_path_factory: pytest.TempPathFactory, noise: bytes, head: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "noise"
    file.write_bytes(head + noise)
    found = prompts.read(str(file))
    assert found is None or len(found) <= prompts.LONGEST


def test_a_text_that_would_fill_the_memory_is_cut(tmp_path: Path) -> None:
    bomb = b"parameters\0\0" + zlib.compress(b"x" * 50_000_000)
    chunk = struct.pack(">I", len(bomb)) + b"zTXt" + bomb + b"\0\0\0\0" + struct.pack(">I", 0) + b"IEND"
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    assert len(prompts.read(str(tmp_path / "bomb.png")) or "") <= prompts.LONGEST
