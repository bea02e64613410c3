"""Finds plugins, loads those that are enabled, and calls their hooks one plugin at a time.

A plugin is code that the owner chose to run: it is imported only once its name is in `plugins.enabled`. One that cannot
be loaded, raises, or takes longer than `plugins.timeout_seconds` is left behind with its error kept, and silences no
other. All of this waits: call it from a thread, not from the event loop.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Self

import pluggy

from precious_daemon import __version__, hookspecs
from precious_daemon.config import Places, Settings, nearest
from precious_daemon.hookspecs import PROJECT, Context, Output, PluginPhoto, SuggestedPhoto
from precious_daemon.plugins.find import Found, find

__all__ = ["PluginInfo", "Plugins"]

log = logging.getLogger(__name__)


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
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._infos: dict[str, PluginInfo] = {}
        self._hidden: list[PluginInfo] = []  # behind another one of the same name
        self._errors: dict[tuple[str, str], str] = {}  # by plugin and hook: of its last call
        self._busy: dict[str, threading.Thread] = {}  # calls that were given up and go on all the same
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

    def _error(self, info: PluginInfo) -> str | None:
        failed = [f"{hook}: {error}" for (name, hook), error in self._errors.items() if name == info.name]
        return info.error or "; ".join(failed) or None

    # --- calling -------------------------------------------------------------------------------------------------------

    def call(self, hook: str, **arguments: Any) -> dict[str, Any | Exception]:
        """Call a hook of every plugin that has it: its result, or what it raised, by plugin. Adds `context`."""

        def ask(caller: pluggy.HookCaller, context: Context) -> Any:
            return next(iter(caller(context=context, **arguments)), None)

        return {name: self._alone(name, hook, ask) for name in self._having(hook)}

    def deliver(
        self, run: str, suggestions: Iterable[SuggestedPhoto], thumbnail: Callable[[str], bytes | None]
    ) -> dict[str, str | None]:
        """Hand the night's suggestions to every output: None, or what went wrong in words, by plugin.

        `thumbnail` is called from other threads.
        """
        surest_first = tuple(sorted(suggestions, key=_doubt))

        def hand_over(caller: pluggy.HookCaller, context: Context) -> None:
            output = Output(context.version, context.folder, context.settings, context.log, thumbnail)
            caller(run=run, suggestions=surest_first, output=output)

        results = {name: self._alone(name, "deliver", hand_over) for name in self._having("deliver")}
        return {name: _words(result) if isinstance(result, Exception) else None for name, result in results.items()}

    def vetoes(self, photos: Mapping[int, PluginPhoto]) -> dict[int, str]:
        """Why a photo must not be suggested, by its key, for those of `photos` that a plugin protects.

        Only the plugin knows what it protects, so a photo that it failed on, or did not come to in time, is protected too.
        """
        found: dict[int, str] = {}
        for name in self._having("veto"):
            said: dict[int, str | None] = {}
            error = self._alone(name, "veto", partial(_ask_for_each, photos, said))
            judged = dict(said)  # a call that was given up goes on writing
            unknown = f"the plugin {name} could not say whether this photo may go" if error else None
            for key in photos:
                if reason := judged.get(key, unknown):
                    found.setdefault(key, reason)
        return found

    def _having(self, hook: str) -> list[str]:
        return [info.name for info in self._infos.values() if hook in info.hooks]

    def _alone(self, name: str, hook: str, action: Callable[[pluggy.HookCaller, Context], Any]) -> Any | Exception:
        """The result of `action` with a caller that reaches this plugin only, or what it raised."""
        others = [plugin for other, plugin in self._manager.list_name_plugin() if other != name]
        caller = self._manager.subset_hook_caller(hook, others)
        try:
            result = self._guarded(name, hook, lambda: action(caller, self._context(name)))
        except Exception as exc:
            log.exception("plugin %s failed in %s", name, hook)
            self._errors[name, hook] = _words(exc)
            return exc
        self._errors.pop((name, hook), None)
        return result

    def _context(self, name: str) -> Context:
        folder = self._places.reports / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        table = self._settings.plugin.get(name, {})
        if not isinstance(table, dict):
            raise TypeError(f"plugin.{name} has to be a section of the settings, [plugin.{name}]")
        return Context(
            __version__, folder, MappingProxyType(copy.deepcopy(table)), logging.getLogger(f"precious_daemon.plugin.{name}")
        )

    def _guarded(self, name: str, what: str, action: Callable[[], Any]) -> Any:
        """The result of `action`, run in a thread of its own and waited for no longer than the timeout allows."""
        if name in self._busy and self._busy[name].is_alive():
            raise RuntimeError("it is still busy with an earlier call that took too long")
        outcome: list[Any] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                outcome.append(action())
            except BaseException as exc:  # noqa: BLE001  # raised again below, where it is logged; sys.exit() counts too
                failure.append(exc)

        seconds = self._settings.plugins.timeout_seconds
        thread = threading.Thread(target=run, name=f"plugin-{name}-{what}", daemon=True)
        thread.start()
        thread.join(seconds)
        if outcome:
            return outcome[0]
        if not failure:
            self._busy[name] = thread
            raise TimeoutError(f"it took longer than {seconds:g} s and was given up for this run")
        if isinstance(failure[0], Exception):
            raise failure[0]
        raise RuntimeError(_words(failure[0])) from failure[0]

    # --- loading -------------------------------------------------------------------------------------------------------

    def _add(self, found: Found) -> None:
        if (first := self._infos.get(found.name)) is not None:
            clash = f"Another plugin of this name comes first ({first.origin}): rename one of them."
            self._hidden.append(PluginInfo(found.name, found.origin, False, found.summary, error=clash))
            return
        info = PluginInfo(found.name, found.origin, found.name in self._settings.plugins.enabled, found.summary)
        if info.enabled:
            try:
                info = replace(info, hooks=self._guarded(found.name, "load", lambda: self._register(found)))
            except Exception as exc:
                log.exception("plugin %s cannot be loaded", found.name)
                info = replace(info, error=f"It cannot be loaded: {_words(exc)}")
        self._infos[found.name] = info

    def _register(self, found: Found) -> tuple[str, ...]:
        """Import and register a plugin; the hooks that it implements. A plugin with a fault is not registered at all."""
        plugin = found.load()
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


def _ask_for_each(
    photos: Mapping[int, PluginPhoto], said: dict[int, str | None], caller: pluggy.HookCaller, context: Context
) -> None:
    """Ask one plugin for its veto on every photo, and write down what it says as it goes."""
    for key, photo in photos.items():
        reason = next(iter(caller(photo=photo, context=context)), None)
        if not isinstance(reason, str | None):
            raise TypeError(f"veto has to return a text or None, not {reason!r}")
        said[key] = reason


def _doubt(suggestion: SuggestedPhoto) -> tuple[bool, float]:
    """Certified ones first, then the least likely to be kept; where no model was asked (a copy), there is no doubt."""
    return not suggestion.certified, suggestion.keep or 0.0


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
