"""Sidecars: what other programs say is read, what we say is read by them, and nothing of theirs is ever lost."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import PluginPhoto
from precious_daemon.pictures.ingest import read_photo
from precious_daemon.plugins import packet, xmp
from precious_daemon.plugins.packet import NotXmp, Packet
from precious_daemon.plugins.trial import context, output, photo, suggestion
from precious_daemon.pure import faces
from tests.pictures import save

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
FOREIGN = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<!-- written by hand --><x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF {RDF}>
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:mine="http://example.org/mine/" mine:odd='a "quoted" > thing'
   xmp:CreateDate="2024-05-05T12:00:00">
   <dc:subject><rdf:Bag><rdf:li>Birthday</rdf:li><rdf:li>Favourite</rdf:li></rdf:Bag></dc:subject>
   <mine:tree rdf:parseType="Resource"><mine:leaf>1</mine:leaf></mine:tree>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>   """.encode()
OURS = {"Suggested": "night", "Reasons": 'blurred & <dark>; "it\'s"', "Keep": "0.031"}
SHARED = {(packet.XMP, "Rating"): "-1", (packet.XMP, "Label"): "Red"}


def exiftool(file: Path, *arguments: str) -> dict[str, Any]:
    command = ["exiftool", "-j", "-G1", "-struct", *arguments, str(file)]
    (found,) = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return dict(found)


def exiv2(file: Path) -> dict[str, str]:
    printed = subprocess.run(["exiv2", "-PXkt", str(file)], check=True, capture_output=True).stdout.decode()
    return {line.split(None, 1)[0]: line.split(None, 1)[1].strip() for line in printed.splitlines() if len(line.split()) > 1}


# --- packets -----------------------------------------------------------------------------------------------------------


def test_a_packet_is_read() -> None:
    found = packet.read(FOREIGN)
    assert found.text(packet.XMP, "CreateDate") == "2024-05-05T12:00:00"
    assert found.properties[packet.DC, "subject"] == ["Birthday", "Favourite"]
    assert found.text("http://example.org/mine/", "odd") == 'a "quoted" > thing'


FACES = (
    "{AppliedToDimensions={W=96,H=72,Unit=pixel},RegionList=["
    "{Area={X=.5,Y=.5,W=.1,H=.1,Unit=normalized},Name=Ánna Müller,Type=Face},"
    "{Area={X=.2,Y=.2,W=.1,H=.1,Unit=normalized},Name=Rex,Type=Pet},"
    "{Area={X=.3,Y=.3,W=.1,H=.1,Unit=normalized},Name=middle,Type=Focus}]}"
)


@pytest.mark.parametrize("name", ["IMG_1.jpg", "IMG_1.jpg.xmp"])
@pytest.mark.parametrize("compact", ["-api=Compact=Shorthand", "-api=Compact=NoPadding"], ids=["attributes", "elements"])
def test_faces_that_exiftool_wrote_are_read(tmp_path: Path, name: str, compact: str) -> None:
    save(tmp_path / "IMG_1.jpg", 1, (96, 72))
    file = tmp_path / name
    told = ["-charset", "utf8", compact, f"-XMP-mwg-rs:RegionInfo={FACES}", "-XMP-iptcExt:PersonInImage=Ben", str(file)]
    subprocess.run(["exiftool", "-q", *told], check=True)
    if name.endswith("jpg"):
        assert set(read_photo(str(file), 10).people) == {"Ben", "Rex", "Ánna Müller"}, "and known since it was read"
    mine = photo("IMG_1.jpg", root=tmp_path, folder="", companions=("IMG_1.jpg.xmp",) if name.endswith("xmp") else ())
    assert xmp.people(mine, True, context(tmp_path / "own", xmp)) == ["Ben", "Rex", "Ánna Müller"]
    assert bool(xmp.people(mine, False, context(tmp_path / "own", xmp))) is name.endswith("xmp"), "opened only where it matters"
    assert xmp.people(mine, True, context(tmp_path / "own", xmp, people=False)) == ()


@given(st.binary(max_size=200))
def test_people_of_anything_are_names_or_no_xmp(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert all(isinstance(name, str) and name for name in faces.people(data))


def test_what_we_add_can_be_taken_out_to_the_last_byte() -> None:
    with_ours = packet.write(FOREIGN, OURS, SHARED)
    assert with_ours.startswith(FOREIGN[: FOREIGN.index(b"</rdf:RDF>")])
    found = packet.read(with_ours)
    assert {name: found.text(packet.OURS, name) for name in OURS} == OURS
    assert (found.number(packet.XMP, "Rating"), found.text(packet.XMP, "Label")) == (-1, "Red")
    assert packet.write(with_ours, OURS, SHARED) == with_ours
    assert packet.write(with_ours, {}, {}) == FOREIGN


TEXTS = st.text(max_size=30).filter(lambda text: all(c >= " " and not "\ud800" <= c <= "\udfff" and c < "\ufffe" for c in text))


@given(
    st.dictionaries(st.sampled_from(["Suggested", "Reasons", "Keep"]), TEXTS),
    st.integers(-1, 5),
    st.sampled_from([FOREIGN, packet.SKELETON]),
)
def test_any_text_comes_back_as_it_was_and_leaves_no_trace(ours: dict[str, str], stars: int, base: bytes) -> None:
    with_ours = packet.write(base, ours, {(packet.XMP, "Rating"): str(stars)})
    found = packet.read(with_ours)
    assert {name: found.text(packet.OURS, name) for name in ours} == ours
    assert found.number(packet.XMP, "Rating") == stars
    assert packet.write(with_ours, {}, {}) == base


@pytest.mark.parametrize("theirs", ['xmp:Rating="4"', "xmp:Rating='4'"])
def test_a_rating_that_somebody_else_gave_is_never_changed(theirs: str) -> None:
    rated = FOREIGN.replace(b"   xmp:CreateDate", f"   {theirs} xmp:CreateDate".encode())
    with_ours = packet.write(rated, OURS, SHARED)
    assert packet.read(with_ours).number(packet.XMP, "Rating") == 4
    assert packet.read(with_ours).text(packet.XMP, "Label") == "Red"
    assert packet.write(with_ours, {}, {}) == rated


@pytest.mark.parametrize(
    "hostile",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', b"<x", b"", b"\x00\x01", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
        f"<rdf:RDF {RDF}/>".encode(), "\ufeff<x/>".encode("utf-16"), b" " * (packet.LARGEST + 1),
    ],
)  # fmt: skip
def test_what_is_no_packet_is_refused(hostile: bytes) -> None:
    with pytest.raises(NotXmp):
        packet.write(hostile, OURS, SHARED)


def test_ours_is_found_after_another_program_wrote_the_file_anew(tmp_path: Path) -> None:
    """exiv2 and exiftool merge all descriptions into their own form."""
    for tool in (
        ["exiv2", "-M", "set Xmp.dc.title lang=x-default Cake"],
        ["exiftool", "-overwrite_original", "-XMP-dc:Title=Cake"],
    ):
        file = tmp_path / f"{tool[0]}.xmp"
        plain = FOREIGN.replace(b"> thing", b"thing")  # exiftool drops the rest of a tag with such a sign in it
        file.write_bytes(packet.write(plain, OURS, SHARED))
        subprocess.run([*tool, str(file)], check=True, capture_output=True)
        merged = file.read_bytes()
        assert b"Cake" in merged
        again = packet.read(packet.write(merged, {"Suggested": "later"}, {}))
        assert again.text(packet.OURS, "Suggested") == "later"
        assert again.text(packet.OURS, "Reasons") is None
        assert again.text(packet.XMP, "Rating") is None
        clean = packet.read(packet.write(merged, {}, {}))
        assert not [name for space, name in clean.properties if space == packet.OURS]
        assert clean.properties[packet.DC, "subject"] == ["Birthday", "Favourite"]
        assert clean.text(packet.XMP, "CreateDate") == "2024-05-05T12:00:00"
        assert clean.text(packet.DC, "title") == "Cake" or clean.properties[packet.DC, "title"] == ["Cake"]


# --- reading: vetoes and rules -----------------------------------------------------------------------------------------


def with_sidecar(root: Path, inside: str, name: str = "a.jpg.xmp") -> PluginPhoto:
    known = {"xmp": packet.XMP, "dc": packet.DC, "crs": packet.CAMERA_RAW, "dt": packet.DARKTABLE, "digi": packet.DIGIKAM}
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in known.items())
    (root / name).write_text(f"<rdf:RDF {RDF}><rdf:Description {spaces} {inside}</rdf:Description></rdf:RDF>")
    return photo("a.jpg", "", root=root, companions=(name,))


@pytest.mark.parametrize(
    ("inside", "why"),
    [
        ('xmp:Rating="5">', "you gave it 5 stars"),
        ("><xmp:Rating>3</xmp:Rating>", "you gave it 3 stars"),
        ('xmp:Rating="2">', None),
        ('xmp:Rating="-1">', None),
        ('xmp:Rating="many">', None),
        ('digi:PickLabel="3">', "you picked it in digiKam"),
        ('digi:PickLabel="1">', None),
        ('xmp:Label="Green">', "it has the label Green"),
        ("><dc:subject><rdf:Bag><rdf:li>FAVORITE</rdf:li></rdf:Bag></dc:subject>", "it has the keyword FAVORITE"),
        ('crs:HasSettings="True">', "you edited it"),
        ("><dt:history><rdf:Seq><rdf:li dt:num='0'/></rdf:Seq></dt:history>", "you edited it"),
        (">", None),
    ],
)
def test_what_speaks_for_a_photo(tmp_path: Path, inside: str, why: str | None) -> None:
    assert xmp.veto(with_sidecar(tmp_path, inside), context(tmp_path / "own", xmp, keep_labels=["Green"])) == why


def test_settings_say_what_counts(tmp_path: Path) -> None:
    rated = with_sidecar(tmp_path, 'xmp:Rating="2">')
    assert xmp.veto(rated, context(tmp_path / "own", xmp, keep_rating=2)) == "you gave it 2 stars"
    assert xmp.veto(with_sidecar(tmp_path, 'xmp:Rating="5">'), context(tmp_path / "own", xmp, keep_rating=0)) is None
    assert (
        xmp.rule(with_sidecar(tmp_path, 'xmp:Rating="-1">'), context(tmp_path / "own", xmp))
        == "you rejected it in another program"
    )


def test_stars_inside_of_a_jpeg_count_too(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    subprocess.run(["exiftool", "-q", "-overwrite_original", "-XMP-xmp:Rating=4", str(tmp_path / "a.jpg")], check=True)
    inside = photo("a.jpg", "", root=tmp_path)
    assert xmp.veto(inside, context(tmp_path / "own", xmp)) == "you gave it 4 stars"
    assert xmp.veto(inside, context(tmp_path / "own", xmp, embedded=False)) is None


def test_a_sidecar_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    broken = with_sidecar(tmp_path, "<<<")
    assert xmp.veto(broken, context(tmp_path / "own", xmp)) is None
    os.unlink(tmp_path / "a.jpg.xmp")
    assert xmp.veto(broken, context(tmp_path / "own", xmp)) is None


# --- writing -----------------------------------------------------------------------------------------------------------


def deliver(root: Path, run: str, *names: str, best: tuple[str, ...] = (), **settings: Any) -> None:
    given = [suggestion(name, folder="", root=root, companions=_there(root, name)) for name in names]
    top = [photo(name, "", root=root, companions=_there(root, name)) for name in best]
    xmp.deliver(run, given, top, output(root.parent / "own", xmp, write=True, **settings))


def _there(root: Path, name: str) -> tuple[str, ...]:
    return tuple(file.name for file in root.iterdir() if file.name.startswith(name.partition(".")[0]) and file.name != name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"original a")
    (tmp_path / "photos" / "b.jpg").write_bytes(b"original b")
    return tmp_path / "photos"


def test_nothing_is_written_unless_asked_for(root: Path) -> None:
    xmp.deliver("n", [suggestion("a.jpg", folder="", root=root)], [], output(root.parent / "own", xmp))
    assert sorted(os.listdir(root)) == ["a.jpg", "b.jpg"]


def test_other_programs_read_what_was_written(root: Path) -> None:
    (root / "a.xmp").write_bytes(FOREIGN)
    deliver(root, "night", "a.jpg", "b.jpg", rating=-1, label="Red")
    assert sorted(os.listdir(root)) == ["a.jpg", "a.xmp", "b.jpg", "b.jpg.xmp"]
    for name in ("a.xmp", "b.jpg.xmp"):
        found = exiftool(root / name)
        assert (found["XMP-xmp:Rating"], found["XMP-xmp:Label"]) == (-1, "Red")
        assert "Warning" not in " ".join(found)
        ours = {key.split(":")[1]: value for key, value in found.items() if "precious" in key}
        assert (ours["Suggested"], ours["Reasons"], ours["Keep"]) == ("night", "blurred", 0.03)
        theirs = exiv2(root / name)
        assert (theirs["Xmp.xmp.Rating"], theirs["Xmp.xmp.Label"]) == ("-1", "Red")
        assert theirs["Xmp.precious.Suggested"] == "night"
    assert exiftool(root / "a.xmp")["XMP-dc:Subject"] == ["Birthday", "Favourite"]
    assert (root / "a.jpg").read_bytes() == b"original a"


def test_what_is_no_longer_suggested_is_as_before(root: Path) -> None:
    (root / "a.xmp").write_bytes(FOREIGN)
    os.chmod(root / "a.xmp", 0o640)
    deliver(root, "1", "a.jpg", "b.jpg", rating=-1)
    deliver(root, "2", "b.jpg", rating=-1)
    assert (root / "a.xmp").read_bytes() == FOREIGN
    assert (root / "a.xmp").stat().st_mode & 0o777 == 0o640
    assert packet.read((root / "b.jpg.xmp").read_bytes()).text(packet.OURS, "Suggested") == "1", "nothing new to say"
    deliver(root, "3")
    assert sorted(os.listdir(root)) == ["a.jpg", "a.xmp", "b.jpg"]


def test_the_best_get_stars_where_they_have_none(root: Path) -> None:
    (root / "a.xmp").write_bytes(FOREIGN.replace(b"   xmp:CreateDate", b'   xmp:Rating="2" xmp:CreateDate'))
    deliver(root, "1", best=("a.jpg", "b.jpg"), best_rating=5)
    assert exiv2(root / "a.xmp")["Xmp.xmp.Rating"] == "2"
    assert exiv2(root / "b.jpg.xmp")["Xmp.xmp.Rating"] == "5"
    mine = photo("b.jpg", "", root=root, companions=("b.jpg.xmp",))
    assert xmp.veto(mine, context(root.parent / "own", xmp)) == "you gave it 5 stars"


def test_what_we_wrote_is_no_rejection_by_the_owner(root: Path) -> None:
    deliver(root, "1", "a.jpg", rating=-1, pick="rejected")
    mine = photo("a.jpg", "", root=root, companions=("a.jpg.xmp",))
    assert xmp.rule(mine, context(root.parent / "own", xmp)) is None
    assert exiv2(root / "a.jpg.xmp")["Xmp.digiKam.PickLabel"] == "1"
    assert exiftool(root / "a.jpg.xmp")["XMP-digiKam:PickLabel"] in (1, "Rejected")


def test_what_digikam_rejected_is_suggested(tmp_path: Path) -> None:
    rejected = with_sidecar(tmp_path, 'digi:PickLabel="1">')
    assert xmp.rule(rejected, context(tmp_path / "own", xmp)) == "you rejected it in digiKam"
    assert xmp.rule(rejected, context(tmp_path / "own", xmp, picks=False)) is None
    with pytest.raises(ConfigError, match="accepted"):
        context(tmp_path / "own", xmp, pick="accepted")


def test_a_sidecar_that_cannot_be_added_to_is_left_alone(root: Path) -> None:
    (root / "a.xmp").write_bytes(b"<broken")
    deliver(root, "1", "a.jpg", "b.jpg")
    assert (root / "a.xmp").read_bytes() == b"<broken"
    assert (root / "b.jpg.xmp").exists()


def test_what_another_program_writes_meanwhile_is_not_written_over(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a.xmp").write_bytes(FOREIGN)
    sync = os.fsync

    def meanwhile(fd: int) -> None:
        sync(fd)
        (root / "a.xmp").write_bytes(FOREIGN + b"<!-- more -->")

    monkeypatch.setattr(os, "fsync", meanwhile)
    deliver(root, "1", "a.jpg")
    assert (root / "a.xmp").read_bytes() == FOREIGN + b"<!-- more -->"
    assert sorted(os.listdir(root)) == ["a.jpg", "a.xmp", "b.jpg"]


def test_a_packet_of_nothing_is_a_packet() -> None:
    assert isinstance(packet.read(packet.SKELETON), Packet)
