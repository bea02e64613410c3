"""The settings file: written once, changed without touching what else is in it; the environment goes before it."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon import config, settings_file
from precious_daemon.config import Places, Settings
from precious_daemon.errors import ConfigError
from tests.e2e.process import command

OWNERS = """\
# my own words
[web]
port = 9000 # because 8765 is taken

[schedule]
# not before midnight
night = "01:30"

[plugin.links]
folder = "/x"
"""


@pytest.fixture
def file(here: Places) -> Path:
    here.make()
    here.config_file.write_text(OWNERS)
    return here.config_file


def test_the_first_file_changes_nothing_and_explains_everything() -> None:
    text = settings_file.initial()
    assert config.parse(tomllib.loads(text)) == Settings()
    for name, _, meaning in config.describe():
        assert f"# {meaning}" in text, name
    uncommented = "\n".join(
        line.removeprefix("# ") if " = " in line and "plugin" not in line else line for line in text.split("\n")
    )
    parsed = tomllib.loads(uncommented.replace('folder = "/home/you/To review"', ""))
    assert config.parse(parsed) == Settings(), "the lines are the defaults"


def test_a_file_that_exists_is_never_written_over(file: Path) -> None:
    with pytest.raises(ConfigError, match="exists already"):
        settings_file.create(file)
    assert file.read_text() == OWNERS


def test_a_saved_setting_leaves_every_other_line_as_it_was(file: Path) -> None:
    settings = settings_file.save(file, {"schedule.night": "03:00", "certify.alpha": "0.02"})
    assert (settings.schedule.night, settings.certify.alpha, settings.web.port) == ("03:00", 0.02, 9000)
    text = file.read_text()
    for line in OWNERS.splitlines():
        assert line in text or "01:30" in line, line
    assert config.load(file, {}) == settings


@pytest.mark.parametrize(
    "text",
    ["", "plugins = {enabled = []}", "plugins.enabled = ['x']\n[web]\nport = 9000", "[plugins] # all\n\n  enabled=[]",
     '[plugins]\nenabled = [\n  "a", # first\n]\n[trash]\nbatch = 3', "[trash]\nbatch = 3\n[plugins]\ntimeout_seconds = 5"],
)  # fmt: skip
def test_one_setting_changes_however_the_file_is_written(file: Path, text: str) -> None:
    file.write_text(text)
    settings_file.save(file, {"plugins.enabled": "new\nlinks"})
    wanted = tomllib.loads(text)
    wanted.setdefault("plugins", {})["enabled"] = ["new", "links"]
    assert tomllib.loads(file.read_text()) == wanted


def test_the_default_takes_the_line_out_again(file: Path) -> None:
    settings_file.save(file, {"web.port": "8765"})
    assert "port" not in file.read_text()
    assert config.load(file, {}).web.port == 8765


@pytest.mark.parametrize("changes", [{"web.port": "x"}, {"ask.train_labels": "50", "web.port": "99999"}, {"web.prot": "1"}])
def test_one_mistake_saves_nothing(file: Path, changes: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        settings_file.save(file, changes)
    assert file.read_text() == OWNERS
    assert os.listdir(file.parent) == ["config.toml"] or not list(file.parent.glob(".*part"))


def test_a_file_that_is_a_link_stays_one(file: Path, tmp_path: Path) -> None:
    own = tmp_path / "dotfiles.toml"
    shutil.move(file, own)
    file.symlink_to(own)
    settings_file.save(file, {"web.port": "9001"})
    assert file.is_symlink()
    assert "9001" in own.read_text()


@given(st.sampled_from(config.describe()), st.text(max_size=30))
def test_no_text_is_taken_that_the_file_would_refuse(row: tuple[str, object, str], text: str) -> None:
    name = row[0]
    try:
        value = config.from_text(name, text)
    except ConfigError:
        return
    section, _, key = name.partition(".")
    config.parse({section: {key: value}})


def test_every_default_is_understood_as_it_is_typed() -> None:
    for name, default, _ in config.describe():
        typed = "\n".join(default) if isinstance(default, tuple) else str(default)
        value = config.from_text(name, typed)
        assert (tuple(value) if isinstance(value, list) else value) == default, name


def test_the_environment_goes_before_the_file(file: Path) -> None:
    environ = {"PRECIOUS_WEB_PORT": "9999", "PRECIOUS_SCHEDULE_ON_BATTERY": "yes", "PRECIOUS_PLUGINS_ENABLED": "report, links"}
    settings = config.load(file, environ | {"PRECIOUS_HOME": "/x", "PRECIOUS_CORPUS": "/y"})
    assert (settings.web.port, settings.schedule.on_battery, settings.plugins.enabled) == (9999, True, ("report", "links"))
    assert settings.schedule.night == "01:30"
    found = settings_file.origins(file, environ)
    assert (found["web.port"], found["schedule.night"], found["ask.train_labels"]) == ("PRECIOUS_WEB_PORT", "file", "default")
    with pytest.raises(ConfigError, match="did you mean port"):
        config.load(file, {"PRECIOUS_WEB_PROT": "1"})


def test_the_owner_asks_what_a_setting_means(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Wrote" in command("config", "init")
    assert "exists already" in command("config", "init", status=2)
    monkeypatch.setenv("PRECIOUS_SCHEDULE_NIGHT", "04:00")
    told = json.loads(command("config", "explain", "--json", "schedule.night"))
    assert (told["default"], told["variable"]) == ("02:00", "PRECIOUS_SCHEDULE_NIGHT")
    text = command("config", "explain", "schedule.night")
    assert "when the night's jobs start" in text
    assert 'It is "04:00", by the variable PRECIOUS_SCHEDULE_NIGHT.' in text
    assert "[PRECIOUS_SCHEDULE_NIGHT]" in command("config", "show")
    assert "did you mean schedule.night?" in command("config", "explain", "schedule.nihgt", status=2)
