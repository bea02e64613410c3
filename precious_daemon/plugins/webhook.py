"""Webhook: posts suggestions and decisions as signed JSON to an address of yours.

Each request has the headers `Precious-Event` (suggestions, approved, dismissed, trashed or restored), `Precious-Delivery`, which
is the same when a request is repeated, and `Precious-Signature`: `t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA256, with your
secret, of the seconds, a full stop, and the body. What is not answered with 2xx is sent again, after longer and longer waits.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from precious_daemon.hookspecs import Context, Decision, Output, PluginPhoto, SuggestedPhoto, hookimpl
from precious_daemon.plugins.options import setting
from precious_daemon.plugins.sending import Server, checked, recorded, secret


@dataclass(frozen=True, slots=True)
class Settings:
    url: str = setting("", "where to post to: https, or http in your own network")
    secret: str = setting("", "signs the requests; file:/path and env:NAME say where it is")
    paths: bool = setting(False, "send full paths, not only names")
    most: int = setting(500, "suggestions in a request at most", 1, 100000)


@hookimpl
def startup(context: Context) -> None:
    checked(context.settings.url, name="plugin.webhook.url")
    secret(context.settings.secret, "plugin.webhook.secret")


@hookimpl
def deliver(run: str, suggestions: Sequence[SuggestedPhoto], output: Output) -> None:
    told = [
        _photo(photo, output) | {
            "kind": photo.kind, "reasons": list(photo.reasons), "keep": photo.keep, "certified": photo.certified,
            "keeper": photo.keeper and (str(photo.keeper) if output.settings.paths else photo.keeper.name),
        }
        for photo in suggestions[: output.settings.most]
    ]  # fmt: skip
    total = {"count": len(suggestions), "bytes": sum(photo.size for photo in suggestions)}
    _post("suggestions", run, total | {"suggestions": told}, output)


@hookimpl
def resolved(run: str, photos: Sequence[PluginPhoto], decision: Decision, context: Context) -> None:
    _post(decision, run, {"photos": [_photo(photo, context) for photo in photos]}, context)


@hookimpl
def trashed(run: str, photos: Sequence[PluginPhoto], context: Context) -> None:
    _post("trashed", run, {"photos": [_photo(photo, context) for photo in photos]}, context)


@hookimpl
def restored(run: str, photos: Sequence[PluginPhoto], context: Context) -> None:
    _post("restored", run, {"photos": [_photo(photo, context) for photo in photos]}, context)


def _photo(photo: PluginPhoto, context: Context) -> dict[str, Any]:
    place = {"path": str(photo.path)} if context.settings.paths else {}
    return {"uid": photo.uid, "name": photo.name, "size": photo.size, "taken_at": photo.taken_at} | place


def _post(event: str, run: str, value: dict[str, Any], context: Context) -> None:
    body = json.dumps({"event": event, "run": run, **value}).encode()
    signature = sign(secret(context.settings.secret, "plugin.webhook.secret"), str(int(time.time())), body)
    headers = {"Precious_Event": event, "Precious_Delivery": run, "Precious_Signature": signature}
    with recorded(context, context.settings.url, body.decode()):
        Server(context.settings.url).send("POST", "", body, **headers)


def sign(key: str, seconds: str, body: bytes) -> str:
    mac = hmac.new(key.encode(), seconds.encode() + b"." + body, hashlib.sha256)
    return f"t={seconds},v1={mac.hexdigest()}"
