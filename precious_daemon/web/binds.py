"""The sockets that the page is served on: loopback always, what the settings name, or what systemd hands over."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from precious_daemon.errors import ConfigError, ServiceError
from precious_daemon.machine.listen import Place, bracketed
from precious_daemon.models import Served
from precious_daemon.service import Service
from precious_daemon.store import passwords
from precious_daemon.suggesting import people
from precious_daemon.web import tls
from precious_daemon.web.keys import NAME, Address
from precious_daemon.web.tls import Tls

FIRST_FD = 3  # of those that systemd hands over, sd_listen_fds(3)


@dataclass(frozen=True, slots=True)
class Bind:
    """A socket that is bound, and what it is called."""

    socket: socket.socket
    address: Address
    tls: Tls | None = None

    made: bool = False  # a Unix socket whose file is ours to remove

    @property
    def is_unix(self) -> bool:
        return self.socket.family == socket.AF_UNIX

    @property
    def key(self) -> int | str:
        """As the guard finds it."""
        return self.address.port or self.address.host

    def close(self) -> None:
        """Once nothing is served on it any more."""
        self.socket.close()
        if self.made:
            with suppress(OSError):
                os.unlink(self.address.host)


def loopback(host: str, port: int) -> Bind:
    """Port 0 takes any free one. ServiceError where the port is taken, or where the address is not this machine's own."""
    try:
        own = ipaddress.ip_address(host).is_loopback
    except ValueError:
        own = False
    if not own:
        raise ServiceError(f"{host} is not an address of this machine alone. web.listen is for the network.")
    bound = _tcp(host, port, "web.port")
    return Bind(bound, Address(host, bound.getsockname()[1]))


async def everywhere(service: Service, host: str, port: int) -> list[Bind]:
    """Loopback first, then what systemd hands over and what web.listen names. A socket of systemd's takes loopback's place.

    ConfigError where the network would come in without a password or TLS; ServiceError for what cannot be bound.
    """
    found = inherited()
    try:
        found.sort(key=lambda bind: bind.is_unix)
        if not found or found[0].is_unix:
            found.insert(0, loopback(host, port))
        return found + await asyncio.to_thread(_named, service)
    except BaseException:
        for bind in found:
            bind.close()
        raise


def served(binds: Sequence[Bind]) -> tuple[Served, ...]:
    """What the owner is told of them."""
    found = []
    for bind in binds:
        known = (bind.tls.fingerprint, bind.tls.until) if bind.tls else (None, None)
        found.append(Served(bind.address.url, bind.address.network, *known))
    return tuple(found)


def _named(service: Service) -> list[Bind]:
    """What web.listen names."""
    web = service.settings.web
    if web.network and not service.store.read(passwords.is_set, people.OWNER):
        raise ConfigError(
            "web.listen serves the page to the network, and that takes a password. Give yourself one first: "
            "precious-daemon password"
        )
    certificate = tls.open_tls(service.places, web) if web.tls else None
    found: list[Bind] = []
    try:
        for place in web.places:
            found.append(_unix(place) if place.path else _network(place, service, certificate))
    except BaseException:
        for bind in found:
            bind.close()
        raise
    return found


def _network(place: Place, service: Service, certificate: Tls | None) -> Bind:
    names = tls.hostnames(service.settings.web)
    if not (place.everywhere or certificate is None):
        names = (bracketed(place.host), *names)
    elif certificate and (own := _own_address()):
        names = (own, *names)
    address = Address(
        place.host, place.port, names, scheme="https", behind_proxy=certificate is None,
        certified=certificate is not None and certificate.own, network=True,
    )  # fmt: skip
    return Bind(_tcp(place.host, place.port, "web.listen"), address, certificate)


def _own_address() -> str | None:
    """The address of this machine in its network, if it has one: the one that it would send from. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _tcp(host: str, port: int, setting: str) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as exc:
        bound.close()
        if exc.errno == errno.EADDRINUSE:
            raise ServiceError(
                f"Port {port} is in use, perhaps by another precious-daemon. Stop it, or set {setting} to another number"
                f"{' (0 takes any free one)' if setting == 'web.port' else ''}."
            ) from exc
        raise ServiceError(f"Port {port} of {host} cannot be opened: {exc.strerror}.") from exc
    return bound


def _unix(place: Place) -> Bind:
    """A Unix socket for its owner alone, by the file's mode and by `peer_allowed`. One that was left behind is replaced."""
    bound = socket.socket(socket.AF_UNIX)
    try:
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(place.path).st_mode):
                raise ConfigError(f"web.listen: {place.path} is there, and is no socket. Choose another path.")
            if _answers(place.path):
                raise ServiceError(f"Somebody serves {place.path} already, perhaps another precious-daemon. Stop it.")
            os.unlink(place.path)
        before = os.umask(0o177)
        try:
            bound.bind(place.path)
        finally:
            os.umask(before)
    except OSError as exc:
        bound.close()
        raise ServiceError(f"The socket {place.path} cannot be made: {exc.strerror}. Mend web.listen.") from exc
    except BaseException:
        bound.close()
        raise
    return Bind(bound, Address(place.path, names=("localhost", NAME)), made=True)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as trial:
        try:
            trial.connect(path)
        except OSError:
            return False
        return True


# --- handed over by systemd --------------------------------------------------------------------------------------------


def inherited() -> list[Bind]:
    """The sockets of a .socket unit: on loopback, or a Unix one. ConfigError for any other."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):  # not for children
        os.environ.pop(name, None)
    found = []
    for fd in range(FIRST_FD, FIRST_FD + count):
        os.set_inheritable(fd, False)
        bound = socket.socket(fileno=fd)
        name = bound.getsockname()
        if bound.family == socket.AF_UNIX and isinstance(name, str) and name:
            address = Address(name, names=("localhost", NAME))
        elif bound.family in (socket.AF_INET, socket.AF_INET6) and ipaddress.ip_address(name[0]).is_loopback:
            address = Address(name[0], name[1])
        else:
            raise ConfigError(
                f"systemd hands over a socket at {name}, which others can reach: name it in web.listen, and take it out of the "
                ".socket unit."
            )
        bound.setblocking(False)
        found.append(Bind(bound, address))
    return found
