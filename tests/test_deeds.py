"""The log of deeds: every line is there, found again by its number, and by what it says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precious_daemon.disk import deeds
from precious_daemon.disk.deeds import Entry

NAMES = st.text(max_size=20) | st.integers(1, 40).map(lambda n: "long" * n)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def turned(log: Path, count: int, kind: str = "", words: str = "") -> list[Entry]:
    """All pages, one after the other."""
    found: list[Entry] = []
    before = None
    while True:
        page = deeds.page(log, count, before, kind, words)
        found += [entry for _, entry in page.entries]
        if page.older is None:
            return found
        assert before is None or page.older < before
        before = page.older


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(["trashed", "wrote", "sent"]), NAMES), max_size=30), st.integers(1, 7), st.integers(1, 300)
)
def test_pages_hold_every_line_once_newest_first(
    log: Path, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, str]], count: int, block: int
) -> None:
    log.unlink(missing_ok=True)
    monkeypatch.setattr(deeds, "BLOCK", block)
    entries = [deeds.entry(float(at), action, path=name) for at, (action, name) in enumerate(told)]
    for entry in entries:
        deeds.append(log, [entry])
    assert turned(log, count) == entries[::-1]
    assert turned(log, count, kind="moved") == [entry for entry in entries[::-1] if entry["action"] == "trashed"]


def test_line_that_a_crash_cut_short_is_passed_over_and_hides_no_other(log: Path) -> None:
    deeds.append(log, [deeds.entry(1.0, "wrote", path="/a.xmp")])
    with log.open("ab") as file:
        file.write(b'{"at": "2026')
    deeds.append(log, [deeds.entry(2.0, "removed", path="/a.xmp")])
    assert [entry["action"] for entry in turned(log, 1)] == ["removed", "wrote"]
    assert deeds.page(log, 10, before=3).entries == [], "a number that no line has"


def test_rare_word_among_many_lines_is_found_by_going_on(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deeds, "PATIENCE", 2000)
    deeds.append(log, [deeds.entry(1.0, "sent", to="rare.example.org", plugin="webhook")])
    deeds.append(log, [deeds.entry(2.0, "trashed", path=f"{n}.jpg") for n in range(100)])
    first = deeds.page(log, 10, words="Rare WEBHOOK")
    assert (first.entries, first.older is None) == ([], False)
    assert [entry["to"] for entry in turned(log, 10, words="Rare WEBHOOK")] == ["rare.example.org"]


def test_writers_at_once_tear_no_line(log: Path) -> None:
    def write(number: int) -> None:
        for _ in range(20):
            deeds.append(log, [deeds.entry(1.0, "wrote", path=str(number) * 2000)])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    assert len(turned(log, 50)) == 80
    assert b"\n\n" not in log.read_bytes()


def test_what_is_sent_is_kept_with_its_size_and_hash_even_where_it_is_long() -> None:
    said = deeds.content("é" * 30_000)
    assert (len(said["sent"]), said["bytes"], len(said["blake3"])) == (deeds.LONGEST, 60_000, 64)
