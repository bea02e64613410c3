"""The settings of the built-in plugins: a table with defaults, where a typo is an error that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from precious_daemon.config import nearest
from precious_daemon.errors import ConfigError


def options(plugin: str, settings: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    """The defaults, overlaid with `[plugin.NAME]`. Unknown names and other types than the default's raise ConfigError."""
    for name, value in settings.items():
        if name not in defaults:
            raise ConfigError(f"plugin.{plugin}.{name} is not a setting{nearest(name, defaults)}")
        if type(value) is not type(defaults[name]):
            words = {bool: "true or false", int: "a whole number", str: "a text"}
            raise ConfigError(f"plugin.{plugin}.{name} has to be {words[type(defaults[name])]}, not {value!r}.")
    return defaults | dict(settings)
