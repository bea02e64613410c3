"""XMP: holds back what you rated, picked, tagged or edited elsewhere; on request writes suggestions into sidecars.

Ratings, labels, digiKam's pick flags, keywords, named faces and signs of editing are read from sidecars, and from inside of
JPEGs. With `write`, each suggestion gets `precious:` fields in its sidecar, and a rating, a label and a pick flag where it has
none; they are taken out again when the photo is no longer suggested. The top of your ranking can get stars. Originals are never
written, nor anything that another program wrote.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from precious_daemon.hookspecs import Context, Output, PluginPhoto, SuggestedPhoto, hookimpl, unwritten
from precious_daemon.machine import whole
from precious_daemon.plugins import packet
from precious_daemon.plugins.options import setting
from precious_daemon.plugins.packet import NotXmp, Packet
from precious_daemon.pure import faces

LEDGER = "sidecars.json"  # the sidecars that hold something of ours
PICKS = {"rejected": 1, "pending": 2, "accepted": 3}  # digiKam's PickLabel
PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Settings:
    keep_rating: int = setting(3, "photos with so many stars are held back; 0 looks at no stars", 0, 5)
    keep_labels: tuple[str, ...] = setting((), "photos with one of these colour labels are held back")
    keep_tags: tuple[str, ...] = setting(("favourite", "favorite"), "photos with one of these keywords are held back")
    edits: bool = setting(True, "photos that were edited are held back")
    people: bool = setting(
        True, "faces named in sidecars count for suggest.protect_people and suggest.leave_of_person; those in photos do anyway"
    )
    rejected: bool = setting(True, "photos rejected elsewhere (rating -1) are suggested")
    picks: bool = setting(True, "digiKam's pick flags: accepted photos are held back, rejected ones suggested")
    embedded: bool = setting(True, "look inside of JPEGs too, not only at sidecars")
    write: bool = setting(False, "write into sidecars")
    rating: int = setting(0, "rating written to suggestions without one: -1 is rejected, 0 writes none", -1, 5)
    label: str = setting("", 'label written to suggestions without one, like "Red"; empty writes none')
    pick: str = setting("", "digiKam's pick flag written to suggestions without one", choices=("", "rejected", "pending"))
    best_rating: int = setting(0, "rating written to the top of your ranking where it has none; 0 writes none", 0, 5)


# --- reading -----------------------------------------------------------------------------------------------------------


@hookimpl
def veto(photo: PluginPhoto, context: Context) -> str | None:
    chosen: Settings = context.settings
    if chosen.edits and any(name.lower().endswith(".aae") for name in photo.companions):
        return "you edited it (it has an AAE file)"
    for found in packets(photo, chosen.embedded):
        stars = found.number(packet.XMP, "Rating")
        if stars is not None and 0 < chosen.keep_rating <= stars:
            return f"you gave it {stars} star{'' if stars == 1 else 's'}"
        if chosen.picks and found.number(packet.DIGIKAM, "PickLabel") == PICKS["accepted"]:
            return "you picked it in digiKam"
        label = found.text(packet.XMP, "Label")
        if label and label in chosen.keep_labels and label != found.text(packet.OURS, "Label"):
            return f"it has the label {label}"
        tags = {tag.casefold(): tag for tag in found.properties.get((packet.DC, "subject"), ())}
        for wanted in chosen.keep_tags:
            if wanted.casefold() in tags:
                return f"it has the keyword {tags[wanted.casefold()]}"
        if chosen.edits and _edited(found):
            return "you edited it"
    return None


@hookimpl
def rule(photo: PluginPhoto, context: Context) -> str | None:
    for found in packets(photo, inside=False):  # of a million originals, none is opened for this
        if context.settings.rejected and _theirs(found, packet.XMP, "Rating") == -1:
            return "you rejected it in another program"
        if context.settings.picks and _theirs(found, packet.DIGIKAM, "PickLabel") == PICKS["rejected"]:
            return "you rejected it in digiKam"
    return None


def _theirs(found: Packet, space: str, name: str) -> int | None:
    """A number that somebody else wrote, not we."""
    value = found.number(space, name)
    return None if value == found.number(packet.OURS, name) else value


@hookimpl
def people(photo: PluginPhoto, closely: bool, context: Context) -> Sequence[str]:
    if not context.settings.people:
        return ()
    return sorted({name for data in _data(photo, closely and context.settings.embedded) for name in faces.named(data)})


def ours(photo: PluginPhoto, name: str) -> int | None:
    """A number that we wrote into the sidecar of a photo: other programs read it there, and it is not the owner's word."""
    return next((value for found in packets(photo, inside=False) if (value := found.number(packet.OURS, name)) is not None), None)


def packets(photo: PluginPhoto, inside: bool) -> Iterator[Packet]:
    """What sidecars say of a photo, and what it says itself. One that cannot be read says nothing."""
    for data in _data(photo, inside):
        with suppress(NotXmp):
            yield packet.read(data)


def _data(photo: PluginPhoto, inside: bool) -> Iterator[bytes]:
    for name in photo.companions:
        if name.lower().endswith(".xmp"):
            with suppress(OSError):
                yield _bytes(photo.root / photo.folder / name)
    if inside and photo.name.lower().endswith((".jpg", ".jpeg")):
        with suppress(OSError):
            if data := packet.embedded(photo.path):
                yield data


def _edited(found: Packet) -> bool:
    crop = found.text(packet.CAMERA_RAW, "HasCrop") == "True"
    settings = found.text(packet.CAMERA_RAW, "HasSettings") == "True"
    return crop or settings or bool(found.properties.get((packet.DARKTABLE, "history")))


def _bytes(file: Path) -> bytes:
    with open(file, "rb") as opened:
        return opened.read(packet.LARGEST + 1)


# --- writing -----------------------------------------------------------------------------------------------------------


@hookimpl
def deliver(run: str, suggestions: Sequence[SuggestedPhoto], best: Sequence[PluginPhoto], output: Output) -> None:
    chosen: Settings = output.settings
    wanted: dict[str, tuple[Mapping[str, str], Mapping[packet.Name, str]]] = {}
    for photo in best if chosen.write and chosen.best_rating else ():
        wanted[str(sidecar(photo))] = {}, {(packet.XMP, "Rating"): str(chosen.best_rating)}
    for suggested in suggestions if chosen.write else ():
        shared = {(packet.XMP, "Rating"): str(chosen.rating) if chosen.rating else "", (packet.XMP, "Label"): chosen.label}
        shared[packet.DIGIKAM, "PickLabel"] = str(PICKS[chosen.pick]) if chosen.pick else ""
        wanted[str(sidecar(suggested))] = _about(run, suggested), {key: value for key, value in shared.items() if value}
    bring_up_to_date(wanted, output)


def bring_up_to_date(wanted: Mapping[str, tuple[Mapping[str, str], Mapping[packet.Name, str]]], output: Output) -> None:
    """Write what is wanted into sidecars, and take what is not wanted any more out of those written before."""
    before = _ledger(output.folder)
    _keep_ledger(output.folder, before | wanted.keys())
    left = set(wanted)
    for name in sorted(before | wanted.keys()):
        ours, shared = wanted.get(name, ({}, {}))
        try:
            change(Path(name), ours, shared, output.record)
        except FileNotFoundError:
            left.discard(name)  # the folder is gone, and the photo with it
        except (NotXmp, OSError) as exc:
            output.log.warning("the sidecar %s was left as it is: %s", name, exc)
            if name in before:
                left.add(name)
    _keep_ledger(output.folder, left)


def sidecar(photo: PluginPhoto) -> Path:
    """The sidecar that a photo has, or `IMG_1.JPG.xmp`, as digiKam and darktable name theirs."""
    there = [name for name in photo.companions if name.lower().endswith(".xmp")]
    whole = [name for name in there if name.lower() == f"{photo.name}.xmp".lower()]
    return photo.root / photo.folder / (whole or there or [f"{photo.name}.xmp"])[0]


def change(
    file: Path, ours: Mapping[str, str], shared: Mapping[packet.Name, str], record: Callable[..., None] = unwritten
) -> None:
    """Bring one sidecar up to date: made where it is wanted, removed where it holds nothing but what we made."""
    reason = ours.get("Reasons", "")
    try:
        status = os.lstat(file)
    except FileNotFoundError:
        if ours or shared:
            new = packet.write(packet.SKELETON, ours, shared)
            record("wrote", file, reason=reason)
            _replace(file, new, None)
        return
    old = _bytes(file)
    if (
        ours
        and (run := packet.read(old).text(packet.OURS, "Suggested"))
        and packet.write(old, {**ours, "Suggested": run}, shared) == old
    ):
        return  # it says the same as in an earlier run: no file of the owner's is written every night
    new = packet.write(old, ours, shared)
    if new == packet.SKELETON:
        record("removed", file)
        os.unlink(file)
    elif new != old:
        record("wrote", file, reason=reason)
        _replace(file, new, status)


def _replace(file: Path, data: bytes, old: os.stat_result | None) -> None:
    """Write a file beside it, and put that in its place; another program's newer version is not overwritten."""
    part = file.with_name(f".{file.name[:200]}.{secrets.token_hex(4)}.part")
    with open(part, "xb") as opened:
        try:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
            if old is None:
                os.link(part, file)  # fails where somebody was faster
            else:
                now = os.lstat(file)
                if (now.st_ino, now.st_size, now.st_mtime_ns) != (old.st_ino, old.st_size, old.st_mtime_ns):
                    raise NotXmp("another program changed it just now")
                os.chmod(part, old.st_mode & 0o777)
                os.replace(part, file)
        finally:
            part.unlink(missing_ok=True)


def _about(run: str, photo: SuggestedPhoto) -> dict[str, str]:
    said = {"Suggested": run, "Kind": photo.kind, "Reasons": "; ".join(photo.reasons)}
    if photo.keep is not None:
        said["Keep"] = f"{photo.keep:.3f}"
    if photo.keeper is not None:
        said["Keeper"] = str(photo.keeper)
    return said


def _ledger(folder: Path) -> set[str]:
    try:
        return set(json.loads((folder / LEDGER).read_bytes()))
    except (FileNotFoundError, ValueError):
        return set()


def _keep_ledger(folder: Path, names: set[str]) -> None:
    whole.write(folder / LEDGER, json.dumps(sorted(names)))
