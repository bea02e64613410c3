"""Which network looks at photos: the one that comes along, or a torchvision model whose weights the owner names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from precious_daemon.config import LearnSettings
from precious_daemon.errors import ChildFailed

BUILT_IN = "efficientnet-lite2-260"


@dataclass(frozen=True, slots=True)
class Network:
    """`name` tells it from every other, so that features are never mixed: it changes with the weights."""

    name: str
    model: str
    weights: str

    @property
    def job(self) -> dict[str, str]:
        """For a child."""
        return {"name": self.name, "model": self.model, "weights": self.weights}


def own(settings: LearnSettings) -> Network | None:
    """The network of the settings; None is the built-in one. Reads the whole file of its weights where that is new or changed.

    Raises ChildFailed where it is named by halves, or its file is not there.
    """
    if not settings.network and not settings.weights:
        return None
    if not settings.network or not settings.weights:
        raise ChildFailed("learn.network and learn.weights go together: name a model of torchvision and the file of its weights.")
    file = Path(settings.weights).expanduser()
    try:
        found = file.stat()
        digest = _digest(str(file), found.st_size, found.st_mtime_ns)
    except OSError as exc:
        raise ChildFailed(f"{file} cannot be read: {exc.strerror}. Mend learn.weights in the settings.") from exc
    return Network(f"{settings.network}-{digest}", settings.network, str(file))


@lru_cache(maxsize=2)
def _digest(file: str, size: int, mtime_ns: int) -> str:
    from blake3 import blake3  # here: most libraries have no network of their own

    return blake3(max_threads=1).update_mmap(file).hexdigest()[:16]
