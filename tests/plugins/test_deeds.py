"""What built-in plugins write beside photos or send is in the owner's log before it is done; of others, what they were handed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from precious_daemon.config import Places
from precious_daemon.disk import deeds
from precious_daemon.disk.deeds import Entry
from precious_daemon.plugins import xmp
from tests.plugins.conftest import Load, delivered, photo, suggestion
from tests.plugins.servers import http_server


def log(here: Places, plugin: str) -> list[Entry]:
    """Oldest first."""
    found = [entry for _, entry in deeds.page(here.audit_log, 100).entries if entry.get("plugin") == plugin]
    return found[::-1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(name.encode())
    return folder


def test_files_of_plugins_are_in_the_log_with_their_photos(here: Places, root: Path, tmp_path: Path, load: Load) -> None:
    tables: dict[str, Any] = {"xmp": {"write": True}, "links": {"folder": str(tmp_path / "album")}}
    plugins = load("report", "plan", "links", "xmp", **tables)
    a = suggestion("a.jpg", folder="", root=root)
    assert set(delivered(plugins, "night", [a], who="Anna").values()) == {None}
    of_a = [str(root / "a.jpg")]
    for plugin, path in (
        ("report", here.reports / "report/report-night.html"),
        ("plan", here.reports / "plan/plan-night-1.sh"),
        ("links", tmp_path / "album"),
    ):
        (entry,) = log(here, plugin)
        assert (entry["action"], entry["path"], entry["photos"]) == ("wrote", str(path), of_a)
        assert (entry["who"], entry["run"]) == ("Anna", "night")
    plugins.call_one("links", "trashed", "Anna", run="r", photos=(a,))
    assert delivered(plugins, "later", [])["xmp"] is None
    assert log(here, "links")[1] | {"at": ""} == {
        "at": "", "action": "removed", "who": "Anna", "plugin": "links", "run": "r", "path": str(tmp_path / "album"),
        "photos": [str(tmp_path / "album/0001 a.jpg")], "count": 1,
    }  # fmt: skip
    sidecar = str(root / "a.jpg.xmp")
    assert [(e["action"], e["path"], e.get("reason")) for e in log(here, "xmp")] == [
        ("wrote", sidecar, "blurred"),
        ("removed", sidecar, None),
    ]


def test_nothing_is_written_that_the_log_cannot_say(here: Places, root: Path, load: Load) -> None:
    plugins = load("xmp", xmp={"write": True})
    here.audit_log.mkdir(parents=True)
    delivered(plugins, "night", [suggestion("a.jpg", folder="", root=root)])
    assert not (root / "a.jpg.xmp").exists()
    here.audit_log.rmdir()
    delivered(plugins, "night", [suggestion("a.jpg", folder="", root=root)])
    assert (root / "a.jpg.xmp").exists(), "the next run does it"
    assert xmp.LEDGER in {file.name for file in (here.reports / "xmp").iterdir()}


def test_what_was_sent_is_in_the_log_and_whether_it_arrived(here: Places, load: Load) -> None:
    with http_server() as server:
        plugins = load("webhook", webhook={"url": f"{server.url}/secret-path?key=1", "secret": "s3cret"})
        plugins.call_one("webhook", "trashed", "Anna", run="r", photos=(photo("a.jpg"),))
        server.answer = lambda heard: (500, {}, b"")
        plugins.call_one("webhook", "restored", "Anna", run="s", photos=(photo("a.jpg"),))
    first, second, failed = log(here, "webhook")
    assert first["to"] == server.url, "the rest of an address may be a secret"
    assert json.loads(first["sent"])["photos"][0]["name"] == "a.jpg"
    assert first["bytes"] == len(first["sent"])
    assert [first["action"], second["action"], failed["action"]] == ["sent", "sent", "not sent"]
    assert "500" in failed["reason"]
    assert "s3cret" not in here.audit_log.read_text()
