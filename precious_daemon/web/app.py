"""The application, and its life on the sockets that it is served on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from precious_daemon.service import Service
from precious_daemon.web import (
    access,
    asking,
    atlas,
    binds,
    blind,
    clusters,
    deeds,
    events,
    facts,
    first,
    folders,
    gate,
    grouping,
    guard,
    held,
    history,
    home,
    jobs,
    library,
    login,
    metrics,
    openapi,
    passwords,
    people,
    pictures,
    plugin_pages,
    problems,
    report,
    reviewing,
    ruling,
    settings,
    speaking,
    static,
    tasks,
    tokens,
)
from precious_daemon.web.binds import Bind
from precious_daemon.web.keys import ADDRESS, ADDRESSES, API_KEY, DOOR, LOGIN, SERVICE, STOPPING, Address

ROOMS = (
    home, jobs, folders, asking, blind, history, library, facts, reviewing, held, deeds, grouping, ruling, clusters, atlas,
    report, plugin_pages, pictures, events, login, static, settings, access, tokens, metrics, openapi,
    people, tasks, first, speaking,
)  # fmt: skip
KEEPALIVE = 75.0  # seconds that a connection may say nothing, or take for the head of a request
LARGEST_BODY = 16 * 1024 * 1024  # a votes file of a million lines


def make_app(service: Service, addresses: Sequence[Address], token: str) -> web.Application:
    """The pages of one library; the first address is the one on loopback. `token` is the command line's key (`service.json`)."""
    app = web.Application(middlewares=[speaking.speak, problems.calm, guard.guard], client_max_size=LARGEST_BODY)
    app[SERVICE], app[ADDRESS], app[API_KEY] = service, addresses[0], token
    app[ADDRESSES] = {address.port or address.host: address for address in addresses}
    app[LOGIN], app[DOOR] = login.LoginKey(addresses[0]), passwords.Door(service)
    app[STOPPING] = asyncio.Event()
    for room in ROOMS:
        app.add_routes(room.routes)
    app.on_response_prepare.append(guard.add_headers)
    app.on_shutdown.append(_say_stopping)
    return app


async def _say_stopping(app: web.Application) -> None:
    app[STOPPING].set()


@dataclass(frozen=True, slots=True)
class Site:
    """The application, served."""

    app: web.Application
    binds: tuple[Bind, ...]
    _runner: web.AppRunner

    @property
    def address(self) -> Address:
        """On loopback."""
        return self.app[ADDRESS]

    def login_link(self) -> str:
        """Signs in the next browser that opens it."""
        return self.app[LOGIN].link()

    async def close(self) -> None:
        """Stop taking requests, and end those under way within two seconds."""
        await self._runner.cleanup()
        for bind in self.binds:
            bind.close()


async def serve(
    service: Service, host: str = "127.0.0.1", port: int = 0, *, token: str | None = None, everywhere: bool = False
) -> Site:
    """Serve the pages on a loopback address, port 0 being any free one; `everywhere`: where the settings and systemd say, too.

    ServiceError where a port is taken, ConfigError where the network would come in without a password or TLS.
    """
    bound = await binds.everywhere(service, host, port) if everywhere else [binds.loopback(host, port)]
    app = make_app(service, [bind.address for bind in bound], token or secrets.token_urlsafe(32))
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2, keepalive_timeout=KEEPALIVE)
    site = Site(app, tuple(bound), runner)
    try:
        await runner.setup()
        for bind in bound:
            await gate.Site(runner, bind).start()
    except BaseException:
        await site.close()
        raise
    service.served = binds.served(bound)
    if any(bind.tls for bind in bound):
        service.followers.append(lambda settings: _renew(service, bound))
    return site


def _renew(service: Service, bound: Sequence[Bind]) -> None:
    """A certificate that was renewed is shown from now on: settings are taken over when that is to be done."""

    def take_over() -> None:
        for bind in bound:
            if bind.tls:
                bind.tls.take_over()
        service.served = binds.served(bound)

    task = asyncio.get_running_loop().create_task(asyncio.to_thread(take_over), name="the certificate anew")
    service.background.add(task)
    task.add_done_callback(service.background.discard)
