"""The embed task past one machine: batches of pictures go to the workers of a dask scheduler, and their features come back.

What a network computes depends on the processor, on torch, and on how many threads share the work. So a worker takes as many
threads as this process would, and is used only where it computes the same features of a trial picture as this machine, to the
bit.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

import numpy as np
import torch
from PIL import Image

from precious_daemon.errors import ServiceError
from precious_daemon.folders import elsewhere
from precious_daemon.learn.backbone import Backbone, Batch, Found, look
from precious_daemon.learn.limits import Deadline

AHEAD = 2  # batches under way for each worker: one that is looked at, and one that is there already
TRIAL = 120.0  # seconds for a worker to load its network and look at the trial picture
PATIENCE, SLOWER = 10.0, 4.0  # seconds without a batch coming back, or so many times the slowest: then one is looked at here

log = logging.getLogger(__name__)


class Workers:
    """Looks at batches by the workers of a scheduler, and here at what they do not bring back."""

    def __init__(self, address: str, own: Mapping[str, str] | None, network: Backbone) -> None:
        """`own` is the network as a job names it. Raises ServiceError where no worker is of use."""
        self._network, self._own, self._threads = network, own, torch.get_num_threads()
        self._client = elsewhere.connect(address)
        try:
            addresses, self.notes = elsewhere.suited(self._client, address)
            self._used = list(self._tried(addresses))
            if not self._used:
                raise ServiceError(" ".join(self.notes))
        except ServiceError:
            self.close()
            raise
        self._tasks = self._client.get_executor(pure=False, workers=self._used, resources={elsewhere.LOOKING: 1}, retries=1)
        self._slowest = 0.0

    def close(self) -> None:
        self._client.close()

    @property
    def count(self) -> int:
        return len(self._used)

    def _tried(self, addresses: Iterable[str]) -> Iterator[str]:
        """Those that see a picture as it is seen here."""
        picture = _picture()
        asked = {
            address: self._client.submit(
                _trial, self._own, self._threads, picture, pure=False, workers=[address], resources={elsewhere.LOOKING: 1}
            )
            for address in addresses
        }
        here = _traits(), look(self._network, [picture])
        until = time.monotonic() + TRIAL
        for address, future in asked.items():
            try:
                there = future.result(max(until - time.monotonic(), 0.0))
            except Exception as exc:  # noqa: BLE001  # whatever it was, that worker is of no use
                self.notes.append(f"The worker {address} does not look at photos: {str(exc) or type(exc).__name__}.")
                continue
            if there[1] == here[1]:
                yield address
            else:
                self.notes.append(
                    f"The worker {address} does not look at photos: it sees them a little differently, with {there[0]}, "
                    f"and here it is {here[0]}."
                )

    def look(self, batches: Iterator[Batch], deadline: Deadline) -> Iterator[tuple[list[bytes], Found]]:
        """In the order in which they come back."""
        under_way: dict[Future[tuple[float, Found]], Batch] = {}
        for batch in batches:
            under_way[self._tasks.submit(_look, self._own, self._threads, batch[1])] = batch
            while len(under_way) >= AHEAD * len(self._used):
                yield from self._come_back(under_way, deadline)
        while under_way:
            yield from self._come_back(under_way, deadline)

    def _come_back(
        self, under_way: dict[Future[tuple[float, Found]], Batch], deadline: Deadline
    ) -> Iterator[tuple[list[bytes], Found]]:
        """At least one result. Where none comes for long, the oldest batch is done here: its worker hangs, or crawls."""
        patience = min(max(PATIENCE, SLOWER * self._slowest), max(deadline.left(), 0.0))
        done = wait(under_way, patience, FIRST_COMPLETED).done
        if not done:
            late, (keys, jpegs) = next(iter(under_way.items()))
            late.cancel()
            del under_way[late]
            yield keys, look(self._network, jpegs)
        for future in done:
            keys, jpegs = under_way.pop(future)
            try:
                seconds, found = future.result()
            except Exception as exc:  # noqa: BLE001  # scheduler or workers went away: what they have not done is done here
                log.warning("a batch is looked at here: %s", exc)
                seconds, found = 0.0, look(self._network, jpegs)
            self._slowest = max(self._slowest, seconds)
            yield keys, found


def _picture() -> bytes:
    """Noise, which asks everything of a network."""
    out = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (260, 260, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


def _traits() -> str:
    """What features depend on beside the network."""
    return f"torch {torch.__version__} on {torch.backends.cpu.get_cpu_capability()}"


# --- on a worker -------------------------------------------------------------------------------------------------------

_networks: dict[str, Backbone] = {}


def _trial(own: Mapping[str, str] | None, threads: int, picture: bytes) -> tuple[str, Found]:
    return _traits(), _look(own, threads, [picture])[1]


def _look(own: Mapping[str, str] | None, threads: int, jpegs: Sequence[bytes]) -> tuple[float, Found]:
    """(seconds, what was found)."""
    torch.set_num_threads(threads)
    name = own["name"] if own else ""
    if name not in _networks:
        _networks[name] = Backbone(own)
    began = time.monotonic()
    found = look(_networks[name], jpegs)
    return time.monotonic() - began, found
