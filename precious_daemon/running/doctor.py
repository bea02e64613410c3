"""Looks for everything an owner could have wrong, and says the remedy of each. Changes nothing; the service may run."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from precious_daemon import config
from precious_daemon.config import Places, Settings
from precious_daemon.disk.tree import kind_of_disk
from precious_daemon.errors import PreciousError
from precious_daemon.machine import sandbox
from precious_daemon.machine.holes import CHECKED, HOLES, LIBHEIF
from precious_daemon.models import RootState
from precious_daemon.running import conditions
from precious_daemon.store import Store, backup, passwords, roots
from precious_daemon.suggesting import people

LEAST_SPACE = 1_000_000_000  # bytes
OLDEST_CLOCK = 1_767_225_600  # 2026: before this program was written
LEAST_FILES = 1024  # open at a time
SQLITE = (3, 35, 0)  # RETURNING
RESET_RACE = (3, 51, 3)  # before: a rare race between two connections that checkpoint; here only one does
SLOW = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "fuse.rclone"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `state` is ok, note (good to know), warn (works less well) or bad (does not work)."""

    subject: str
    state: str
    sentence: str
    remedy: str = ""


Check = Callable[[Places, Settings], Iterator[Finding]]


def examine(places: Places) -> list[Finding]:
    """All checks; one that itself fails is a finding, too."""
    try:
        settings = config.load(places.config_file)
    except PreciousError as exc:
        return [Finding("settings", "bad", str(exc), f"Mend {places.config_file}; `precious-daemon config check` looks again.")]
    found = [
        Finding("settings", "ok", f"{places.config_file} is right." if places.config_file.exists() else "All is as by default.")
    ]
    for check in CHECKS:
        try:
            found += check(places, settings)
        except Exception as exc:  # noqa: BLE001  # the edge of a check: the others still say what they see
            found.append(Finding(check.__name__.strip("_"), "warn", f"This could not be looked at: {exc}"))
    return found


# --- the program and its machine ---------------------------------------------------------------------------------------


def _versions(places: Places, settings: Settings) -> Iterator[Finding]:
    sound = []
    for name, (least, which) in HOLES.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of an extra, or for development
        if _number(version) < _number(least):
            yield Finding(name, "bad", f"{name} {version} has known holes ({which}).", f"pip install -U '{name}>={least}'")
        else:
            sound.append(f"{name} {version}")
    yield Finding("packages", "ok", f"Without holes known on {CHECKED}: {', '.join(sound)}.")
    if sqlite3.sqlite_version_info < SQLITE:
        yield Finding("sqlite", "bad", f"SQLite {sqlite3.sqlite_version} is too old.", "Use a Python with a newer SQLite.")
    elif sqlite3.sqlite_version_info < RESET_RACE:
        why = "has a rare fault where two programs write at once; here one connection alone writes, so it cannot happen"
        yield Finding("sqlite", "note", f"SQLite {sqlite3.sqlite_version} {why}.", "Leave the databases to this program alone.")
    else:
        yield Finding("sqlite", "ok", f"SQLite {sqlite3.sqlite_version}")


def _decoders(places: Places, settings: Settings) -> Iterator[Finding]:
    """In a process of its own: what decodes pictures is not loaded here."""
    code = "import pillow_heif; print(pillow_heif.libheif_version())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    version = done.stdout.strip()
    if done.returncode:
        yield Finding("libheif", "warn", "HEIC photos cannot be read.", "pip install -U pillow-heif")
    elif _number(version) < _number(LIBHEIF):
        yield Finding("libheif", "warn", f"libheif {version} has known holes.", "pip install -U pillow-heif")
    else:
        yield Finding("libheif", "ok", f"libheif {version}")


def _sandbox(places: Places, settings: Settings) -> Iterator[Finding]:
    """What the kernel holds the decoders to."""
    held = sandbox.offered()
    if held.landlock and held.seccomp:
        what = "no file beside photos, no network, no program, no change" + (", no signal" if held.landlock >= 6 else "")
        yield Finding("decoders", "ok", f"Photos are decoded in a sandbox: {what}.")
    elif held.landlock or held.seccomp:
        lacks = "no network: seccomp filters" if held.landlock else "files: Linux 5.13 with Landlock"
        yield Finding("decoders", "note", f"Photos are decoded in a sandbox, in part: this kernel cannot hold {lacks}.")
    else:
        yield Finding("decoders", "note", "Photos are decoded with limits on memory and time alone: this system has no sandbox.")


def _accelerator(places: Places, settings: Settings) -> Iterator[Finding]:
    if shutil.which("nvidia-smi") is None:
        yield Finding("gpu", "note", "No GPU is used; learning is made for processors.")
        return
    code = "import torch; print(torch.cuda.is_available())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    if done.stdout.strip() == "True":
        yield Finding("gpu", "ok", "A GPU is there.")
    else:
        yield Finding("gpu", "note", "A GPU is there, but torch was built without it: the processor learns instead.")


def _clock(places: Places, settings: Settings) -> Iterator[Finding]:
    now = time.time()
    newest = places.library_db.stat().st_mtime if places.library_db.exists() else 0
    if now < OLDEST_CLOCK or now < newest - 86400:
        yield Finding(
            "clock", "bad", f"The clock says {time.strftime('%Y-%m-%d')}, which is over already.", "timedatectl set-ntp true"
        )
    else:
        yield Finding("clock", "ok", f"It is {time.strftime('%Y-%m-%d %H:%M %Z')}.")
    if conditions.on_battery():
        yield Finding("power", "note", "The machine is on battery: the night's work waits for the mains.")


def _limits(places: Places, settings: Settings) -> Iterator[Finding]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < LEAST_FILES:
        yield Finding("open files", "warn", f"Only {soft} files may be open at a time.", f"ulimit -n {min(hard, 4096)}")
    else:
        yield Finding("open files", "ok", f"{soft:,} files may be open at a time.")


# --- the library -------------------------------------------------------------------------------------------------------


def _library(places: Places, settings: Settings) -> Iterator[Finding]:
    for folder in (places.data, places.cache, places.run, places.config_file.parent):
        if not folder.exists():
            continue
        status = folder.stat()
        if status.st_uid != os.geteuid():
            yield Finding("folders", "bad", f"{folder} belongs to another user.", f"sudo chown -R {os.geteuid()} '{folder}'")
        elif status.st_mode & 0o077:
            yield Finding("folders", "warn", f"{folder} can be opened by other users.", f"chmod 700 '{folder}'")
        elif not os.access(folder, os.W_OK):
            yield Finding("folders", "bad", f"{folder} cannot be written.", f"chmod u+rwx '{folder}'")
    for file in (places.library_db, places.config_file):
        if file.exists() and file.stat().st_mode & 0o077:
            yield Finding("files", "warn", f"{file} can be read by other users.", f"chmod 600 '{file}'")
    there, of_cache = (next(f for f in (place, *place.parents) if f.exists()) for place in (places.data, places.cache))
    disks = {there.stat().st_dev: ("library", there)}
    disks.setdefault(of_cache.stat().st_dev, ("cache", of_cache))
    for what, folder in disks.values():
        free = shutil.disk_usage(folder).free
        if free < LEAST_SPACE:
            remedy = f"Make room on the disk of {folder}, or move PRECIOUS_HOME."
            yield Finding("disk", "bad", f"Only {free / 1e6:,.0f} MB are free beside the {what}.", remedy)
        else:
            yield Finding("disk", "ok", f"{free / 1e9:,.0f} GB are free beside the {what}.")
    if (kind := kind_of_disk(str(there))) in SLOW:
        yield Finding(
            "disk", "bad", f"The library is on a network disk ({kind}), where a database is not safe.",
            "Set PRECIOUS_HOME to a folder on a disk of this machine.",
        )  # fmt: skip
    if not places.library_db.exists():
        yield Finding("library", "note", "There is no library yet.", "precious-daemon setup")
        return
    if wrong := backup.damage(places.library_db):
        yield Finding("library", "bad", f"library.db is damaged ({wrong[0]}).", backup.advice(places))
    else:
        yield Finding("library", "ok", "library.db is sound.")


def _folders(places: Places, settings: Settings) -> Iterator[Finding]:
    if not places.library_db.exists():
        return
    with Store(places, writer=False) as store:
        watched = [root for root in store.read(roots.all_roots) if root.reason != roots.NO_LONGER_WATCHED]
        only_suggested = {root.id: why for root in watched if (why := store.read(roots.suggest_only, root.id))}
    if not watched:
        yield Finding("folders", "warn", "No folder is watched.", "precious-daemon setup")
    for root in watched:
        path = Path(root.path)
        if root.state is not RootState.WATCHED:
            remedy = (
                f"precious-daemon roots confirm {root.id}" if root.state is RootState.FROZEN else "Plug in the disk it is on."
            )
            yield Finding(root.path, "warn", root.reason or f"It is {root.state}.", remedy)
        elif not os.access(path, os.R_OK | os.X_OK):
            yield Finding(
                root.path, "bad", "It may not be read by this user.", f"sudo setfacl -R -m u:{os.geteuid()}:rX '{path}'"
            )
        elif not os.access(path, os.W_OK):
            mounted = os.statvfs(path).f_flag & os.ST_RDONLY
            remedy = "Mount it writable, or: precious-daemon plugins enable plan" if mounted else f"chmod u+w '{path}'"
            yield Finding(root.path, "note", "It is read-only: suggestions are made, and cannot be moved.", remedy)
        elif why := only_suggested.get(root.id):
            yield Finding(root.path, "note", f"Nothing is moved here: {why}")
        else:
            yield Finding(root.path, "ok", "It is watched, and can be read and written.")
    yield from _watches([root.path for root in watched if root.state is RootState.WATCHED])


def _watches(folders: list[str]) -> Iterator[Finding]:
    """Linux: every folder below takes one watch of the user's."""
    try:
        limit = int(Path("/proc/sys/fs/inotify/max_user_watches").read_text("ascii"))
    except (OSError, ValueError):
        return
    count, end = 0, time.monotonic() + 10
    for folder in folders:
        for _ in os.walk(folder):
            count += 1
            if count > limit or time.monotonic() > end:
                break
    if count > limit * 0.9:
        line = f"fs.inotify.max_user_watches={max(524288, count * 2)}"
        yield Finding(
            "inotify", "warn",
            f"The folders are at least {count:,}, and {limit:,} may be watched: some are only looked through now and then.",
            f"echo {line} | sudo tee /etc/sysctl.d/60-precious.conf && sudo sysctl --system",
        )  # fmt: skip
    else:
        are = "1 folder is" if count == 1 else f"{count:,} folders are"
        yield Finding("inotify", "ok", f"{are} watched, and {limit:,} may be.")


# --- the service -------------------------------------------------------------------------------------------------------


def _service(places: Places, settings: Settings) -> Iterator[Finding]:
    from precious_daemon.running import remote, units

    running = remote.find(places)
    if running:
        yield Finding("service", "ok", "The service runs, and answers.")
    elif places.service_file.exists():
        yield Finding("service", "warn", "The service was killed, and has not started again.", "precious-daemon run")
    else:
        yield Finding("service", "note", "The service does not run.", "precious-daemon run")
    if not running and settings.web.port:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", settings.web.port))
            except OSError:
                yield Finding(
                    "port", "bad", f"Port {settings.web.port} is taken by another program.",
                    "Set web.port to another number; 0 takes any free one.",
                )  # fmt: skip
    yield from _unit(units.KINDS[units.default_kind()].file)


def _network(places: Places, settings: Settings) -> Iterator[Finding]:
    """What web.listen needs."""
    web = settings.web
    if not web.network:
        return
    protected = False
    if places.library_db.exists():
        with Store(places, writer=False) as store:
            protected = store.read(passwords.is_set, people.OWNER)
    if not protected:
        why = "web.listen serves the page to the network, and you have no password."
        yield Finding("network", "bad", why, "precious-daemon password")
    elif web.tls_key and Path(web.tls_key).expanduser().stat().st_mode & 0o007:
        yield Finding("network", "warn", f"{web.tls_key} can be read by everybody.", f"chmod o= '{web.tls_key}'")
    else:
        how = "through your proxy" if web.behind_proxy else "with TLS"
        yield Finding("network", "ok", f"The page is served at {', '.join(web.listen)}, {how} and with passwords.")


def _unit(file: Path) -> Iterator[Finding]:
    if not file.exists():
        yield Finding("start", "note", "It does not start by itself with the machine.", "precious-daemon service install")
        return
    text = file.read_text("utf-8", "replace")
    program = re.search(r'^ExecStart="?([^\s"]+)', text, re.MULTILINE)
    if program and not os.path.exists(program[1]):
        yield Finding("start", "bad", f"{file} starts {program[1]}, which is gone.", "precious-daemon service install FOLDERS")
    elif file.suffix == ".service" and "WatchdogSec" not in text:
        yield Finding("start", "warn", f"{file} was written by an older version.", "precious-daemon service install FOLDERS")
    elif file.suffix == ".service" and not list(file.parent.glob(f"*.wants/{file.name}")):
        yield Finding("start", "warn", f"{file} is there, but not enabled.", f"systemctl --user enable --now {file.name}")
    else:
        yield Finding("start", "ok", f"{file} starts it with the machine.")


def _plugins(places: Places, settings: Settings) -> Iterator[Finding]:
    from precious_daemon.plugins import Plugins

    for info in Plugins.load(places, settings).names():
        if info.error:
            yield Finding(
                f"plugin {info.name}", "bad", info.error, f"Mend [plugin.{info.name}], or take it out of plugins.enabled."
            )
        elif info.enabled:
            yield Finding(f"plugin {info.name}", "ok", info.summary)


CHECKS: tuple[Check, ...] = (
    _versions,
    _decoders,
    _sandbox,
    _accelerator,
    _clock,
    _limits,
    _library,
    _folders,
    _service,
    _network,
    _plugins,
)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
