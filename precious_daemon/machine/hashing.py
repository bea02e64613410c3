"""The only place that computes password hashes (argon2id, RFC 9106's second choice: 64 MiB, 3 passes).

Run as `python -m precious_daemon.machine.hashing` for one password and ended: the memory that makes guessing dear is not the
service's. It reads {"password": ..., "hash": ...} from its input. Where hash is null it answers {"hash": ...}, and else
{"right": ..., "hash": ...}: a new hash where the old one's parameters are weaker than today's, else null. No password fits an
empty hash.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import Any

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError

NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$cHJlY2lvdXMtZGFlbW9uIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""Stands for the empty hash: to refuse an unknown name takes as long as to refuse a wrong password."""


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    hasher = PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)
    password = unicodedata.normalize("NFC", asked["password"]).encode("utf-8", "surrogatepass")  # keyboards differ in accents
    if asked["hash"] is None:
        return {"hash": hasher.hash(password)}
    try:
        hasher.verify(asked["hash"] or NOBODYS, password)
    except (VerificationError, InvalidHashError):
        return {"right": False, "hash": None}
    return {"right": True, "hash": hasher.hash(password) if hasher.check_needs_rehash(asked["hash"]) else None}


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
