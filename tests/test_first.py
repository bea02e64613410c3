"""The first start and the doctor: the usual folders are proposed, and what is wrong is said with its remedy."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from precious_daemon import config, status
from precious_daemon.cli import cli
from precious_daemon.config import Places, Settings
from precious_daemon.folders import usual
from precious_daemon.running import doctor
from precious_daemon.store import Store, passwords, roots
from tests.e2e.process import command
from tests.pictures import save


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with photos where a desktop keeps them."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "user-dirs.dirs").write_text('# made by a desktop\nXDG_PICTURES_DIR="$HOME/Afbeeldingen"\n')
    for number in range(3):
        save(tmp_path / "Afbeeldingen" / "2024" / f"{number}.jpg", number, (32, 24))
    save(tmp_path / "DCIM" / "a.jpg", 9, (32, 24))
    (tmp_path / "Pictures").mkdir()
    (tmp_path / "Pictures" / "notes.txt").write_text("no photo")
    return tmp_path


def test_folders_with_photos_are_proposed_the_fullest_first(user: Path) -> None:
    assert [(place.path, place.photos) for place in usual.propose(user, {})] == [
        (str(user / "Afbeeldingen"), 3),
        (str(user / "DCIM"), 1),
    ]


def test_setup_without_anybody_to_ask_takes_what_is_proposed(user: Path, here: Places) -> None:
    said = command("setup", "--night", "03:15", "--care", "very")
    assert f"{user / 'Afbeeldingen'} is watched." in said
    assert "precious-daemon run" in said
    settings = config.load(here.config_file)
    assert (settings.schedule.night, settings.certify.alpha) == ("03:15", 0.02)
    assert len(json.loads(command("roots", "list", "--json"))) == 2


def test_setup_with_a_mistake_changes_nothing(user: Path, here: Places) -> None:
    assert "a time like" in command("setup", "--night", "25:00", status=2)
    assert not here.config_file.exists()


def test_completion_is_for_the_shell_that_is_asked_for() -> None:
    for shell, sign in (("bash", "complete -o nosort"), ("zsh", "#compdef precious-daemon"), ("fish", "complete --no-files")):
        assert sign in command("completion", shell)


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["votes", "pref"], ["preferences"]),
        (["jobs", "run", "n"], ["night"]),
        (["plugins", "enable", "xm"], ["xmp"]),
        (["config", "explain", "web.tls_"], ["web.tls_cert", "web.tls_key"]),
    ],
)
def test_commands_jobs_plugins_and_settings_are_completed(words: list[str], completed: list[str], here: Places) -> None:
    found = ShellComplete(cli, {}, "precious-daemon", "_PRECIOUS").get_completions(words[:-1], words[-1])
    assert [item.value for item in found] == completed


# --- the doctor --------------------------------------------------------------------------------------------------------


def found(here: Places) -> dict[str, doctor.Finding]:
    return {finding.subject: finding for finding in doctor.examine(here)}


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the checks that start a process."""
    slow = {"_decoders", "_accelerator"}
    monkeypatch.setattr(doctor, "CHECKS", tuple(check for check in doctor.CHECKS if check.__name__ not in slow))


@pytest.mark.usefixtures("_quick")
def test_a_sound_library_has_nothing_bad(here: Places, tmp_path: Path) -> None:
    with Store(here) as store:
        store.write(roots.add, str(tmp_path), "marker", tmp_path.stat().st_dev, time.time())
    assert {f.subject for f in doctor.examine(here) if f.state == "bad"} == set()
    assert found(here)["library"].sentence == "library.db is sound."
    assert found(here)[str(tmp_path)].state == "ok"


@pytest.mark.usefixtures("_quick")
def test_every_finding_that_wants_attention_has_a_remedy(here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with Store(here) as store:
        store.write(roots.add, str(tmp_path / "gone"), "marker", 1, time.time())
    here.data.chmod(0o755)
    here.library_db.chmod(0o644)
    here.service_file.write_text("{}")
    here.config_file.write_text('[plugins]\nenabled = ["repotr"]\n[web]\nport = 0\n')
    unit = tmp_path / ".config" / "systemd" / "user" / "precious-daemon.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("ExecStart=/nowhere/python -m precious_daemon run\n")
    monkeypatch.setattr(doctor, "HOLES", {"aiohttp": ("999", "CVE-0")})
    here_is = found(here)
    for subject, state, words in (
        ("aiohttp", "bad", "known holes"),
        ("folders", "warn", "other users"),
        ("files", "warn", "other users"),
        ("service", "warn", "was killed"),
        ("start", "bad", "/nowhere/python, which is gone"),
        ("plugin repotr", "bad", "no plugin of this name"),
        (str(tmp_path / "gone"), "bad", "may not be read"),
    ):
        finding = here_is[subject]
        assert (finding.state, words in finding.sentence) == (state, True), finding
        assert finding.remedy, finding


@pytest.mark.usefixtures("_quick")
def test_little_space_is_said_of_the_cache_where_that_is_on_another_disk(here: Places) -> None:
    Store(here).close()
    elsewhere = replace(here, cache=Path("/proc"))  # a file system of its own, with no room at all
    said = {finding.sentence: finding.remedy for finding in doctor.examine(elsewhere) if finding.subject == "disk"}
    assert "on the disk of /proc" in said["Only 0 MB are free beside the cache."]
    with Store(here, writer=False) as store:
        warnings = store.read(status.collect, elsewhere, Settings())["warnings"]
    assert "Only 0 MB are free on the disk of /proc." in warnings


@pytest.mark.usefixtures("_quick")
def test_a_damaged_library_and_too_many_folders_are_found(here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(here).close()
    size = here.library_db.stat().st_size
    with here.library_db.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 3))
    assert found(here)["library"].state == "bad"
    assert found(here)["library"].remedy
    monkeypatch.setattr(doctor.Path, "read_text", lambda self, *_: "1")
    (watches,) = doctor._watches([str(tmp_path)])
    assert watches.state == "warn"
    assert "fs.inotify.max_user_watches=524288" in watches.remedy


def test_the_doctor_speaks_json_and_sets_the_exit_code(here: Places) -> None:
    here.make()
    here.config_file.write_text("[web]\nprot = 1\n")
    assert "did you mean port" in command("doctor", status=2)
    here.config_file.write_text("[web]\nport = 0\n")
    findings = json.loads(command("doctor", "--json", status=1 if _warned(here) else 0))
    assert {"packages", "libheif", "sqlite", "clock", "disk"} <= {finding["subject"] for finding in findings}


def _warned(here: Places) -> bool:
    return any(finding.state == "warn" for finding in doctor.examine(here))


@pytest.mark.usefixtures("_quick")
def test_the_doctor_says_what_a_page_for_the_network_lacks(here: Places) -> None:
    here.make()
    key = here.data / "own.key"
    key.touch()
    key.chmod(0o644)
    here.config_file.write_text(
        f'[web]\nlisten = ["192.0.2.1:8766"]\ntls_cert = "{here.data / "own.pem"}"\ntls_key = "{key}"\n', "utf-8"
    )
    assert found(here)["network"].remedy == "precious-daemon password"
    with Store(here) as store:
        store.write(passwords.put, 1, "known", 0.0)
    assert found(here)["network"].remedy == f"chmod o= '{key}'"
    key.chmod(0o640)
    assert found(here)["network"].state == "ok"
