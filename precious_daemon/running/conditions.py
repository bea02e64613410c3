"""Whether this is a good moment for the night's work, and if not, why: pure rules, and a look at the machine for them."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from precious_daemon.config import ScheduleSettings, night_time

BUSY = 0.5  # load average for each core, above which a machine has something to do
STILL_TYPING = 600.0  # seconds
POWER = Path("/sys/class/power_supply")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine is doing. What cannot be found out is None, and holds nothing back."""

    on_battery: bool | None = None
    load: float | None = None  # for each core, over the last minute
    untouched: float | None = None  # seconds since somebody typed


def why_wait(settings: ScheduleSettings, machine: Machine) -> str | None:
    """What a job that has not begun waits for, in two words; None: it may begin."""
    if why := why_stop(settings, machine):
        return why
    if settings.only_idle and machine.load is not None and machine.load > BUSY:
        return "the machine is busy"
    return None


def why_stop(settings: ScheduleSettings, machine: Machine) -> str | None:
    """As `why_wait`, for a job under way: its own load holds nothing against it."""
    if machine.on_battery and not settings.on_battery:
        return "on battery"
    if settings.only_idle and machine.untouched is not None and machine.untouched < STILL_TYPING:
        return "somebody is at the machine"
    return None


# --- times of day ------------------------------------------------------------------------------------------------------
# Each is a moment that exists once: in the hour that comes twice in autumn its first time, in the one that is left out in
# spring the time it would have been.


def last_night(night: str, now: float, zone: tzinfo | None = None) -> float:
    """When the night's work was last due, in seconds since 1970; `zone` is this machine's unless given."""
    day = datetime.fromtimestamp(now, zone).date()
    at = _moment(day.isoformat(), night, zone)
    return at if at <= now else _moment((day - timedelta(days=1)).isoformat(), night, zone)


def next_night(night: str, now: float, zone: tzinfo | None = None) -> float:
    """When it is due next, after now."""
    day = datetime.fromtimestamp(now, zone).date()
    at = _moment(day.isoformat(), night, zone)
    return at if at > now else _moment((day + timedelta(days=1)).isoformat(), night, zone)


def is_night(settings: ScheduleSettings, now: float, zone: tzinfo | None = None) -> bool:
    """Whether the night's work may go on now; without `night_end` it always may."""
    if not settings.night_end:
        return True
    return last_night(settings.night, now, zone) >= last_night(settings.night_end, now, zone)


def _moment(day: str, clock: str, zone: tzinfo | None) -> float:
    hour, minute = night_time(clock)
    return datetime.fromisoformat(f"{day} {hour:02}:{minute:02}").replace(tzinfo=zone).timestamp()


# --- looking at the machine ----------------------------------------------------------------------------------------------


def look() -> Machine:
    """This machine, now. A few files of the kernel; on macOS one short command."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else None
    return Machine(on_battery(), load, _untouched())


def on_battery(folder: Path = POWER) -> bool | None:
    """None where there is no battery to be found, as in a desktop."""
    if sys.platform == "darwin":
        return _mac_on_battery()
    mains, discharging = [], []
    try:
        supplies = list(folder.iterdir())
    except OSError:
        return None
    for supply in supplies:
        if _word(supply / "scope") == "Device":  # the battery of a mouse
            continue
        kind = _word(supply / "type")
        if kind == "Battery":
            discharging.append(_word(supply / "status") == "Discharging")
        elif kind in ("Mains", "USB") and (online := _word(supply / "online")):
            mains.append(online == "1")
    if not discharging:
        return None
    return any(discharging) and not any(mains)


def _word(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace").strip()
    except OSError:
        return ""


def _mac_on_battery() -> bool | None:
    import subprocess

    try:
        told = subprocess.run(["pmset", "-g", "batt"], capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return "'Battery Power'" in told


def _untouched() -> float | None:
    """Seconds since something was typed into a terminal of this machine; other input cannot be seen from here."""
    typed = []
    for folder, pattern in (("/dev", "tty[0-9]*"), ("/dev/pts", "[0-9]*")):
        for terminal in Path(folder).glob(pattern):
            try:
                status = terminal.stat()
            except OSError:
                continue
            if status.st_uid == os.getuid():
                typed.append(status.st_atime)
    return max(0.0, time.time() - max(typed)) if typed else None
