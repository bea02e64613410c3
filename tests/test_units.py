"""Unit files: rendered so that the service managers read them, installed and removed without harm."""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import pytest

from precious_daemon import errors
from precious_daemon.errors import PreciousError, ServiceError
from precious_daemon.running import units

TOP = Path(__file__).parents[1] / "systemd"
PROGRAM = ["/opt/precious/bin/python", "-m", "precious_daemon"]
ODD = Path('/mnt/50 % of "all" $HOME/päd;x')


class Manager:
    """A service manager that writes down what it is told."""

    def __init__(self, status: int = 0, says: str = "") -> None:
        self.told: list[str] = []
        self.status, self.says = status, says

    def __call__(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.told.append(" ".join(command))
        return subprocess.CompletedProcess(command, self.status, "", self.says)


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("PRECIOUS_HOME")
    return tmp_path


@pytest.fixture
def unit(user: Path) -> Path:
    return user / "config" / "systemd" / "user" / "precious-daemon.service"


def test_the_package_carries_the_templates_of_the_repository() -> None:
    packaged = {file.name: file.read_text("utf-8") for file in (resources.files("precious_daemon") / "unit_files").iterdir()}
    assert packaged == {file.name: file.read_text("utf-8") for file in TOP.iterdir()}


@pytest.mark.parametrize("template", [file.name for file in TOP.iterdir()])
def test_every_template_is_filled_in_whole(template: str) -> None:
    assert not re.search(r"\{\w*\}", units.render(template, PROGRAM, [Path("/photos")]))


def test_a_path_of_any_kind_is_one_word_of_the_command(unit: Path) -> None:
    text = units.render(unit.name, PROGRAM, [Path("/photos"), ODD])
    assert 'ExecStart=/opt/precious/bin/python -m precious_daemon run /photos "/mnt/50 %% of \\"all\\" $$HOME/päd;x"\n' in text


def test_the_home_of_the_library_goes_along(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Environment" not in units.render(unit.name, PROGRAM, [])
    monkeypatch.setenv("PRECIOUS_HOME", "/data/my library")
    assert 'Environment="PRECIOUS_HOME=/data/my library"\n' in units.render(unit.name, PROGRAM, [])
    plist = plistlib.loads(units.render("io.github.precious-daemon.plist", PROGRAM, []).encode())
    assert plist["EnvironmentVariables"] == {"PRECIOUS_HOME": "/data/my library"}


def test_the_property_list_is_one(user: Path) -> None:
    plist = plistlib.loads(units.render("io.github.precious-daemon.plist", PROGRAM, [Path("/a & b"), ODD]).encode())
    assert plist["ProgramArguments"] == [*PROGRAM, "run", "/a & b", str(ODD)]
    assert (plist["RunAtLoad"], plist["KeepAlive"], plist["Umask"]) == (True, {"SuccessfulExit": False}, 0o077)
    assert plist["StandardErrorPath"] == str(user / "Library" / "Logs" / "precious-daemon.log")


@pytest.mark.parametrize("folder", ["/photos/a\nExecStart=/bin/sh", "/photos/\udcff"])
def test_a_name_that_no_unit_file_can_hold_is_refused(unit: Path, folder: str) -> None:
    with pytest.raises(ServiceError, match="cannot be written into a unit file"):
        units.install("systemd", PROGRAM, [Path(folder)])
    assert not unit.exists()


def test_a_program_without_its_whole_path_is_refused() -> None:
    with pytest.raises(ServiceError, match="whole path"):
        units.install("systemd", ["precious-daemon"], [])


def test_errors_that_a_restart_cannot_mend_do_not_restart() -> None:
    final = {errors.ConfigError, errors.RootError, errors.LibraryLocked, errors.DatabaseError}
    for template in ("precious-daemon.service", "precious-daemon@.service"):
        codes = re.search(r"^RestartPreventExitStatus=(.*)$", (TOP / template).read_text(), re.MULTILINE)
        assert codes
        assert {int(code) for code in codes[1].split()} == {error.exit_code for error in final}


# --- installing --------------------------------------------------------------------------------------------------------


def test_install_writes_the_unit_and_starts_it(unit: Path) -> None:
    manager = Manager()
    said = units.install("systemd", PROGRAM, [Path("/photos")], run=manager)
    assert unit.read_text() == units.render(unit.name, PROGRAM, [Path("/photos")])
    assert manager.told == ["systemctl --user daemon-reload", "systemctl --user enable --now precious-daemon.service"]
    assert said[:2] == [f"Wrote {unit}.", "It is started, and starts by itself from now on."]
    assert units.install("systemd", PROGRAM, [], run=manager)[0] == f"Wrote {unit}."  # again, with other folders


def test_a_dry_run_shows_the_file_and_writes_nothing(unit: Path) -> None:
    said = "\n".join(units.install("systemd", PROGRAM, [Path("/photos")], dry_run=True, run=Manager()))
    assert str(unit) in said
    assert "ExecStart=" in said
    assert "Then: systemctl --user daemon-reload" in said
    assert not unit.parent.exists()


@pytest.mark.parametrize("manager", [Manager(1, "Failed to connect to bus: No medium found"), None])
def test_where_systemd_does_not_answer_the_file_is_there_and_the_commands_are_told(
    unit: Path, manager: Manager | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no systemctl at all
    said = units.install("systemd", PROGRAM, [], run=manager)[1]
    assert unit.exists()
    assert said.endswith("    systemctl --user daemon-reload\n    systemctl --user enable --now precious-daemon.service")


def test_a_unit_of_somebody_else_is_left_alone(unit: Path) -> None:
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    for action in (lambda: units.install("systemd", PROGRAM, []), lambda: units.uninstall("systemd")):
        with pytest.raises(ServiceError, match="was not written by precious-daemon"):
            action()
    assert "/bin/true" in unit.read_text()


def test_a_folder_that_cannot_be_written_is_one_sentence(unit: Path) -> None:
    unit.parent.parent.mkdir(parents=True)
    unit.parent.write_text("a file where the folder should be")
    with pytest.raises(ServiceError, match=r"cannot be written: .*\. Nothing was changed\."):
        units.install("systemd", PROGRAM, [], run=Manager())


def test_uninstall_stops_it_and_removes_the_unit(unit: Path) -> None:
    units.install("systemd", PROGRAM, [], run=Manager())
    assert units.uninstall("systemd", dry_run=True)[-1] == f"Then {unit} would be removed."
    assert unit.exists()
    manager = Manager()
    assert units.uninstall("systemd", run=manager) == [f"Removed {unit}. Your photos, answers and settings are as they were."]
    assert manager.told == ["systemctl --user disable --now precious-daemon.service", "systemctl --user daemon-reload"]
    assert not unit.exists()


def test_launchd_is_told_the_file(user: Path) -> None:
    manager = Manager()
    plist = user / "Library" / "LaunchAgents" / "io.github.precious-daemon.plist"
    units.install("launchd", PROGRAM, [], run=manager)
    units.uninstall("launchd", run=manager)
    assert [re.sub(r"gui/\d+", "gui/UID", told) for told in manager.told] == [
        f"launchctl bootstrap gui/UID {plist}",
        f"launchctl bootout gui/UID {plist}",
    ]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: units.uninstall("systemd"), "No service is installed"),
        (lambda: units.install("upstart", PROGRAM, []), "systemd, launchd"),
    ],
)
def test_what_cannot_be_done_is_said(call: object, says: str) -> None:
    with pytest.raises(PreciousError, match=says):
        call()  # type: ignore[operator]


# --- what systemd thinks of it -----------------------------------------------------------------------------------------

analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")


def _analyze(tmp_path: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    template = "precious-daemon@.service" if "@" in name else name
    program = shutil.which("true")
    assert program
    (tmp_path / name).write_text(units.render(template, [program], [tmp_path / "my photos", Path("/mnt/50%")]))
    command = ["systemd-analyze", "--no-pager", *arguments, str(tmp_path / name)]
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@analyze
@pytest.mark.parametrize("name", ["precious-daemon.service", "precious-daemon@daemon.service", "precious-daemon.socket"])
def test_systemd_finds_nothing_to_complain_about(tmp_path: Path, name: str) -> None:
    scope = () if "@" in name else ("--user",)
    if name.endswith(".socket"):  # it starts the other
        _analyze(tmp_path, "precious-daemon.service", *scope, "--man=no", "verify")
    done = _analyze(tmp_path, name, *scope, "--man=no", "verify")
    complaints = [line for line in done.stderr.splitlines() if name in line or "precious" in line]
    assert complaints == []


@analyze
@pytest.mark.parametrize(("name", "most"), [("precious-daemon@daemon.service", 1.2), ("precious-daemon.service", 6.3)])
def test_a_unit_is_no_more_exposed_than_it_has_to_be(tmp_path: Path, name: str, most: float) -> None:
    """systemd rates a user's unit as if it were root's: what it takes for open there is mostly what no user has."""
    done = _analyze(tmp_path, name, "--offline=yes", "security")
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure, done.stderr
    assert float(exposure[1]) <= most


@pytest.mark.parametrize("name", ["precious-daemon.service", "precious-daemon@.service"])
def test_the_sandbox_of_the_decoders_is_among_the_calls_that_a_unit_allows(name: str) -> None:
    assert re.search(r"^SystemCallFilter=landlock_create_ruleset .*\bseccomp$", (TOP / name).read_text(), re.MULTILINE)
