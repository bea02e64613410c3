"""The album: links that come and go, in a folder where other things may lie."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import PluginPhoto, SuggestedPhoto
from precious_daemon.plugins import links
from tests.plugins.conftest import output, photo, suggestion


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in ("a.jpg", "b.jpg", "sub/a.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.fixture
def album(tmp_path: Path) -> Path:
    return tmp_path / "album"


def deliver(tmp_path: Path, given: list[SuggestedPhoto], best: list[PluginPhoto] | None = None, **settings: object) -> None:
    links.deliver(given, best or [], output(tmp_path / "own", links, **{"folder": str(tmp_path / "album"), **settings}))


def listing(album: Path) -> dict[str, str]:
    return {name: os.readlink(album / name) for name in sorted(os.listdir(album))}


def test_links_sort_by_sureness_and_same_names_do_not_collide(tmp_path: Path, photos: Path, album: Path) -> None:
    given = [suggestion("b.jpg", folder="", root=photos), suggestion("a.jpg", folder="sub", root=photos),
             suggestion("a.jpg", folder="", root=photos)]  # fmt: skip
    deliver(tmp_path, given)
    assert listing(album) == {
        "0001 b.jpg": f"{photos}/b.jpg",
        "0002 a.jpg": f"{photos}/sub/a.jpg",
        "0003 a.jpg": f"{photos}/a.jpg",
    }
    assert (album / "0002 a.jpg").read_text() == "sub/a.jpg"


def test_without_a_setting_the_album_is_in_the_plugins_own_folder(tmp_path: Path, photos: Path) -> None:
    links.deliver([suggestion("a.jpg", folder="", root=photos)], [], output(tmp_path / "own", links))
    assert (tmp_path / "own" / "album" / "0001 a.jpg").read_text() == "a.jpg"


def test_relative_links_survive_a_move_of_the_whole(tmp_path: Path, photos: Path, album: Path) -> None:
    deliver(tmp_path, [suggestion("a.jpg", folder="sub", root=photos)], relative=True)
    assert os.readlink(album / "0001 a.jpg") == "../photos/sub/a.jpg"
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    photos.rename(moved / "photos")
    album.rename(moved / "album")
    assert (moved / "album" / "0001 a.jpg").read_text() == "sub/a.jpg"


def test_the_next_night_replaces_our_links_and_nothing_else(tmp_path: Path, photos: Path, album: Path) -> None:
    deliver(tmp_path, [suggestion("a.jpg", folder="", root=photos), suggestion("b.jpg", folder="", root=photos)])
    (album / "mine.txt").write_text("mine")
    (album / "mine.jpg").symlink_to(photos / "a.jpg")
    (album / "0002 b.jpg").unlink()
    (album / "0002 b.jpg").write_text("put here instead of the link")
    deliver(tmp_path, [suggestion("b.jpg", folder="", root=photos)])
    assert sorted(os.listdir(album)) == ["0001 b.jpg", "0002 b.jpg", "mine.jpg", "mine.txt"]
    assert (album / "0002 b.jpg").read_text() == "put here instead of the link"
    deliver(tmp_path, [])
    assert sorted(os.listdir(album)) == ["0002 b.jpg", "mine.jpg", "mine.txt"]
    assert (photos / "a.jpg").read_text() == "a.jpg"


def test_a_name_that_is_taken_by_something_else_is_evaded(tmp_path: Path, photos: Path, album: Path) -> None:
    album.mkdir()
    (album / "0001 a.jpg").write_text("mine")
    deliver(tmp_path, [suggestion("a.jpg", folder="", root=photos)])
    assert (album / "0001 a.jpg").read_text() == "mine"
    assert os.readlink(album / "0001 a (2).jpg") == f"{photos}/a.jpg"


def test_the_links_follow_a_changed_setting(tmp_path: Path, photos: Path, album: Path) -> None:
    given = [suggestion("a.jpg", folder="", root=photos)]
    deliver(tmp_path, given)
    deliver(tmp_path, given, folder=str(tmp_path / "new"))
    assert os.listdir(album) == []
    assert os.listdir(tmp_path / "new") == ["0001 a.jpg"]


def test_links_to_trashed_photos_are_removed(tmp_path: Path, photos: Path, album: Path) -> None:
    for relative in (False, True):
        given = [suggestion("a.jpg", folder="sub", root=photos), suggestion("a.jpg", folder="", root=photos)]
        deliver(tmp_path, given, relative=relative)
        links.trashed(given[:1], output(tmp_path / "own", links))
        assert os.listdir(album) == ["0002 a.jpg"]


def test_an_album_inside_of_a_watched_folder_is_refused(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(ConfigError, match="inside the watched folder"):
        deliver(tmp_path, [suggestion("a.jpg", folder="", root=photos)], folder=str(photos / "album"))
    assert not (photos / "album").exists()


@pytest.mark.parametrize("name", ["x" * 251 + ".jpg", "ü" * 125 + ".jpeg", "\udcff\udcfe.jpg", "." + "y" * 254, "a\nb.jpg"])
def test_any_name_that_a_file_can_have_is_linked(tmp_path: Path, photos: Path, album: Path, name: str) -> None:
    (photos / name).write_text("odd")
    deliver(tmp_path, [suggestion(name, folder="", root=photos)])
    (link,) = os.listdir(album)
    assert (album / link).read_text() == "odd"
    deliver(tmp_path, [])
    assert os.listdir(album) == []


def test_a_ledger_that_names_files_elsewhere_removes_nothing(tmp_path: Path, photos: Path, album: Path) -> None:
    precious = tmp_path / "precious"
    precious.symlink_to("somewhere")
    own = output(tmp_path / "own", links, folder=str(album))
    (own.folder / "links.json").write_text(json.dumps({str(album): {"../precious": "somewhere"}}))
    links.deliver([], [], own)
    assert precious.is_symlink()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"folder": "pictures"}, "start with / or ~"),
        ({"of": "worst"}, "suggestions"),
        ({"relative": 1}, "true or false"),
        ({"foldr": "/x"}, "folder"),
    ],
)
def test_a_setting_that_cannot_work_is_said_at_the_start(tmp_path: Path, settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        links.startup(output(tmp_path, links, **settings))


def test_copies_are_whole_and_leave_when_they_are_no_longer_wanted(tmp_path: Path, photos: Path, album: Path) -> None:
    given = [suggestion("a.jpg", folder="sub", root=photos), suggestion("b.jpg", folder="", root=photos),
             suggestion("gone.jpg", folder="", root=photos)]  # fmt: skip
    deliver(tmp_path, given, copy=True)
    assert not (album / "0001 a.jpg").is_symlink()
    assert (album / "0001 a.jpg").read_text() == "sub/a.jpg"
    assert sorted(os.listdir(album)) == ["0001 a.jpg", "0002 b.jpg"]
    (album / "0002 b.jpg").write_text("edited there")
    deliver(tmp_path, given[:1])
    assert os.readlink(album / "0001 a.jpg") == f"{photos}/sub/a.jpg"
    assert (album / "0002 b.jpg").read_text() == "edited there"
    assert (photos / "b.jpg").read_text() == "b.jpg"


def test_the_best_are_an_album_of_their_own(tmp_path: Path, photos: Path, album: Path) -> None:
    best = [photo("b.jpg", "", root=photos), photo("a.jpg", "", root=photos), photo("a.jpg", "sub", root=photos)]
    deliver(tmp_path, [suggestion("a.jpg", folder="", root=photos)], best, of="best", most=2)
    assert listing(album) == {"0001 b.jpg": f"{photos}/b.jpg", "0002 a.jpg": f"{photos}/a.jpg"}
