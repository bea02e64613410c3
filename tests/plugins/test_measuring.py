"""Plugins measure photos in a child; rules and learners get the numbers."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from precious_daemon.config import Places, PluginSettings
from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import PluginPhoto
from precious_daemon.models import Photo
from precious_daemon.plugins import Plugins, across, rules
from precious_daemon.plugins.trial import context, photo
from precious_daemon.service import Service
from precious_daemon.suggesting import plugin_photos
from tests.plugins.conftest import Load, WritePlugin
from tests.web.library import fill

LIGHT = """
    import io
    import os

    @hookimpl
    def features(photo, picture):
        from PIL import Image
        (FOLDER / f"{os.getpid()} {photo.uid}").touch()
        with Image.open(io.BytesIO(picture)) as image:
            return {"light": image.convert("L").resize((1, 1)).getpixel((0, 0)) / 255, "side": max(image.size)}

    @hookimpl
    def rule(photo):
        return f"its light is {photo.numbers['light.light']:.1f}" if photo.numbers else None
"""


@pytest.fixture
def library(service: Service, tmp_path: Path) -> list[Photo]:
    return fill(service, tmp_path / "photos", 3)


def enable(service: Service, here: Places, *names: str, **tables: Any) -> None:
    service.settings = replace(service.settings, plugins=PluginSettings(names), plugin=tables)  # type: ignore[arg-type]
    service.plugins = Plugins.load(here, service.settings)


async def measured(service: Service) -> str:
    return await service.jobs.nightwork._measure(lambda *_: None)


def numbers(service: Service, *plugins: str) -> list[dict[str, float]]:
    return [dict(one.numbers) for part in plugin_photos.in_parts(service.store, plugins) for one in part.values()]


async def test_each_photo_is_measured_once_in_a_process_of_its_own_and_rules_see_it(
    service: Service, library: list[Photo], here: Places, write_plugin: WritePlugin, tmp_path: Path
) -> None:
    (tmp_path / "calls").mkdir()
    source = f"from pathlib import Path\nFOLDER = Path({str(tmp_path / 'calls')!r})\n"
    file = write_plugin("light", "")
    file.write_text(file.read_text() + source + "\n".join(line.removeprefix("    ") for line in LIGHT.splitlines()))
    enable(service, here, "light")
    assert await measured(service) == "plugins measured 3 of 3 photos"
    calls = {path.name for path in (tmp_path / "calls").iterdir()}
    assert {name.split()[1] for name in calls} == {one.uid for one in library}
    assert str(os.getpid()) not in {name.split()[0] for name in calls}
    assert await measured(service) == ""
    found = numbers(service, "light")
    assert [one["light.side"] for one in found] == [96.0] * 3
    assert all(0 < one["light.light"] < 1 for one in found)
    assert numbers(service) == [{}, {}, {}], "of a plugin that is off, nothing is told"
    said = service.plugins.rules(plugin_photos.in_parts(service.store, ["light"]), 0.0)
    assert all(reasons[0].startswith("its light is 0.") for reasons in said.values())
    assert len(said) == 3
    file.write_text(file.read_text() + "\n# mended\n")
    enable(service, here, "light")
    assert await measured(service) == "plugins measured 3 of 3 photos", "it is another plugin now"


async def test_plugin_that_fails_keeps_no_other_from_measuring_and_is_asked_again(
    service: Service, library: list[Photo], here: Places, write_plugin: WritePlugin
) -> None:
    write_plugin("good", "@hookimpl\ndef features(photo):\n    return {'size': photo.size}")
    write_plugin("bad", "@hookimpl\ndef features():\n    import nothing_of_this_name")
    write_plugin("deadly", "@hookimpl\ndef features(context):\n    return None if context.settings.get('mild') else exit(3)")
    enable(service, here, "good", "bad", "deadly")
    told = await measured(service)
    assert told.startswith("plugins measured 3 of 9 photos; ")
    assert "bad: ModuleNotFoundError: No module named 'nothing_of_this_name'" in told
    assert "deadly: " in told
    assert sorted(one["good.size"] for one in numbers(service, "good")) == sorted(float(one.size) for one in library)
    enable(service, here, "good", "bad", "deadly", deadly={"mild": True})
    assert (await measured(service)).startswith("plugins measured 3 of 6 photos; bad: ")


@pytest.mark.parametrize(
    "returned",
    ["{'A': 1}", "{'a b': 1}", "{'a': float('nan')}", "{'a': 1e31}", "{'a': 'x'}", "[1]", "{f'a{i}': i for i in range(65)}"],
)
def test_what_is_no_number_is_refused(write_plugin: WritePlugin, load: Load, returned: str) -> None:
    write_plugin("odd", f"@hookimpl\ndef features():\n    return {returned}")
    assert isinstance(load("odd").measure("odd", photo(), None), TypeError | ValueError)


def test_photo_crosses_to_the_child_as_it_is() -> None:
    one = photo(os.fsdecode(b"\xff.jpg"), companions=("a.xmp",), looks=frozenset({"dark", "page"}), taken_at=None)
    assert across.unpack(across.pack(one)) == one
    assert isinstance(hash(one), int)
    assert {"root", "looks", "numbers"} < set(PluginPhoto.__slots__)


def test_owner_makes_rules_of_numbers_without_writing_a_plugin(tmp_path: Path) -> None:
    mine = context(tmp_path, rules, numbers=["eyes.closed > 0.9", "face.size < 0.01"])
    rules.startup(mine)

    def why(**measured: float) -> str | None:
        return rules.rule(photo(numbers={name.replace("_", "."): value for name, value in measured.items()}), 0.0, mine)

    assert why(eyes_closed=0.95) == "eyes.closed is 0.95, more than 0.9"
    assert why(face_size=0.001) == "face.size is 0.001, less than 0.01"
    assert why(eyes_closed=0.9, face_size=0.01) is None
    assert why() is None
    with pytest.raises(ConfigError, match=r"eyes\.closed > 0\.9"):
        rules.startup(context(tmp_path, rules, numbers=["eyes are closed"]))
