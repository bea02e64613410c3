"""A new network looks at everything before the features of the old one are let go."""

from __future__ import annotations

from pathlib import Path

from precious_daemon.config import Settings
from precious_daemon.jobs import open_service
from precious_daemon.service import Service
from precious_daemon.store import Database, photos, pictures
from tests.web.library import fill


def seen_by(db: Database, backbone: str) -> int:
    return int(db.execute("SELECT count(*) FROM cache.embeddings WHERE backbone = ?", [backbone]).fetchone()[0])


def test_the_old_features_are_used_until_the_new_network_has_seen_as_much(here: object, tmp_path: Path) -> None:
    service: Service = open_service(here, Settings())  # type: ignore[arg-type]
    try:
        keys = [photo.content_hash or b"" for photo in fill(service, tmp_path / "photos", 4)]
        store = service.store
        assert store.read(pictures.backbone_in_use, "new") == "new", "nothing was seen by any"
        store.write(pictures.put_embeddings, "old", [(key, b"old") for key in keys[:3]])
        assert len(list(store.read(lambda db: list(photos.unembedded(db, "new"))))) == 4
        store.write(pictures.put_embeddings, "new", [(key, b"new") for key in keys[:2]])
        assert store.read(pictures.backbone_in_use, "new") == "old"
        assert store.read(seen_by, "old") == 3, "what the old one saw is still there"
        store.write(pictures.put_embeddings, "new", [(keys[2], b"new")])
        assert store.read(pictures.backbone_in_use, "new") == "new"
        assert store.read(lambda db: list(photos.unembedded(db, "new"))) == [keys[3]]
        store.write(pictures.forget_other_backbones, "new")
        assert store.read(seen_by, "old") == 0
        assert store.read(seen_by, "new") == 3
    finally:
        service.store.close()
