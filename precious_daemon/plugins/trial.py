"""For the tests of plugins: photos, suggestions and contexts made up on the spot.

from precious_daemon.plugins.trial import output, suggestion

def test_it(tmp_path):
    my_plugin.deliver([suggestion("IMG_1.JPG")], output(tmp_path, my_plugin, folder="Family"))
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from precious_daemon import __version__
from precious_daemon.hookspecs import Context, Output, PluginPhoto, SuggestedPhoto
from precious_daemon.plugins import options

JPEG = b"\xff\xd8 a thumbnail \xff\xd9"
FACTS: dict[str, Any] = {
    "root": Path("/photos"), "folder": "2024/03", "size": 1_234_567, "width": 4000, "height": 3000,
    "taken_at": 1_709_370_000.0, "camera": "Canon EOS R6",
}  # fmt: skip


def photo(name: str = "IMG_1.JPG", folder: str = "2024/03", **facts: Any) -> PluginPhoto:
    """A photo that is like one of a camera, but for what is said."""
    return PluginPhoto(**(FACTS | {"uid": f"uid-{name}", "name": name, "folder": folder} | facts))


def suggestion(name: str = "IMG_1.JPG", keep: float | None = 0.03, **facts: Any) -> SuggestedPhoto:
    """A suggestion, blurred and not certified, but for what is said."""
    given = {"uid": f"uid-{name}", "name": name, "keep": keep, "reasons": ("blurred",)}
    return SuggestedPhoto(**(FACTS | given | facts))


def context(folder: Path, plugin: object = None, /, **settings: Any) -> Context:
    """The context of a plugin with these settings, checked against its `Settings` where it has one."""
    folder.mkdir(parents=True, exist_ok=True)
    name = getattr(plugin, "__name__", "trial").rpartition(".")[2]
    return Context(__version__, folder, options.read(plugin, name, settings), logging.getLogger(name))


def output(
    folder: Path, plugin: object = None, /, thumbnail: Callable[[str], bytes | None] = lambda uid: JPEG, **settings: Any
) -> Output:
    """The same for a delivery."""
    made = context(folder, plugin, **settings)
    return Output(made.version, made.folder, made.settings, made.log, thumbnail=thumbnail)
