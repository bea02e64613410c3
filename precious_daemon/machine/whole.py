"""Writes a small file so that either the old one or the new one is there, whatever happens."""

from __future__ import annotations

import os
from pathlib import Path


def write(file: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Put a file in its place, on the disk, in one step. After an OSError the old one is there still."""
    part = file.with_name(f".{file.name}.{os.urandom(4).hex()}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as out:
            os.fchmod(out.fileno(), mode)
            out.write(content.encode() if isinstance(content, str) else content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, file)
    except OSError:
        part.unlink(missing_ok=True)
        raise
