"""Energy is read from the processor's meters, or not spoken of."""

from __future__ import annotations

from pathlib import Path

from precious_daemon.learn.energy import Meter
from precious_daemon.learn.limits import Deadline, cost


def zone(folder: Path, name: str, called: str, microjoules: int) -> Path:
    made = folder / name
    made.mkdir(exist_ok=True)
    (made / "name").write_text(f"{called}\n")
    (made / "energy_uj").write_text(f"{microjoules}\n")
    (made / "max_energy_range_uj").write_text("1000000000\n")
    return made


def test_processors_and_memory_are_added_up_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    zones = [("intel-rapl:0", "package-0"), ("intel-rapl:1", "package-1"), ("intel-rapl:0:1", "dram")]
    others = [("intel-rapl:0:0", "core"), ("intel-rapl:2", "psys"), ("intel-rapl-mmio:0", "package-0")]
    for name, called in (*zones, *others):
        zone(tmp_path, name, called, 5_000_000)
    meter = Meter(tmp_path)
    for name, called in (*zones, *others):
        zone(tmp_path, name, called, 7_000_000)
    assert meter.joules() == 6
    assert meter.joules() == 6


def test_a_meter_that_starts_anew_loses_nothing(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 999_000_000)
    meter = Meter(tmp_path)
    zone(tmp_path, "intel-rapl:0", "package-0", 2_000_000)
    assert meter.joules() == 3


def test_without_a_meter_that_may_be_read_nothing_is_said(tmp_path: Path) -> None:
    assert Meter(tmp_path / "none").joules() is None
    (zone(tmp_path, "intel-rapl:0", "package-0", 1) / "energy_uj").unlink()
    meter = Meter(tmp_path)
    assert meter.joules() is None
    assert cost(Deadline(None, 0), meter).keys() == {"seconds", "processor_seconds", "peak_rss_mb"}
