"""One HTTP request with nothing hidden in it: no redirects, no proxies, and no password over the open network."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from precious_daemon import __version__
from precious_daemon.errors import ConfigError, PreciousError
from precious_daemon.hookspecs import Context, Later, PluginPhoto

SECONDS = 20.0  # for each step of a request
LARGEST = 64 * 1024 * 1024  # bytes of an answer


class NotSent(PreciousError):
    """The other side could not be reached, or said no."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where requests go to, with the headers that each of them has."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, value: Any = None, **headers: str) -> Any:
        """Send JSON, or nothing; the answer as JSON, or None where it has no body.

        Later where the server asks for patience, NotSent with what it said for any other answer that is not a yes.
        """
        return self.send(method, path, None if value is None else json.dumps(value).encode(), **headers)

    def send(self, method: str, path: str, body: bytes | None, **headers: str) -> Any:
        parts = checked(self.url)
        host = parts.hostname or ""
        connection = (
            http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=ssl.create_default_context())
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
        )
        target = ((parts.path.rstrip("/") + path) if path else parts.path) or "/"
        target += f"?{parts.query}" if parts.query else ""
        sent = {"User-Agent": f"precious-daemon/{__version__}", "Accept": "application/json", **self.headers}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, target, body, sent)
            response = connection.getresponse()
            text = response.read(LARGEST)
        except (OSError, http.client.HTTPException) as exc:
            raise NotSent(f"{parts.netloc} cannot be reached: {exc or type(exc).__name__}.") from exc
        finally:
            connection.close()
        if response.status in (429, 503) and (wait := response.headers.get("Retry-After", "")).isdecimal():
            raise Later(float(wait), f"{parts.netloc} asked to wait for {wait} s")
        if not 200 <= response.status < 300:
            said = text[:200].decode("utf-8", "replace").replace("\n", " ")
            raise NotSent(f"{parts.netloc} answered {method} {path or '/'} with {response.status} {response.reason}: {said}")
        if response.headers.get_content_type() != "application/json" or not text:
            return None
        try:
            return json.loads(text)
        except ValueError as exc:
            raise NotSent(f"{parts.netloc} answered {method} {path or '/'} with what is no JSON.") from exc


@contextlib.contextmanager
def recorded(context: Context, to: str, text: str, photos: Iterable[PluginPhoto] = ()) -> Iterator[None]:
    """Around a sending: the owner's log says beforehand what goes where, and afterwards if it did not arrive."""
    parts = urlsplit(to)
    if parts.hostname:  # of an address on the network no more than this: the rest of it may be a secret
        to = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    context.record("sent", to, sent=text, photos=[str(photo.path) for photo in photos])
    try:
        yield
    except Exception as exc:
        context.record("not sent", to, reason=str(exc))
        raise


def checked(url: str, *, name: str = "url") -> SplitResult:
    """The address in parts; ConfigError where it is none, or would send over the open network without encryption."""
    try:
        parts = urlsplit(url)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        port_is_right = False
    if not port_is_right or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f'{name} is "{url}", and has to be an address like https://example.org/path.')
    if parts.scheme == "http" and not is_near(parts.hostname):
        raise ConfigError(f"{name} has to begin with https://, because {parts.hostname} is not in your own network.")
    return parts


def is_near(host: str) -> bool:
    """This machine or its own network: a private address, or a name that only such a network knows."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".home", ".internal", ".home.arpa", ".localhost"))
    return address.is_private or address.is_loopback


def secret(value: str, name: str) -> str:
    """What a setting holds, or points to: `file:/path` or `env:NAME`. ConfigError where there is nothing."""
    if value.startswith("file:"):
        try:
            value = Path(value.removeprefix("file:")).expanduser().read_text("utf-8").strip()
        except OSError as exc:
            raise ConfigError(f"{name} points to a file that cannot be read: {exc}.") from exc
    elif value.startswith("env:"):
        value = os.environ.get(value.removeprefix("env:"), "")
    if not value or not value.isprintable():
        raise ConfigError(f"{name} is empty. Write it there, or where to find it: file:/path/to/it or env:NAME.")
    return value
