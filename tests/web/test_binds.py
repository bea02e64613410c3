"""The sockets that the page is served on: TLS, caps, whose programs may connect, sockets that systemd hands over."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from precious_daemon import config, web
from precious_daemon.config import Places, WebSettings
from precious_daemon.errors import ConfigError, ServiceError
from precious_daemon.jobs import open_service
from precious_daemon.machine import certificate
from precious_daemon.service import Service
from precious_daemon.store import passwords
from precious_daemon.suggesting import people
from precious_daemon.web import gate, tls
from tests.conftest import until
from tests.web.library import KEY
from tests.web.matrix import free_port

NOW = datetime.now(UTC).replace(microsecond=0)


async def served(here: Places, **settings: object) -> web.Site:
    service = open_service(here, config.parse({"web": settings}))
    service.store.write(passwords.put, people.OWNER, "known", 0.0)
    try:
        return await web.serve(service, token=KEY, everywhere=True)
    except BaseException:
        service.store.close()
        raise


async def end(site: web.Site) -> None:
    await site.close()
    site.app[web.keys.SERVICE].store.close()


@pytest.fixture
async def network(here: Places) -> AsyncIterator[web.Site]:
    site = await served(here, listen=[f"127.0.0.1:{free_port()}"])
    yield site
    await end(site)


# --- TLS ---------------------------------------------------------------------------------------------------------------


async def test_the_certificate_made_here_is_private_and_known_by_its_fingerprint(network: web.Site, here: Places) -> None:
    cert, key = tls.files(here)
    assert stat.S_IMODE(cert.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    trusts_it = ssl.create_default_context(cafile=str(cert))  # checks the name, too
    address = network.binds[1].address
    async with aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{address.port}/login"
        async with session.get(url, ssl=trusts_it) as response:
            assert response.status == 200
            assert "Strict-Transport-Security" not in response.headers
        shown = network.app[web.keys.SERVICE].served[1].fingerprint
        assert shown is not None
        async with session.get(url, ssl=aiohttp.Fingerprint(bytes.fromhex(shown.replace(":", "")))) as response:
            assert response.status == 200
    with socket.create_connection(("127.0.0.1", address.port)) as plain:
        plain.settimeout(10)
        plain.sendall(f"GET /login HTTP/1.1\r\nHost: 127.0.0.1:{address.port}\r\n\r\n".encode())
        assert b"HTTP/1.1 200" not in await asyncio.to_thread(plain.recv, 1000)


async def test_old_tls_is_refused(network: web.Site) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        await asyncio.open_connection("127.0.0.1", network.binds[1].address.port, ssl=old)


def test_a_certificate_stays_until_it_ends_or_a_name_is_missing(tmp_path: Path) -> None:
    files = tmp_path / "tls" / "cert.pem", tmp_path / "tls" / "key.pem"
    until, made = certificate.ensure(*files, ["photos.example", "192.0.2.1"], NOW)
    assert made
    assert timedelta(days=820) < until - NOW < timedelta(days=826)
    first = tls.fingerprint(files[0])
    assert certificate.ensure(*files, ["192.0.2.1"], NOW + timedelta(days=700)) == (until, False)
    assert tls.fingerprint(files[0]) == first
    for names, later in ((["192.0.2.1"], 800), (["192.0.2.1", "other.example"], 0)):
        assert certificate.ensure(*files, names, NOW + timedelta(days=later))[1]
        assert tls.fingerprint(files[0]) != first
        first = tls.fingerprint(files[0])
    files[0].write_text("damaged")
    assert certificate.ensure(*files, ["192.0.2.1"], NOW)[1]


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate that the owner brought along."""
    cert, key = tmp_path / "own.pem", tmp_path / "own.key"
    certificate.make(cert, key, ["127.0.0.1"], NOW)
    return cert, key


async def test_a_certificate_of_ones_own_is_served_and_a_renewed_one_taken_over(here: Places, own: tuple[Path, Path]) -> None:
    cert, key = own
    site = await served(here, listen=[f"127.0.0.1:{free_port()}"], tls_cert=str(cert), tls_key=str(key))
    service: Service = site.app[web.keys.SERVICE]
    assert not here.tls.exists()
    before = service.served[1].fingerprint
    assert before == tls.fingerprint(cert)
    certificate.make(cert, key, ["127.0.0.1"], NOW)
    for follower in service.followers:
        follower(service.settings)
    await asyncio.gather(*service.background)
    assert service.served[1].fingerprint == tls.fingerprint(cert) != before
    async with aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{site.binds[1].address.port}/login"
        async with session.get(url, ssl=ssl.create_default_context(cafile=str(cert))) as response:
            assert response.status == 200
    await end(site)


def test_what_is_wrong_with_a_certificate_is_said(here: Places, own: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = own
    other = tmp_path / "other.key"
    certificate.make(tmp_path / "other.pem", other, ["x.example"], NOW)
    absent = str(tmp_path / "absent.pem")
    for files, says in (
        ((str(cert), str(other)), "do not belong together"),
        ((absent, str(key)), "holds no certificate"),
        ((str(key), str(key)), "holds no certificate"),
        ((str(cert), absent), "cannot be read: No such file"),
    ):
        with pytest.raises(ConfigError, match=says):
            tls.open_tls(here, WebSettings(8765, ("0.0.0.0:8766",), (), *files))


# --- who may connect ---------------------------------------------------------------------------------------------------


def told_to_go(connection: socket.socket) -> bool:
    connection.settimeout(10)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


async def test_one_address_of_the_network_gets_so_many_connections(network: web.Site, monkeypatch: pytest.MonkeyPatch) -> None:
    where = ("127.0.0.1", network.binds[1].address.port)
    crowd = [socket.create_connection(where) for _ in range(gate.MOST_EACH)]
    with socket.create_connection(where) as one_more:
        assert await asyncio.to_thread(told_to_go, one_more)
    async with aiohttp.ClientSession() as session, session.get(network.address.local + "/login") as response:
        assert response.status == 200, "this machine's own is another matter"
    for connection in crowd:
        connection.close()

    async def room() -> bool:
        url = f"https://127.0.0.1:{where[1]}/login"
        try:
            async with aiohttp.ClientSession() as session, session.get(url, ssl=False) as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    async with asyncio.timeout(10):
        while not await room():
            await asyncio.sleep(0.05)


async def test_a_unix_socket_is_its_owners_alone(here: Places, tmp_path: Path) -> None:
    path = tmp_path / "precious.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    site = await served(here, listen=[str(path)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key, connector = {"Authorization": f"Bearer {KEY}"}, aiohttp.UnixConnector(str(path))
    async with (
        aiohttp.ClientSession(connector=connector, headers=key) as session,
        session.get("http://localhost/api/alive") as response,
    ):
        assert response.status == 200
    with pytest.raises(ServiceError, match="perhaps another precious-daemon"):
        web.binds._unix(config.parse({"web": {"listen": [str(path)]}}).web.places[0])
    await end(site)
    assert not path.exists()
    path.write_text("the owner's")
    with pytest.raises(ConfigError, match="is no socket"):
        await served(here, listen=[str(path)])
    assert path.read_text() == "the owner's"


def test_a_program_of_another_user_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says whose program is at the other end: root's and our own may come, and somebody else's may not."""
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX) as other:
        name = f"\0precious-{os.getpid()}"  # without a file, whose permissions would be in the way
        door.bind(name)
        door.listen()
        if os.geteuid() == 0:
            os.seteuid(65534)
            other.connect(name)
            os.seteuid(0)
        else:
            other.connect(name)
            monkeypatch.setattr(os, "geteuid", lambda: 65534)
        came, _ = door.accept()
        with came:
            assert not gate.same_user(came)
            monkeypatch.setattr(os, "geteuid", lambda: struct.unpack("3i", came.getsockopt(*PEER))[1])
            assert gate.same_user(came)


PEER = (socket.SOL_SOCKET, socket.SO_PEERCRED, 12)


# --- systemd -----------------------------------------------------------------------------------------------------------

ACTIVATE = shutil.which("systemd-socket-activate")


@pytest.mark.skipif(ACTIVATE is None, reason="there is no systemd here")
def test_a_socket_that_systemd_holds_is_served_from_the_first_connection_on(tmp_path: Path, here: Places) -> None:
    """The real program, started by the first byte, answers the request that started it."""
    assert ACTIVATE
    port, path = free_port(), tmp_path / "held.sock"
    command = [ACTIVATE, "-l", f"127.0.0.1:{port}", "-l", str(path), "-E", "PRECIOUS_HOME"]
    lines: list[str] = []
    process = subprocess.Popen(
        [*command, sys.executable, "-m", "precious_daemon", "run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    reader = threading.Thread(target=lines.extend, args=(process.stdout,))
    reader.start()
    try:
        until(lambda: path.exists() and not here.service_file.exists(), 30, "systemd-socket-activate does not listen")
        with socket.create_connection(("127.0.0.1", port), 60) as first:
            first.sendall(f"GET /login HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
            assert first.recv(100).startswith(b"HTTP/1.1 200")
        with socket.socket(socket.AF_UNIX) as second:
            second.settimeout(30)
            second.connect(str(path))
            second.sendall(b"GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert second.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        process.terminate()
        process.wait(30)
        reader.join()
        process.stdout.close()
    said = "".join(lines)
    assert f"http://precious.localhost:{port}/login?token=" in said, said
    assert path.exists(), "it is systemd's"


def test_a_socket_of_systemd_that_others_reach_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
import os, socket
from precious_daemon.web import binds
with socket.socket() as held:
    held.bind(("0.0.0.0", 0))
    os.dup2(held.fileno(), 3)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    binds.inherited()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "name it in web.listen" in done.stderr
