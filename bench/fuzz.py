"""Looks for inputs that break our own parsers: coverage-guided (atheris, libFuzzer), for as long as it is given.

    python -m bench.fuzz [--minutes N | --runs N | --quick] [--corpus DIR] [TARGET ...]

The targets are in bench/fuzz_targets.py; without a name, all get the same share of the time. What breaks one is kept in
tests/data/fuzz/TARGET/, where the tests try it ever after. DIR keeps what leads into new code from one run to the next.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

from bench.common import Figure, arguments, report, say

KEPT = Path(__file__).parent.parent / "tests" / "data" / "fuzz"
BODY = (
    "web.talk", "web.asking", "web.clusters", "web.grouping", "web.ruling", "web.reviewing", "web.library", "web.people",
    "web.tasks", "web.access", "web.jobs", "web.history", "asking.answering", "asking.ask", "asking.tasks", "asking.trade",
    "suggesting.people", "suggesting.review", "suggesting.rules", "pure.exchange",
)  # fmt: skip
ROOMS = {  # by target, what is watched for new ways through it
    "exif": ("precious_daemon.pictures.exif", "PIL.TiffImagePlugin"),
    "name": ("precious_daemon.pictures.exif",),
    "takeout": ("precious_daemon.pictures.exif", "json.decoder"),
    "xmp": ("precious_daemon.plugins.packet", "precious_daemon.pure.sidecars"),
    "prompt": ("precious_daemon.pure.prompts",),
    "table": ("precious_daemon.pure.prompts",),
    "movie": ("precious_daemon.pictures.quicktime",),
    "votes": ("precious_daemon.pure.exchange",),
    "settings": ("precious_daemon.config", "precious_daemon.settings_file", "tomlkit.parser", "tomllib._parser"),
    "record": ("precious_daemon.trash.records",),
    "body": tuple(f"precious_daemon.{room}" for room in BODY),
}
MEMORY = Path("/dev/shm")  # what the targets write is of no worth
LONGEST = 8192  # bytes of an input


@dataclass(frozen=True)
class Found:
    runs: int
    covered: int
    finding: Path | None  # the first: it is mended before the next is looked for


def fuzz(target: str, seconds: float | None, runs: int | None, corpus: Path) -> Found:
    """Run a target in a process of its own until it breaks, or the time or the runs are spent: first on what broke it before."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY if MEMORY.is_dir() else None) as scratch:
        broke = Path(scratch) / "broke"
        kept = [str(KEPT / target)] if (KEPT / target).exists() else []
        done = _run(
            target, scratch, f"-exact_artifact_path={broke}", f"-runs={runs or -1}", f"-max_total_time={seconds or 0:.0f}",
            f"-max_len={LONGEST}", "-seed=1", "-print_final_stats=1", str(corpus), *kept,
        )  # fmt: skip
        said, finding = done.stderr + done.stdout, None
        if not broke.exists() and done.returncode:
            raise SystemExit(f"{target} cannot be fuzzed:\n{said[-3000:]}")
        if (
            broke.exists() and _run(target, scratch, str(broke)).returncode
        ):  # alone, too: a machine that slept takes long over any
            finding = KEPT / target / hashlib.sha256(broke.read_bytes()).hexdigest()[:16]
            finding.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(broke, finding)
            say(f"{target}: {finding} broke it\n{said[max(0, said.find('Uncaught Python exception')) :][-3000:]}")
    return Found(_last(r"number_of_executed_units:\s+(\d+)", said), _last(r"cov: (\d+)", said), finding)


def _run(target: str, scratch: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.fuzz", "--inside", target, "-timeout=20", "-rss_limit_mb=1024", *options]
    environ = os.environ | {"TMPDIR": scratch}
    return subprocess.run(command, env=environ, capture_output=True, text=True, errors="replace", check=False)


def _last(pattern: str, text: str) -> int:
    return int(([0, *re.findall(pattern, text)])[-1])


def functions(room: ModuleType) -> Iterator[FunctionType]:
    """All that a module defines, those of its classes included."""
    for owner in (room, *(kind for kind in vars(room).values() if inspect.isclass(kind))):
        for value in vars(owner).values():
            function = value.fget if isinstance(value, property) else value
            if isinstance(function, FunctionType) and function.__module__ == room.__name__:
                yield function


def inside(target: str, options: list[str]) -> None:
    """In the process of one target: never returns."""
    import atheris

    atheris.enabled_hooks.add("str")  # comparisons with texts guide, too
    from bench.fuzz_targets import TARGETS

    for room in ROOMS[target]:
        for function in functions(importlib.import_module(room)):
            atheris.instrument_func(function)
    logging.disable(logging.CRITICAL)  # a refusal is logged: not a million times
    chosen, corpus = TARGETS[target], Path(next(option for option in options if not option.startswith("-")))
    for number, seed in enumerate(chosen.seeds if corpus.is_dir() else ()):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options], chosen.check)
    atheris.Fuzz()


def main() -> None:
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3:])
        return
    parser = arguments(__doc__ or "")
    parser.add_argument("--minutes", type=float, default=10.0, help="in all")
    parser.add_argument("--runs", type=int, help="inputs for each target, instead")
    parser.add_argument("--corpus", type=Path, help="where inputs that lead into new code are kept")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(ROOMS))
    given = parser.parse_args()
    if unknown := set(given.targets) - set(ROOMS):
        parser.error(f"no target is called {', '.join(unknown)}")
    names = given.targets or list(ROOMS)
    seconds = None if given.runs else (40.0 if given.quick else given.minutes * 60) / len(names)
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            corpus = (given.corpus or Path(folder)) / name
            corpus.mkdir(parents=True, exist_ok=True)
            say(f"fuzzing {name}")
            found = fuzz(name, seconds, given.runs, corpus)
            figures |= {
                f"{name}, findings": Figure(int(found.finding is not None), "", 0),
                f"{name}, inputs": Figure(found.runs, ""),
                f"{name}, branches reached": Figure(found.covered, ""),
            }
    report("fuzz", {"minutes": given.minutes, "runs": given.runs, "engine": "atheris"}, figures)


if __name__ == "__main__":
    main()
