"""Notify: says on the desktop how much could go, outside of quiet hours.

It uses what there is: notify-send or gdbus on Linux, terminal-notifier or osascript on macOS. Nothing but the numbers is said.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from precious_daemon.config import night_time
from precious_daemon.errors import ConfigError, PreciousError
from precious_daemon.hookspecs import Context, Later, Output, SuggestedPhoto, hookimpl
from precious_daemon.plugins import words
from precious_daemon.plugins.options import setting
from precious_daemon.words.language import _

TITLE = "Precious"
SECONDS = 10.0
_NOTIFY = ("--session", "--dest", "org.freedesktop.Notifications", "--object-path", "/org/freedesktop/Notifications")


@dataclass(frozen=True, slots=True)
class Settings:
    quiet_from: str = setting("22:00", "from then on nothing is said, local time HH:MM", time=True)
    quiet_to: str = setting("08:00", "until then; the same time as quiet_from: there are no quiet hours", time=True)
    least: int = setting(1, "say nothing of fewer suggestions", 1)


@hookimpl
def startup(context: Context) -> None:
    _command("")


@hookimpl
def deliver(suggestions: Sequence[SuggestedPhoto], output: Output) -> None:
    if len(suggestions) < output.settings.least:
        return
    if (wait := _quiet(output.settings, _now())) > timedelta():
        raise Later(wait.total_seconds(), f"these are quiet hours, until {output.settings.quiet_to}")
    command = _command(_("{news}. Look at them in the page.", news=words.news(suggestions)))
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS, text=True)
    except subprocess.CalledProcessError as exc:
        raise PreciousError(f"{command[0]} could not show a notification: {words.shown((exc.stderr or '').strip())}") from exc


def _now() -> datetime:
    return datetime.now()  # noqa: DTZ005  # quiet hours are hours of the clock on the wall


def _quiet(settings: Settings, now: datetime) -> timedelta:
    """How long it has to be quiet yet; nothing outside of quiet hours."""
    start, end = _at(settings.quiet_from, now), _at(settings.quiet_to, now)
    if start < end:
        return end - now if start <= now < end else timedelta()
    if start == end or end <= now < start:
        return timedelta()
    return (end if now < end else end + timedelta(days=1)) - now


def _at(time: str, now: datetime) -> datetime:
    """This time of today."""
    hour, minute = night_time(time)
    return now.replace(hour=hour, minute=minute, second=0, microsecond=0)


def _command(text: str) -> list[str]:
    """The program that is there, with its arguments. The text is made by us: it holds numbers, and no names."""
    if shutil.which("notify-send"):
        return ["notify-send", "--app-name", TITLE, "--", TITLE, text]
    if shutil.which("gdbus"):
        return [
            "gdbus", "call", *_NOTIFY, "--method", "org.freedesktop.Notifications.Notify",
            f"'{TITLE}'", "uint32 0", "''", f"'{TITLE}'", f"'{text}'", "@as []", "@a{sv} {}", "int32 -1",
        ]  # fmt: skip
    if shutil.which("terminal-notifier"):
        return ["terminal-notifier", "-title", TITLE, "-message", text]
    if shutil.which("osascript"):
        return ["osascript", "-e", f'display notification "{text}" with title "{TITLE}"']
    raise ConfigError("There is no program to notify with: install notify-send (libnotify) or terminal-notifier.")
