"""The benchmarks still start: what they call has the name they call it by, and the rows they fill are those that are there."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

import bench

PROGRAMS = sorted(p.stem for p in Path(bench.__path__[0]).glob("*.py") if "def main()" in p.read_text())
SMALL = {  # of those that write rows of their own or follow a deletion through, as little as shows that they still do
    "certificate": ["--owners", "1", "--answers", "4"],
    "delete": ["--units", "2", "--bytes", "20"],
    "rescan": ["--files", "20"],
}


def run(name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [f"bench.{name}", *arguments])
    importlib.import_module(f"bench.{name}").main()


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_bench_says_what_it_takes(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        run(name, ["--help"], monkeypatch)
    assert f"python -m bench.{name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", SMALL)
def test_a_small_bench_runs_to_its_figures(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRECIOUS_HOME", str(tmp_path))  # they set it, too: put back by this
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run(name, SMALL[name], monkeypatch)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["bench"] == name
    assert told["figures"]
