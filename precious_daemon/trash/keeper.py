"""Step 4 for what has a copy or a better frame: the one that is to stay is there, and is another file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from precious_daemon.errors import TrashRefused
from precious_daemon.models import PhotoState, Unit
from precious_daemon.store import Store, photos, roots, units
from precious_daemon.trash.gate import Found, entered, read_file
from precious_daemon.trash.journal import name_of
from precious_daemon.trash.moves import Disk, shown


def check_keeper(store: Store, disk: Disk, unit: Unit, found: Sequence[Found]) -> None:
    """What is to stay in place of this photo is there now, is another file, and is not to go itself."""
    kind = store.read(units.kind, unit)
    if unit.keeper_id is None:
        if kind in ("copy", "same"):
            raise TrashRefused(f"{name_of(unit)} stays, for no other copy of it is known.")
        return
    keeper = store.read(photos.get, unit.keeper_id)
    if keeper.state is not PhotoState.PRESENT:
        raise TrashRefused(f"{name_of(unit)} stays, for {shown(keeper.path)}, which was to be kept, is not there any more.")
    if store.read(units.going, keeper.id):
        raise TrashRefused(f"{name_of(unit)} stays, for {shown(keeper.path)}, which was to be kept, is to go as well. Keep one.")
    root = store.read(roots.get, keeper.root_id)
    with ExitStack() as stack:
        try:
            fd = stack.enter_context(entered(disk, root, writing=False))
            kept = read_file(disk, fd, keeper.path, stack)
        except TrashRefused as refusal:
            raise TrashRefused(f"{name_of(unit)} stays, for it is not sure that the one to keep does. {refusal}") from refusal
    if (kept.stamp.dev, kept.stamp.inode) in {(f.stamp.dev, f.stamp.inode) for f in found}:
        raise TrashRefused(f"{name_of(unit)} and {shown(keeper.path)} are two names of one file, so there is no copy to remove.")
    a_copy = any(f.content_hash == kept.content_hash for f in found)
    if kept.content_hash != keeper.content_hash or (kind == "copy" and not a_copy):
        raise TrashRefused(
            f"{name_of(unit)} stays, for {shown(keeper.path)}, which was to be kept, has changed. Look at both again."
        )
