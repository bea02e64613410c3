"""The commands about plugins: switching, checking, beginning one."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from precious_daemon.cli import cli
from precious_daemon.config import Places
from precious_daemon.plugins.find import BUILT_IN

HERE = Path(__file__).parents[2]


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["plugins", *words])


def enabled(here: Places) -> list[str]:
    found: list[str] = tomllib.loads(here.config_file.read_text())["plugins"]["enabled"]
    return found


def test_all_are_listed_and_those_that_send_or_write_are_off() -> None:
    found = {info["name"]: info["enabled"] for info in json.loads(run("list", "--json").output)}
    assert found.keys() == set(BUILT_IN)
    assert {name for name, on in found.items() if on} == {"report", "rules", "xmp"}
    assert "links       off" in run().output


def test_one_is_switched_on_and_off_and_the_rest_of_the_file_stays(here: Places) -> None:
    mine = "# mine\n[web] # the page\nport = 1\n\n[plugins]\ntimeout_seconds = 5 # short\n\n[trash]\nbatch = 3\n"
    here.config_file.write_text(mine)
    assert "links is on now" in run("enable", "links").output
    assert "It cannot work yet: plugin.webhook.url is" in run("enable", "webhook").output
    run("disable", "webhook")
    assert enabled(here) == ["report", "rules", "xmp", "links"]
    assert "was on already" in run("enable", "links").output
    assert "is off now" in run("disable", "rules").output
    assert enabled(here) == ["report", "xmp", "links"]
    text = here.config_file.read_text()
    assert text.replace('enabled = ["report", "xmp", "links"]\n', "") == mine


def test_a_name_that_does_not_exist_is_answered_with_the_nearest(here: Places) -> None:
    result = run("enable", "reprot")
    assert result.exit_code == 6
    assert "did you mean report?" in result.output
    assert not here.config_file.exists()


def test_the_check_says_what_each_can_do_and_fails_where_one_cannot_work(here: Places) -> None:
    assert "report: fine; it has deliver" in run("check").output
    here.config_file.write_text('[plugins]\nenabled = ["links", "report"]\n[plugin.links]\nfolder = "here"\n')
    result = run("check")
    assert result.exit_code == 2
    assert "has to start with / or ~" in result.output
    assert "report: fine" in result.output
    assert run("check", "report").exit_code == 0
    here.config_file.write_text("[plugin.report]\nkeeep = 3\n")
    assert "plugin.report.keeep is not a setting; did you mean keep?" in run("check", "report").output


@pytest.mark.parametrize(
    ("name", "kind", "hooks"),
    [("quiet", [], "deliver, veto"), ("two-words", [], "deliver, veto"), ("two-lights", ["--measures"], "features, rule")],
)
def test_a_new_plugin_passes_its_own_test_and_is_found_once_installed(
    tmp_path: Path, here: Places, name: str, kind: list[str], hooks: str
) -> None:
    assert f"precious-daemon plugins enable {name}" in run("new", name, *kind, "--into", str(tmp_path)).output
    folder = tmp_path / f"precious-daemon-{name}"
    its_own = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    subprocess.run(its_own, cwd=folder, check=True, capture_output=True, env={"PYTHONPATH": str(HERE), "PATH": "/usr/bin:/bin"})
    (point,) = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]["precious_daemon"].items()
    assert point == (name, f"precious_daemon_{name.replace('-', '_')}")
    here.plugins.mkdir(parents=True)
    (here.plugins / f"{name}.py").write_text((folder / f"{point[1]}.py").read_text())
    run("enable", name)
    assert f"{name}: fine; it has {hooks}" in run("check", name).output


def test_nothing_is_written_over(tmp_path: Path) -> None:
    run("new", "mine", "--into", str(tmp_path))
    assert "is there already" in run("new", "mine", "--into", str(tmp_path)).output
    assert "a plugin report already" in run("new", "report", "--into", str(tmp_path)).output
    for name in ("Mine", "../mine", "my plugin", "class", ""):
        assert run("new", name, "--into", str(tmp_path)).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["precious-daemon-mine"]


def test_keys_and_passwords_are_not_shown(here: Places) -> None:
    here.config_file.write_text('[plugin.immich]\napi_key = "hidden-1"\nurl = "shown"\n[plugin.email]\npassword = "hidden-2"\n')
    said = CliRunner().invoke(cli, ["config", "show", "--json"]).output
    assert "shown" in said
    assert "hidden" not in said
