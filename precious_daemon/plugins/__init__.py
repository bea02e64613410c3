"""Finds plugins, loads those that are enabled, and calls their hooks one plugin at a time.

A plugin is code that the owner chose to run: it is imported only once its name is in `plugins.enabled`. One that cannot
be loaded, raises, or takes longer than it may is left behind with its error kept, and silences no other. All of this
waits: call it from a thread, not from the event loop.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pluggy

from precious_daemon import __version__, hookspecs
from precious_daemon.config import Places, Settings, nearest
from precious_daemon.disk import deeds
from precious_daemon.errors import NotFound, PreciousError
from precious_daemon.hookspecs import PROJECT, Context, Judgement, Later, Output, PluginPhoto, SuggestedPhoto
from precious_daemon.plugins import options
from precious_daemon.plugins.find import Found, find
from precious_daemon.words import language

__all__ = ["PluginInfo", "Plugins", "in_words"]

log = logging.getLogger(__name__)

STATUS_SECONDS = 60.0
_RIGHT: dict[str, Callable[[Any], bool]] = {
    "veto": lambda answer: isinstance(answer, str | None),
    "rule": lambda answer: isinstance(answer, str | None),
    "said": lambda answer: isinstance(answer, Judgement | None),
    "people": lambda answer: answer is None or (not isinstance(answer, str) and all(isinstance(name, str) for name in answer)),
}
_WANTED = {
    "veto": "a text or None",
    "rule": "a text or None",
    "said": "a Judgement or None",
    "people": "a list of names or None",
}
LARGEST_NUMBER = 1e30
MOST_NUMBERS = 64  # that a plugin makes of a photo
_NUMBER = re.compile(r"[a-z][a-z0-9_]{0,39}")
GRACE = 1.0  # seconds that an async hook gets to clean up after it was cancelled


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """What the owner is shown of a plugin. `origin` is "built in", "entry point" or the path of its file."""

    name: str
    origin: str
    enabled: bool
    summary: str
    hooks: tuple[str, ...] = ()  # those it implements; empty until it is loaded
    error: str | None = None


class Plugins:
    """The plugins of one library."""

    def __init__(self, places: Places, settings: Settings, found: Iterable[Found]) -> None:
        """Load those of `found` that are enabled; the first of a name wins."""
        self._places, self._settings = places, settings
        self._language = language.away(settings.web.language)
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._infos: dict[str, PluginInfo] = {}
        self._hidden: list[PluginInfo] = []  # behind another one of the same name
        self._errors: dict[tuple[str, str], str] = {}  # by plugin and hook: of its last call
        self._busy: dict[str, threading.Thread] = {}  # calls that were given up and go on all the same
        self._waits: set[threading.Event] = set()  # of calls under way
        self._stopped = False
        self._lines: tuple[float, dict[str, str]] | None = None  # what `status` said, and when
        for plugin in found:
            self._add(plugin)
        for name in settings.plugins.enabled:
            if name not in self._infos:
                missing = f"There is no plugin of this name{nearest(name, self._infos)}"
                self._infos[name] = PluginInfo(name, "not found", True, "", error=missing)
                log.error("plugin %s: %s", name, missing)

    @classmethod
    def load(cls, places: Places, settings: Settings) -> Self:
        return cls(places, settings, find(places, settings))

    def names(self) -> list[PluginInfo]:
        """Every plugin there is, enabled or not, with what went wrong the last time."""
        return [replace(info, error=self._error(info)) for info in self._infos.values()] + self._hidden

    def stop(self) -> None:
        """The service ends: nobody waits for a call any longer."""
        self._stopped = True
        for over in list(self._waits):
            over.set()

    def outcomes(self, *hooks: str) -> list[tuple[str, str, str | None]]:
        """(plugin, hook, error of its last call) of all that have one of these hooks."""
        return [(name, hook, self._errors.get((name, hook))) for hook in hooks for name in self.having(hook)]

    def take_over(self, outcomes: Iterable[Sequence[str | None]]) -> None:
        """What came of calls in a child."""
        for name, hook, error in outcomes:
            assert name
            assert hook
            self._errors.pop((name, hook), None)
            if error:
                self._errors[name, hook] = error

    def _error(self, info: PluginInfo) -> str | None:
        failed = [f"{hook}: {error}" for (name, hook), error in self._errors.items() if name == info.name]
        return info.error or "; ".join(failed) or None

    # --- calling -------------------------------------------------------------------------------------------------------

    def having(self, hook: str) -> list[str]:
        """The plugins that implement a hook, in the order in which they were found."""
        return [info.name for info in self._infos.values() if hook in info.hooks]

    def call(self, hook: str, **arguments: Any) -> dict[str, Any | Exception]:
        """Call a hook of every plugin that has it: its result, or what it raised, by plugin. Adds `context`."""
        return {name: self.call_one(name, hook, **arguments) for name in self.having(hook)}

    def call_one(self, name: str, hook: str, who: str | None = None, **arguments: Any) -> Any | Exception:
        """The same of one plugin; `who` is the profile on whose behalf."""
        record = self.recorder(name, arguments.get("run"), who)
        return self._alone(name, hook, lambda ask, context: ask(context=replace(context, record=record), **arguments))

    def recorder(self, name: str, run: str | None = None, who: str | None = None) -> Callable[..., None]:
        """What a plugin finds in `context.record`, for one run on behalf of a profile. It waits for the disk."""

        def record(action: str, where: str | os.PathLike[str], **facts: Any) -> None:
            place = "path" if action in ("wrote", "removed") else "to"
            said = {place: os.fspath(where), **facts} | (deeds.content(facts["sent"]) if "sent" in facts else {})
            if photos := facts.get("photos"):
                said |= {"photos": photos[: deeds.MANY], "count": len(photos)}
            deed = deeds.entry(time.time(), action, who=who, plugin=name, run=run, **said)
            deeds.append(self._places.audit_log, [deed])

        return record

    def is_foreign(self, name: str) -> bool:
        """Whether somebody else wrote it, so that nobody here knows what it does with what it is handed."""
        return self._infos[name].origin != "built in"

    def deliver(
        self,
        name: str,
        run: str,
        suggestions: Iterable[SuggestedPhoto],
        thumbnail: Callable[[str], bytes | None],
        best: Sequence[PluginPhoto] = (),
        who: str | None = None,
    ) -> Exception | None:
        """Hand the night's suggestions to one plugin, on behalf of a profile. `thumbnail` is called from other threads."""
        surest_first, record = tuple(sorted(suggestions, key=_doubt)), self.recorder(name, run, who)

        def hand_over(ask: _Ask, context: Context) -> None:
            language.speak(self._language)  # in this thread: whatever reaches the owner is in their language
            output = Output(
                context.version, context.folder, context.settings, context.log, record=record, language=self._language,
                thumbnail=thumbnail,
            )  # fmt: skip
            ask(run=run, suggestions=surest_first, best=tuple(best), output=output)

        result = self._alone(name, "deliver", hand_over)
        return result if isinstance(result, Exception) else None

    def vetoes(self, photos: Mapping[int, PluginPhoto]) -> dict[int, str]:
        """Why a photo must not be suggested, by its key, for those of `photos` that a plugin protects.

        Only the plugin knows what it protects, so a photo that it failed on, or did not come to in time, is protected too.
        """
        found: dict[int, str] = {}
        for name in self.having("veto"):
            said: dict[int, str | None] = {}
            error = self._ask_for_each(name, "veto", photos, said, {})
            judged = dict(said)  # a call that was given up goes on writing
            unknown = f"the plugin {name} could not say whether this photo may go" if error else None
            for key in photos:
                if reason := judged.get(key, unknown):
                    found.setdefault(key, reason)
        return found

    def rules(self, parts: Iterable[Mapping[int, PluginPhoto]], now: float) -> dict[int, tuple[str, ...]]:
        """What the rules say against photos, by their key. The photos come in parts, so that a million need little memory.

        A rule that failed is not asked about further parts; what it said before stands.
        """
        found: dict[int, tuple[str, ...]] = {}
        asked = self.having("rule")
        memos: dict[str, dict[str, Any]] = {name: {} for name in asked}
        for photos in parts if asked else ():
            for name in list(asked):
                said: dict[int, str | None] = {}
                if self._ask_for_each(name, "rule", photos, said, memos[name], now=now):
                    asked.remove(name)
                for key, reason in list(said.items()):
                    if reason:
                        found[key] = (*found.get(key, ()), reason)
        return found

    def said(
        self, parts: Iterable[Mapping[int, PluginPhoto]]
    ) -> Iterator[tuple[str, dict[int, Judgement | None], Exception | None]]:
        """(plugin, what the owner said with another program of each photo it was asked about, what it raised), part by part.

        A plugin that failed is not asked about further parts; of photos that it did not come to, nothing is known.
        """
        asked = self.having("said")
        memos: dict[str, dict[str, Any]] = {name: {} for name in asked}
        for photos in parts if asked else ():
            for name in list(asked):
                said: dict[int, Judgement | None] = {}
                error = self._ask_for_each(name, "said", photos, said, memos[name])
                if error:
                    asked.remove(name)
                yield name, dict(said), error

    def measure(self, name: str, photo: PluginPhoto, picture: bytes | None) -> dict[str, float] | Exception:
        """The numbers that a plugin makes of a photo, checked; or what it raised."""
        numbers = self.call_one(name, "features", photo=photo, picture=picture)
        if isinstance(numbers, Exception):
            return numbers
        try:
            checked = {str(key): float(value) for key, value in (numbers or {}).items()}
        except (AttributeError, TypeError, ValueError) as exc:
            return TypeError(f"features has to return numbers by name, or None, not {numbers!r} ({exc})")
        right = all(_NUMBER.fullmatch(key) and abs(value) <= LARGEST_NUMBER for key, value in checked.items())
        if not right or len(checked) > MOST_NUMBERS:
            wanted = f"at most {MOST_NUMBERS} finite numbers, named with small letters, digits and _"
            return ValueError(f"features has to return {wanted}, not {checked!r}")
        return checked

    def mark(self, name: str) -> str:
        """What changes when the code or the settings of a plugin do."""
        from blake3 import blake3  # here: hashlib would load OpenSSL

        plugin = self._manager.get_plugin(name)
        source = inspect.getsourcefile(plugin) if inspect.ismodule(plugin) else None
        code = Path(source).read_bytes() if source else b""
        return blake3(code + repr(options.read(plugin, name, self._settings.plugin.get(name, {}))).encode()).hexdigest()

    def people(self, parts: Iterable[Mapping[int, PluginPhoto]], closely: bool) -> tuple[dict[int, set[str]], dict[int, str]]:
        """(names of those in each photo, why a plugin could not tell), by the key of the photo. Photos come in parts, as for
        `rules`; a plugin that failed is not asked about further parts, and could not tell of any photo of theirs."""
        found: dict[int, set[str]] = {}
        unknown: dict[int, str] = {}
        asked = self.having("people")
        failed: set[str] = set()
        memos: dict[str, dict[str, Any]] = {name: {} for name in asked}
        for photos in parts if asked else ():
            for name in asked:
                said: dict[int, Any] = {}
                if name not in failed and self._ask_for_each(name, "people", photos, said, memos[name], closely=closely):
                    failed.add(name)
                told = dict(said)
                for key in photos:
                    found.setdefault(key, set()).update(told.get(key) or ())
                    if name in failed and key not in told:
                        unknown[key] = f"the plugin {name} could not say who is in it"
        return found, unknown

    def status_lines(self) -> dict[str, str]:
        """One line of each plugin that has something to say, asked for at most once a minute; until it answers, the last one."""
        now = time.monotonic()
        if self._lines is None or now - self._lines[0] > STATUS_SECONDS:
            self._lines = now, self.last_lines
            said = self.call("status")
            self._lines = now, {name: line for name, line in said.items() if line and isinstance(line, str)}
        return self._lines[1]

    @property
    def last_lines(self) -> dict[str, str]:
        """What `status_lines` knows already."""
        return self._lines[1] if self._lines else {}

    def _ask_for_each(
        self,
        name: str,
        hook: str,
        photos: Mapping[int, PluginPhoto],
        said: dict[int, Any],
        memo: dict[str, Any],
        **more: Any,
    ) -> Exception | None:
        """Ask one plugin about every photo, and write down what it says as it goes."""

        def each(ask: _Ask, context: Context) -> None:
            context = replace(context, memo=memo)
            for key, photo in photos.items():
                answer = ask(photo=photo, context=context, **more)
                if not _RIGHT[hook](answer):
                    raise TypeError(f"{hook} has to return {_WANTED[hook]}, not {answer!r}")
                said[key] = answer

        result = self._alone(name, hook, each)
        return result if isinstance(result, Exception) else None

    def _alone(self, name: str, hook: str, action: Callable[[_Ask, Context], Any]) -> Any | Exception:
        """The result of `action` with a way to call this plugin's hook, or what it raised."""
        (implementation,) = [i for i in getattr(self._manager.hook, hook).get_hookimpls() if i.plugin_name == name]
        seconds = self._patience(implementation.plugin)

        def act() -> Any:
            context = self._context(name, implementation.plugin)
            with _Ask(implementation, seconds) as ask:
                return action(ask, context)

        grace = GRACE if inspect.iscoroutinefunction(implementation.function) else 0.0
        try:
            result = self._guarded(name, hook, act, seconds, grace)
        except Later as exc:
            self._errors.pop((name, hook), None)
            return exc
        except Exception as exc:
            log.log(logging.WARNING if isinstance(exc, PreciousError) else logging.ERROR,
                    "plugin %s failed in %s", name, hook, exc_info=not isinstance(exc, PreciousError))  # fmt: skip
            self._errors[name, hook] = in_words(exc)
            return exc
        self._errors.pop((name, hook), None)
        return result

    def _patience(self, plugin: object) -> float:
        """Seconds: what the settings say, or more where the plugin has to read whole photos and says so."""
        return max(self._settings.plugins.timeout_seconds, float(getattr(plugin, "PATIENCE", 0)))

    def _context(self, name: str, plugin: object) -> Context:
        folder = self._places.reports / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = options.read(plugin, name, self._settings.plugin.get(name, {}))
        log_of_it = logging.getLogger(f"precious_daemon.plugin.{name}")
        return Context(__version__, folder, settings, log_of_it, record=self.recorder(name))

    def context(self, name: str) -> Context:
        """The context of a plugin that is enabled, for what is called outside of the service, such as its command."""
        plugin = self._manager.get_plugin(name)
        if plugin is None:
            info = self._infos.get(name)
            if info is None:
                raise NotFound(f'There is no plugin "{name}"{nearest(name, self._infos)}')
            raise NotFound(info.error or f"{name} is not enabled. Enable it with: precious-daemon plugins enable {name}")
        return self._context(name, plugin)

    def _guarded(self, name: str, what: str, action: Callable[[], Any], seconds: float, grace: float = 0.0) -> Any:
        """The result of `action`, run in a thread of its own and waited for no longer than it may take."""
        if name in self._busy and self._busy[name].is_alive():
            raise RuntimeError("it is still busy with an earlier call that took too long")
        outcome: list[Any] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                outcome.append(action())
            except BaseException as exc:  # noqa: BLE001  # raised again below, where it is logged; sys.exit() counts too
                failure.append(exc)
            finally:
                over.set()

        over = threading.Event()
        self._waits.add(over)
        if self._stopped:
            over.set()
        thread = threading.Thread(target=run, name=f"plugin-{name}-{what}", daemon=True)
        thread.start()
        over.wait(seconds + grace)
        self._waits.discard(over)
        if outcome:
            return outcome[0]
        if not failure:
            self._busy[name] = thread
            raise RuntimeError("the service stops") if self._stopped else _too_long(seconds)
        if isinstance(failure[0], Exception):
            raise failure[0]
        raise RuntimeError(in_words(failure[0])) from failure[0]

    # --- loading -------------------------------------------------------------------------------------------------------

    def _add(self, found: Found) -> None:
        if (first := self._infos.get(found.name)) is not None:
            clash = f"Another plugin of this name comes first ({first.origin}): rename one of them."
            self._hidden.append(PluginInfo(found.name, found.origin, False, found.summary, error=clash))
            return
        info = PluginInfo(found.name, found.origin, found.name in self._settings.plugins.enabled, found.summary)
        if info.enabled:
            try:
                seconds = self._settings.plugins.timeout_seconds
                info = replace(info, hooks=self._guarded(found.name, "load", lambda: self._register(found), seconds))
            except PreciousError as exc:
                log.warning("plugin %s cannot be loaded: %s", found.name, exc)
                info = replace(info, error=str(exc))
            except Exception as exc:
                log.exception("plugin %s cannot be loaded", found.name)
                info = replace(info, error=f"It cannot be loaded: {in_words(exc)}")
        self._infos[found.name] = info

    def _register(self, found: Found) -> tuple[str, ...]:
        """Import and register a plugin; the hooks that it implements. A plugin with a fault is not registered at all."""
        plugin = found.load()
        options.read(plugin, found.name, self._settings.plugin.get(found.name, {}))
        known = {name for name in vars(hookspecs) if hasattr(self._manager.hook, name)}
        try:
            self._manager.register(plugin, found.name)
            hooks = [caller.name for caller in self._manager.get_hookcallers(plugin) or ()]
            for hook in hooks:
                if hook not in known:
                    raise AttributeError(f"it implements {hook}, which is no hook{nearest(hook, known)}")
            if not hooks:
                raise AttributeError("it implements no hook: is @hookimpl missing?")
        except Exception:
            if self._manager.has_plugin(found.name):
                self._manager.unregister(name=found.name)
            raise
        return tuple(sorted(hooks))


class _Ask:
    """Calls one implementation with the arguments that it names; what an `async def` returns is waited for."""

    def __init__(self, implementation: pluggy.HookImpl, seconds: float) -> None:
        self._function, self._names = implementation.function, implementation.argnames
        self._seconds = seconds
        self._runner: asyncio.Runner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._runner:
            self._runner.close()

    def __call__(self, **arguments: Any) -> Any:
        result = self._function(*(arguments[name] for name in self._names))
        if not inspect.iscoroutine(result):
            return result
        self._runner = self._runner or asyncio.Runner()

        async def waited() -> Any:
            async with asyncio.timeout(self._seconds):
                return await result

        try:
            return self._runner.run(waited())
        except TimeoutError as exc:
            raise _too_long(self._seconds) from exc


def _doubt(suggestion: SuggestedPhoto) -> tuple[bool, float]:
    """Certified ones first, then the least likely to be kept; where no model was asked (a copy), there is no doubt."""
    return not suggestion.certified, suggestion.keep or 0.0


def _too_long(seconds: float) -> TimeoutError:
    return TimeoutError(f"it took longer than {seconds:g} s and was given up for this run")


def in_words(error: BaseException) -> str:
    """For the owner: our own sentences as they are, other errors with their kind."""
    if isinstance(error, PreciousError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
