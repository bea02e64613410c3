"""The settings of a plugin: a frozen dataclass named `Settings` in its module, filled from `[plugin.NAME]`.

A typo is an error that names the nearest setting there is; types and bounds are checked as in the rest of the file.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import field, is_dataclass
from types import MappingProxyType
from typing import Any

from precious_daemon import config
from precious_daemon.errors import ConfigError


def setting(
    default: Any,
    meaning: str,
    low: float | None = None,
    high: float | None = None,
    *,
    choices: tuple[str, ...] = (),
    time: bool = False,
) -> Any:
    """A field of a `Settings`: text, number, true or false, or a tuple of texts. `time` is HH:MM."""
    checks = {"meaning": meaning, "low": low, "high": high, "choices": choices, "time": time}
    return field(default=default, metadata=checks)


def read(plugin: object, name: str, table: object) -> Any:
    """What the plugin finds in `context.settings`. Raises ConfigError."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"plugin.{name} has to be a section of the settings, [plugin.{name}].")
    kind = getattr(plugin, "Settings", None)
    if isinstance(kind, type) and is_dataclass(kind):
        return config.section(kind, f"plugin.{name}", table, "settings")
    return MappingProxyType(copy.deepcopy(dict(table)))
