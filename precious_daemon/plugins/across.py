"""Photos on their way to the child in which plugins measure them, and there: JSON and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from precious_daemon.hookspecs import PluginPhoto


def pack(photo: PluginPhoto) -> dict[str, Any]:
    """But for what plugins measured before."""
    known = {name: getattr(photo, name) for name in PluginPhoto.__slots__ if name not in ("root", "looks", "numbers")}
    return known | {"root": os.fspath(photo.root), "looks": sorted(photo.looks)}


def unpack(known: dict[str, Any]) -> PluginPhoto:
    made = known | {"root": Path(known["root"]), "looks": frozenset(known["looks"]), "companions": tuple(known["companions"])}
    return PluginPhoto(**made)
