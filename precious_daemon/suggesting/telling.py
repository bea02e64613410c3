"""What plugins have to hear arrives once: it is written down, called, and tried again until it did.

A call is repeated with the same `run` after a crash or an error, so that a plugin can tell a repetition from news. What has
arrived is not called again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterable
from typing import Any

from precious_daemon.hookspecs import Later, PluginPhoto, SuggestedPhoto
from precious_daemon.plugins import in_words
from precious_daemon.service import Service
from precious_daemon.store import Database, photos, pictures, plugin_calls, ratings, suggestions, voters
from precious_daemon.store.plugin_calls import PluginCall
from precious_daemon.suggesting import plugin_photos

log = logging.getLogger(__name__)

MOST = 100_000  # suggestions handed to plugins at once
BEST = 500  # photos of the ranking that go along
LEASE = 3600.0  # seconds after which a call whose outcome is not known is made again


async def deliver(service: Service, voter_id: int, run: str) -> dict[str, str]:
    """Hand the open suggestions to every plugin. Returns what went wrong, by plugin; it is tried again later."""
    names = service.plugins.having("deliver")
    await service.store.awrite(plugin_calls.put, run, "deliver", names, voter_id, {}, service.clock())
    return {call.plugin: error for call, error in await again(service) if call.run == run}


async def tell(service: Service, hook: str, voter_id: int, photo_ids: Iterable[int], **told: Any) -> None:
    """Have `resolved`, `trashed` or `restored` called, soon: the owner does not wait for somebody's server.

    What a plugin raises is its own affair, and tried again later.
    """
    ids, names = list(photo_ids), service.plugins.having(hook)
    if ids and names:
        run = f"{hook}-{secrets.token_hex(8)}"
        value = {"photos": ids, **told}
        await service.store.awrite(plugin_calls.put, run, hook, names, voter_id, value, service.clock())
        task = asyncio.create_task(again(service), name=f"telling plugins: {hook}")
        service.background.add(task)
        task.add_done_callback(service.background.discard)


async def finish(service: Service) -> None:
    """Wait for the calls that `tell` has begun."""
    if service.background:
        await asyncio.wait(service.background)


async def again(service: Service) -> list[tuple[PluginCall, str]]:
    """Make the calls that are due, one after the other; return those that failed, with the error in words."""
    errors: list[tuple[PluginCall, str]] = []
    for call in await service.store.awrite(plugin_calls.claim, service.clock(), LEASE):
        if call.plugin not in service.plugins.having(call.hook):
            await service.store.awrite(plugin_calls.give_up, call, "the plugin is not enabled any more")
            continue
        result = await _make(service, call)
        now = service.clock()
        if isinstance(result, Later):
            await service.store.awrite(plugin_calls.postponed, call, str(result), now + max(1.0, result.seconds))
        elif isinstance(result, Exception):
            errors.append((call, in_words(result)))
            await service.store.awrite(plugin_calls.failed, call, in_words(result), now)
        else:
            await service.store.awrite(plugin_calls.arrived, call, now)
    return errors


async def _make(service: Service, call: PluginCall) -> Any:
    who = (await service.store.aread(voters.get, call.voter_id)).name

    def handed_over(told: Iterable[PluginPhoto]) -> None:
        """Into the log, where nobody here can tell what the plugin does with it."""
        if service.plugins.is_foreign(call.plugin):
            record = service.plugins.recorder(call.plugin, call.run, who)
            record("handed over", call.plugin, reason=call.hook, photos=[str(photo.path) for photo in told])

    if call.hook == "deliver":

        def thumbnail(uid: str) -> bytes | None:
            return service.store.read(_thumbnail, uid)

        shown, best = await service.store.aread(_news, call.voter_id)
        await asyncio.to_thread(handed_over, shown)
        return await asyncio.to_thread(service.plugins.deliver, call.plugin, call.run, shown, thumbnail, best, who)
    told = dict(call.told)
    ids = told.pop("photos")
    found = await service.store.aread(lambda db: plugin_photos.of(db, photos.many(db, ids)))
    photos_told = tuple(found[photo_id] for photo_id in ids if photo_id in found)
    await asyncio.to_thread(handed_over, photos_told)
    return await asyncio.to_thread(
        service.plugins.call_one, call.plugin, call.hook, who, run=call.run, photos=photos_told, **told
    )


def _news(db: Database, voter_id: int) -> tuple[list[SuggestedPhoto], list[PluginPhoto]]:
    """The open suggestions of everybody, of which nobody wants to keep any; and the top of a voter's ranking."""
    top = [photo for photo, rating in ratings.ranking(db, voter_id, None, BEST) if rating.wins]
    known = plugin_photos.of(db, {photo.id: photo for photo in top})
    return plugin_photos.suggested(db, suggestions.page(db, None, limit=MOST)), [known[photo.id] for photo in top]


def _thumbnail(db: Database, uid: str) -> bytes | None:
    photo = photos.by_uid(db, uid)
    return pictures.thumbnail(db, photo.content_hash) if photo.content_hash else None
