"""What is handed out: built from the sources as a stranger would, installed into an environment of its own, and whole."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parent.parent
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
IGNORED = [".*", *(line.strip("/") for line in (TOP / ".gitignore").read_text().splitlines())]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def build(kind: str, sources: Path, into: Path) -> Path:
    """What pip does for `pip wheel` and `build` for an sdist, less the environment that those make for it."""
    code = f"import sys; from setuptools import build_meta; print(build_meta.build_{kind}(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(into)], cwd=sources, check=True, capture_output=True, text=True)
    return into / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout without what git does not hold."""
    return Path(shutil.copytree(TOP, tmp_path_factory.mktemp("dist") / "sources", ignore=shutil.ignore_patterns(*IGNORED)))


@pytest.fixture(scope="module")
def unpacked(sources: Path) -> Path:
    """The sdist, unpacked."""
    before = files(sources)
    with tarfile.open(build("sdist", sources, sources.parent)) as archive:
        archive.extractall(sources.parent / "unpacked", filter="data")
    for added in files(sources) - before:
        (sources / added).unlink()
    (top,) = (sources.parent / "unpacked").iterdir()
    return top


@pytest.fixture(scope="module")
def installed(unpacked: Path) -> Path:
    """An environment that holds the wheel made of the sdist, and nothing else."""
    environment = unpacked.parents[1] / "environment"
    wheel = build("wheel", unpacked, unpacked.parents[1])
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "--python", str(environment / "bin" / "python")]
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], env=alone, cwd=environment, check=True)
    return environment


def test_the_sdist_holds_all_that_is_in_the_repository(sources: Path, unpacked: Path) -> None:
    made = {name for name in files(unpacked) if name in ("PKG-INFO", "setup.cfg") or ".egg-info" in name}
    assert files(unpacked) - made == files(sources)


def test_the_wheel_installs_every_file_of_the_package(sources: Path, installed: Path) -> None:
    (package,) = installed.glob("lib/python3*/site-packages/precious_daemon")
    assert files(package) == {name for name in files(sources / "precious_daemon") if not name.endswith(".po")}  # .mo are used
    assert (installed / "share" / "man" / "man1" / "precious-daemon.1").exists()


def test_the_installed_command_runs(installed: Path, tmp_path: Path) -> None:
    environ = os.environ | {"PYTHONPATH": sysconfig.get_path("purelib"), "PRECIOUS_HOME": str(tmp_path)}
    for arguments in (["--version"], ["service", "install", "--dry-run", str(tmp_path)], ["config", "check"]):
        command = [str(installed / "bin" / "precious-daemon"), *arguments]
        done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_manual_page_is_up_to_date() -> None:
    made = runpy.run_path(str(TOP / "docs" / "make_man.py"))
    assert made["PAGE"].read_text("utf-8") == made["page"](), "run `python docs/make_man.py`"


def test_the_manual_page_is_clean() -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(TOP / "docs" / "precious-daemon.1")]
    assert not subprocess.run(command, check=True, capture_output=True, text=True).stderr


# --- versions ----------------------------------------------------------------------------------------------------------


def needed() -> Iterator[Requirement]:
    """All that this project asks for by itself, and what that asks for in turn, as it is installed here; but not what torch
    asks for on one system alone: its builds for graphics cards bring packages along that the one without does not know."""
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *(text for name, texts in extras.items() if name != "dist" for text in texts)]
    waiting, seen = [Requirement(text) for text in asked], set[tuple[str, frozenset[str]]]()
    while waiting:
        requirement = waiting.pop()
        wanted = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if wanted in seen:
            continue
        seen.add(wanted)
        yield requirement
        for text in metadata.requires(requirement.name) or ():
            further = Requirement(text)
            if requirement.name == "torch" and "platform_system" in str(further.marker):
                continue
            if not further.marker or any(further.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)):
                waiting.append(further)


def test_every_package_that_is_needed_is_pinned_and_here_by_that_version() -> None:
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (TOP / "constraints.txt").read_text(), re.M))
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    here = {canonicalize_name(r.name): metadata.version(r.name).split("+")[0] for r in needed()}
    del here["pip"]  # of sqlite-utils; it comes with the environment
    assert here == {name: pinned.get(name) for name in here}
