"""The values that pass between rooms: frozen, small, and free of behaviour.

Paths are `str` as `os.fsdecode` gives them (names that are not UTF-8 carry surrogates) and relative to their root.
Times are seconds since 1970 (UTC), except `taken_at`, which is the camera's own clock read as if it were UTC.
"""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass, field, fields
from enum import StrEnum
from typing import Any, NamedTuple, Self

# --- folders and files -------------------------------------------------------------------------------------------------


class RootState(StrEnum):
    WATCHED = "watched"
    OFFLINE = "offline"  # not mounted, or not the disk it was
    FROZEN = "frozen"  # too much vanished at once: waits for the owner


@dataclass(frozen=True, slots=True)
class Root:
    """A watched folder. `marker` is the id written into it; None where the folder cannot be written (suggest only)."""

    id: int
    path: str
    marker: str | None
    device: int | None
    state: RootState
    reason: str | None
    added_at: float
    filesystem: str | None = None  # the id of its file system, where that has one that outlives a restart


@dataclass(frozen=True, slots=True)
class Stamp:
    """What `stat` says of a file: unchanged stamp, unchanged file."""

    dev: int
    inode: int
    size: int
    mtime_ns: int

    def is_same_file(self, other: Stamp | None) -> bool:
        """But for the number of the disk, which may be another after a restart."""
        return other is not None and (self.inode, self.size, self.mtime_ns) == (other.inode, other.size, other.mtime_ns)


class Role(StrEnum):
    STILL = "still"
    RAW = "raw"
    VIDEO = "video"
    SIDECAR = "sidecar"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a capture, as the library knows it."""

    id: int
    photo_id: int
    root_id: int
    path: str
    role: Role
    stamp: Stamp
    content_hash: bytes | None  # BLAKE3, 32 bytes; None until read
    bond: str | None = None  # how it is known to be of this capture; None is by its name


@dataclass(frozen=True, slots=True)
class Told:
    """What a file says of itself by which it may be known to belong to another."""

    content_id: str | None  # Apple's: the same in both files of a Live Photo
    taken_at: float | None  # by its EXIF


# --- photos ------------------------------------------------------------------------------------------------------------


class PhotoState(StrEnum):
    NEW = "new"  # known by name, not yet read
    PRESENT = "present"  # seen; read in full once it has a content hash
    BROKEN = "broken"  # cannot be decoded; `error` says why
    MISSING = "missing"  # its file is gone from where it was; never deleted from the library
    TRASHED = "trashed"  # moved to the root's trash by us
    PURGED = "purged"  # removed from the trash for good, as the owner confirmed


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of one photo, all in 0..1 unless said otherwise; see `features.quality`."""

    sharpness: float  # log variance of the Laplacian near full size, scaled
    sharpest_tile: float  # the same of the sharpest tile: a sharp subject before a soft background
    spectrum_slope: float  # fall of the power spectrum; steep is blurred
    high_frequency: float
    edge_density: float
    flatness: float  # share of tiles without texture
    brightness: float
    contrast: float
    shadows: float  # share of pixels clipped to black
    highlights: float
    saturation: float
    colourfulness: float
    white_paper: float  # share of near-white, colourless pixels
    entropy: float
    aspect: float  # log of width / height

    def pack(self) -> bytes:
        return struct.pack(f"<{len(fields(self))}f", *astuple(self))

    @classmethod
    def unpack(cls, blob: bytes) -> Self:
        return cls(*struct.unpack(f"<{len(blob) // 4}f", blob))


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """All that one decode of one file gives. Plain bytes only, so that it crosses to a process without numpy."""

    content_hash: bytes  # BLAKE3 of the file, 32 bytes
    perceptual_hash: int  # 64 bits, as imagehash.phash
    width: int  # upright, pixels
    height: int
    format: str
    taken_at: float | None
    taken_from: str | None  # exif, gps, sidecar, name or file
    camera: str | None
    quality: Quality
    hog: bytes  # float16
    preview: bytes  # JPEG, longest side about 1024 px
    thumbnail: bytes  # JPEG, longest side 256 px
    proxy: bytes  # JPEG, at most 3072 bytes
    taken_offset: int | None = None  # minutes east of UTC, where the camera says so
    lens: str | None = None
    exposure: str | None = None  # "1/250 s, f/2.8, ISO 400, 50 mm"
    latitude: float | None = None  # degrees; never leaves this machine
    longitude: float | None = None
    bracketed: bool = False  # the camera says that it is one of an exposure bracket
    exposure_bias: float | None = None  # EV
    focus_distance: float | None = None  # metres
    content_id: str | None = None  # Apple's, of a Live Photo
    people: tuple[str, ...] = ()  # named in its XMP
    stamp: Stamp | None = None  # of the file that was read


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What the first kilobytes of a file give: enough to look at it and to vote, until it has been read."""

    width: int  # upright, pixels
    height: int
    format: str
    taken_at: float
    taken_from: str
    camera: str | None
    thumbnail: bytes  # JPEG: the camera's own, most often 160 px; empty where nothing can be seen so soon


@dataclass(frozen=True, slots=True)
class Photo:
    """The still that stands for a capture. `uid` is its unguessable name in addresses."""

    id: int
    uid: str
    root_id: int
    path: str
    state: PhotoState
    error: str | None
    content_hash: bytes | None
    width: int | None
    height: int | None
    size: int
    taken_at: float | None
    camera: str | None
    added_at: float


@dataclass(frozen=True, slots=True)
class Scope:
    """Part of a library: a folder of a root with all below it, a stretch of `taken_at` without its end, a class, or all three."""

    root_id: int | None = None
    folder: str = ""  # relative to its root; empty is all of it
    since: float | None = None
    until: float | None = None
    sorted_into: tuple[int, int] | None = None  # (class of a task, voter who said so, or whose model takes photos for it)


class Aim(StrEnum):
    """What comparisons are for, and the purpose they are stored with."""

    RANK = "rank"  # the ranking at large
    TOP = "top"  # which photos are the best
    BORDER = "border"  # which are on which side of keeping and deleting


class Order(StrEnum):
    """How the next comparison is chosen. The last three are image-ranker's."""

    TELLING = "telling"  # by expected information
    SMART = "smart"  # close in rating and seldom compared; shuffled anew every few votes
    PLAIN = "plain"  # by chance
    ELIMINATION = "elimination"  # losers leave the round


@dataclass(frozen=True, slots=True)
class Way:
    """How photos are compared."""

    of: int = 2  # photos at once
    aim: Aim = Aim.RANK
    order: Order = Order.TELLING
    every: int = 3  # votes between two shuffles
    since: int = 0  # the answer after which the round began


# --- what the owner said -----------------------------------------------------------------------------------------------


class Question(StrEnum):
    PAIR = "pair"  # two photos side by side
    FOUR = "four"  # three or four photos: the best of them, or all in order
    LABEL = "label"  # keep or delete, chosen by us
    AUDIT = "audit"  # keep or delete, drawn at random from the candidates, prediction hidden
    ENOUGH = "enough"  # two photos of one group, one of them drawn at random from what would go: is one of them enough?
    SUGGESTION = "suggestion"  # the owner reviewed a suggestion
    RANKING = "ranking"  # a photo was taken out of the ranking; undone, it is back
    OUTSIDE = "outside"  # said with another program: a file deleted or brought back, a rating in a sidecar, a favourite


class Choice(StrEnum):
    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    FOURTH = "fourth"
    ORDER = "order"  # the photos are in the order given, best first
    DRAW = "draw"
    SKIP = "skip"
    BOTH_KEEP = "both_keep"
    BOTH_DELETE = "both_delete"
    KEEP = "keep"
    DELETE = "delete"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, append-only. An undo is an answer of its own whose `undoes` names the one it takes back.

    Its photos are in the order in which they were shown; the first two are `photo_id` and `other_id`.
    """

    id: int
    voter_id: int
    at: float
    question: Question
    choice: Choice | None  # None on an undo
    photo_id: int | None
    other_id: int | None
    purpose: (
        str  # rank, top, border; train, test, audit; import; outside, xmp, elsewhere; review: of a suggestion; duplicate: copies
    )
    undoes: int | None
    more: tuple[int, ...] = ()  # the third and fourth photo

    @property
    def photos(self) -> tuple[int, ...]:
        return tuple(i for i in (self.photo_id, self.other_id, *self.more) if i is not None)


TRAINING = ("train", "review", "rank", "top", "border", "outside", "xmp", "elsewhere")
"""Purposes of the labels that a model learns from. Tests and audits judge it, and may never shape it."""


@dataclass(frozen=True, slots=True)
class Vote:
    """A pair answer that is a comparison. `winner` and `loser` are photo ids."""

    winner: int
    loser: int
    draw: bool


@dataclass(frozen=True, slots=True)
class Lineup:
    """An answer about several photos. Its photos by id, the best first; where not `ordered`, no more is said than that."""

    photos: tuple[int, ...]
    ordered: bool
    draw: bool = False  # all are equal

    def votes(self) -> list[Vote]:
        """What it says of each two photos."""
        if self.ordered or self.draw:
            return [Vote(a, b, self.draw) for place, a in enumerate(self.photos) for b in self.photos[place + 1 :]]
        return [Vote(self.photos[0], other, False) for other in self.photos[1:]]


@dataclass(frozen=True, slots=True)
class Label:
    photo_id: int
    keep: bool
    purpose: str
    at: float


@dataclass(frozen=True, slots=True)
class TaskClass:
    """One of the answers of a task. `key` is the letter or digit that gives it."""

    id: int
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class LabelTask:
    """A question of the owner's own, such as receipt, family or landscape. Keep or delete is none of these."""

    id: int
    name: str
    classes: tuple[TaskClass, ...]


@dataclass(frozen=True, slots=True)
class Rating:
    """TrueSkill's belief about one photo."""

    mu: float
    sigma: float
    wins: int = 0
    losses: int = 0
    draws: int = 0


# --- what we made of it ------------------------------------------------------------------------------------------------


class GroupKind(StrEnum):
    COPY = "copy"  # the same bytes
    SAME = "same"  # the same picture, encoded or sized anew
    BURST = "burst"  # frames of one moment
    EDIT = "edit"  # a picture and what its owner made of it: mirrored, turned, cropped, recoloured
    SERIES = "series"  # frames that belong together: exposure bracket, panorama, focus stack, time lapse
    SCENE = "scene"  # photos of one view within minutes

    @property
    def thinned(self) -> bool:
        """All but the best of it are suggested; the other kinds stay whole unless the owner says otherwise."""
        return self in (GroupKind.COPY, GroupKind.SAME, GroupKind.BURST)

    @property
    def spared(self) -> bool:
        """What an owner edited, or took as a set, is not suggested on a model's word either."""
        return self in (GroupKind.EDIT, GroupKind.SERIES)


@dataclass(frozen=True, slots=True)
class GroupMember:
    photo_id: int
    best: bool
    reason: str  # "sharpest of 5", "largest of 3 copies"
    kept: bool = False  # the owner said that it stays beside the best


@dataclass(frozen=True, slots=True)
class Group:
    kind: GroupKind
    members: tuple[GroupMember, ...]

    @property
    def settled(self) -> bool:
        """The owner keeps all of it: there is nothing left to choose."""
        return all(member.best or member.kept for member in self.members)


@dataclass(frozen=True, slots=True)
class GroupDecision:
    """What the owner said of a group as it was then. `stays`: what is kept of `members`; none where only the best was named."""

    id: int
    voter_id: int
    at: float
    best: int
    members: frozenset[int]
    stays: frozenset[int]


class ClusterRow(NamedTuple):
    """A photo in its cluster and on the map, whose sides are 1. There it appears at a `level`: see `cluster.layout`."""

    photo_id: int
    cluster: int
    distance: float  # to the centre
    representative: int = 0  # its place among those that are asked about first, from 1; 0 is none of them
    x: float = 0.5
    y: float = 0.5
    level: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """A model's opinion: probability that this voter keeps the photo, and its taste score (higher is better)."""

    photo_id: int
    keep: float
    taste: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """With `confidence`, at most the share `alpha` of the `candidates`, photos with keep <= `threshold`, are keepers.

    It rests on so many `audits`, of which `errors` were keepers.
    """

    threshold: float
    alpha: float
    confidence: float
    audits: int
    errors: int
    candidates: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A photo this voter would throw away. `keeper_id` is what stays in its place, where there is one."""

    photo_id: int
    kind: str  # taste, copy, same, burst; rule: by what it is, which says nothing of taste
    keep: float | None
    certified: bool
    reasons: tuple[str, ...]
    keeper_id: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


class SuggestionState(StrEnum):
    OPEN = "open"
    DISMISSED = "dismissed"
    APPROVED = "approved"
    TRASHED = "trashed"
    RESTORED = "restored"
    WITHDRAWN = "withdrawn"  # a later run no longer makes it


# --- deletion ----------------------------------------------------------------------------------------------------------


class UnitState(StrEnum):
    APPROVED = "approved"
    PLANNED = "planned"  # being moved; after a crash the disk tells how far it came
    DONE = "done"
    RESTORING = "restoring"  # being moved back
    REFUSED = "refused"
    UNDONE = "undone"
    PURGING = "purging"  # being removed for good: the owner has confirmed it, and it is finished after a crash
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class UnitFile:
    """One file of a unit, bound to what it was when the owner approved."""

    path: str
    role: Role
    stamp: Stamp
    content_hash: bytes
    trash_path: str | None  # relative to the root, or to the unit's `place`; once planned
    restored_path: str | None = None  # where it was put back; differs from `path` where that name was taken


@dataclass(frozen=True, slots=True)
class Unit:
    """One capture on its way to the trash or back: all of its files or none."""

    id: int
    uid: str
    batch: str
    voter_id: int
    photo_id: int
    root_id: int
    suggestion_id: int | None
    keeper_id: int | None
    reason: str
    state: UnitState
    approved_at: float
    changed_at: float
    error: str | None
    files: tuple[UnitFile, ...]
    place: str | None = None  # the trash of the desktop that it goes to; None is the one of its root


# --- jobs --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JobRun:
    id: int
    name: str
    trigger: str  # owner, start, schedule, catch-up, night, new photos
    started_at: float
    finished_at: float | None
    outcome: str  # running, done, failed, stopped
    detail: str
    error: str | None  # name of the PreciousError that ended it


@dataclass(frozen=True, slots=True)
class Voter:
    """A profile: whose answers, ratings, model and suggestions these are. No login: it keeps tastes apart, not people out."""

    id: int
    name: str
    created_at: float
    retired_at: float | None = None  # since then it neither answers nor keeps anything from going; its answers stay


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in. Times are seconds since 1970."""

    id: int
    token_hash: bytes
    created_at: float
    seen_at: float
    browser: str  # what it calls itself, which may be anything
    voter: str  # the name of the profile it is on
    address: str  # where it signed in from; empty: this machine


@dataclass(frozen=True, slots=True)
class Served:
    """One address of the page."""

    url: str
    network: bool = False  # others than this machine's own programs reach it
    fingerprint: str | None = None  # SHA-256 of its certificate, which browsers show as well
    until: float | None = None  # when that ends


@dataclass(frozen=True, slots=True)
class Token:
    """A key that the owner made for a script."""

    id: int
    name: str
    scope: str  # read, vote or review; each holds those before
    voter_id: int
    created_at: float
    used_at: float | None


@dataclass(frozen=True, slots=True)
class Pause:
    """The owner wants the machine for something else: nothing new is read, and no scheduled job starts."""

    since: float
    until: float | None  # None: until the owner resumes it
