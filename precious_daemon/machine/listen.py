"""Where the page is served beside loopback: addresses of a network, and Unix sockets, as an owner writes them."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Place:
    """One socket: an address and a port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def everywhere(self) -> bool:
        """On every address that this machine has."""
        return not self.path and ipaddress.ip_address(self.host).is_unspecified

    def __str__(self) -> str:
        return self.path or f"{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """An address as it stands in a `Host` header: one of IPv6 in brackets, an IPv4 one as such however it came."""
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return f"[{address}]" if address.version == 6 and not mapped else str(mapped or address)


def place(text: str) -> Place:
    """`192.168.1.20:8766`, `[::]:8766` or `/run/user/1000/precious.sock`. Raises ValueError with what is wrong with it."""
    if text.startswith("/"):
        if len(os.fsencode(text)) > 107 or "\0" in text:
            raise ValueError("is too long for a Unix socket, which takes 107 bytes")
        return Place(path=text)
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("has to be an address and a port, like 0.0.0.0:8766, or the path of a Unix socket")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError("has to name an address in figures, like 192.168.1.20 or 0.0.0.0, and not a name") from None
    return Place(str(address), int(port))


def wrong(name: str, value: str) -> str | None:
    """What is wrong with a value of `listen`, `hostnames`, `tls_cert` or `tls_key`, as the end of a sentence about it."""
    if name == "listen":
        try:
            place(value)
        except ValueError as exc:
            return str(exc)
    elif name == "hostnames" and not _NAME.fullmatch(value):
        return 'is no host name; write one like "photos.home.arpa"'
    elif name in ("tls_cert", "tls_key") and value and not os.path.isabs(os.path.expanduser(value)):
        return "has to be a whole path"
    return None


def clash(places: Sequence[Place], hostnames: Sequence[str], port: int, cert: str, key: str, behind_proxy: bool) -> str | None:
    """Why settings that are right by themselves cannot be together, as a sentence that begins with the name of one."""
    ports = [port, *(place.port for place in places)]
    taken = next((one for one in ports if one and ports.count(one) > 1), None)
    if taken:
        return f"web.listen: port {taken} is taken already; the page stays on 127.0.0.1:{port} as well. Choose another."
    if bool(cert) != bool(key):
        return "web.tls_cert and web.tls_key go together: name the files of both, or of neither for a certificate made here."
    if behind_proxy and not hostnames:
        return "web.behind_proxy needs web.hostnames: the name by which browsers call the proxy."
    if behind_proxy and cert:
        return "web.behind_proxy says that the proxy holds the certificate: take web.tls_cert and web.tls_key out."
    return None
