"""The application, and its life on a socket of this machine."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import secrets
import socket
from dataclasses import dataclass

from aiohttp import web

from precious_daemon.errors import ServiceError
from precious_daemon.service import Service
from precious_daemon.web import (
    access,
    asking,
    atlas,
    clusters,
    events,
    facts,
    first,
    folders,
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
)
from precious_daemon.web.keys import ADDRESS, API_KEY, LOGIN, SERVICE, STOPPING, Address

ROOMS = (
    home, jobs, folders, asking, history, library, facts, reviewing, held, grouping, ruling, clusters, atlas, report,
    plugin_pages, pictures, events, login, static, settings, access, metrics, openapi,
    people, tasks, first, speaking,
)  # fmt: skip
LARGEST_BODY = 16 * 1024 * 1024  # a votes file of a million lines


def make_app(service: Service, address: Address, token: str) -> web.Application:
    """The pages of one library at one address. `token` is the key that the command line shows (`service.json`)."""
    app = web.Application(middlewares=[speaking.speak, problems.calm, guard.guard], client_max_size=LARGEST_BODY)
    app[SERVICE], app[ADDRESS], app[API_KEY] = service, address, token
    app[LOGIN] = login.LoginKey(address)
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
    address: Address
    _runner: web.AppRunner

    def login_link(self) -> str:
        """Signs in the next browser that opens it."""
        return self.app[LOGIN].link()

    async def close(self) -> None:
        """Stop taking requests, and end those under way within two seconds."""
        await self._runner.cleanup()


async def serve(service: Service, host: str = "127.0.0.1", port: int = 0, *, token: str | None = None) -> Site:
    """Serve the pages on a loopback address; port 0 takes any free one.

    ServiceError where the port is taken, or where the address is not this machine's own.
    """
    _check_loopback(host)
    bound = _bind(host, port)
    address = Address(host, bound.getsockname()[1])
    app = make_app(service, address, token or secrets.token_urlsafe(32))
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2)
    try:
        await runner.setup()
        await web.SockSite(runner, bound, backlog=1024).start()
    except BaseException:
        bound.close()
        await runner.cleanup()
        raise
    return Site(app, address, runner)


def _check_loopback(host: str) -> None:
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ServiceError(f"{host} is not an address of this machine alone. The page is served on 127.0.0.1 only.")


def _bind(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as exc:
        bound.close()
        if exc.errno == errno.EADDRINUSE:
            raise ServiceError(
                f"Port {port} is in use, perhaps by another precious-daemon. Stop it, or set web.port to another number "
                "(0 takes any free one)."
            ) from exc
        raise ServiceError(f"Port {port} of {host} cannot be opened: {exc.strerror}.") from exc
    return bound
