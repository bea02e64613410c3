"""Every hook a plugin can implement, and what it is handed: frozen values, never the database, never a way to delete.

    from precious_daemon.hookspecs import hookimpl

An implementation names the arguments it wants and leaves out the rest. `docs/plugins.md` shows how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any

import pluggy

PROJECT = "precious_daemon"  # the entry point group too

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class PluginPhoto:
    """A photo, as plugins see it."""

    uid: str  # its name in the page's addresses, and for `output.thumbnail`
    root: Path  # the watched folder it is in
    folder: str  # below the root; "" at its top
    name: str  # of the file
    size: int  # bytes
    width: int | None  # pixels, upright
    height: int | None
    taken_at: float | None  # the camera's own clock, as seconds since 1970 read as if it were UTC
    camera: str | None

    @property
    def path(self) -> Path:
        """The original: read it or link to it, never write it."""
        return self.root / self.folder / self.name


@dataclass(frozen=True, slots=True)
class SuggestedPhoto(PluginPhoto):
    """A photo that the owner would probably throw away."""

    kind: str  # taste, copy, same or burst
    reasons: tuple[str, ...]  # sentences for the owner
    keep: float | None  # probability that the owner keeps it; None where no model was asked
    certified: bool  # whether the promise about wrong suggestions covers it
    keeper: str | None  # name of the photo that stays in its place


@dataclass(frozen=True, slots=True)
class Context:
    """What a plugin has of its own."""

    version: str  # of precious-daemon
    folder: Path  # to write into
    settings: Mapping[str, Any]  # the table [plugin.NAME] of config.toml
    log: Logger


@dataclass(frozen=True, slots=True)
class Output(Context):
    """The context of a delivery."""

    thumbnail: Callable[[str], bytes | None]  # JPEG of at most 256 px, by uid


@hookspec
def startup(context: Context) -> None:
    """The service has started; raise if the settings cannot work, so that the owner reads why."""


@hookspec
def veto(photo: PluginPhoto, context: Context) -> str | None:
    """Why this photo must never be suggested, or None; photos that a veto fails on are not suggested either."""


@hookspec
def deliver(run: str, suggestions: Sequence[SuggestedPhoto], output: Output) -> None:
    """Bring the night's suggestions to the owner, surest first; an empty list takes back the last one."""


@hookspec
def trashed(photos: Sequence[PluginPhoto], context: Context) -> None:
    """The owner approved these photos, and they were moved to the trash just now."""


@hookspec
def restored(photos: Sequence[PluginPhoto], context: Context) -> None:
    """These photos came back from the trash to where they were, or beside it."""
