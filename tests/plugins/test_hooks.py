"""Every hook reaches a plugin with what it promises, and the documentation says so."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from precious_daemon import config, hookspecs
from precious_daemon.cli import cli
from precious_daemon.config import Places
from precious_daemon.hookspecs import Judgement, PluginPhoto, SuggestedPhoto
from precious_daemon.service import Service
from tests.plugins.conftest import JPEG, Load, WritePlugin, delivered, photo, suggestion
from tests.web.library import Browser

DOCS = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text("utf-8")
HOOKS = {name: value for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.PROJECT}_spec")}
VALUES: list[Any] = [value for value in vars(hookspecs).values() if is_dataclass(value)]
TEN_LINES = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)[0]


def section(heading: str) -> str:
    found = re.search(rf"^### {re.escape(heading)}\n(.*?)(?=^##|\Z)", DOCS, re.DOTALL | re.MULTILINE)
    assert found, f"docs/plugins.md has no section ### {heading}"
    return found[1]


# --- each hook ---------------------------------------------------------------------------------------------------------


def test_hook_startup(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("eager", "@hookimpl\ndef startup(context):\n    return context.version, context.settings['a'], context.log.name")
    assert load("eager", eager={"a": 1}).call("startup") == {"eager": ("0.1.0", 1, "precious_daemon.plugin.eager")}


def test_hook_veto(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("keeper", "@hookimpl\ndef veto(photo, context):\n    return f'{photo.name} {context.settings[\"why\"]}'")
    assert load("keeper", keeper={"why": "is mine"}).vetoes({5: photo("a.jpg")}) == {5: "a.jpg is mine"}


def test_hook_deliver(write_plugin: WritePlugin, load: Load, here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    write_plugin(
        "output",
        """
        @hookimpl
        def deliver(run, suggestions, output):
            assert isinstance(suggestions, tuple)
            (output.folder / run).write_bytes(output.thumbnail(suggestions[0].uid))
            (output.folder / "language").write_text(output.language)
        """,
    )
    assert delivered(load("output"), "night-1", [suggestion()]) == {"output": None}
    assert (here.reports / "output" / "night-1").read_bytes() == JPEG
    assert (here.reports / "output" / "language").read_text() == "zh-CN"


def test_hook_rule(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("old", "@hookimpl\ndef rule(photo, now):\n    return 'old' if now - photo.taken_at > 100 else None")
    young = photo("b.jpg", taken_at=950.0)
    assert load("old").rules([{1: photo("a.jpg", taken_at=0.0)}, {2: young}], 1000.0) == {1: ("old",)}


def test_hook_said(write_plugin: WritePlugin, load: Load) -> None:
    """What becomes of it: see tests/test_outside.py."""
    write_plugin(
        "diary",
        """
        from precious_daemon.hookspecs import Judgement

        @hookimpl
        def said(photo):
            if photo.name == "c.jpg":
                raise OSError("no diary")
            return Judgement(False, "crossed out") if photo.name == "a.jpg" else None
        """,
    )
    write_plugin("shy", "@hookimpl\ndef said(photo):\n    return True")
    parts = [{1: photo("a.jpg"), 2: photo("b.jpg")}, {3: photo("c.jpg"), 4: photo("d.jpg")}]
    diary, shy, last = load("diary", "shy").said(parts)
    assert diary == ("diary", {1: Judgement(False, "crossed out"), 2: None}, None)
    assert (shy[:2], str(shy[2])) == (("shy", {}), "said has to return a Judgement or None, not True"), "and is not asked again"
    assert (last[:2], str(last[2])) == (("diary", {}), "no diary"), "of what it did not come to, nothing is known"


def test_hook_features(write_plugin: WritePlugin, load: Load) -> None:
    """In a child of its own: see tests/plugins/test_measuring.py."""
    source = "@hookimpl\ndef features(photo, picture, context):\n    return {'bytes': len(picture), 'size': photo.size}"
    write_plugin("scale", source)
    assert load("scale").measure("scale", photo(size=7), JPEG) == {"bytes": len(JPEG), "size": 7.0}
    write_plugin("silent", "@hookimpl\ndef features():\n    return None")
    assert load("silent").measure("silent", photo(), None) == {}


def test_hook_people(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("faces", "@hookimpl\ndef people(photo, closely):\n    return ['Ann', photo.name] if closely else None")
    write_plugin("shy", "@hookimpl\ndef people(photo):\n    return 'Ben' if photo.name == 'b.jpg' else ['Ben']")
    plugins = load("faces", "shy")
    assert plugins.people([{1: photo("a.jpg")}], True) == ({1: {"Ann", "a.jpg", "Ben"}}, {})
    named, unknown = plugins.people([{2: photo("b.jpg")}, {3: photo("c.jpg")}], False)
    assert named == {2: set(), 3: set()}
    why = "the plugin shy could not say who is in it"
    assert unknown == {2: why, 3: why}, "a text is no list of names"


def _told(hook: str, write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("listener", f"@hookimpl\ndef {hook}(run, photos):\n    return run, [photo.name for photo in photos]")
    assert load("listener").call(hook, run="r", photos=(photo("a"), photo("b"))) == {"listener": ("r", ["a", "b"])}


def test_hook_trashed(write_plugin: WritePlugin, load: Load) -> None:
    _told("trashed", write_plugin, load)


def test_hook_restored(write_plugin: WritePlugin, load: Load) -> None:
    _told("restored", write_plugin, load)


def test_hook_resolved(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("listener", "@hookimpl\ndef resolved(photos, decision):\n    return decision, len(photos)")
    told = load("listener").call("resolved", run="r", photos=(photo(),), decision="dismissed")
    assert told == {"listener": ("dismissed", 1)}


def test_hook_command(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin(
        "speaker",
        """
        import click

        @hookimpl
        def command(context):
            @click.command()
            @click.argument("word")
            def say(word):
                click.echo(f"{word} from {context.folder.name}")
            return say
        """,
    )
    config.places().config_file.write_text('[plugins]\nenabled = ["speaker"]\n')
    said = CliRunner().invoke(cli, ["plugins", "run", "speaker", "hello"])
    assert (said.exit_code, said.output) == (0, "hello from speaker\n")
    assert "report is not enabled" in CliRunner().invoke(cli, ["plugins", "run", "report"]).output


async def test_hook_page(write_plugin: WritePlugin, load: Load, service: Service, browser: Browser) -> None:
    """Behind the same session and guard as every page (see also tests/web/test_guard.py)."""
    write_plugin(
        "shop",
        """
        from precious_daemon.hookspecs import Reply

        @hookimpl
        def page(request):
            if request.path == "data.json":
                return Reply('{"a": 1}', kind="application/json")
            if request.path == "fails":
                raise ValueError("it is closed")
            if request.path:
                return None
            return Reply(f"<p>{request.method} {request.query.get('q', '-')} {request.form.get('f', '-')}</p>", title="<Shop>")
        """,
    )
    service.plugins = load("shop")
    first = await browser.get("/plugin/shop/?q=1")
    assert "<p>GET 1 -</p>" in await first.text()
    assert "<h1>&lt;Shop&gt;</h1>" in await first.text()
    assert "script-src 'self'" in first.headers["Content-Security-Policy"]
    assert "<p>POST - 2</p>" in await (await browser.submit("/plugin/shop/", {"f": "2"})).text()
    assert await (await browser.get("/plugin/shop/data.json")).json() == {"a": 1}
    assert [(await browser.get(f"/plugin/{path}")).status for path in ("shop/none", "none/", "report/")] == [404, 404, 404]
    assert (await browser.get("/plugin/shop/fails")).status >= 400
    assert "it is closed" in await (await browser.get("/plugins")).text()
    assert (await browser.submit("/plugin/shop/", {"f": "2"}, Sec_Fetch_Site="cross-site")).status == 403
    browser.session.cookie_jar.clear()
    assert (await browser.get("/plugin/shop/")).status == 303


async def test_hook_status(write_plugin: WritePlugin, load: Load, service: Service, browser: Browser) -> None:
    write_plugin("mood", "@hookimpl\ndef status(context):\n    return f'fine since {context.version}'")
    service.plugins = load("mood")
    assert (await (await browser.get("/api/status")).json())["plugins"] == {"mood": "fine since 0.1.0"}
    assert "fine since 0.1.0" in await (await browser.get("/plugins")).text()


def test_every_hook_has_a_test() -> None:
    tests = {name for name in vars(sys.modules[__name__]) if name.startswith("test_hook_")}
    assert {f"test_hook_{name}" for name in HOOKS} <= tests


# --- the documentation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_under_its_signature(name: str) -> None:
    signature = f"{name}({', '.join(inspect.signature(HOOKS[name]).parameters)})"
    assert str(inspect.getdoc(HOOKS[name])) in section(signature)


def test_the_generated_parts_are_up_to_date() -> None:
    check = [sys.executable, "-m", "cogapp", "--check", "docs/plugins.md"]
    subprocess.run(check, cwd=Path(__file__).parents[2], check=True, capture_output=True)


def test_no_hook_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^### (\w+)\(", DOCS, re.MULTILINE)) == set(HOOKS)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_every_value_that_hooks_are_handed_is_documented(value: type) -> None:
    inherited = {f.name for base in value.__mro__[1:] if is_dataclass(base) for f in fields(base)}
    missing = [f.name for f in fields(value) if f.name not in inherited and f"`{f.name}`" not in section(value.__name__)]
    assert missing == []


def test_values_are_frozen() -> None:
    assert all(value.__dataclass_params__.frozen for value in VALUES)
    assert issubclass(SuggestedPhoto, PluginPhoto)


# --- the plugin of the documentation -----------------------------------------------------------------------------------


def test_the_documented_plugin_has_ten_lines() -> None:
    assert len([line for line in TEN_LINES.splitlines() if line.strip()]) == 10


def _works_as_documented(load: Load, here: Places, origin: str) -> None:
    plugins = load("report", "keepers", keepers={"folder": "Family"})
    found = next(info for info in plugins.names() if info.name == "keepers")
    assert (found.origin, found.error, found.hooks) == (origin, None, ("deliver", "veto"))
    assert plugins.vetoes({1: photo(folder="2024/Family"), 2: photo(folder="2024")}) == {1: "it is in 2024/Family"}
    hostile = "a\udcff.jpg"  # a name that is not UTF-8
    assert delivered(plugins, "n", [suggestion(hostile)]) == {"report": None, "keepers": None}
    assert (here.reports / "keepers" / "list.txt").read_bytes() == b"/photos/2024/03/a\xff.jpg\tblurred\n"


def test_the_documented_plugin_works_as_a_file(load: Load, here: Places) -> None:
    here.plugins.mkdir(parents=True)
    file = here.plugins / "keepers.py"
    file.write_text(TEN_LINES)
    _works_as_documented(load, here, str(file))


def test_the_documented_plugin_works_as_an_installed_package(
    load: Load, here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "precious_daemon_keepers.py").write_text(TEN_LINES)
    dist = tmp_path / "precious_daemon_keepers-1.0.dist-info"
    dist.mkdir()
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: precious-daemon-keepers\nVersion: 1.0\nSummary: Keeps keepers\n")
    entry = re.findall(r"\[project\.entry-points\.precious_daemon\]\n(\w+) = \"(\w+)\"", DOCS)[0]
    (dist / "entry_points.txt").write_text("[precious_daemon]\n{} = {}\n".format(*entry))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "precious_daemon_keepers", raising=False)
    assert next(info for info in load().names() if info.name == "keepers").summary == "Keeps keepers"
    _works_as_documented(load, here, "entry point")
    sys.modules.pop("precious_daemon_keepers")


async def test_a_plugin_that_is_switched_on_works_in_the_service_that_runs(
    service: Service, browser: Browser, write_plugin: WritePlugin
) -> None:
    write_plugin("mood", "@hookimpl\ndef status(context):\n    return f'in a {context.settings[\"mood\"]} mood'")
    service.places.config_file.write_text('[plugins]\nenabled = ["mood"]\n[plugin.mood]\nmood = "good"\n')
    told = await (await browser.post("/api/reload")).json()
    assert "plugins.enabled" in told["changes"][0]
    assert (await (await browser.get("/api/status")).json())["plugins"] == {"mood": "in a good mood"}
    service.places.config_file.write_text("[plugins]\nenabled = 3\n")
    refused = await (await browser.post("/api/reload")).json()
    assert "has to be a list of texts" in refused["error"]
    assert service.plugins.having("status") == ["mood"]
