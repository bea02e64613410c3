"""Plugins that send: against real servers, and nothing at all while they are off."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextvars import copy_context
from datetime import datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from precious_daemon.config import Places, Settings
from precious_daemon.errors import ConfigError, PreciousError
from precious_daemon.hookspecs import Later
from precious_daemon.plugins import Plugins, email, notify, webhook
from precious_daemon.plugins.find import BUILT_IN
from precious_daemon.plugins.sending import NotSent, checked, secret
from precious_daemon.plugins.trial import context, output, photo, suggestion
from precious_daemon.words import language
from tests.plugins.conftest import Load, delivered
from tests.plugins.servers import HttpServer, http_server

HOSTILE = "a\nBcc: x@y\udcff\u202e.jpg"


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with http_server() as running:
        yield running


# --- nothing leaves the machine by itself ------------------------------------------------------------------------------


def test_with_the_settings_as_they_come_no_plugin_opens_a_socket(
    here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    plugins = Plugins.load(here, Settings())
    assert set(plugins.call("startup").values()) <= {None}
    given = {1: photo("a.jpg", companions=("a.jpg.xmp",)), 2: photo("screenshot.png", taken_at=0.0, camera=None)}
    assert plugins.rules([given], 1e9) == {2: ("a screenshot from 32 years ago",)}
    plugins.vetoes(given)
    assert set(delivered(plugins, "night", [suggestion()]).values()) == {None}
    for hook in ("trashed", "restored"):
        assert set(plugins.call(hook, run="r", photos=tuple(given.values())).values()) <= {None}
    assert all(info.error is None for info in plugins.names())


def test_what_sends_is_off_from_the_start(here: Places) -> None:
    sending = {name for name in BUILT_IN if name in ("webhook", "notify", "email", "immich")}
    assert not sending & set(Settings().plugins.enabled)


# --- webhook -----------------------------------------------------------------------------------------------------------


def hook(tmp_path: Path, server: HttpServer, **settings: Any) -> Any:
    return output(tmp_path, webhook, **{"url": f"{server.url}/hook?a=1", "secret": "s3cret", **settings})


def test_suggestions_are_posted_and_signed(tmp_path: Path, server: HttpServer) -> None:
    before = time.time()
    webhook.deliver("night-1", [suggestion("a.jpg", keeper=Path("/photos/b.jpg"))] * 3, hook(tmp_path, server, most=2))
    (heard,) = server.heard
    assert (heard.method, heard.path, heard.headers["Precious-Event"]) == ("POST", "/hook?a=1", "suggestions")
    assert heard.headers["Precious-Delivery"] == "night-1"
    seconds, mac = (part.partition("=")[2] for part in heard.headers["Precious-Signature"].split(","))
    assert before - 1 <= int(seconds) <= time.time()
    assert mac == hmac.new(b"s3cret", seconds.encode() + b"." + heard.body, hashlib.sha256).hexdigest()
    assert (heard.value["run"], heard.value["count"], len(heard.value["suggestions"])) == ("night-1", 3, 2)
    first = heard.value["suggestions"][0]
    assert (first["name"], first["reasons"], first["keeper"]) == ("a.jpg", ["blurred"], "b.jpg")
    assert "path" not in first


def test_paths_are_sent_only_when_asked_for(tmp_path: Path, server: HttpServer) -> None:
    webhook.deliver("n", [suggestion("\udcff.jpg")], hook(tmp_path, server, paths=True))
    assert server.heard[0].value["suggestions"][0]["path"] == "/photos/2024/03/\udcff.jpg"


def test_decisions_are_posted(tmp_path: Path, server: HttpServer) -> None:
    own = context(tmp_path, webhook, url=server.url, secret="x")
    webhook.resolved("r1", [photo("a.jpg")], "dismissed", own)
    webhook.trashed("r2", [photo("b.jpg")], own)
    webhook.restored("r3", [photo("c.jpg")], own)
    told = [(h.value["event"], h.value["run"], h.value["photos"][0]["name"]) for h in server.heard]
    assert told == [("dismissed", "r1", "a.jpg"), ("trashed", "r2", "b.jpg"), ("restored", "r3", "c.jpg")]


def test_any_answer_but_a_yes_is_an_error_and_patience_is_granted(tmp_path: Path, server: HttpServer) -> None:
    server.answer = lambda heard: (500, {}, b"out of order")
    with pytest.raises(NotSent, match="answered POST / with 500 Internal Server Error: out of order"):
        webhook.deliver("n", [], hook(tmp_path, server))
    server.answer = lambda heard: (302, {"Location": "http://elsewhere.example/"}, b"")
    with pytest.raises(NotSent, match="302"):
        webhook.deliver("n", [], hook(tmp_path, server))
    server.answer = lambda heard: (429, {"Retry-After": "90"}, b"")
    with pytest.raises(Later) as later:
        webhook.deliver("n", [], hook(tmp_path, server))
    assert later.value.seconds == 90


def test_a_server_that_is_not_there_is_said_to_be(tmp_path: Path, server: HttpServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(NotSent, match=r"cannot be reached: .*refused"):
        webhook.deliver("n", [], hook(tmp_path, server, url=gone))


@pytest.mark.parametrize("url", ["", "ftp://x/", "https://", "http://example.org/", "http://8.8.8.8/", "https://x:port/", "x"])
def test_an_address_that_cannot_work_or_is_not_private_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        webhook.startup(context(tmp_path, webhook, url=url, secret="x"))


@pytest.mark.parametrize(
    "url", ["https://example.org/x", "http://localhost:1/", "http://nas.local/", "http://192.168.1.2:8/", "http://[::1]/"]
)
def test_an_address_of_the_own_network_needs_no_encryption(url: str) -> None:
    assert checked(url)


def test_a_secret_can_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("A_KEY", "from outside")
    found = [secret(value, "x") for value in ("plain", f"file:{tmp_path}/key", "env:A_KEY")]
    assert found == ["plain", "from a file", "from outside"]
    for wrong in ("", "env:NO_SUCH", "file:/no/such", "two\nlines"):
        with pytest.raises(ConfigError, match="plugin"):
            secret(wrong, "plugin.x.secret")


# --- notify ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, ...]]]:
    """A session bus with a notification server on it; what it was asked to show."""
    from jeepney import HeaderFields, MatchRule, message_bus, new_error, new_method_return
    from jeepney.io.blocking import open_dbus_connection

    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:path={tmp_path}/bus"], stdout=subprocess.PIPE
    )
    assert bus.stdout
    address = bus.stdout.readline().decode().strip()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    shown: list[tuple[Any, ...]] = []
    connection = open_dbus_connection(address)
    connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.Notifications"))
    rule = MatchRule(type="method_call")

    def serve() -> None:
        with connection.filter(rule) as calls:
            ready.set()
            while not stop.is_set():
                try:
                    call = connection.recv_until_filtered(calls, timeout=0.05)
                except TimeoutError:
                    continue
                if call.header.fields[HeaderFields.member] == "Notify":
                    shown.append(call.body)
                    connection.send(new_method_return(call, "u", (1,)))
                else:
                    connection.send(new_error(call, "org.freedesktop.DBus.Error.UnknownMethod"))

    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=serve)
    thread.start()
    ready.wait()
    yield shown
    stop.set()
    thread.join()
    connection.close()
    bus.terminate()
    bus.stdout.close()
    bus.wait()


def at(monkeypatch: pytest.MonkeyPatch, time: str) -> None:
    now = datetime.fromisoformat(f"2024-05-05T{time}:00")
    monkeypatch.setattr(notify, "_now", lambda: now)


def test_the_desktop_says_how_much_could_go(
    desktop: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, "12:00")
    notify.startup(context(tmp_path / "own", notify))
    notify.deliver([suggestion(HOSTILE)] * 3, output(tmp_path / "own", notify))
    notify.deliver([], output(tmp_path / "own", notify))
    notify.deliver([suggestion()], output(tmp_path / "own", notify, least=2))
    assert [(one[0], one[3], one[4]) for one in desktop] == [
        ("Precious", "Precious", "3 photos you might throw away, 3.7 MB. Look at them in the page.")
    ]


def test_a_desktop_without_notifications_is_an_error_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, "12:00")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    with pytest.raises(PreciousError, match="could not show a notification"):
        notify.deliver([suggestion()], output(tmp_path / "own", notify))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="install notify-send"):
        notify.startup(context(tmp_path / "own", notify))


@pytest.mark.parametrize(
    ("now", "start", "end", "hours"),
    [("23:00", "22:00", "08:00", 9), ("01:30", "22:00", "08:00", 6.5), ("08:00", "22:00", "08:00", 0),
     ("21:59", "22:00", "08:00", 0),
     ("13:00", "12:00", "14:00", 1), ("14:00", "12:00", "14:00", 0), ("12:00", "00:00", "00:00", 0)],
)  # fmt: skip
def test_quiet_hours_put_it_off(
    now: str, start: str, end: str, hours: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, now)
    own = output(tmp_path, notify, quiet_from=start, quiet_to=end)
    if hours:
        with pytest.raises(Later, match=f"quiet hours, until {end}") as later:
            notify.deliver([suggestion()], own)
        assert later.value.seconds == timedelta(hours=hours).total_seconds()
    else:
        ran: list[Any] = []
        monkeypatch.setattr(subprocess, "run", lambda *a, **k: ran.append(a))
        notify.deliver([suggestion()], own)
        assert len(ran) == 1


def test_a_time_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"plugin\.notify\.quiet_from"):
        notify.startup(context(tmp_path, notify, quiet_from="late"))


# --- email -------------------------------------------------------------------------------------------------------------


class Mailbox:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.users: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.messages.append(message_from_bytes(envelope.content))
        return "250 OK"

    def sign_in(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.users.append(data.login.decode())
        return AuthResult(success=data.password == b"right", handled=False)


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, "127.0.0.1", port, authenticator=box.sign_in, auth_require_tls=False)
    controller.start()
    yield box, port
    controller.stop()


def mail(tmp_path: Path, port: int, **settings: Any) -> Any:
    given = {"server": "127.0.0.1", "port": port, "security": "none", "sender": "me@example.org", "to": ["you@example.org"]}
    return output(tmp_path, email, **(given | settings))


def test_a_digest_names_photos_and_reasons(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    given = [suggestion(HOSTILE, reasons=("blurred", "very dark")), suggestion("b.jpg"), suggestion("c.jpg")]
    email.deliver("night-1", given, mail(tmp_path, port, most=2, to=["a@example.org", "b@example.org"]))
    (message,) = box.messages
    assert message["Subject"] == "3 photos you might throw away, 3.7 MB"
    assert (message["To"], message["Bcc"], message["Message-ID"]) == (
        "a@example.org, b@example.org",
        None,
        "<night-1@example.org>",
    )
    text = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "blurred; very dark" in text
    assert "b.jpg (1.2 MB)" in text
    assert "and 1 more photo" in text
    assert not any(line.startswith("Bcc") for line in text.splitlines())


def test_a_digest_is_in_the_language_of_its_reader(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox

    def in_chinese() -> None:
        language.speak("zh-CN")
        email.deliver("n", [suggestion(reasons=("very dark", "blurred"))] * 2, mail(tmp_path, port, most=1, to=["a@example.org"]))

    copy_context().run(in_chinese)
    (message,) = box.messages
    assert str(make_header(decode_header(message["Subject"]))) == "2 张你可能会删的照片，2.5 MB"
    assert message["Content-Language"] == "zh-CN"
    text = message.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "    很暗；模糊" in text
    assert "另有 1 张照片" in text


def test_there_is_one_digest_a_week_and_none_of_nothing(
    tmp_path: Path, mailbox: tuple[Mailbox, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    box, port = mailbox
    now = time.time()
    email.deliver("0", [], mail(tmp_path, port))
    for day in range(15):
        monkeypatch.setattr(time, "time", lambda day=day: now + day * 86400 + day % 3 * 60)
        email.deliver(f"night-{day}", [suggestion()], mail(tmp_path, port))
        email.deliver(f"night-{day}", [suggestion()], mail(tmp_path, port))
    assert [message["Message-ID"] for message in box.messages] == [f"<night-{day}@example.org>" for day in (0, 7, 14)]


def test_it_signs_in_and_says_when_it_is_refused(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    email.deliver("1", [suggestion()], mail(tmp_path, port, user="me", password="right"))
    with pytest.raises(NotSent, match="refused to be signed in to"):
        email.deliver("2", [suggestion()], mail(tmp_path / "b", port, user="me", password="wrong"))
    with pytest.raises(NotSent, match="STARTTLS"):
        email.deliver("3", [suggestion()], mail(tmp_path / "c", port, security="starttls"))
    assert (len(box.messages), set(box.users)) == (1, {"me"})


@pytest.mark.parametrize(
    "wrong",
    [{"server": ""}, {"to": []}, {"sender": "me"}, {"to": ["a@b\nBcc: c@d"]}, {"security": "some"},
     {"server": "mail.example.org", "security": "none"}, {"user": "me", "password": ""}],
)  # fmt: skip
def test_settings_that_cannot_work_are_said(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"plugin\.email"):
        email.startup(mail(tmp_path, 25, **wrong))


def test_what_fails_is_shown_to_the_owner_as_a_sentence(load: Load) -> None:
    plugins = load("webhook", webhook={"url": "http://127.0.0.1:1/", "secret": "x"})
    assert str(delivered(plugins, "n", [])["webhook"]).startswith("127.0.0.1:1 cannot be reached")
