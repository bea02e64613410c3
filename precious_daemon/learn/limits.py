"""What a run may take: time and memory, and the refusal that says so."""

from __future__ import annotations

import resource
import sys
import time

from precious_daemon.learn.energy import Meter


class Refused(Exception):
    """There can be no result; the message is a sentence for the owner."""


class Deadline:
    """The end of the time budget, on the monotonic clock. Without a budget it never comes."""

    def __init__(self, seconds: float | None, started: float) -> None:
        self._started = started
        self._end = float("inf") if seconds is None else started + seconds

    def left(self) -> float:
        """Seconds."""
        return self._end - time.monotonic()

    def passed(self) -> bool:
        return self.left() <= 0

    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def part(self, share: float) -> Deadline:
        """A deadline of its own for a share of what is left."""
        now = time.monotonic()
        return Deadline(max(self.left(), 0.0) * share, now)


def peak_megabytes() -> float:
    """The most memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 1024**2


def cost(deadline: Deadline, meter: Meter) -> dict[str, float]:
    """What this process took so far. `energy_wh` is the whole machine's, and left out where that cannot be known."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    joules = meter.joules()
    return {
        "seconds": round(deadline.spent(), 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_rss_mb": round(peak_megabytes()),
    } | ({} if joules is None else {"energy_wh": round(joules / 3600, 2)})


def check_memory(limit_megabytes: float) -> None:
    """Called between the stages of a run. Raises Refused beyond the limit."""
    if (peak := peak_megabytes()) > limit_megabytes:
        raise Refused(
            f"Learning took {peak:,.0f} MB of memory, and may take {limit_megabytes:,.0f}. "
            "Raise learn.memory_megabytes in the settings; the last model stays in use."
        )
