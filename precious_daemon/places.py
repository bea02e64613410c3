"""Circles on the earth: the places that an owner protects. Text in, and whether a photo was taken there out."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

EARTH = 6_371_008.8  # metres: mean radius (IUGG)
_TEXT = re.compile(
    r"(?P<name>[^:]+):\s*(?P<latitude>[-+]?\d+(?:\.\d+)?)[\s/]+(?P<longitude>[-+]?\d+(?:\.\d+)?)[\s/]+"
    r"(?P<radius>\d+(?:\.\d+)?)\s*(?P<unit>m|km)"
)


@dataclass(frozen=True, slots=True)
class Circle:
    """Latitude and longitude in degrees, north and east being positive; the radius in metres."""

    name: str
    latitude: float
    longitude: float
    radius: float

    def holds(self, latitude: float, longitude: float) -> bool:
        return metres(self.latitude, self.longitude, latitude, longitude) <= self.radius


def read(text: str) -> Circle:
    """ "Home: 52.5163 13.3777 500 m". ValueError with what is wrong with it."""
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise ValueError("write it as a name, a latitude, a longitude and a distance, like Home: 52.5163 13.3777 500 m")
    latitude, longitude = float(found["latitude"]), float(found["longitude"])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise ValueError("a latitude goes from -90 to 90, and a longitude from -180 to 180")
    return Circle(found["name"].strip(), latitude, longitude, float(found["radius"]) * (1000 if found["unit"] == "km" else 1))


def metres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """The distance along the ground, by the haversine formula (R. W. Sinnott, Sky and Telescope 68, 1984)."""
    a, b = math.radians(latitude), math.radians(other_latitude)
    turn = math.radians(other_longitude - longitude)
    half = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(turn / 2) ** 2
    return 2 * EARTH * math.asin(math.sqrt(min(1.0, half)))
