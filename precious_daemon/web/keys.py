"""What the handlers find in the application and in a request, by typed name."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from precious_daemon.machine.listen import bracketed
from precious_daemon.service import Service
from precious_daemon.web.passwords import Door

if TYPE_CHECKING:
    from precious_daemon.web.login import LoginKey


NAME = "precious.localhost"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", NAME)


@dataclass(frozen=True, slots=True)
class Address:
    """One socket that the page is served on, and the names that a browser may call it by."""

    host: str  # an address; the path of a Unix socket
    port: int = 0  # 0: a Unix socket
    names: tuple[str, ...] = LOOPBACK
    scheme: str = "http"  # as browsers see it
    behind_proxy: bool = False  # which says in X-Forwarded-For who asks, and leaves `Host` as it was
    certified: bool = False  # by somebody that browsers know
    network: bool = False  # others than this machine's own programs reach it

    @property
    def local(self) -> str:
        """For programs of this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def url(self) -> str:
        """For browsers: of this machine, under a name of its own, which they take for it by themselves, as all of *.localhost.

        Cookies do not tell ports apart: the session of a page at 127.0.0.1 is sent to every other server there as well.
        """
        if self.behind_proxy:
            return f"https://{self.names[0]}"
        name = NAME if NAME in self.names else self.names[0]
        return f"{self.scheme}://{name}:{self.port}" if self.port else f"unix:{self.host}"

    def hosts(self, reached: str | None = None) -> frozenset[str]:
        """Every `Host` header that is answered; anything else is DNS rebinding or a mistake.

        Of a socket on all addresses, the one that was `reached` is known as well: no name of somebody else's can be a number.
        """
        if self.behind_proxy or not self.port:
            return frozenset(self.names)
        names = (*self.names, *([bracketed(reached)] if self.network and reached else []))
        bare = names if self.port == {"http": 80, "https": 443}[self.scheme] else ()
        return frozenset([*(f"{name}:{self.port}" for name in names), *bare])


SERVICE: web.AppKey[Service] = web.AppKey("service")
ADDRESS: web.AppKey[Address] = web.AppKey("address")
"""On loopback, where the page always is."""
ADDRESSES: web.AppKey[dict[int | str, Address]] = web.AppKey("addresses")
"""All of them, by port or path."""
DOOR: web.AppKey[Door] = web.AppKey("door")
LOGIN: web.AppKey[LoginKey] = web.AppKey("login")
API_KEY: web.AppKey[str] = web.AppKey("api key")
STOPPING: web.AppKey[asyncio.Event] = web.AppKey("stopping")

VOTER: web.RequestKey[int] = web.RequestKey("voter")
"""Whose taste this request is about; the guard has put it there."""
SESSION: web.RequestKey[tuple[str, float]] = web.RequestKey("session")
"""The session's token, and when it was last renewed."""
