"""Makes the service start by itself: fills in the unit files under `systemd/` and hands them to systemd or launchd.

The files are templates with {names}; they are in the package as `unit_files/`, so that an installed program has them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from xml.sax.saxutils import escape

from precious_daemon.errors import ServiceError
from precious_daemon.machine import whole

MARK = "Written by precious-daemon"  # a unit file without it is somebody else's, and left alone
Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to be started. {unit} in a command is the file's path."""

    template: str
    folder: Callable[[], Path]
    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]  # before the file goes
    after: tuple[tuple[str, ...], ...]  # once it is gone
    hint: str

    @property
    def file(self) -> Path:
        return self.folder() / self.template


def _config_home() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


_SYSTEMCTL = ("systemctl", "--user")
_LAUNCHD = f"gui/{os.getuid()}"
KINDS: Mapping[str, Kind] = {
    "systemd": Kind(
        "precious-daemon.service",
        lambda: _config_home() / "systemd" / "user",
        start=((*_SYSTEMCTL, "daemon-reload"), (*_SYSTEMCTL, "enable", "--now", "precious-daemon.service")),
        stop=((*_SYSTEMCTL, "disable", "--now", "precious-daemon.service"),),
        after=((*_SYSTEMCTL, "daemon-reload"),),
        hint="It runs while you are logged in; `loginctl enable-linger` lets it run always. "
        "`journalctl --user -u precious-daemon` shows what it says.",
    ),
    "launchd": Kind(
        "io.github.precious-daemon.plist",
        lambda: Path.home() / "Library" / "LaunchAgents",
        start=(("launchctl", "bootstrap", _LAUNCHD, "{unit}"),),
        stop=(("launchctl", "bootout", _LAUNCHD, "{unit}"),),
        after=(),
        hint="What it says is in ~/Library/Logs/precious-daemon.log.",
    ),
}


def install(
    kind: str, executable: Sequence[str], roots: Sequence[Path], dry_run: bool = False, run: Run | None = None
) -> list[str]:
    """Write the unit file, and start it where the service manager answers. Returns what was done, in sentences.

    `executable` is the command in front of `run FOLDER...`. Raises ServiceError where nothing could be written.
    """
    how = _kind(kind)
    file, text = how.file, render(how.template, executable, roots)
    if dry_run:
        return [f"This would be written to {file}:\n\n{text}", *(f"Then: {' '.join(c)}" for c in _commands(how.start, file))]
    _refuse_foreign(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        whole.write(file, text, 0o644)
    except OSError as exc:
        raise ServiceError(f"{file} cannot be written: {exc.strerror}. Nothing was changed.") from exc
    failed = _run_all(_commands(how.start, file), run or _run)
    return [f"Wrote {file}.", failed or "It is started, and starts by itself from now on.", how.hint]


def uninstall(kind: str, dry_run: bool = False, run: Run | None = None) -> list[str]:
    """Stop the service and remove its unit file; the library stays. Raises ServiceError where there is none."""
    how = _kind(kind)
    file = how.file
    if not file.exists():
        raise ServiceError(f"No service is installed: there is no {file}. Nothing was changed.")
    _refuse_foreign(file)
    if dry_run:
        return [*(f"This would be run: {' '.join(c)}" for c in _commands(how.stop, file)), f"Then {file} would be removed."]
    failed = _run_all(_commands(how.stop, file), run or _run)
    try:
        file.unlink()
    except OSError as exc:
        raise ServiceError(f"{file} cannot be removed: {exc.strerror}.") from exc
    failed = failed or _run_all(_commands(how.after, file), run or _run)
    return [f"Removed {file}. Your photos, answers and settings are as they were.", *([failed] if failed else [])]


def file_of(kind: str) -> Path:
    """Where the unit file of a service manager is, or would be."""
    return _kind(kind).file


def default_kind() -> str:
    """The service manager of this machine."""
    return "launchd" if shutil.which("launchctl") else "systemd"


def render(template: str, executable: Sequence[str], roots: Sequence[Path]) -> str:
    """The unit file for this command and these folders. `PRECIOUS_HOME` goes along where it is set."""
    if not executable or not os.path.isabs(executable[0]):
        raise ServiceError(f"The program has to be named by its whole path, not {' '.join(executable) or 'nothing'}.")
    arguments = [*map(os.fspath, executable), "run", *(os.fspath(root.absolute()) for root in roots)]
    for text in arguments:
        if any(ord(c) < 32 or "\udc80" <= c <= "\udcff" for c in text):
            raise ServiceError(f"{text!r} cannot be written into a unit file. Give the folder a plainer name, or link to it.")
    home = os.environ.get("PRECIOUS_HOME")
    home = os.path.abspath(os.path.expanduser(home)) if home else None
    names = {
        "command": " ".join(_word(text, command=True) for text in arguments),
        "environment": f"Environment={_word(f'PRECIOUS_HOME={home}')}" if home else "",
        "writable": "\n".join(f"ReadWritePaths={_word(f'-{os.fspath(root.absolute())}')}" for root in roots),
        "arguments": "\n".join(f"        <string>{escape(text)}</string>" for text in arguments),
        "variables": f"        <key>PRECIOUS_HOME</key>\n        <string>{escape(home)}</string>" if home else "",
        "log": escape(os.fspath(Path.home() / "Library" / "Logs" / "precious-daemon.log")),
    }
    text = (resources.files("precious_daemon") / "unit_files" / template).read_text("utf-8")
    return text.format_map(names)


def _word(text: str, command: bool = False) -> str:
    """One word of a unit file, quoted as systemd.syntax(7) and, in a command, systemd.service(5) have it."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    if command:
        text = text.replace("$", "$$")
    return f'"{text}"' if any(c in " \t'\"\\;#" for c in text) else text


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise ServiceError(f'"{name}" is no service manager known here; there are {", ".join(KINDS)}.')
    return KINDS[name]


def _refuse_foreign(file: Path) -> None:
    if file.exists() and MARK not in file.read_text("utf-8", "replace"):
        raise ServiceError(f"{file} was not written by precious-daemon. Move it away first. Nothing was changed.")


def _commands(commands: tuple[tuple[str, ...], ...], file: Path) -> list[list[str]]:
    return [[word.format(unit=file) for word in command] for command in commands]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)


def _run_all(commands: list[list[str]], run: Run) -> str | None:
    """Run commands in turn. Where one fails, a sentence with what it said and what to do; None where none did."""
    for number, command in enumerate(commands):
        rest = "\n".join(f"    {' '.join(c)}" for c in commands[number:])
        try:
            done = run(command)
        except (OSError, subprocess.TimeoutExpired) as exc:
            return f"{command[0]} does not answer here ({exc}). Where it does, run:\n{rest}"
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
            return f"{command[0]} refused: {said}\nOnce that is mended, run:\n{rest}"
    return None
