"""The plan: a real shell runs it, on files that are as they were and on files that are not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from precious_daemon.hookspecs import SuggestedPhoto
from precious_daemon.plugins import plan
from precious_daemon.plugins.trial import output, suggestion

NAMES = ["plain.jpg", "-rf.jpg", 'it\'s "odd" $(touch hacked) `x`.jpg', "two\nlines.jpg", "\udcff.jpg", " space .jpg", "*.jpg"]
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("photos", "photos/in -x", "photos/keep"):
        (tmp_path / folder).mkdir()
    for number, name in enumerate(NAMES):
        (tmp_path / "photos" / "in -x" / name).write_bytes(b"photo %d" % number)
    (tmp_path / "photos" / "in -x" / "plain.CR2").write_bytes(b"raw")
    (tmp_path / "photos" / "keep" / "best.jpg").write_bytes(b"best")
    return tmp_path / "photos"


def going(root: Path) -> list[SuggestedPhoto]:
    more: dict[str, dict[str, Any]] = {"plain.jpg": {"companions": ("plain.CR2",), "keeper": root / "keep" / "best.jpg"}}
    return [suggestion(name, folder="in -x", root=root, **more.get(name, {})) for name in NAMES]


def planned(root: Path, tmp_path: Path, run: str = "night", **settings: Any) -> Path:
    own = output(tmp_path / "own", plan, **settings)
    plan.deliver(run, going(root), own)
    return own.folder / f"plan-{run}-1.sh"


def sh(script: Path, *words: str, shell: str = "sh") -> tuple[int, str]:
    command = [shell, *(["sh"] if shell == "busybox" else []), str(script), *words]
    done = subprocess.run(command, capture_output=True, cwd="/", env={"PATH": os.environ["PATH"]})
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "surrogateescape")


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_script_is_clean_for_any_shell(root: Path, tmp_path: Path) -> None:
    subprocess.run(["shellcheck", "-s", "sh", str(planned(root, tmp_path))], check=True, capture_output=True)


def test_without_a_word_it_only_checks(root: Path, tmp_path: Path) -> None:
    before = contents(root)
    code, said = sh(planned(root, tmp_path))
    assert (code, said.splitlines()[-1]) == (0, "7 can be moved, 0 are not what they were. Nothing was moved.")
    assert "plain.jpg: blurred" in said
    assert contents(root) == before


@pytest.mark.parametrize("shell", SHELLS)
def test_it_moves_and_moves_back_whatever_the_names_are(root: Path, tmp_path: Path, shell: str) -> None:
    before, script = contents(root), planned(root, tmp_path)
    code, said = sh(script, "move", shell=shell)
    assert (code, "7 were moved" in said) == (0, True), said
    moved = contents(root)
    assert moved.pop("keep/best.jpg") == b"best"
    assert all(name.startswith(".precious-plan-night/") for name in moved)
    assert {name.split("/", 2)[2]: data for name, data in moved.items()} == {
        n: d for n, d in before.items() if n != "keep/best.jpg"
    }
    assert sh(script, "move", shell=shell)[0] == 1, "there is nothing to be moved any more"
    assert contents(root) == moved | {"keep/best.jpg": b"best"}
    assert sh(script, "back", shell=shell)[0] == 0
    assert contents(root) == before
    assert not (root / "hacked").exists()


def test_the_folder_may_have_another_path_there(root: Path, tmp_path: Path) -> None:
    script = planned(root, tmp_path)
    there = tmp_path / "volume 1"
    root.rename(there)
    code, said = sh(script, "move")
    assert (code, "say where the photos are" in said) == (2, True)
    assert sh(script, "move", str(there))[0] == 0
    assert not (there / "in -x" / "plain.jpg").exists()


def _edit(path: Path) -> None:
    path.write_bytes(b"edited")


def _link(path: Path) -> None:
    elsewhere = path.parents[2] / "elsewhere.jpg"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def _link_folder(path: Path) -> None:
    elsewhere = path.parents[2] / "elsewhere"
    path.parent.rename(elsewhere)
    path.parent.symlink_to(elsewhere)


@pytest.mark.parametrize("name", ["in -x/plain.jpg", "in -x/plain.CR2", "keep/best.jpg"])
@pytest.mark.parametrize("harm", [_edit, os.unlink, _link])
def test_a_photo_goes_only_if_all_of_it_and_its_keeper_are_what_they_were(
    root: Path, tmp_path: Path, name: str, harm: Any
) -> None:
    script = planned(root, tmp_path)
    harm(root / name)
    before = contents(root)
    code, said = sh(script, "move")
    assert code == 1
    assert f"00001  LEFT: {name} " in said
    assert "6 were moved" in said
    after = contents(root)
    assert {n: d for n, d in after.items() if n in before} == {n: d for n, d in before.items() if "plain" in n or "keep" in n}


def test_a_folder_that_leads_elsewhere_is_not_followed(root: Path, tmp_path: Path) -> None:
    script = planned(root, tmp_path)
    _link_folder(root / "in -x" / "plain.jpg")
    code, said = sh(script, "move")
    assert (code, "7 were left" in said) == (1, True)
    assert len(list((tmp_path / "elsewhere").iterdir())) == 8


def test_nothing_is_written_over_on_the_way_back(root: Path, tmp_path: Path) -> None:
    script = planned(root, tmp_path)
    sh(script, "move")
    (root / "in -x" / "plain.jpg").write_bytes(b"new")
    code, said = sh(script, "back")
    assert code == 1
    assert "the place of in -x/plain.jpg is taken" in said
    assert (root / "in -x" / "plain.jpg").read_bytes() == b"new"
    assert (root / ".precious-plan-night" / "00001" / "in -x" / "plain.jpg").read_bytes() == b"photo 0"


def test_the_json_says_the_same(root: Path, tmp_path: Path) -> None:
    found = json.loads(planned(root, tmp_path).with_suffix(".json").read_text())
    first = found["units"][0]
    assert (found["root"], first["reasons"]) == (str(root), ["blurred"])
    assert [file["path"] for file in first["files"]] == ["in -x/plain.jpg", "in -x/plain.CR2"]
    assert first["files"][0]["sha256"] == hashlib.sha256(b"photo 0").hexdigest()
    assert first["keeper"]["path"] == "keep/best.jpg"


def test_what_cannot_be_read_is_not_in_the_plan_and_old_plans_go(root: Path, tmp_path: Path) -> None:
    os.unlink(root / "in -x" / "plain.jpg")
    for run in ("1", "2", "3"):
        script = planned(root, tmp_path, run, keep=2)
        os.utime(script, (int(run), int(run)))
        os.utime(script.with_suffix(".json"), (int(run), int(run)))
    assert "6 can be moved" in sh(script)[1]
    assert sorted(path.name for path in script.parent.iterdir()) == [
        "plan-2-1.json",
        "plan-2-1.sh",
        "plan-3-1.json",
        "plan-3-1.sh",
    ]
