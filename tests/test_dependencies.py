"""Dependencies: what is pinned, and what may be installed, is above the versions with known holes."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from precious_daemon.machine.holes import CHECKED, HOLES

TOP = Path(__file__).parents[1]
PINS = {
    canonicalize_name(name): Version(version)
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (TOP / "constraints.txt").read_text(), re.MULTILINE)
}
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
WANTED = [*PROJECT["dependencies"], *(text for extra in PROJECT["optional-dependencies"].values() for text in extra)]


@pytest.mark.parametrize("name", HOLES)
def test_nothing_with_a_known_hole_is_pinned(name: str) -> None:
    least, which = HOLES[name]
    assert PINS[canonicalize_name(name)] >= Version(least), which


@pytest.mark.parametrize("text", WANTED)
def test_nothing_with_a_known_hole_can_be_installed(text: str) -> None:
    wanted = Requirement(text)
    name = canonicalize_name(wanted.name)
    assert name not in PINS or wanted.specifier.contains(PINS[name])
    least, which = HOLES.get(name, ("0", ""))
    floor = next((part.version for part in wanted.specifier if part.operator == ">="), "0")
    assert Version(floor) >= Version(least), f"{text} allows {which}"


def test_the_list_says_when_it_was_looked_through_and_never_gets_older() -> None:
    assert date(2026, 11, 22) <= date.fromisoformat(CHECKED)
