"""The demo library: what it promises about itself, and that no two builds differ."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

import imagehash
import pillow_heif
import pytest
from PIL import Image, ImageFilter, ImageOps, ImageStat

from precious_daemon.demo import __main__ as demo
from precious_daemon.demo.__main__ import Truth
from precious_daemon.errors import RootError

COUNT = 60
PICTURES = (".jpg", ".jpeg", ".png", ".heic")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "library"
    demo.build(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def truth(library: Path) -> list[Truth]:
    return demo.read_truth(demo.truth_file(library))


@pytest.fixture(scope="module")
def pictures(library: Path, truth: list[Truth]) -> dict[str, Image.Image]:
    pillow_heif.register_heif_opener()
    found = {}
    for t in truth:
        with Image.open(library / t.path) as image:
            found[t.path] = ImageOps.exif_transpose(image.convert("RGB"))
    return found


def test_the_truth_names_every_picture_and_nothing_else(library: Path, truth: list[Truth]) -> None:
    files = {path.relative_to(library).as_posix() for path in library.rglob("*") if path.suffix.lower() in PICTURES}
    assert {t.path for t in truth} == files
    assert len(truth) == COUNT


def test_a_small_library_already_holds_every_kind(truth: list[Truth]) -> None:
    kinds = Counter(t.kind for t in truth)
    assert set(kinds) == {"photo", "burst", "copy", "edit", "blur", "dark", "receipt", "screenshot"}
    assert {t.kind for t in truth if t.junk} == {"burst", *demo.JUNK}


def test_companions_lie_beside_their_photos(library: Path) -> None:
    companions = [path for path in library.rglob("*") if path.suffix in (".MOV", ".xmp")]
    assert companions
    for companion in companions:
        assert [path for path in companion.parent.glob(f"{companion.stem}.*") if path != companion]


def test_each_group_has_one_best_and_it_is_the_sharp_one(truth: list[Truth], pictures: dict[str, Image.Image]) -> None:
    groups = defaultdict(list)
    for t in truth:
        groups[t.group].append(t)
    for members in groups.values():
        assert sum(t.best for t in members) == 1
        if members[0].kind == "burst":
            sharpest = max(members, key=lambda t: _edges(pictures[t.path]))
            assert sharpest.best


def _edges(picture: Image.Image) -> float:
    return ImageStat.Stat(picture.convert("L").filter(ImageFilter.FIND_EDGES)).var[0]


def test_dark_ones_are_dark_and_blurred_ones_soft(truth: list[Truth], pictures: dict[str, Image.Image]) -> None:
    def measures(kind: str, measure: Callable[[Image.Image], float]) -> list[float]:
        return [measure(pictures[t.path]) for t in truth if t.kind == kind]

    assert max(measures("dark", lambda picture: ImageStat.Stat(picture.convert("L")).mean[0])) < 40
    assert median(measures("blur", _edges)) < median(measures("photo", _edges)) / 3


def test_copies_are_the_same_bytes_and_messenger_copies_are_smaller(library: Path, truth: list[Truth]) -> None:
    originals = {t.group: t for t in truth if t.kind == "photo"}
    for t in truth:
        if t.kind in ("copy", "edit"):
            original = library / originals[t.group].path
            copied = (library / t.path).read_bytes()
            assert (copied == original.read_bytes()) == (t.kind == "copy")
            assert len(copied) <= original.stat().st_size


def test_different_scenes_look_different(truth: list[Truth], pictures: dict[str, Image.Image]) -> None:
    hashes = [(t, imagehash.phash(pictures[t.path])) for t in truth]
    alike = [
        (a.path, b.path)
        for number, (a, first) in enumerate(hashes)
        for b, second in hashes[:number]
        if a.group != b.group and first - second <= 10
    ]
    assert alike == []


def test_photos_tell_when_and_with_what_they_were_taken(library: Path, truth: list[Truth]) -> None:
    for t in truth:
        if t.kind in ("photo", "burst", "blur", "dark", "receipt"):
            with Image.open(library / t.path) as image:
                exif = image.getexif()
                assert exif[0x010F] in demo.CAMERAS
                assert exif.get_ifd(0x8769)[0x9003].startswith("2024:")


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    def fingerprint(name: str, seed: int) -> dict[str, str]:
        folder = tmp_path / name / "library"
        demo.build(folder, 12, seed)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    first = fingerprint("a", 1)
    assert fingerprint("b", 1) == first
    assert fingerprint("c", 2) != first


def test_a_folder_with_something_in_it_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("precious")
    with pytest.raises(RootError, match="Nothing was changed"):
        demo.build(tmp_path, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_the_program_builds_once_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "library"
    assert demo.main([str(folder), "--count", "3"]) == 0
    assert "Made a demo library of 3 pictures" in capsys.readouterr().out
    assert demo.main([str(folder)]) == 0
    assert "is there already" in capsys.readouterr().out
    (tmp_path / "truth.csv").unlink()
    assert demo.main([str(folder)]) == RootError.exit_code
    assert "is not empty" in capsys.readouterr().err
