"""What a run cost in energy, where the processor counts it and lets it be read; elsewhere nothing is said."""

from __future__ import annotations

import threading
import time
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")  # Linux's names for the meters of Intel and AMD (RAPL)
LOOK = 30.0  # seconds between looks: a meter starts anew from zero after some minutes of hard work


class Meter:
    """Joules that the whole machine's processors and memory took since it was made, whatever else they did meanwhile."""

    def __init__(self, folder: Path = POWERCAP) -> None:
        self._last = {zone: value for zone in _zones(folder) if (value := _number(zone / "energy_uj")) is not None}
        self._sum = 0
        self._lock = threading.Lock()
        if self._last:
            threading.Thread(target=self._keep_looking, name="energy", daemon=True).start()

    def joules(self) -> float | None:
        """None where there is no meter, or only the administrator may read it."""
        self._look()
        return self._sum / 1e6 if self._last else None

    def _look(self) -> None:
        with self._lock:
            for zone, before in self._last.items():
                now = _number(zone / "energy_uj")
                if now is not None:
                    self._sum += (
                        now - before if now >= before else now - before + (_number(zone / "max_energy_range_uj") or before)
                    )
                    self._last[zone] = now

    def _keep_looking(self) -> None:
        while True:
            time.sleep(LOOK)
            self._look()


def _zones(folder: Path) -> list[Path]:
    """One for each processor, and for its memory where that is counted apart. The same meter may be there by two ways."""
    found: dict[str, Path] = {}
    for zone in sorted(folder.glob("intel-rapl:*")):
        name = _text(zone / "name") or ""
        if name.startswith("package"):
            found.setdefault(name, zone)
        elif name == "dram":
            found.setdefault(zone.name, zone)
    return list(found.values())


def _number(file: Path) -> int | None:
    text = _text(file)
    return int(text) if text and text.isdecimal() else None


def _text(file: Path) -> str | None:
    try:
        return file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
