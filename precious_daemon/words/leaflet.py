"""Pages that lie on the disk and need nothing beside themselves: one head, one look, and the language of their reader.

A template begins with `{% extends "leaflet.html" %}`. It may hold no script, and nothing from elsewhere: its pictures are data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from precious_daemon.words import language

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(package: str, **filters: Any) -> Environment:
    """The templates of a package and the head they share. What ends in .html is escaped; a misspelt name is an error."""
    import jinja2  # imported here: only who makes such a page needs it

    env = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), jinja2.PackageLoader("precious_daemon")]),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters |= {"told": language.told} | filters
    env.globals |= {"_": language.marked, "_n": language.marked_n, "language": language.spoken}
    return env
