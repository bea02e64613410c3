"""What the handlers find in the application and in a request, by typed name."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from precious_daemon.service import Service

if TYPE_CHECKING:
    from precious_daemon.web.login import LoginKey


NAME = "precious.localhost"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page is served: one address of this machine, and the names that a browser may call it by."""

    host: str
    port: int

    @property
    def local(self) -> str:
        """For programs of this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def url(self) -> str:
        """For browsers: under a name of its own, which they take for this machine by themselves, as all of *.localhost.

        Cookies do not tell ports apart: the session of a page at 127.0.0.1 is sent to every other server there as well.
        """
        return f"http://{NAME}:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """Every `Host` header that is answered; anything else is DNS rebinding or a mistake."""
        names = ("127.0.0.1", "localhost", "[::1]", NAME)
        bare = names if self.port == 80 else ()
        return frozenset([*(f"{name}:{self.port}" for name in names), *bare])


SERVICE: web.AppKey[Service] = web.AppKey("service")
ADDRESS: web.AppKey[Address] = web.AppKey("address")
LOGIN: web.AppKey[LoginKey] = web.AppKey("login")
API_KEY: web.AppKey[str] = web.AppKey("api key")
STOPPING: web.AppKey[asyncio.Event] = web.AppKey("stopping")

VOTER: web.RequestKey[int] = web.RequestKey("voter")
"""Whose taste this request is about; the guard has put it there."""
SESSION: web.RequestKey[tuple[str, float]] = web.RequestKey("session")
"""The session's token, and when it was last renewed."""
