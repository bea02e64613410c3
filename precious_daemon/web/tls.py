"""TLS for the page: the owner's certificate or one made here, its fingerprint, and the change to a renewed one."""

from __future__ import annotations

import binascii
import hashlib
import json
import logging
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from precious_daemon.config import Places, WebSettings
from precious_daemon.errors import ConfigError

if TYPE_CHECKING:
    from ssl import SSLContext

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tls:
    """What a socket needs to speak TLS."""

    context: SSLContext
    cert: Path
    key: Path
    own: bool  # the owner's certificate, which browsers may know
    until: float  # when it ends

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.cert)

    def take_over(self) -> None:
        """Show new connections the certificate that is in the files now; the old one where they do not fit."""
        try:
            until = _certificate(self.cert, self.key, ())
            _load(self.context, self.cert, self.key)
            self.until = until
        except ConfigError as exc:
            log.error("the certificate stays as it was: %s", exc)


def open_tls(places: Places, web: WebSettings) -> Tls:
    """The certificate of the settings, or the one made here. Raises ConfigError with what is wrong and what to do."""
    import ssl  # imported here: it takes 7 MB, and only a page that is served to the network needs it

    own = bool(web.tls_cert)
    cert, key = (Path(web.tls_cert).expanduser(), Path(web.tls_key).expanduser()) if own else files(places)
    told = _certificate(cert, key, () if own else names(web))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, cert, key)
    return Tls(context, cert, key, own, told)


def files(places: Places) -> tuple[Path, Path]:
    """(certificate, key) of the one that is made here."""
    return places.tls / "cert.pem", places.tls / "key.pem"


def fingerprint(cert: Path) -> str:
    """SHA-256 of a certificate, as browsers show it: AB:CD:..."""
    body = cert.read_text("ascii").partition("-----BEGIN CERTIFICATE-----")[2].partition("-----END")[0]
    return hashlib.sha256(binascii.a2b_base64(body)).digest().hex(":").upper()


def names(web: WebSettings) -> tuple[str, ...]:
    """What the certificate speaks for: host names, and the addresses that are named in the settings."""
    hosts = [place.host for place in web.places if not place.path and not place.everywhere]
    return (*(name.partition(":")[0] for name in hostnames(web)), *hosts, "localhost")


def hostnames(web: WebSettings) -> tuple[str, ...]:
    """By which browsers may call this machine."""
    if web.hostnames:
        return web.hostnames
    name = socket.gethostname().lower()
    return (name, f"{name}.local") if "." not in name else (name,)


def _load(context: SSLContext, cert: Path, key: Path) -> None:
    import ssl

    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as exc:
        why = "do not belong together" if exc.reason == "KEY_VALUES_MISMATCH" else f"cannot be used ({exc.reason or exc})"
        raise ConfigError(f"The certificate {cert} and the key {key} {why}. Mend web.tls_cert and web.tls_key.") from exc
    except OSError as exc:
        raise ConfigError(f"{cert} or {key} cannot be read: {exc.strerror}. Mend web.tls_cert and web.tls_key.") from exc


def _no_password() -> str:
    raise ConfigError("The key of web.tls_key asks for a password, and nobody is there to type it. Give one without.")


def _certificate(cert: Path, key: Path, names: tuple[str, ...]) -> float:
    """When it ends. It is looked at, and made, in a child: what does so is large."""
    command = [sys.executable, "-m", "precious_daemon.machine.certificate", str(cert), str(key), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise ConfigError(f"The certificate {cert} cannot be had: {why}. Mend web.tls_cert, or empty it for one made here.")
    told = json.loads(done.stdout)
    if told["made"]:
        log.warning("a new certificate was made for %s", ", ".join(names))
    return float(told["until"])
