"""Circles on the earth: read from what an owner writes, and told apart from what lies outside."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon.places import EARTH, Circle, metres, read

LATITUDES, LONGITUDES = st.floats(-89, 89), st.floats(-179, 179)


@pytest.mark.parametrize(
    ("text", "circle"),
    [
        ("Home: 52.5163 13.3777 500 m", Circle("Home", 52.5163, 13.3777, 500)),
        ("  Grandma's garden:-33.86 / 151.2 / 1.5km ", Circle("Grandma's garden", -33.86, 151.2, 1500)),
    ],
)
def test_circle_is_read(text: str, circle: Circle) -> None:
    assert read(text) == circle


@pytest.mark.parametrize(
    "text", ["", "Home", "52 13 500 m", "Home: 52 13", "Home: 91 0 1 km", "Home: 0 181 1 km", "Home: 52 13 5 miles"]
)
def test_what_is_no_circle_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"Home: 52\.5163 13\.3777 500 m|from -90 to 90"):
        read(text)


def test_known_distance() -> None:
    assert metres(52.5163, 13.3777, 48.8584, 2.2945) == pytest.approx(878_000, rel=0.01), "Brandenburg Gate to Eiffel Tower"
    assert metres(0, 179.999, 0, -179.999) == pytest.approx(2 * 111.2, rel=0.01), "across the date line"


@given(LATITUDES, LONGITUDES, st.floats(0, 2 * math.pi), st.floats(1, 1e5))
def test_step_within_the_radius_is_inside_and_one_beyond_is_not(lat: float, lon: float, bearing: float, radius: float) -> None:
    circle = Circle("x", lat, lon, radius)
    for share, inside in ((0.9, True), (1.1, False)):
        angle, a = share * radius / EARTH, math.radians(lat)
        b = math.asin(math.sin(a) * math.cos(angle) + math.cos(a) * math.sin(angle) * math.cos(bearing))
        turn = math.atan2(math.sin(bearing) * math.sin(angle) * math.cos(a), math.cos(angle) - math.sin(a) * math.sin(b))
        assert circle.holds(math.degrees(b), lon + math.degrees(turn)) is inside
