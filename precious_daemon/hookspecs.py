"""Every hook a plugin can implement, and what it is handed: frozen values, never the database, never a way to delete.

    from precious_daemon.hookspecs import hookimpl

An implementation names the arguments it wants and leaves out the rest; it may be `def` or `async def`. `docs/plugins.md`
shows how, and is made from this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from logging import Logger
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import pluggy

if TYPE_CHECKING:
    import click

PROJECT = "precious_daemon"  # the entry point group too

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Decision = Literal["approved", "dismissed"]


class Later(Exception):
    """Raise it in a hook that has to arrive, to be called again with the same `run` after so many seconds."""

    def __init__(self, seconds: float, why: str) -> None:
        super().__init__(why)
        self.seconds = seconds


def _no_numbers() -> Mapping[str, float]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PluginPhoto:
    """A photo, as plugins see it."""

    uid: str  # its name in the page's addresses, and for `output.thumbnail`
    root: Path  # the watched folder it is in
    folder: str  # where in there, with `/` between the parts; empty at the top
    name: str  # of the file
    size: int  # bytes
    width: int | None  # pixels, upright; None while not known
    height: int | None  # as `width`
    taken_at: float | None  # the camera's own clock, as seconds since 1970 read as if it were UTC; or None
    camera: str | None  # make and model, or None
    companions: tuple[str, ...] = ()  # names of the files that belong to it, in the same folder: RAW twin, video, sidecars
    looks: frozenset[str] = frozenset()  # what it looks like: screenshot, page, dark, empty, burnt, blurred, small
    larger: str | None = None  # place below its root of the same picture in a larger size, where there is one
    numbers: Mapping[str, float] = field(default_factory=_no_numbers, hash=False)  # by the hook `features`: "NAME.number"

    @property
    def path(self) -> Path:
        """The original: read it or link to it, never write it."""
        return self.root / self.folder / self.name

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the photo, the original first: to be read, never written."""
        return (self.path, *(self.root / self.folder / name for name in self.companions))


@dataclass(frozen=True, slots=True)
class SuggestedPhoto(PluginPhoto):
    """A photo that the owner would probably throw away."""

    kind: str = "taste"  # taste, copy, same, burst or rule
    reasons: tuple[str, ...] = ()  # sentences for the owner
    keep: float | None = None  # probability that the owner keeps it; None where no model was asked, as for an exact copy
    certified: bool = False  # whether the promise about wrong suggestions covers it
    keeper: Path | None = None  # the photo that stays in its place, where there is one


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the owner said of a photo with another program."""

    keep: bool  # or delete
    how: str  # in the owner's words, after "Keep, " or "Delete, ": "a favourite in Immich"


@dataclass(frozen=True, slots=True)
class Context:
    """What a plugin has of its own."""

    version: str  # of precious-daemon
    folder: Path  # to write into
    settings: Any  # the table `[plugin.NAME]` of config.toml: an instance of the plugin's `Settings`, or a mapping without one
    log: Logger  # `precious_daemon.plugin.NAME`
    memo: MutableMapping[str, Any] = field(default_factory=dict)  # empty at first; kept from photo to photo of one run


@dataclass(frozen=True, slots=True)
class Output(Context):
    """The context of a delivery."""

    thumbnail: Callable[[str], bytes | None] = lambda uid: None  # `thumbnail(uid)` is a JPEG of at most 256 px, or None


@dataclass(frozen=True, slots=True)
class Request:
    """What a browser asked of a page of the plugin."""

    method: str  # GET or POST
    path: str  # below `/plugin/NAME/`, empty for the plugin's first page
    query: Mapping[str, str]  # of the address
    form: Mapping[str, str]  # the fields of a POST; empty for GET


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back. HTML is put into a page of the service; everything in it has to be escaped."""

    body: str | bytes  # HTML, unless `kind` says otherwise
    title: str = ""  # of the page
    kind: str = "text/html"  # another one is sent as it is, to be saved or read by scripts
    status: int = 200  # of HTTP


@hookspec
def startup(context: Context) -> None:
    """The service has started; raise if the settings cannot work, so that the owner reads why.

    `precious-daemon plugins check` calls it too.
    """


@hookspec
def features(photo: PluginPhoto, picture: bytes | None, context: Context) -> Mapping[str, float] | None:
    """Numbers that say something about this photo, by names of small letters, digits and `_`: at most 64 of them.

    Models learn from them beside their own measures, and rules and vetoes find them in `photo.numbers` as "NAME.number", NAME
    being that of the plugin. `picture` is a JPEG of at most 1024 px, upright, where there is one.

    Called in a process of its own, where it may load what it likes (import that inside of the function), at night, once for each
    content: again only when the file has changed, or the plugin's module or settings have.
    """


@hookspec
def said(photo: PluginPhoto, context: Context) -> Judgement | None:
    """What the owner said of this photo with another program, or None. It becomes an answer, which models learn from.

    Asked each night about every photo that is there, before anything is learned. The answer is listed among the others and can be
    taken back; it changes when this does, and goes when this is None again, but not where this fails. What was said here since
    stands, and so do blind answers. `outside.plugins` switches it off.
    """


@hookspec
def rule(photo: PluginPhoto, now: float, context: Context) -> str | None:
    """Why this photo could go, as a short reason for the owner, or None.

    Asked each night about every photo that is there, with the time in seconds since 1970. What a rule finds is suggested
    like everything else: vetoes hold, and so does what the owner said.
    """


@hookspec
def veto(photo: PluginPhoto, context: Context) -> str | None:
    """Why this photo must never be suggested, or None; photos that a veto fails on are not suggested either.

    Asked each night about every photo that might be suggested. Return a short reason that completes "held back, because …".
    """


@hookspec
def people(photo: PluginPhoto, closely: bool, context: Context) -> Sequence[str] | None:
    """The names of those who are in this photo, as far as its owner has named them elsewhere.

    For `suggest.protect_people` and `suggest.leave_of_person`. Asked each night about every photo that is there, and then once
    more, `closely`, about every photo that might be suggested: only then is it worth while to open the original.
    """


@hookspec
def deliver(run: str, suggestions: Sequence[SuggestedPhoto], best: Sequence[PluginPhoto], output: Output) -> None:
    """Bring the night's suggestions to the owner, surest first; an empty list takes back the last one.

    In a library of several people these are everybody's, each photo once: what anybody wants to keep is in none of them.

    `best` is the top of the owner's ranking, best first: at most 500 photos that were compared.

    `run` names the list, and stays the same when a delivery is repeated: replace what you made of it before. A delivery that
    raised is repeated, after longer and longer waits, until a newer list takes its place.
    """


@hookspec
def resolved(run: str, photos: Sequence[PluginPhoto], decision: Decision, context: Context) -> None:
    """The owner decided about these suggestions: "approved" (they are in the trash) or "dismissed" (they stay)."""


@hookspec
def trashed(run: str, photos: Sequence[PluginPhoto], context: Context) -> None:
    """The owner approved these photos, and they were moved to the trash just now; `path` is where they were."""


@hookspec
def restored(run: str, photos: Sequence[PluginPhoto], context: Context) -> None:
    """These photos came back from the trash to where they were, or beside it."""


@hookspec
def command(context: Context) -> click.Command | None:
    """A click command or group, run as `precious-daemon plugins run NAME`."""


@hookspec
def page(request: Request, context: Context) -> Reply | None:
    """Answer a request to `/plugin/NAME/…`, or None where there is no such page.

    Nobody without the owner's session gets this far, nor any request of another site. A GET must change nothing.
    """


@hookspec
def status(context: Context) -> str | None:
    """One line about how the plugin is doing, for the page of plugins and for `precious-daemon status`; or None."""
