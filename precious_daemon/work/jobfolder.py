"""The folder in which a child process finds its work and leaves its results.

    job.json         what to do: {"task": ..., "seconds": budget, ...}
    photos.csv       the photos it is about, one `PhotoRow` a line
    labels.csv, votes.csv
    comparisons.csv  votes with all that they say; starts.bin, ratings.bin, guesses.bin: ratings by photo
    numbers.jsonl    what plugins measured, by content hash
    embeddings.bin   records of a 32-byte content hash and a float16 vector, appended as they are made
    clusters.csv     what grouping found, beside groups.json
    twins.csv        pairs of contents that show one picture, and how
    compared.bin     records of a 32-byte content hash: these were compared with all others
    details.bin      records of a content hash and DETAIL_BYTES of sharpness at full size
    scores.bin       records of (photo id, keep, taste)
    suggested.jsonl  what could go, surest first; held.jsonl: what was held back
    anything.json    results by name

Standard library only, so that the service reads results without numpy. A child says how far it is on its standard
output, one JSON object a line; it ends within seconds of SIGTERM, and what it had written whole by then is used.
"""

from __future__ import annotations

import csv
import ctypes
import json
import os
import signal
import struct
import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import starmap
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

from precious_daemon.models import ClusterRow, Label, Lineup, Rating, Score, Vote

STOPPED = 75  # exit status of a child that was told to stop, or ran out of its budget: partial results are good
_SCORE = struct.Struct("<qff")
_RATING = struct.Struct("<qddqqq")
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30}  # system call numbers: libc has no function for it
_TOGETHER = 4096  # scores read at once
HASH_BYTES = 32
DETAIL_BYTES = 256


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """What children need to know of a photo; pictures and features are in `cache.db`, by content hash."""

    id: int
    content_hash: str  # hex
    perceptual_hash: int  # unsigned, 64 bits
    taken_at: float | None
    camera: str | None
    width: int
    height: int
    size: int
    format: str
    path: str  # relative to its root; not always unique over roots
    burst: int  # photos of one group have one number: they never stand on both sides of a split, and are audited as one
    root: str = ""  # the folder that `path` is in
    preferred: int = 0  # place of its folder among those that the owner prefers; the smaller, the sooner it is kept
    exposure: str | None = None  # "1/250 s, f/2.8, ISO 400, 50 mm"
    bracketed: bool = False
    exposure_bias: float | None = None  # EV
    focus_distance: float | None = None  # metres
    liked: float = 0.0  # what the owner said of it or, failing that, would: above 0 is better than most, 1 is a lot


def write_photos(folder: Path, rows: Iterable[PhotoRow]) -> None:
    names = [f.name for f in fields(PhotoRow)]
    _write_csv(folder / "photos.csv", names, map(attrgetter(*names), rows))  # `astuple` copies each value: five times the work


def read_photos(folder: Path) -> list[PhotoRow]:
    return [
        PhotoRow(
            int(r["id"]), r["content_hash"], int(r["perceptual_hash"]), _float(r["taken_at"]),
            r["camera"] or None, int(r["width"]), int(r["height"]), int(r["size"]), r["format"], r["path"], int(r["burst"]),
            r["root"], int(r["preferred"]), r["exposure"] or None, r["bracketed"] == "True", _float(r["exposure_bias"]),
            _float(r["focus_distance"]), float(r["liked"]),
        )
        for r in _read_csv(folder / "photos.csv")
    ]  # fmt: skip


def read_columns(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """What photos.csv says of every photo under these two or more names: a third of the work of `read_photos`."""
    with open(folder / "photos.csv", newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = csv.reader(file)
        header = next(rows)
        yield from map(itemgetter(*map(header.index, names)), rows)


def read_paths(folder: Path, ids: Container[int]) -> dict[int, str]:
    """Where some of the photos are, relative to their roots, with what is no UTF-8 replaced: fit to be shown."""
    return {
        int(photo): path.encode("utf-8", "replace").decode()
        for photo, path in read_columns(folder, ("id", "path"))
        if int(photo) in ids
    }


def _float(text: str) -> float | None:
    return float(text) if text else None


def write_labels(folder: Path, labels: Iterable[Label]) -> None:
    header = ["photo_id", "keep", "purpose", "at"]
    _write_csv(folder / "labels.csv", header, ((x.photo_id, int(x.keep), x.purpose, x.at) for x in labels))


def read_labels(folder: Path) -> list[Label]:
    return [Label(int(r["photo_id"]), r["keep"] == "1", r["purpose"], float(r["at"])) for r in _read_csv(folder / "labels.csv")]


def write_votes(folder: Path, votes: Iterable[Vote]) -> None:
    _write_csv(folder / "votes.csv", ["winner", "loser", "draw"], ((v.winner, v.loser, int(v.draw)) for v in votes))


def read_votes(folder: Path) -> list[Vote]:
    return [Vote(int(r["winner"]), int(r["loser"]), r["draw"] == "1") for r in _read_csv(folder / "votes.csv")]


def write_comparisons(folder: Path, votes: Iterable[Vote | Lineup]) -> None:
    """Votes with all that they say, in the order given: photo ids best first, and whether all are in order, or equal."""
    rows = (
        (" ".join(map(str, v.photos)), int(v.ordered), int(v.draw)) if isinstance(v, Lineup)
        else (f"{v.winner} {v.loser}", 1, int(v.draw))
        for v in votes
    )  # fmt: skip
    _write_csv(folder / "comparisons.csv", ["photos", "ordered", "draw"], rows)


def read_comparisons(folder: Path) -> list[Vote | Lineup]:
    found: list[Vote | Lineup] = []
    for row in _read_csv(folder / "comparisons.csv"):
        ids = tuple(map(int, row["photos"].split()))
        draw = row["draw"] == "1"
        found.append(Vote(*ids, draw) if len(ids) == 2 else Lineup(ids, row["ordered"] == "1", draw))
    return found


def write_ratings(folder: Path, name: str, ratings: Iterable[tuple[int, Rating]]) -> None:
    with _whole(folder / name) as file:
        for photo_id, r in ratings:
            file.write(_RATING.pack(photo_id, r.mu, r.sigma, r.wins, r.losses, r.draws))


def read_ratings(folder: Path, name: str) -> Iterator[tuple[int, Rating]]:
    with open(folder / name, "rb") as file:
        while len(record := file.read(_RATING.size)) == _RATING.size:
            photo_id, *rest = _RATING.unpack(record)
            yield photo_id, Rating(*rest)


def read_embeddings(folder: Path, dimension: int) -> Iterator[tuple[bytes, bytes]]:
    """(content hash, float16 vector) of every whole record; one cut short by a stop is left out."""
    size = HASH_BYTES + 2 * dimension
    try:
        with open(folder / "embeddings.bin", "rb") as file:
            while len(record := file.read(size)) == size:
                yield record[:HASH_BYTES], record[HASH_BYTES:]
    except FileNotFoundError:
        return


def read_scores(folder: Path) -> Iterator[Score]:
    with open(folder / "scores.bin", "rb") as file:
        while part := file.read(_TOGETHER * _SCORE.size):
            yield from starmap(Score, _SCORE.iter_unpack(part))


def read_clusters(folder: Path) -> Iterator[ClusterRow]:
    return (
        ClusterRow(
            int(r["photo_id"]), int(r["cluster"]), float(r["distance"]), int(r["representative"]),
            float(r["x"]), float(r["y"]), int(r["level"]),
        )
        for r in _read_csv(folder / "clusters.csv")
    )  # fmt: skip


def write_twins(folder: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Rows of two content hashes, hex, and how they show one picture, JSON."""
    _write_csv(folder / "twins.csv", ["one", "other", "found"], rows)


def read_twins(folder: Path) -> Iterator[tuple[bytes, bytes, str]]:
    for row in _read_csv(folder / "twins.csv"):
        yield bytes.fromhex(row["one"]), bytes.fromhex(row["other"]), row["found"]


def write_numbers(folder: Path, rows: Iterable[tuple[bytes, dict[str, float]]]) -> None:
    """What plugins measured, by content; the same content may come several times."""
    with open(folder / "numbers.jsonl", "w", encoding="ascii") as file:
        for content, numbers in rows:
            file.write(json.dumps([content.hex(), numbers]) + "\n")


def read_numbers(folder: Path) -> Iterator[tuple[bytes, dict[str, float]]]:
    """Nothing where there is no such file."""
    if (folder / "numbers.jsonl").exists():
        with open(folder / "numbers.jsonl", encoding="ascii") as file:
            for line in file:
                content, numbers = json.loads(line)
                yield bytes.fromhex(content), numbers


def write_records(folder: Path, name: str, records: Iterable[bytes]) -> None:
    with _whole(folder / name) as file:
        file.writelines(records)


def read_records(folder: Path, name: str, more: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """(content hash, what comes with it) of every record; `more` is the length of the latter."""
    with open(folder / name, "rb") as file:
        while len(record := file.read(HASH_BYTES + more)) == HASH_BYTES + more:
            yield record[:HASH_BYTES], record[HASH_BYTES:]


def write_lines(folder: Path, name: str, values: Iterable[Any]) -> None:
    """A line of JSON for each."""
    with _whole(folder / name) as file:
        file.writelines(json.dumps(value).encode() + b"\n" for value in values)


def read_lines(folder: Path, name: str) -> Iterator[Any]:
    """Without one that was cut short; nothing where there is no such file."""
    if (folder / name).exists():
        with open(folder / name, encoding="ascii") as lines:
            yield from (json.loads(line) for line in lines if line.endswith("\n"))


def write_json(folder: Path, name: str, value: Any) -> None:
    write_bytes(folder, name, json.dumps(value).encode())


def write_bytes(folder: Path, name: str, content: bytes | memoryview) -> None:
    with _whole(folder / name) as file:
        file.write(content)


def read_json(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_bytes())


def say(what: str, done: int, total: int) -> None:
    """Called by the child: how far it is."""
    sys.stdout.write(json.dumps({"what": what, "done": done, "total": total}) + "\n")
    sys.stdout.flush()


def step_back() -> None:
    """Called by the child first: lowest priority for processor and disk, and an end when the service ends."""
    os.nice(19)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.uname().machine in _IOPRIO_SET:
            libc.syscall(_IOPRIO_SET[os.uname().machine], 1, 0, 3 << 13)  # this process, idle class; a refusal does no harm


class _whole:
    """A file that is there whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(path.name + ".part")

    def __enter__(self) -> Any:
        self._file = open(self._part, "wb")
        return self._file

    def __exit__(self, kind: object, *_: object) -> None:
        self._file.close()
        if kind is None:
            os.replace(self._part, self._path)


def _write_csv(path: Path, header: list[str], rows: Iterable[Iterable[Any]]) -> None:
    with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _read_csv(path: Path) -> Iterator[dict[str, str]]:
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        yield from csv.DictReader(file)
