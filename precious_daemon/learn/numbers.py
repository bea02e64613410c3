"""Tensors from a file that may come from anywhere: safetensors, which holds numbers and nothing that runs, and no other kind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from precious_daemon.learn.limits import Refused

LARGEST = 2_000_000_000  # bytes of a file that is read


@dataclass(frozen=True, slots=True)
class Stored:
    """A model's file as it was read."""

    tensors: dict[str, Tensor]
    about: dict[str, str]  # champion, run, backbone, classes


def read_safetensors(file: Path) -> Stored:
    """Numbers from a file that may come from anywhere. Raises Refused for every other kind of file, before looking further."""
    name = file.name
    try:
        if file.stat().st_size > LARGEST:
            raise Refused(f"{name} is larger than {LARGEST // 1_000_000} MB: that is no model of this program.")
        with open(file, "rb") as opened:
            start = opened.read(9)
        length = int.from_bytes(start[:8], "little")
        if len(start) < 9 or start[8:] != b"{" or length > file.stat().st_size:
            raise Refused(
                f"{name} is no safetensors file, and only such are read: other kinds (.pt, .pth, .ckpt, .pkl, .bin) can run "
                "programs when they are opened. Save its tensors with safetensors.torch.save_file, and give that file."
            )
        with safe_open(file, framework="pt") as opened:
            return Stored({key: opened.get_tensor(key) for key in opened.keys()}, dict(opened.metadata() or {}))  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError) as exc:
        raise Refused(f"{name} is a damaged safetensors file ({exc}). Copy it once more.") from exc
    except OSError as exc:
        raise Refused(f"{name} cannot be read: {exc.strerror}.") from exc
