"""Trash: what you approve goes to the trash that your file manager shows, instead of the hidden one beside your photos.

Whatever you do there counts: a photo that you bring back was one to keep, and one that you remove there is gone. Every safeguard
of our own trash holds as well, and an undo here brings a photo back from there. Where a folder has no such trash on its own disk,
or the service may not write there, its photos go to ours. This switches it on; only the room of the trash moves photos.
"""

from __future__ import annotations

import sys

from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import hookimpl


@hookimpl
def startup() -> None:
    if sys.platform in ("darwin", "win32"):
        raise ConfigError("The trash of this system is none of freedesktop.org's. Switch the plugin trash off; ours is used.")


@hookimpl
def status() -> str:
    return "what you approve goes to the trash of your desktop"
