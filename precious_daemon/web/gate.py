"""Who may connect: so many at a time from the network, and only the owner to a Unix socket. Others get not one byte."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from aiohttp import web

from precious_daemon.web.binds import Bind

if TYPE_CHECKING:
    from ssl import SSLContext

log = logging.getLogger(__name__)

MOST = 256  # connections to one socket at a time
MOST_EACH = 32  # of one address: a browser keeps six
HANDSHAKE = 10.0  # seconds for TLS
BACKLOG = 128
BREATH = 1.0  # seconds until the next try where no descriptor is left


class Site(web.SockSite):
    """A bound socket, served: loopback to whoever comes, others through a gate."""

    __slots__ = ("_bind",)

    def __init__(self, runner: web.AppRunner, bind: Bind) -> None:
        super().__init__(runner, bind.socket, ssl_context=bind.tls.context if bind.tls else None, backlog=1024)
        self._bind = bind

    async def start(self) -> None:
        if not (self._bind.address.network or self._bind.is_unix):
            await super().start()
            return
        await web.BaseSite.start(self)
        assert self._runner.server, "the runner is set up"
        gate = Gate(self._bind, self._runner.server, self._ssl_context)
        gate.open()
        self._server = cast(asyncio.AbstractServer, gate)  # all that is asked of it is to close


class Gate:
    """Takes connections from one socket, and hands to the server those that may come in."""

    def __init__(self, bind: Bind, server: web.Server, context: SSLContext | None) -> None:
        self._socket, self._server, self._context = bind.socket, server, context
        self._loop = asyncio.get_running_loop()
        self._greeted: dict[asyncio.Task[None], str] = {}  # those that are not yet through TLS
        self._each = MOST if bind.address.behind_proxy else MOST_EACH
        self._may_enter: Callable[[socket.socket, str], bool] = same_user if bind.is_unix else self._has_room

    def open(self) -> None:
        self._socket.setblocking(False)
        self._socket.listen(BACKLOG)
        self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        for task in self._greeted:
            task.cancel()

    def _accept(self) -> None:
        try:
            came, peer = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as exc:  # no descriptor is left: there will be when somebody leaves
            log.warning("nobody can connect for now: %s", exc.strerror)
            self._loop.remove_reader(self._socket)
            self._loop.call_later(BREATH, self._go_on)
            return
        who = str(peer[0]) if isinstance(peer, tuple) else ""
        if not self._may_enter(came, who):
            came.close()
            return
        came.setblocking(False)
        task = self._loop.create_task(self._greet(came), name="a connection")
        self._greeted[task] = who
        task.add_done_callback(self._greeted.pop)

    def _go_on(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._accept)

    async def _greet(self, came: socket.socket) -> None:
        handshake = HANDSHAKE if self._context else None
        try:
            await self._loop.connect_accepted_socket(self._server, came, ssl=self._context, ssl_handshake_timeout=handshake)
        except (OSError, TimeoutError) as exc:  # it spoke no TLS, or went away
            log.debug("a connection came to nothing: %s", exc)

    def _has_room(self, came: socket.socket, who: str) -> bool:
        del came
        port = self._socket.getsockname()[1]
        there = list(self._greeted.values())
        for connection in self._server.connections:
            transport = connection.transport
            if transport and (own := transport.get_extra_info("sockname")) and not isinstance(own, str) and own[1] == port:
                there.append(str(transport.get_extra_info("peername")[0]))
        return len(there) < MOST and there.count(who) < self._each


def same_user(came: socket.socket, who: str = "") -> bool:
    """Whether the program at the other end is this user's, or root's, who can read everything anyway."""
    del who
    if not hasattr(socket, "SO_PEERCRED"):  # not Linux: the permissions of the file are all there is
        return True
    _, uid, _ = struct.unpack("3i", came.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return uid in (0, os.geteuid())
