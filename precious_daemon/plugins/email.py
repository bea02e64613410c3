"""Email: a digest of what could go, every so many days, through a mail server of yours.

It names the photos and their reasons, as plain text; pictures stay at home.
"""

from __future__ import annotations

import contextlib
import json
import smtplib
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, parseaddr

from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import Context, Output, SuggestedPhoto, hookimpl
from precious_daemon.machine import whole
from precious_daemon.plugins import words
from precious_daemon.plugins.options import setting
from precious_daemon.plugins.sending import NotSent, is_near, recorded, secret
from precious_daemon.words.language import _, _n, spoken, told

SECONDS = 20.0
DAY = 86400.0
SENT = "sent.json"  # the run and the time of the last digest


@dataclass(frozen=True, slots=True)
class Settings:
    server: str = setting("", "name of the mail server")
    port: int = setting(587, "587 for starttls, 465 for tls", 1, 65535)
    security: str = setting("starttls", "none only in your own network", choices=("starttls", "tls", "none"))
    user: str = setting("", "empty: no signing in")
    password: str = setting("", "file:/path and env:NAME say where it is")
    sender: str = setting("", "address that it comes from")
    to: tuple[str, ...] = setting((), "addresses that it goes to")
    days: int = setting(7, "a digest every so many days at most", 1, 365)
    most: int = setting(50, "photos that are named in it", 0, 1000)


@hookimpl
def startup(context: Context) -> None:
    _check(context.settings)


@hookimpl
def deliver(run: str, suggestions: Sequence[SuggestedPhoto], output: Output) -> None:
    _check(output.settings)
    last_run, last_at = _last(output)
    if not suggestions or run == last_run or time.time() - last_at < output.settings.days * DAY - DAY / 2:
        return
    message = _digest(run, suggestions, output.settings)
    with recorded(output, message["To"], f"{message['Subject']}\n\n{message.get_content()}"), _server(output.settings) as server:
        try:
            server.send_message(message)
        except (OSError, smtplib.SMTPException) as exc:
            raise NotSent(f"{output.settings.server} did not take the digest: {exc}") from exc
    whole.write(output.folder / SENT, json.dumps([run, time.time()]))


def _digest(run: str, suggestions: Sequence[SuggestedPhoto], chosen: Settings) -> EmailMessage:
    lines = [_("Surest first. Nothing has been moved: look at them in the page of precious-daemon."), ""]
    for photo in suggestions[: chosen.most]:
        lines.append(f"{words.shown(photo.name)} ({words.size(photo.size)})")
        lines.append("    " + words.shown(_("; ").join(map(told, photo.reasons))))
    if len(suggestions) > chosen.most:
        lines.append(_n("and {n} more photo", "and {n} more photos", len(suggestions) - chosen.most))
    message = EmailMessage()
    message["Subject"] = words.news(suggestions)
    message["From"], message["To"] = chosen.sender, ", ".join(chosen.to)
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = f"<{run}@{chosen.sender.rpartition('@')[2]}>"  # a repeated one is seen to be the same
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join(lines))
    message["Content-Language"] = spoken()  # the content has been set: that takes away what was said of another one
    return message


@contextlib.contextmanager
def _server(chosen: Settings) -> Iterator[smtplib.SMTP]:
    """Connected, encrypted and signed in."""
    context = ssl.create_default_context()
    try:
        if chosen.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(chosen.server, chosen.port, timeout=SECONDS, context=context)
        else:
            server = smtplib.SMTP(chosen.server, chosen.port, timeout=SECONDS)
    except (OSError, smtplib.SMTPException) as exc:
        raise NotSent(f"{chosen.server} cannot be reached: {exc}") from exc
    with server:
        try:
            if chosen.security == "starttls":
                server.starttls(context=context)
            if chosen.user:
                server.login(chosen.user, secret(chosen.password, "plugin.email.password"))
        except (OSError, smtplib.SMTPException) as exc:
            raise NotSent(f"{chosen.server} refused to be signed in to: {exc}") from exc
        yield server


def _check(chosen: Settings) -> None:
    if not chosen.server or not chosen.to:
        raise ConfigError("plugin.email needs a server, a sender, and at least one address in to.")
    for address in (chosen.sender, *chosen.to):
        if parseaddr(address)[1] != address or "@" not in address or not address.isprintable():
            raise ConfigError(f'plugin.email: "{address}" is no address like name@example.org.')
    if chosen.security == "none" and not is_near(chosen.server):
        raise ConfigError(f"plugin.email.security cannot be none, because {chosen.server} is not in your own network.")
    if chosen.user:
        secret(chosen.password, "plugin.email.password")


def _last(output: Output) -> tuple[str, float]:
    try:
        run, at = json.loads((output.folder / SENT).read_bytes())
        return str(run), float(at)
    except (OSError, ValueError, TypeError):
        return "", 0.0
