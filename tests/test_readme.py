"""What the README shows works, and what is generated in it is up to date."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import types
from pathlib import Path

import pluggy

from precious_daemon import hookspecs
from precious_daemon.plugins.trial import output, suggestion

TOP = Path(__file__).parent.parent
README = (TOP / "README.md").read_text("utf-8")


def test_plugin_in_the_readme_works(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    plugin = types.ModuleType("today")
    exec(compile(code, "README.md", "exec"), plugin.__dict__)
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.hook.deliver(run="tonight", suggestions=[suggestion(size=3_000_000)], best=[], output=output(tmp_path))
    assert (tmp_path / "today.txt").read_text() == "tonight: 1 photos, 3 MB\n"


def test_generated_tables_are_up_to_date() -> None:
    pages = ["README.md", "docs/architecture.md"]
    subprocess.run([sys.executable, "-m", "cogapp", "--check", *pages], cwd=TOP, check=True, capture_output=True)


def test_the_picture_of_the_rooms_is_up_to_date() -> None:
    made = runpy.run_path(str(TOP / "docs" / "make_architecture.py"))
    assert made["PICTURE"].read_text("utf-8") == made["picture"](), "run `python docs/make_architecture.py`"
    said = re.findall(r"^\| \S+ \| (.*) \|$", made["table"](), re.M)
    assert all(said), "a room says what it does"
    assert len(said) > 100


def test_every_file_that_the_readme_shows_is_there() -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (TOP / path).exists(), path
