"""Passwords of profiles: set, and checked slowly. Whoever fails waits longer each time, even after a restart.

A try is counted before it is checked, so that neither many at once nor a kill in between gets one for free.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import logging
import sys
from typing import Any

from precious_daemon.errors import PreciousError, SignInRefused
from precious_daemon.service import Service
from precious_daemon.store import Database, passwords, sessions, voters
from precious_daemon.suggesting import people

log = logging.getLogger(__name__)

SHORTEST, LONGEST = 10, 200  # characters
FREE = 5  # the failure after which there is a wait
LONGEST_WAIT = {"address": 3600.0, "account": 300.0}  # seconds: somebody else's tries keep the owner out only so long
FORGET = 86400.0  # seconds after which a failure is forgotten
MOST = 10_000  # rows of failures
QUEUE = 20  # tries that wait for the one that is being checked


def wait_after(count: int, longest: float) -> float:
    """Seconds to wait after so many failures: none after four, then 1, 2, 4, ..."""
    return min(2.0 ** min(count - FREE, 30), longest) if count >= FREE else 0.0


def check_new(text: str, name: str) -> None:
    """Raises PreciousError where this is no password for the profile of this name."""
    if not SHORTEST <= len(text) <= LONGEST:
        raise PreciousError(
            f"A password has {SHORTEST} to {LONGEST} characters; a few words make a good one. Nothing was changed."
        )
    if len(set(text)) < 4 or text.casefold() == name.casefold():
        raise PreciousError("That would be guessed at once. Take another password. Nothing was changed.")


async def change(service: Service, voter_id: int, text: str, keep: bytes = b"") -> None:
    """Give a profile this password; its browsers are signed out, but for the session of the hash `keep`.

    Raises PreciousError where it is too weak.
    """
    voter = await service.store.aread(voters.get, voter_id)
    check_new(text, voter.name)
    hashed: str = (await _ask({"password": text, "hash": None}))["hash"]

    def store(db: Database) -> None:
        passwords.put(db, voter_id, hashed, service.clock())
        sessions.remove_of(db, voter_id, keep)

    await service.store.awrite(store)
    log.warning("%s has a new password; other browsers were signed out", voter.name)


async def remove(service: Service, voter_id: int) -> None:
    """Raises PreciousError where the network could come in without it."""
    if voter_id == people.OWNER and (service.settings.web.network or any(one.network for one in service.served)):
        raise PreciousError(
            "The page is served to the network, and that takes a password. Empty web.listen in the settings, and start again."
        )
    await service.store.awrite(passwords.remove, voter_id)


class Door:
    """Checks one password at a time: each takes 64 MiB and a quarter of a second of a core."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._one = asyncio.Lock()
        self._waiting = 0

    async def knock(self, name: str, text: str, address: str) -> int:
        """The profile of this name and password; no name is the owner's. `address` is where the try comes from.

        Raises SignInRefused with how long to wait, or for a name and password that do not go together: it does not say which.
        """
        if self._waiting >= QUEUE:
            raise SignInRefused("Too many are signing in at once. Try again in a minute.", 60)
        self._waiting += 1
        try:
            async with self._one:
                return await self._check(name, text, address)
        finally:
            self._waiting -= 1

    async def _check(self, name: str, text: str, address: str) -> int:
        store, now = self._service.store, self._service.clock()
        voter_id, known = await store.aread(_account, name)
        account = str(voter_id) if voter_id else name.casefold()
        keys = {"account": _key("account", account), "address": _key("address", _net(address))}
        for kind, key in keys.items():
            count, last = await store.aread(passwords.failures, key)
            left = last + wait_after(count, LONGEST_WAIT[kind]) - now
            if left > 0 and last <= now:  # a clock that was set back keeps nobody out
                raise SignInRefused(f"Too many wrong passwords. Try again in {_words(left)}.", left)
        await store.awrite(passwords.add_failure, tuple(keys.values()), now, now - FORGET, MOST)
        told = await _ask({"password": text[: LONGEST + 1], "hash": known or ""})  # an unknown name takes as long
        if not (voter_id and known and told["right"]):
            log.warning("a sign-in with a wrong name or password from %s", address or "this machine")
            raise SignInRefused("That name and password do not go together.", 0)
        await store.awrite(passwords.take_back, keys["account"], keys["address"])
        if told["hash"]:
            await store.awrite(passwords.renew, voter_id, known, told["hash"])
        return voter_id


def _account(db: Database, name: str) -> tuple[int | None, str | None]:
    """(profile, hash) by name."""
    voter = voters.by_name(db, name.strip()) if name.strip() else voters.get(db, people.OWNER)
    if voter is None or voter.retired_at is not None:
        return None, None
    return voter.id, passwords.get(db, voter.id)


def _key(kind: str, what: str) -> bytes:
    """A hash, since people type passwords where their name belongs."""
    return hashlib.sha256(f"{kind} {what}".encode("utf-8", "surrogateescape")).digest()


def _net(address: str) -> str:
    """What stands for a machine: an address, or of IPv6 the network that one machine has all addresses of."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "this machine"
    if isinstance(found, ipaddress.IPv6Address) and not found.ipv4_mapped and not found.is_loopback:
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)


def _words(seconds: float) -> str:
    if seconds < 1.5:
        return "a second"
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{round(seconds)} seconds"


async def _ask(what: dict[str, Any]) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "precious_daemon.machine.hashing",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    told, _ = await process.communicate(json.dumps(what).encode())
    if process.returncode:
        raise PreciousError("The password could not be checked; the log says why. Is the package argon2-cffi installed?")
    found: dict[str, Any] = json.loads(told)
    return found
