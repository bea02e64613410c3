"""Templates to answers: one environment, one way to send a page."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web

from precious_daemon import __version__
from precious_daemon.machine import lean
from precious_daemon.models import Photo, PhotoState, SuggestionState, Voter
from precious_daemon.store import Database, passwords, suggestions, voters
from precious_daemon.suggesting import people
from precious_daemon.web import language, words
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.language import N_, _
from precious_daemon.words.language import marked, marked_n

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

HERE = Path(__file__).parent
PREVIEW_SIDE = 1024
KEYS = N_((
    ("Comparing two photos", (
        (("←",), "the left photo is better"), (("→",), "the right photo is better"), (("D",), "they are equal"),
        (("↑", "C"), "both stay"), (("↓", "X"), "both go"), (("S",), "skip"), (("Z", "Backspace"), "take back the last answer"),
        (("Shift ←", "Shift →"), "take that photo out of the ranking"),
    )),
    ("Comparing four photos", (
        (("1–4",), "this one is the best"), (("O",), "put all four in order, the best first"), (("D",), "all are equal"),
        (("Shift 1",), "take that photo out of the ranking"),
    )),
    ("One photo", (
        (("→", "K"), "keep"), (("←", "D"), "delete"), (("S",), "skip"), (("Z", "Backspace"), "take back the last answer"),
    )),
    ("Every question", ((("Space",), "look at it at 100 %"),)),
    ("A photo's page", (
        (("←",), "the newer photo"), (("→",), "the older photo"), (("Space",), "look at it at 100 %"),
        (("Del",), "move to the trash"),
    )),
    ("Suggestions", (
        (("→",), "next"), (("←",), "previous"), (("Space",), "select"), (("D",), "move to the trash"), (("K",), "keep it"),
        (("Z",), "undo the last one"),
    )),
    ("Bursts and copies", (
        (("←", "→"), "choose another frame as the best"), (("1–9",), "keep this frame as well"), (("K",), "keep all"),
        (("D", "Enter"), "keep the best, the others go"), (("Space",), "look at it at 100 %"), (("S",), "next"),
        (("Z",), "undo the last one"),
    )),
    ("At 100 %", (
        (("←", "→", "↑", "↓"), "move"), (("+", "-"), "magnify, less"), (("1",), "100 %"), (("F",), "the whole photo"),
        (("N", "P"), "another frame beside the best"), (("A",), "all frames together"), (("B",), "this one is the best"),
        (("K",), "it stays as well"), (("I",), "what differs"), (("Space", "Esc"), "back"),
    )),
    ("The map", (
        (("←", "→", "↑", "↓"), "move"), (("+", "-"), "closer, farther"), (("0",), "all of it"),
        (("N", "P"), "next cluster, the one before"), (("Enter",), "open the cluster"), (("Esc",), "close it"),
    )),
    ("Everywhere", ((("I",), "details of the photo, or what differs between two"), (("?",), "show these keys"))),
))  # fmt: skip


@cache
def environment() -> Environment:
    """Escapes everything; a name that a template misspells is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # here: until a page is asked for, it takes no memory

    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.filters |= {
        "name": words.name,
        "shown": words.shown,
        "count": words.count,
        "opening": words.opening,
        "photos": words.photos,
        "told": language.told,
        "filesize": words.size,
        "percent": words.percent,
        "duration": words.duration,
        "taken": words.taken,
        "thumb": thumb,
        "preview": preview,
        "version": version,
        "scaled": scaled,
    }
    env.globals |= {
        "_": marked,
        "_n": marked_n,
        "language": language.spoken,
        "languages": language.LANGUAGES,
        "scripts": language.scripts,
    }
    env.globals |= {"version": __version__, "sureness": words.sureness, "standing": words.standing}
    env.globals |= {"photo_img": photo_img, "icon": icon, "keys": keys}
    lean.set_apart()
    return env


# --- pieces that pages are full of: made without a template, or made once ---------------------------------------------


def photo_img(photo: Photo, side: int = PREVIEW_SIDE, lazy: bool = True, eager_size: str = "200px") -> Markup:
    """A photo that leaves its room on the page before it is there; a small one (`side` up to 256) is sharp on every screen."""
    from markupsafe import Markup, escape

    if not (photo.content_hash or photo.state is PhotoState.PRESENT):  # neither read, nor seen by a first look
        waits = photo.state is PhotoState.NEW
        return Markup('<span class="no-picture">%s</span>') % (_("Waits to be read") if waits else _("No picture"))
    width, height = scaled(photo, side)
    small, large = thumb(photo), preview(photo)
    sizes = f' srcset="{small} 256w, {large} 1024w" sizes="{escape(eager_size)}"' if side <= 256 else ""
    loading = ' loading="lazy"' if lazy else ""
    return Markup(
        f'<img src="{small if sizes else large}" width="{width}" height="{height}" alt="{escape(words.name(photo.path))}"'
        f'{loading} decoding="async"{sizes}>'
    )


@cache
def icon(name: str) -> Markup:
    return _part("icon")(name)


def keys() -> Markup:
    """All keys that the pages know, for their dialog and for the help."""
    return _keys(language.spoken())


@cache
def _keys(tag: str) -> Markup:
    return _part("keymap_list")(KEYS)


def _part(name: str) -> Callable[..., Markup]:
    return cast("Callable[..., Markup]", getattr(environment().get_template("_parts.html").module, name))


def thumb(photo: Photo) -> str:
    return _picture("thumb", photo)


def preview(photo: Photo) -> str:
    return _picture("preview", photo)


def _picture(kind: str, photo: Photo) -> str:
    """With the content in the address, so that a browser may keep it until the photo changes."""
    return f"/{kind}/{photo.uid}?v={version(photo)}"


def version(photo: Photo) -> str:
    """Of the content; empty until it is known."""
    return photo.content_hash.hex()[:12] if photo.content_hash else ""


def scaled(photo: Photo, side: int = PREVIEW_SIDE) -> tuple[int, int]:
    """(width, height) of a photo whose longest side is `side`: the page leaves the room before the picture is there."""
    width, height = photo.width or 4, photo.height or 3
    factor = side / max(width, height)
    return max(1, round(width * factor)), max(1, round(height * factor))


async def page(request: web.Request, template: str, status: int = 200, **values: Any) -> web.Response:
    """A whole page. What cannot be UTF-8 is replaced, so that no file name can stop one from being shown."""
    service = request.app[SERVICE]
    now = service.clock()
    to_review, everybody, owns = 0, list[Voter](), True
    if VOTER in request:
        to_review, everybody, owns = await service.store.aread(_around, request[VOTER])
    html = environment().get_template(template).render(
        values, here=request.path, to_review=to_review, signed_in=VOTER in request, people=everybody, owns=owns,
        voter=next((voter for voter in everybody if voter.id == request[VOTER]), None),
        moment=lambda at: words.moment(at, now), ago=lambda at: words.ago(at, now),
    )  # fmt: skip
    return web.Response(body=html.encode("utf-8", "replace"), status=status, content_type="text/html", charset="utf-8")


def _around(db: Database, voter_id: int) -> tuple[int, list[Voter], bool]:
    """What every page shows beside its own: how much there is to review, who there is, and whether the owner's links show."""
    owns = voter_id == people.OWNER or not passwords.is_set(db, people.OWNER)
    return suggestions.counts(db, voter_id)[SuggestionState.OPEN], voters.active(db), owns
