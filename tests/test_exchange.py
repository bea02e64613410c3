"""CSV of image-ranker, in and out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon.errors import VoteFileError
from precious_daemon.models import Rating
from precious_daemon.pure import exchange

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda s: s.strip() == s)


@given(st.lists(st.tuples(NAMES, NAMES)))
def test_votes_come_back_as_they_went(pairs: list[tuple[str, str]]) -> None:
    assert exchange.parse(exchange.votes_text(pairs), 25.0) == ("votes", pairs, [])


@given(st.lists(st.tuples(NAMES, st.floats(-50, 50), st.floats(0.1, 9), st.integers(0, 99), st.integers(0, 99))))
def test_ranking_comes_back_to_two_digits(rows: list[tuple[str, float, float, int, int]]) -> None:
    ranking = [(name, Rating(round(mu, 2), round(sigma, 2), wins, losses)) for name, mu, sigma, wins, losses in rows]
    kind, _, back = exchange.parse(exchange.ranking_text(ranking, 25.0), 25.0)
    assert kind == "ranking"
    for (name, sent), (name_back, got) in zip(ranking, back, strict=True):
        assert (name, sent.wins, sent.losses) == (name_back, got.wins, got.losses)
        assert got.mu == pytest.approx(sent.mu, abs=0.006)
        assert got.sigma == pytest.approx(sent.sigma, abs=0.006)


def test_image_rankers_own_file_is_read() -> None:
    text = "Image,ELO,Uncertainty,Upvotes,Downvotes\r\ncat.jpg,4.39,7.17,1,0\r\ndog.jpg,-4.39,7.17,0,1\r\n"
    _, _, ranking = exchange.parse(text, 25.0)
    assert ranking[0] == ("cat.jpg", Rating(29.39, 7.17, 1, 0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line"),
        ("a,b\n1,2\n", "first line"),
        ("Winner,Loser\nx\n", "Line 2"),
        ("Winner,Loser\na,b\nc,\n", "Line 3"),
        ("Image,ELO,Uncertainty,Upvotes,Downvotes\na,x,1,1,1\n", "four numbers"),
        ("Image,ELO,Uncertainty,Upvotes,Downvotes\na,1,-1,1,1\n", "out of bounds"),
        ("Image,ELO,Uncertainty,Upvotes,Downvotes\na,nan,1,1,1\n", "out of bounds"),
    ],
)
def test_wrong_file_names_the_line(text: str, message: str) -> None:
    with pytest.raises(VoteFileError, match=message):
        exchange.parse(text, 25.0)


def test_names_fit_by_path_then_by_file_name() -> None:
    paths = {1: "2023/a.jpg", 2: "2024/a.jpg", 3: "2024/b.jpg"}
    found, unknown = exchange.resolve(["2023/a.jpg", "C:\\photos\\b.jpg", "a.jpg", "/x/2024/a.jpg", "z.jpg"], paths)
    assert found == {"2023/a.jpg": 1, "C:\\photos\\b.jpg": 3, "/x/2024/a.jpg": 2}
    assert unknown == ("a.jpg", "z.jpg"), "one fits two photos, one fits none"
