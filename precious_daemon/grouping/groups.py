"""What belongs together in a library: copies, the same picture in several files, edits, sets, bursts and scenes.

Wrongly grouped is worse than not grouped, because all but the best of copies, equal pictures and bursts is suggested for
deletion. So a group needs independent witnesses (hash, detail, colours, shape, capture time, name), each member is near
the group's best itself and not by way of others, and pictures that say too little (dark, flat, pages of text) have to
meet more. What an owner edited or took as a set is told apart and stays whole.

Nothing depends on the order of the photos: where one comes first, it does so by what it is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from os.path import basename, splitext

import numpy as np
from numpy.typing import NDArray

from precious_daemon.grouping.bestshot import Frame, choose
from precious_daemon.grouping.compare import Pixels
from precious_daemon.grouping.series import Series, find_series, is_focus_stack
from precious_daemon.grouping.twins import CROPPED, TILTED, Twin, Vectors, could_be_one_shot, inverse, same_shape
from precious_daemon.models import Group, GroupKind, GroupMember, Quality
from precious_daemon.work.jobfolder import PhotoRow

ALIKE_BITS, ALIKE_EMBEDDING = 16, 0.7  # of two frames by one camera within seconds: either will do
SCENE_SECONDS, SCENE_EMBEDDING = 600.0, 0.85  # photos of one view: how far from the first of them

FADED = 1.5  # levels of 256 that a picture loses with its colours, where it had any to speak of
FARTHER = 0.1  # by which an original may agree less with its edit than whatever agrees with that best
PAGE_CROP = 0.85  # agreement of a crop of a page

_COPY_NAME = re.compile(r"\(\d+\)$|[-_ ]copy\b|\bcopy of\b|kopie|copie|copia|副本|-wa\d+$|~\d+$|^received_|-edit", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Looks:
    """What the pictures of n photos look like. Rows of zeros stand for what is missing."""

    quality: Sequence[Quality | None]
    hog: Vectors  # (n, any)
    embedding: Vectors  # (n, any)
    thumbnail: Callable[[int], Pixels | None]  # of a photo by its index: (h, w, 3)


@dataclass(frozen=True, slots=True)
class _Bar:
    """How well two pictures have to agree to be one in two encodings: see `compare.Likeness`."""

    whole: float
    parts: float
    strength: float  # the least, and one over the most
    colours: float


_USUAL = _Bar(0.965, 0.8, 0.94, 3.5)
_MINIATURE = _Bar(0.95, 0.7, 0.9, 4.5)  # at a third of the size or less
_PAGE = _Bar(0.975, 0.9, 0.94, 2.5)  # pages of text and screens differ in little
_SAVED_AGAIN = _Bar(0.99, 0.9, 0.96, 2.5)  # same size and format: another frame of a tripod is as near as .956


def informative(photos: Sequence[PhotoRow], looks: Looks) -> list[int]:
    """One photo for each content that is worth comparing with others: a black, white or foggy frame is like any other."""
    return [i for i in _copies(photos)[1] if not _says_nothing(looks.quality[i])]


class Grouping:
    """One library, grouped step by step: `rivals` says which frames deserve a closer look before `groups` chooses.

    A photo is in at most one group of each kind. Encodings and frames are represented by the best of their copies, so that
    no group reaches across two sets.
    """

    def __init__(self, photos: Sequence[PhotoRow], looks: Looks, twins: Sequence[Twin]) -> None:
        self._photos, self._looks = photos, looks
        self._copies, distinct = _copies(photos)
        self._twins = _Pairs(photos, looks, twins, distinct)
        self._same, originals = self._find_same(distinct)
        self._sets, self._bursts = find_series(photos, originals, self._alike, looks.thumbnail)
        self._originals = originals

    @property
    def rivals(self) -> list[int]:
        """Frames of bursts."""
        return [i for run in self._bursts for i in run]

    def groups(self, details: dict[int, NDArray[np.uint8]]) -> list[Group]:
        """All groups, copies first. `details`: `features.detail` of frames, by index, where it was to be had."""
        sets, bursts = list(self._sets), list[list[int]]()
        for run in self._bursts:
            if all(i in details for i in run) and is_focus_stack(np.array([details[i] for i in run])):
                sets.append(Series("focus stack", run, ["each part is sharp in another frame"] * len(run)))
            else:
                bursts.append(run)
        held = {i for one in sets for i in one.frames}
        edits, edited = self._find_edits(held, {i for run in bursts for i in run})
        frames = [_burst(self._photos, self._looks, run, details, edited) for run in bursts]
        return [
            *self._copies,
            *self._same,
            *frames,
            *edits,
            *(_set(self._photos, one) for one in sets),
            *self._find_scenes(held, frames),
        ]

    # --- the same picture, encoded or sized anew ---

    def _find_same(self, among: Sequence[int]) -> tuple[list[Group], list[int]]:
        """Groups of re-encoded pictures, and the photos that are no smaller copy of another."""
        near = self._twins.same

        def original_first(i: int) -> tuple[object, ...]:
            return (*_as_taken(self._photos[i]), -len(near.get(i, ())), *_plainest(self._photos[i]))

        stars = _stars(among, near, key=original_first)
        smaller = {i for star in stars for i in star[1:]}
        return [_same_group(self._photos, star) for star in stars], [i for i in among if i not in smaller]

    # --- edits ---

    def _find_edits(self, held: set[int], framed: set[int]) -> tuple[list[Group], set[int]]:
        """Pictures with what was made of them, and the originals. That is a frame of a set or burst where one of them is."""
        photos, twins = self._photos, self._twins
        free = {i for i in self._originals if i in twins.edits}

        def original_first(i: int) -> tuple[object, ...]:
            set_apart = (i not in held and i not in framed, twins.is_part(i))
            return (*set_apart, *_as_taken(photos[i]), -len(twins.same.get(i, ())), -twins.centre(i), *_plainest(photos[i]))

        # a cutting of a view is found in other photos of it too, but less well than in the one that it was made of, or in
        # what else was made of that one
        def made_of(i: int, j: int) -> bool:
            best = max(twins.edits[j] & free, key=lambda k: (twins.agreement(k, j), photos[k].content_hash))
            return i == best or (best in twins.edits[i] and twins.agreement(i, j) >= twins.agreement(best, j) - FARTHER)

        near = {i: {j for j in twins.edits[i] if j in free and made_of(i, j)} - held - framed for i in free}
        groups, edited = [], set[int]()
        for star in _stars(free, near, key=original_first):
            best = basename(photos[star[0]].path)
            said = [f"{twins.words(star[0], i)}, made of {best}" for i in star[1:]]
            groups.append(_group(GroupKind.EDIT, photos, star, f"the original of {len(star)}", said))
            edited.add(star[0])
        return groups, edited

    # --- scenes ---

    def _find_scenes(self, held: set[int], bursts: Sequence[Group]) -> list[Group]:
        """Photos of one view within minutes, each like the first of them; a burst counts as its best frame."""
        photos = self._photos
        index = {photo.id: i for i, photo in enumerate(photos)}
        beside = {index[m.photo_id] for group in bursts for m in group.members if not m.best}
        line = [i for i in self._originals if photos[i].camera and photos[i].taken_at is not None and i not in held | beside]
        line = [i for i in line if self._looks.embedding[i].any()]
        line.sort(key=lambda i: (photos[i].taken_at, photos[i].path, photos[i].content_hash))
        groups, taken = [], set[int]()
        for n, first in enumerate(line):
            if first in taken:
                continue
            within = []
            for i in line[n + 1 :]:
                if (photos[i].taken_at or 0.0) - (photos[first].taken_at or 0.0) > SCENE_SECONDS:
                    break
                within.append(i)
            pairs = np.array([(first, i) for i in within if i not in taken], np.int64).reshape(-1, 2)
            members = [int(i) for i in pairs[_cosines(self._looks.embedding, pairs) >= SCENE_EMBEDDING, 1]]
            if members:
                taken |= {first, *members}
                said = ["the same view a little later"] * len(members)
                groups.append(_group(GroupKind.SCENE, photos, [first, *members], f"the first of {1 + len(members)}", said))
        return groups

    def _alike(self, a: int, b: int) -> bool:
        bits = (self._photos[a].perceptual_hash ^ self._photos[b].perceptual_hash).bit_count()
        return bits <= ALIKE_BITS or bool(_cosines(self._looks.embedding, np.array([[a, b]]))[0] >= ALIKE_EMBEDDING)


def _stars(among: Iterable[int], near: dict[int, set[int]], key: Callable[[int], tuple[object, ...]]) -> list[list[int]]:
    """Groups around the foremost, of what is near to that itself: no chain of likeness pulls strangers together."""
    stars, taken = [], set[int]()
    for best in sorted(among, key=key):
        if best not in taken and (members := sorted(near.get(best, set()) - taken, key=key)):
            taken |= {best, *members}
            stars.append([best, *members])
    return stars


# --- exact copies ------------------------------------------------------------------------------------------------------


def _copies(photos: Sequence[PhotoRow]) -> tuple[list[Group], list[int]]:
    """Groups of equal bytes, and one photo for each content."""
    by_content: dict[str, list[int]] = defaultdict(list)
    for i, photo in enumerate(photos):
        by_content[photo.content_hash].append(i)
    groups, distinct = [], []
    for members in by_content.values():
        members.sort(key=lambda i: _original_first(photos[i]))
        distinct.append(members[0])
        if len(members) > 1:
            best = basename(photos[members[0]].path)
            why = _why_this(photos, members)
            groups.append(_group(GroupKind.COPY, photos, members, why, [f"exact copy of {best}"] * (len(members) - 1)))
    return groups, distinct


def _original_first(photo: PhotoRow) -> tuple[object, ...]:
    """Sorts the likeliest original first."""
    return (*_as_taken(photo), *_plainest(photo))


def _as_taken(photo: PhotoRow) -> tuple[object, ...]:
    """Largest, with most that the camera said, in the camera's format, in the folder that the owner prefers, with no name
    that programs give to copies."""
    stem = splitext(basename(photo.path))[0]
    copy = _COPY_NAME.search(stem) is not None
    return (-photo.width * photo.height, -_said(photo), _converted(photo), photo.preferred, copy)


def _plainest(photo: PhotoRow) -> tuple[object, ...]:
    """Least compressed, with the shortest name."""
    stem = splitext(basename(photo.path))[0]
    return (-photo.size, len(stem), photo.path, photo.root, photo.content_hash)


def _converted(photo: PhotoRow) -> bool:
    """A camera's picture in a format that no camera writes."""
    return photo.camera is not None and photo.format in ("PNG", "BMP", "GIF", "WEBP")


def _said(photo: PhotoRow) -> int:
    """How much of what a camera writes is there."""
    return (photo.camera is not None) * 2 + (photo.taken_at is not None) + (photo.exposure is not None)


def _why_this(photos: Sequence[PhotoRow], members: Sequence[int]) -> str:
    """Why the first of these is kept: the first thing that sets it apart from the second."""
    best, second = photos[members[0]], photos[members[1]]
    count = f"of {len(members)}"
    if best.width * best.height > second.width * second.height:
        return f"largest {count}: {best.width} x {best.height}"
    if _said(best) > _said(second):
        return f"the one {count} with the camera's data" if not second.camera else f"the one {count} that says most"
    if _converted(second) and not _converted(best):
        return f"the one {count} in the camera's format"
    if best.preferred < second.preferred:
        return f"the one {count} in a folder that you prefer"
    if bool(_COPY_NAME.search(splitext(basename(second.path))[0])) or best.size == second.size:
        return f"plainest name {count}"
    return f"least compressed {count}"


# --- twins -------------------------------------------------------------------------------------------------------------


class _Pairs:
    """Which photos are one picture in two encodings, and which are edits of one another."""

    def __init__(self, photos: Sequence[PhotoRow], looks: Looks, twins: Sequence[Twin], among: Sequence[int]) -> None:
        self._photos, self._looks = photos, looks
        self.same: dict[int, set[int]] = defaultdict(set)
        self.edits: dict[int, set[int]] = defaultdict(set)
        self._found: dict[tuple[int, int], Twin] = {}
        index = {photos[i].content_hash: i for i in among}
        for twin in twins:
            i, j = index.get(twin.one), index.get(twin.other)
            if i is None or j is None or not could_be_one_shot(photos[i], photos[j]):
                continue
            kinds = self.same if self._same(i, j, twin) else self.edits if self._edited(i, j, twin) else None
            if kinds is not None:
                kinds[i].add(j)
                kinds[j].add(i)
                self._found[i, j] = twin

    def _same(self, i: int, j: int, twin: Twin) -> bool:
        a, b = self._photos[i], self._photos[j]
        alike = (a.width, a.height, a.format) == (b.width, b.height, b.format)
        page = _is_page(self._looks.quality[i]) or _is_page(self._looks.quality[j])
        if twin.how or (alike and not _named_after(a, b) and (page or (a.camera and b.camera))):
            return False  # two pages from one scanner, or two frames of one second
        if not same_shape(a, b) and (page or alike or _scale(a, b) < 1.2):
            return False  # squeezed is what a smaller copy may be, and nothing else
        if twin.grey[0] != twin.grey[1] and twin.colours > FADED:
            return False
        bar = _PAGE if page else _SAVED_AGAIN if alike else _MINIATURE if _scale(a, b) >= 3 else _USUAL
        steady = bar.strength <= twin.strength <= 1 / bar.strength
        return steady and twin.whole >= bar.whole and twin.parts >= bar.parts and twin.colours <= bar.colours

    def _edited(self, i: int, j: int, twin: Twin) -> bool:
        """Something was done to it that can be named, and it is no page: these look like each other's edits."""
        pages = _is_page(self._looks.quality[i]) and _is_page(self._looks.quality[j])
        screens = [_is_screen(self._photos[k]) for k in (i, j)]
        if pages and twin.parts < (PAGE_CROP if twin.how in (CROPPED, TILTED) else _PAGE.parts):
            return False
        if (pages and twin.how == "" and all(screens)) or (twin.how == CROPPED and screens[0] != screens[1]):
            return False  # one screen, a moment or a theme later; a screen that shows a photo
        if twin.how == "":
            return same_shape(self._photos[i], self._photos[j]) and self._toned(i, j, twin) is not None
        return True

    def is_part(self, i: int) -> bool:
        """It was cut out of another."""
        return any(twin.how == CROPPED and self._photos[i].content_hash == twin.other for twin in self._of(i))

    def agreement(self, i: int, j: int) -> float:
        """Of what was tilted only the middle agrees, which says less."""
        twin = self._found.get((i, j)) or self._found[j, i]
        return twin.whole - FARTHER * (twin.how == TILTED)

    def centre(self, i: int) -> float:
        """How like it is to all its edits: the original is more so than any of them."""
        return round(sum(twin.whole - twin.colours / 100 for twin in self._of(i)), 4)

    def _of(self, i: int) -> list[Twin]:
        pairs = ((i, j) if (i, j) in self._found else (j, i) for j in self.edits[i])
        return [self._found[pair] for pair in pairs]

    def words(self, original: int, edit: int) -> str:
        """What was done to the original to get the edit."""
        twin = self._found.get((original, edit)) or self._found[edit, original]
        back = (original, edit) not in self._found
        how = inverse(twin.how) if back else twin.how
        if how == TILTED:
            degrees = max(1, round(abs(twin.degrees)))
            return f"turned by {degrees}°"
        if how == CROPPED:
            return "the whole of what was cropped" if back else f"cropped to about {5 * max(1, round(20 * twin.left))} %"
        tone = self._toned(original, edit, twin, back=back)
        return " and ".join(part for part in (how, tone) if part)

    def _toned(self, i: int, j: int, twin: Twin, *, back: bool = False) -> str | None:
        grey, light = twin.grey[::-1] if back else twin.grey, -twin.light if back else twin.light
        strength = 1 / max(twin.strength, 1e-3) if back else twin.strength
        if grey[1] and not grey[0] and twin.colours > FADED:
            return "in black and white"
        if twin.colours > _SAVED_AGAIN.colours:
            steady = abs(light) > 0.8 * twin.colours
            return ("lighter" if light > 0 else "darker") if steady and abs(light) > 8 else "recoloured"
        if _scale(self._photos[i], self._photos[j]) >= 3:
            return None  # a miniature is sharper or softer by its size alone
        return "softened" if strength < _USUAL.strength else "sharpened" if strength > 1 / _USUAL.strength else None


def _named_after(a: PhotoRow, b: PhotoRow) -> bool:
    """One name is the other with something behind: "IMG_1 (1).jpg", "IMG_1-edit.jpg"."""
    one, other = sorted((splitext(basename(p.path))[0].lower() for p in (a, b)), key=len)
    rest = other.removeprefix(one)
    return len(rest) < len(other) and not rest[:1].isalnum()


def _scale(a: PhotoRow, b: PhotoRow) -> float:
    """How much longer the sides of the larger one are."""
    areas = sorted((max(a.width * a.height, 1), max(b.width * b.height, 1)))
    return float((areas[1] / areas[0]) ** 0.5)


def _says_nothing(q: Quality | None) -> bool:
    """A black, white or foggy frame: its hash is noise."""
    return q is None or q.contrast < 0.04 or q.entropy < 0.2 or q.flatness > 0.95


def _is_screen(photo: PhotoRow) -> bool:
    """Taken of a screen, as they are stored: no camera writes so."""
    return photo.camera is None and photo.format == "PNG"


def _is_page(q: Quality | None) -> bool:
    """Mostly paper or evenly coloured areas: receipts, documents, screenshots."""
    return q is None or q.white_paper > 0.4 or q.flatness > 0.4 or q.entropy < 0.65


def _cosines(vectors: Vectors, pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    """Cosine of each pair of rows; -1 where one is missing."""
    a, b = (vectors[pairs[:, side]].astype(np.float32) for side in (0, 1))
    norms = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return np.asarray(np.where(norms > 0, (a * b).sum(1) / np.maximum(norms, 1e-12), -1), np.float32)


# --- groups in words ---------------------------------------------------------------------------------------------------


def _same_group(photos: Sequence[PhotoRow], members: Sequence[int]) -> Group:
    best = photos[members[0]]
    name = basename(best.path)
    said = [
        f"{one.width} x {one.height} copy of {name}"
        if one.width * one.height < best.width * best.height
        else f"another version of {name}"
        for one in (photos[i] for i in members[1:])
    ]
    return _group(GroupKind.SAME, photos, members, _why_this(photos, members), said)


def _burst(
    photos: Sequence[PhotoRow], looks: Looks, run: Sequence[int], details: dict[int, NDArray[np.uint8]], edited: set[int]
) -> Group:
    verdict = choose([_frame(photos[i], looks.quality[i], details.get(i), i in edited) for i in run])
    first, *rest = verdict.order
    said = [f"frame {n + 1} of {len(run)}, {verdict.why[n]}" for n in rest]
    return _group(GroupKind.BURST, photos, [run[n] for n in verdict.order], verdict.why[first], said)


def _frame(photo: PhotoRow, quality: Quality | None, detail: NDArray[np.uint8] | None, edited: bool) -> Frame:
    return Frame(quality, detail, photo.liked, edited, photo.size, basename(photo.path))


def _set(photos: Sequence[PhotoRow], one: Series) -> Group:
    """Its cover is the frame in the middle."""
    cover = len(one.frames) // 2
    order = [cover, *(n for n in range(len(one.frames)) if n != cover)]
    said = [f"{one.what}: {one.words[n]}" for n in order]
    return _group(GroupKind.SERIES, photos, [one.frames[n] for n in order], said[0], said[1:])


def _group(kind: GroupKind, photos: Sequence[PhotoRow], members: Sequence[int], why: str, others: Sequence[str]) -> Group:
    rest = (GroupMember(photos[i].id, False, said) for i, said in zip(members[1:], others, strict=True))
    return Group(kind, (GroupMember(photos[members[0]].id, True, why), *rest))
