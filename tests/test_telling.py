"""What plugins have to hear arrives once, whatever fails meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from precious_daemon.config import Places, PluginSettings, Settings
from precious_daemon.disk import deeds
from precious_daemon.jobs import open_service
from precious_daemon.models import Photo
from precious_daemon.plugins import Plugins
from precious_daemon.service import Service
from precious_daemon.store import plugin_calls
from precious_daemon.suggesting import review, telling
from tests.web.library import choose_here, fill, suggest, taste

SPY = """
    import pathlib
    from precious_daemon.hookspecs import Later, hookimpl

    def note(context, *words):
        with open(context.folder / "heard", "a") as file:
            print(*words, file=file)
        orders = context.folder / "orders"
        if orders.exists():
            exec(orders.read_text())

    @hookimpl
    def deliver(run, suggestions, output):
        note(output, run, len(suggestions))

    @hookimpl
    def resolved(photos, decision, context):
        note(context, decision, len(photos))

    @hookimpl
    def trashed(run, photos, context):
        note(context, "trashed", photos[0].name)
"""


class Clock:
    now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def service(here: Places, clock: Clock) -> AsyncIterator[Service]:
    here.plugins.mkdir(parents=True)
    (here.plugins / "spy.py").write_text(dedent(SPY))
    opened = open_service(here, Settings(plugins=PluginSettings(("spy",))), clock)
    yield opened
    await telling.finish(opened)
    await opened.jobs.stop()
    opened.store.close()


@pytest.fixture
def library(service: Service, tmp_path: Path) -> list[Photo]:
    return fill(service, tmp_path / "photos", 2)


def heard(service: Service) -> list[str]:
    file = service.places.reports / "spy" / "heard"
    return file.read_text().splitlines() if file.exists() else []


def order(service: Service, code: str) -> None:
    (service.places.reports / "spy").mkdir(parents=True, exist_ok=True)
    (service.places.reports / "spy" / "orders").write_text(code)


async def test_a_run_is_delivered_once(service: Service) -> None:
    assert await telling.deliver(service, 1, "night") == {}
    assert await telling.deliver(service, 1, "night") == {}
    assert await telling.again(service) == []
    assert heard(service) == ["night 0"]


async def test_a_failed_delivery_is_tried_again_after_longer_and_longer_waits(service: Service, clock: Clock) -> None:
    order(service, "raise OSError('no network')")
    assert await telling.deliver(service, 1, "night") == {"spy": "OSError: no network"}
    waits = []
    for _ in range(20):
        (call,) = service.store.read(plugin_calls.newest)
        if call.next_at is None:
            break
        waits.append(call.next_at - clock.now)
        clock.now = call.next_at - 1
        assert await telling.again(service) == []
        clock.now += 1
        await telling.again(service)
    assert waits == [60, 240, 960, 3840, 15360, 21600, 21600, 21600, 21600]
    assert heard(service) == ["night 0"] * 10
    assert (call.done_at, call.error) == (None, "OSError: no network")


async def test_a_delivery_that_works_again_arrives_and_stays_so(service: Service, clock: Clock) -> None:
    order(service, "raise OSError")
    await telling.deliver(service, 1, "night")
    order(service, "")
    clock.now += 60
    assert await telling.again(service) == []
    clock.now += 86400
    await telling.again(service)
    assert heard(service) == ["night 0"] * 2
    assert service.store.read(plugin_calls.newest)[0].done_at is not None


async def test_a_newer_list_takes_the_place_of_one_that_did_not_arrive(service: Service, clock: Clock) -> None:
    order(service, "raise OSError")
    await telling.deliver(service, 1, "first")
    order(service, "")
    await telling.deliver(service, 1, "second")
    clock.now += 86400
    await telling.again(service)
    assert heard(service) == ["first 0", "second 0"]


async def test_a_plugin_is_called_again_when_it_asked_to_be(service: Service, clock: Clock) -> None:
    order(service, "raise Later(3600, 'it is night')")
    for _ in range(15):  # not an attempt: it may ask as often as it likes
        assert await telling.deliver(service, 1, "night") == {}
        (call,) = service.store.read(plugin_calls.newest)
        assert (call.error, call.next_at) == ("it is night", clock.now + 3600)
        clock.now += 3600


async def test_a_call_that_a_crash_cut_off_is_made_by_the_next_service(service: Service, clock: Clock) -> None:
    service.store.write(plugin_calls.put, "night", "deliver", ["spy"], 1, {}, clock())
    assert len(service.store.write(plugin_calls.claim, clock(), telling.LEASE)) == 1  # and the process is gone
    await telling.again(service)
    assert heard(service) == []
    service.store.write(plugin_calls.free, clock())
    await telling.again(service)
    assert heard(service) == ["night 0"]


async def test_a_plugin_that_was_disabled_meanwhile_is_given_up(service: Service, clock: Clock) -> None:
    order(service, "raise OSError")
    await telling.deliver(service, 1, "night")
    service.plugins = Plugins.load(service.places, replace(service.settings, plugins=PluginSettings(())))
    clock.now += 60
    await telling.again(service)
    assert service.store.read(plugin_calls.newest)[0].next_at is None
    assert len(heard(service)) == 1


async def test_plugins_hear_what_the_owner_decided(service: Service, library: list[Photo]) -> None:
    first, second = suggest(service, taste(library[0], 0.1), taste(library[1], 0.2))
    await review.dismiss(service, 1, [first])
    await review.approve_and_apply(service, 1, [second])
    await telling.finish(service)
    assert sorted(heard(service)) == ["approved 1", "dismissed 1", f"trashed {library[1].path}"]
    log = [entry for _, entry in deeds.page(service.places.audit_log, 10, words="handed spy").entries]
    assert sorted((entry["reason"], entry["who"], entry["count"]) for entry in log) == [
        ("resolved", "owner", 1), ("resolved", "owner", 1), ("trashed", "owner", 1),
    ]  # fmt: skip


async def test_a_whole_night_proposes_and_delivers(service: Service, library: list[Photo]) -> None:
    job: Any = await service.jobs.run("suggest")
    assert job.outcome == "done"
    assert heard(service) == [f"{heard(service)[0].split()[0]} {await choose_here(service, 1, 'again')}"]
