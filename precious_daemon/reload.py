"""New settings for a service that runs: read and checked as a whole first, then taken over by everybody at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from precious_daemon import config
from precious_daemon.config import Settings
from precious_daemon.plugins import Plugins
from precious_daemon.service import Service
from precious_daemon.store import voters
from precious_daemon.suggesting import verdict

log = logging.getLogger(__name__)


async def reload(service: Service) -> list[str]:
    """Take over the settings file; what has changed, in sentences. Raises ConfigError, and the old settings stay in force."""
    return await apply(service, await asyncio.to_thread(config.load, service.places.config_file))


async def apply(service: Service, settings: Settings) -> list[str]:
    """Go on with these settings."""
    old = service.settings
    changes = list(changed(old, settings))
    if (old.plugins, old.plugin) != (settings.plugins, settings.plugin):
        service.plugins = await asyncio.to_thread(Plugins.load, service.places, settings)
        await asyncio.to_thread(service.plugins.call, "startup")
    service.settings = settings
    service.trash.use(settings)
    service.jobs.use(settings.ingest)
    for follower in service.followers:
        follower(settings)
    if old.certify != settings.certify:  # what was certified by the old promise is not by the new one
        for voter in await service.store.aread(voters.active):
            await verdict.refresh(service, voter.id)
    for sentence in changes:
        log.info(sentence)
    return changes


def changed(old: Settings, new: Settings) -> Iterator[str]:
    """What is different, and what of it waits for a restart."""
    before, after = config.as_dict(old), config.as_dict(new)
    for name, _, _ in config.describe():
        section, _, key = name.partition(".")
        if before[section][key] != after[section][key]:
            waits = "; it counts from the next start on" if config.setting(name)[1].metadata["restart"] else ""
            yield f"{name} is now {after[section][key]!r}{waits}."
    if old.plugin != new.plugin:
        yield "The settings of plugins have changed."
