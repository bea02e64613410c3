"""What once broke a parser of ours breaks none any more, and a short search finds nothing new. Hours of it: `bench.fuzz`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fuzz import ROOMS, fuzz

RUNS = {"settings": 500, "body": 500, "xmp": 1000}  # about a second each


@pytest.mark.parametrize("target", ROOMS)
def test_no_input_breaks_a_parser(target: str, tmp_path: Path) -> None:
    found = fuzz(target, None, RUNS.get(target, 3000), tmp_path)
    assert found.finding is None, f"what broke it is kept in {found.finding}"
    assert found.covered > 10, "the search did not reach the parser"
