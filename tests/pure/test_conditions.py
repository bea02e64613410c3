"""When the night is, and what makes a moment a bad one: once a night whatever the clock does."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon.config import ScheduleSettings
from precious_daemon.running import conditions
from precious_daemon.running.conditions import Machine, is_night, last_night, next_night, on_battery, why_stop, why_wait

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC")]


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-01-10 03:00", "2026-01-10 02:30"),
        ("2026-01-10 02:30", "2026-01-10 02:30"),
        ("2026-01-10 01:00", "2026-01-09 02:30"),
        ("2026-01-01 00:00", "2025-12-31 02:30"),
    ],
)
def test_last_night_is_when_the_work_was_last_due(now: str, due: str) -> None:
    assert last_night("02:30", at(now), BERLIN) == at(due)
    assert next_night("02:30", at(now), BERLIN) - at(due) == 86400


def test_the_hour_that_is_left_out_and_the_one_that_comes_twice_hold_one_night_each() -> None:
    assert last_night("02:30", at("2026-03-29 12:00"), BERLIN) == at("2026-03-29 03:30")
    first, second = at("2026-10-25 02:40"), at("2026-10-25 02:40") + 3600  # the clock shows the same twice
    assert last_night("02:30", first, BERLIN) == last_night("02:30", second, BERLIN) == first - 600


@given(st.sampled_from(ZONES), st.integers(1_700_000_000, 1_900_000_000), st.integers(0, 23), st.integers(0, 59))
def test_nights_follow_each_other_a_day_apart(zone: ZoneInfo, now: int, hour: int, minute: int) -> None:
    night = f"{hour:02}:{minute:02}"
    last, following = last_night(night, now, zone), next_night(night, now, zone)
    assert last <= now < following
    assert abs(following - last - 86400) <= 3600
    assert last_night(night, following, zone) == following


def test_a_night_with_an_end_is_over_then_and_one_without_never() -> None:
    window = ScheduleSettings(night="23:00", night_end="06:30")
    for moment, inside in (
        ("22:59", False),
        ("23:00", True),
        ("03:00", True),
        ("06:29", True),
        ("06:30", False),
        ("12:00", False),
    ):
        assert is_night(window, at(f"2026-05-05 {moment}"), BERLIN) is inside, moment
        assert is_night(ScheduleSettings(), at(f"2026-05-05 {moment}"), BERLIN)


@pytest.mark.parametrize(
    ("settings", "machine", "begins", "goes_on"),
    [
        (ScheduleSettings(), Machine(), None, None),
        (ScheduleSettings(), Machine(on_battery=True), "on battery", "on battery"),
        (ScheduleSettings(on_battery=True), Machine(on_battery=True), None, None),
        (ScheduleSettings(), Machine(load=9.0, untouched=0.0), None, None),
        (ScheduleSettings(only_idle=True), Machine(load=9.0), "the machine is busy", None),
        (ScheduleSettings(only_idle=True), Machine(load=0.1, untouched=700.0), None, None),
        (ScheduleSettings(only_idle=True), Machine(untouched=5.0), "somebody is at the machine", "somebody is at the machine"),
    ],
)
def test_why_a_job_waits(settings: ScheduleSettings, machine: Machine, begins: str | None, goes_on: str | None) -> None:
    assert why_wait(settings, machine) == begins
    assert why_stop(settings, machine) == goes_on


def supply(folder: Path, name: str, **words: str) -> None:
    (folder / name).mkdir()
    for word, value in words.items():
        (folder / name / word).write_text(value + "\n")


def test_a_laptop_off_the_mains_is_on_battery_and_a_mouse_is_no_laptop(tmp_path: Path) -> None:
    assert on_battery(tmp_path / "none") is None
    supply(tmp_path, "mouse", type="Battery", scope="Device", status="Discharging")
    assert on_battery(tmp_path) is None
    supply(tmp_path, "BAT0", type="Battery", status="Discharging")
    supply(tmp_path, "AC", type="Mains", online="0")
    assert on_battery(tmp_path) is True
    (tmp_path / "AC" / "online").write_text("1\n")
    assert on_battery(tmp_path) is False


def test_this_machine_can_be_looked_at() -> None:
    machine = conditions.look()
    assert machine.load is None or machine.load >= 0
