"""Numbers, times and names as an owner reads them."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon.models import Rating
from precious_daemon.web import words


@given(st.text(st.characters()))
def test_what_is_shown_can_always_be_sent_and_is_one_line(text: str) -> None:
    shown = words.shown(text)
    assert len(shown.encode()) >= 0
    assert len(shown.splitlines()) <= 1
    assert not any("\u202a" <= sign <= "\u202e" or "\u2066" <= sign <= "\u2069" for sign in shown)


SIZES = {
    0: "0 bytes",
    999: "999 bytes",
    1000: "1.0 KB",
    99_449: "99.4 KB",
    99_949: "100 KB",
    999_600: "1.0 MB",
    4.2e9: "4.2 GB",
    7e12: "7.0 TB",
}


@pytest.mark.parametrize(("number", "said"), SIZES.items())
def test_sizes(number: float, said: str) -> None:
    assert words.size(number) == said


@pytest.mark.parametrize(("share", "said"), [(0, "0 %"), (0.003, "under 1 %"), (0.5, "50 %"), (0.997, "over 99 %"), (1, "100 %")])
def test_percents_are_never_0_or_100_where_it_is_not_quite(share: float, said: str) -> None:
    assert words.percent(share) == said


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_longer_time_is_never_said_as_a_second(first: float, second: float) -> None:
    assert words.duration(first)
    assert not words.duration(max(first, second)).startswith(("0", "1 "))


def test_moments() -> None:
    noon = 1_700_000_000 - 1_700_000_000 % 86400 + 12 * 3600
    assert words.moment(noon - 10 * 3600, noon, UTC) == "today 02:00"
    assert words.moment(noon - 13 * 3600, noon, UTC) == "yesterday 23:00"
    assert words.moment(noon + 14 * 3600, noon, UTC) == "tomorrow 02:00"
    assert words.moment(noon - 40 * 86400, noon, UTC) == "5 October 2023, 12:00"
    assert (words.ago(noon - 5, noon), words.ago(noon - 720, noon), words.ago(noon + 7200, noon)) == (
        "just now",
        "12 minutes ago",
        "in 2 hours",
    )


def test_the_camera_s_clock_has_no_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    assert words.taken(1_700_000_000) == "14 November 2023, 22:13"
    assert (words.taken(None), words.month(None), words.month(1_700_000_000)) == ("no date", "No date", "November 2023")


@pytest.mark.parametrize(
    ("done", "total", "seconds", "said"),
    [
        (0, 0, 5, ""),
        (0, 100, 5, "0 of 100"),
        (1204, 12400, 20.76, "1,204 of 12,400 · 58 a second · 3 minutes left"),
        (3, 10, 30, "3 of 10 · 6 a minute · 70 seconds left"),
        (5, 5, 60, "5 of 5 · 5 a minute"),
    ],
)
def test_pace(done: int, total: int, seconds: float, said: str) -> None:
    assert words.pace(done, total, seconds) == said


@given(st.integers(0, 10**6))
def test_there_is_always_a_mark_ahead(votes: int) -> None:
    reached, ahead = words.milestone(votes)
    assert reached <= votes < ahead


def test_ratings_in_words() -> None:
    assert (words.standing(Rating(25, 8.3)), words.sureness(Rating(25, 8.3))) == ("in the middle", "hardly compared yet")
    assert (words.standing(Rating(40, 1.5)), words.sureness(Rating(40, 1.5))) == ("a treasure", "settled")


def test_lists_and_counts() -> None:
    assert (words.listed([]), words.listed(["a"]), words.listed("abc")) == ("", "a", "a, b and c")
    assert (words.photos(1), words.photos(12400), words.count(12400)) == ("1 photo", "12,400 photos", "12,400")
