"""Finding, loading and calling plugins, however they misbehave."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from precious_daemon.config import Places
from precious_daemon.plugins import PluginInfo, Plugins
from precious_daemon.plugins.find import BUILT_IN
from tests.plugins.conftest import Load, WritePlugin, delivered, photo, suggestion

GOOD = """
    @hookimpl
    def deliver(run, suggestions, output):
        (output.folder / "run").write_text(f"{run} {len(suggestions)}")
"""


def info(plugins: Plugins, name: str) -> PluginInfo:
    return next(found for found in plugins.names() if found.name == name)


def error(plugins: Plugins, name: str) -> str:
    found = info(plugins, name).error
    assert found is not None
    return found


def test_the_built_in_plugins_are_found_and_only_the_enabled_one_has_hooks(load: Load) -> None:
    plugins = load("report")
    report, links = info(plugins, "report"), info(plugins, "links")
    assert (report.origin, report.enabled, report.error) == ("built in", True, None)
    assert report.summary.startswith("Report of the night's suggestions")
    assert report.hooks == ("deliver",)
    assert (links.enabled, links.hooks) == (False, ())


def test_a_plugin_file_that_is_not_enabled_is_listed_but_never_run(write_plugin: WritePlugin, load: Load, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    file = write_plugin("quiet", f"open({str(trace)!r}, 'w').close()\n")
    file.write_text('"""Does little.\n\nAnd says more."""\n' + file.read_text())
    assert info(load(), "quiet") == PluginInfo("quiet", str(file), False, "Does little.")
    assert not trace.exists()


def test_an_enabled_name_that_does_not_exist_is_an_error_that_names_the_nearest(load: Load) -> None:
    assert error(load("reprot"), "reprot") == "There is no plugin of this name; did you mean report?"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise RuntimeError('no library')", "RuntimeError: no library"),
        ("import there_is_no_such_module", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def deliver(:", "SyntaxError"),
        ("@hookimpl\ndef delivr(run): ...", "it implements delivr, which is no hook; did you mean deliver?"),
        ("@hookimpl\ndef deliver(run, database): ...", "database"),
        ("def deliver(run): ...", "it implements no hook: is @hookimpl missing?"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_says_why_and_silences_no_other(
    write_plugin: WritePlugin, load: Load, source: str, says: str
) -> None:
    write_plugin("bad", source)
    write_plugin("good", GOOD)
    plugins = load("bad", "good")
    assert says in error(plugins, "bad")
    assert delivered(plugins, "night", []) == {"good": None}


@pytest.mark.parametrize("failure", ["raise ValueError('the server said no')", "raise SystemExit", "1 / 0"])
def test_a_plugin_that_raises_silences_no_other_and_its_error_is_kept(
    write_plugin: WritePlugin, load: Load, here: Places, failure: str
) -> None:
    write_plugin("a_bad", f"@hookimpl\ndef deliver(run):\n    {failure}")
    write_plugin("z_good", GOOD)
    plugins = load("a_bad", "z_good", "report")
    results = delivered(plugins, "night", [suggestion()])
    assert results["a_bad"]
    assert results["z_good"] is results["report"] is None
    assert (here.reports / "z_good" / "run").read_text() == "night 1"
    assert error(plugins, "a_bad") == f"deliver: {results['a_bad']}"


def test_an_error_is_forgotten_once_the_hook_works_again(write_plugin: WritePlugin, load: Load, tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    flag.touch()
    write_plugin("moody", f"import os\n@hookimpl\ndef deliver(run):\n    assert not os.path.exists({str(flag)!r})")
    plugins = load("moody")
    assert delivered(plugins, "1", [])["moody"]
    flag.unlink()
    assert delivered(plugins, "2", []) == {"moody": None}
    assert info(plugins, "moody").error is None


def test_a_plugin_that_hangs_is_given_up_and_not_called_again_while_it_does(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin(
        "slow",
        """
        import threading
        go = threading.Event()

        @hookimpl
        def deliver(run):
            go.wait()
        """,
    )
    write_plugin("z_good", GOOD)
    plugins = load("slow", "z_good", timeout=0.1)
    assert delivered(plugins, "1", []) == {
        "slow": "TimeoutError: it took longer than 0.1 s and was given up for this run",
        "z_good": None,
    }
    assert "still busy" in str(delivered(plugins, "2", [])["slow"])
    hanging = next(thread for thread in threading.enumerate() if thread.name == "plugin-slow-deliver")
    sys.modules["precious_daemon_plugin_slow"].go.set()
    hanging.join()
    assert delivered(plugins, "3", []) == {"slow": None, "z_good": None}


def test_an_import_that_hangs_does_not_hold_up_the_others(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("stuck", "import threading\ngo = threading.Event()\ngo.wait()")
    write_plugin("z_good", GOOD)
    plugins = load("stuck", "z_good", timeout=0.2)
    sys.modules["precious_daemon_plugin_stuck"].go.set()
    assert "longer than 0.2 s" in error(plugins, "stuck")
    assert delivered(plugins, "1", []) == {"z_good": None}


def test_a_plugin_gets_its_own_folder_and_settings_and_cannot_change_the_settings(
    write_plugin: WritePlugin, load: Load, here: Places
) -> None:
    write_plugin(
        "nosy",
        """
        @hookimpl
        def startup(context):
            context.settings["nested"]["a"] = 2
            assert "other" not in context.settings
            return context.folder, dict(context.settings)
        """,
    )
    plugins = load("nosy", nosy={"nested": {"a": 1}}, other={"other": 1})
    for _ in range(2):  # what the first call did to the values is not seen by the second
        folder, settings = plugins.call("startup")["nosy"]
        assert (folder, settings) == (here.reports / "nosy", {"nested": {"a": 2}})
    assert folder.stat().st_mode & 0o777 == 0o700


def test_settings_that_are_no_table_are_an_error_of_that_plugin(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("plain", "@hookimpl\ndef startup(): ...")
    assert error(load("plain", plain=3), "plain") == "plugin.plain has to be a section of the settings, [plugin.plain]."


def test_the_first_plugin_of_a_name_wins_and_the_other_is_shown(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("report", GOOD)
    first, second = (found for found in load("report").names() if found.name == "report")
    assert (first.origin, first.error) == ("built in", None)
    assert second.origin.endswith("report.py")
    assert "comes first (built in)" in str(second.error)


def test_a_plugin_file_that_others_can_write_is_not_run(write_plugin: WritePlugin, load: Load) -> None:
    file = write_plugin("shared", GOOD)
    os.chmod(file, 0o666)
    assert f"chmod o-w {file}" in error(load("shared"), "shared")


def test_a_helper_file_with_an_underscore_is_no_plugin(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("_common", "")
    assert {found.name for found in load().names()} == set(BUILT_IN)


def test_suggestions_are_delivered_surest_first(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin(
        "lister", "@hookimpl\ndef deliver(suggestions, output):\n    output.log.info('%s', [s.name for s in suggestions])"
    )
    given = [suggestion("c", 0.4), suggestion("b", 0.1), suggestion("copy", None), suggestion("a", 0.2, certified=True)]
    plugins = load("report")
    delivered(plugins, "1", given)
    report = (plugins._places.reports / "report" / "latest.csv").read_text()
    assert [line.split(",")[2] for line in report.splitlines()[1:]] == ["a", "copy", "b", "c"]


def test_vetoes_of_several_plugins_are_joined(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("a", "@hookimpl\ndef veto(photo):\n    return 'family' if photo.folder == 'family' else None")
    write_plugin("b", "@hookimpl\ndef veto(photo):\n    return 'raw' if photo.name.endswith('.dng') else None")
    photos = {1: photo("x.jpg"), 2: photo("x.dng"), 3: photo("y.jpg", "family"), 4: photo("y.dng", "family")}
    assert load("a", "b").vetoes(photos) == {2: "raw", 3: "family", 4: "family"}


def test_photos_that_a_veto_did_not_judge_are_protected(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("albums", "@hookimpl\ndef veto(photo):\n    if photo.name == '2':\n        raise OSError('the server is down')")
    plugins = load("albums")
    unsure = "the plugin albums could not say whether this photo may go"
    assert plugins.vetoes({n: photo(str(n)) for n in (1, 2, 3)}) == {2: unsure, 3: unsure}
    assert "the server is down" in error(plugins, "albums")


def test_a_veto_that_is_no_text_is_an_error(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("odd", "@hookimpl\ndef veto(photo):\n    return True")
    plugins = load("odd")
    assert list(plugins.vetoes({1: photo()})) == [1]
    assert "has to return a text or None, not True" in error(plugins, "odd")


# --- async, settings, the end ------------------------------------------------------------------------------------------


def test_an_implementation_may_be_async(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin(
        "server",
        """
        import asyncio

        @hookimpl
        async def veto(photo, context):
            seen = context.memo.setdefault("seen", [])
            await asyncio.sleep(0)
            seen.append(photo.name)
            return "the second" if len(seen) == 2 else None

        @hookimpl
        async def deliver(run):
            raise OSError("no network")
        """,
    )
    plugins = load("server")
    assert plugins.vetoes({n: photo(str(n)) for n in (1, 2, 3)}) == {2: "the second"}
    assert delivered(plugins, "n", []) == {"server": "OSError: no network"}


def test_an_async_implementation_that_takes_too_long_is_cancelled(write_plugin: WritePlugin, load: Load, here: Places) -> None:
    write_plugin(
        "slow",
        """
        import asyncio

        @hookimpl
        async def deliver(output):
            try:
                await asyncio.sleep(60)
            finally:
                (output.folder / "cleaned up").touch()
        """,
    )
    plugins = load("slow", timeout=0.1)
    for _ in range(2):  # it is not busy afterwards
        assert "longer than 0.1 s" in str(delivered(plugins, "n", [])["slow"])
    assert (here.reports / "slow" / "cleaned up").exists()


def test_one_that_reads_much_may_say_that_it_takes_longer(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("patient", "import threading\nPATIENCE = 60\n@hookimpl\ndef deliver():\n    threading.Event().wait(0.3)")
    assert delivered(load("patient", timeout=0.1), "n", []) == {"patient": None}


def test_nobody_waits_for_a_plugin_once_the_service_stops(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("slow", "import threading\ngo = threading.Event()\n@hookimpl\ndef deliver():\n    go.wait(60)")
    plugins = load("slow", timeout=60)
    threading.Timer(0.1, plugins.stop).start()
    assert "the service stops" in str(delivered(plugins, "n", [])["slow"])
    sys.modules["precious_daemon_plugin_slow"].go.set()


def test_settings_of_a_plugin_are_an_instance_of_its_dataclass(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin(
        "typed",
        """
        from dataclasses import dataclass
        from precious_daemon.plugins.options import setting

        @dataclass(frozen=True)
        class Settings:
            days: int = setting(30, "older than this", low=1, high=99)
            names: tuple[str, ...] = ()

        @hookimpl
        def startup(context):
            return context.settings
        """,
    )
    found = load("typed", typed={"names": ["a"]}).call("startup")["typed"]
    assert (found.days, found.names) == (30, ("a",))
    for table, says in (
        ({"dyas": 3}, "plugin.typed.dyas is not a setting; did you mean days?"),
        ({"days": 100}, "plugin.typed.days is 100, and has to be from 1 to 99."),
        ({"days": "3"}, "plugin.typed.days has to be a whole number, not '3'."),
        ({"names": "a"}, 'plugin.typed.names has to be a list of texts, like ["a", "b"].'),
    ):
        plugins = load("typed", typed=table)
        assert error(plugins, "typed") == f"settings: {says}"
        assert plugins.having("startup") == []


def test_a_rule_that_fails_is_not_asked_again_and_the_others_are(write_plugin: WritePlugin, load: Load) -> None:
    write_plugin("a_bad", "@hookimpl\ndef rule(photo):\n    assert photo.name != '2'\n    return 'bad'")
    write_plugin("z_good", "@hookimpl\ndef rule(photo):\n    return 'good'")
    plugins = load("a_bad", "z_good")
    parts = [{1: photo("1")}, {2: photo("2"), 3: photo("3")}, {4: photo("4")}]
    assert plugins.rules(parts, 0.0) == {1: ("bad", "good"), 2: ("good",), 3: ("good",), 4: ("good",)}
