"""What Immich publishes of its API (OpenAPI, version 3.2), as far as the plugin uses it: facts, noted by hand.

A field with `?` may be left out. A type is text, flag, number, count (a whole number from 0), uuid, time, any, one of texts with
`|`, the name of another shape, or a list of one; with `?` it may be null. Nothing else is allowed, in requests or in answers.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Shape = dict[str, Any]

SHAPES: dict[str, Shape] = {
    "Ids": {"ids": ["uuid"]},
    "IdDone": {
        "id": "uuid", "success": "flag", "errorMessage?": "text",
        "error?": "duplicate|no_permission|not_found|unknown|validation",
    },
    "Delete": {"ids": ["uuid"], "force?": "flag"},
    "Count": {"count": "count"},
    "Me": {
        "id": "uuid", "email": "text", "name": "text", "avatarColor": "text", "clusterGroupId": "text", "createdAt": "time",
        "deletedAt": "time?", "isAdmin": "flag", "license": "any", "oauthId": "text", "profileChangedAt": "time",
        "profileImagePath": "text", "quotaSizeInBytes": "count?", "quotaUsageInBytes": "count?", "shouldChangePassword": "flag",
        "status": "active|removing|deleted", "storageLabel": "text?", "updatedAt": "time",
    },
    "Album": {
        "id": "uuid", "albumName": "text", "description": "text", "albumThumbnailAssetId": "uuid?", "albumUsers": ["any"],
        "assetCount": "count", "contributorCounts?": ["any"], "createdAt": "time", "updatedAt": "time", "endDate?": "time",
        "startDate?": "time", "lastModifiedAssetTimestamp?": "time", "hasSharedLink": "flag", "isActivityEnabled": "flag",
        "order?": "asc|desc", "shared": "flag",
    },
    "NewAlbum": {"albumName": "text", "description?": "text?", "assetIds?": ["uuid"], "albumUsers?": ["any"]},
    "Search": {
        "albumIds?": ["uuid"], "isFavorite?": "flag", "page?": "count", "personIds?": ["uuid"], "size?": "count",
        "rating?": "count?", "trashedAfter?": "time", "withDeleted?": "flag", "withExif?": "flag",
        "visibility?": "archive|timeline|hidden|locked",
    },
    "Found": {"albums": "any", "assets": "Assets"},
    "Assets": {
        "count": "count", "total": "count", "facets": ["any"], "items": ["Asset"], "nextPage": "text?", "nextCursor": "text?",
    },
    "Asset": {
        "id": "uuid", "checksum": "text", "createdAt": "time", "duplicateId?": "uuid?", "duration": "number?",
        "exifInfo?": "Exif",
        "fileCreatedAt": "time", "fileModifiedAt": "time", "hasMetadata": "flag", "height": "count?", "width": "count?",
        "isArchived": "flag", "isEdited": "flag", "isFavorite": "flag", "isOffline": "flag", "isTrashed": "flag",
        "libraryId?": "uuid?", "livePhotoVideoId?": "uuid?", "localDateTime": "time", "originalFileName": "text",
        "originalMimeType?": "text", "originalPath": "text", "owner?": "any", "ownerId": "uuid", "people?": ["any"],
        "resized?": "flag", "stack?": "any", "tags?": ["Tag"], "thumbhash": "text?", "type": "IMAGE|VIDEO|AUDIO|OTHER",
        "updatedAt": "time", "visibility": "archive|timeline|hidden|locked",
    },
    "Exif": {"fileSizeInByte?": "count?", "rating?": "number?", "make?": "text?", "model?": "text?"},
    "Known?": {"assets": ["Check"]},
    "Check": {"id": "text", "checksum": "text"},
    "Known": {"results": ["Checked"]},
    "Checked": {
        "id": "text", "action": "accept|reject", "assetId?": "uuid", "isTrashed?": "flag",
        "reason?": "duplicate|unsupported-format",
    },
    "TagNames": {"tags": ["text"]},
    "Tag": {
        "id": "uuid", "name": "text", "value": "text", "createdAt": "time", "updatedAt": "time", "color?": "text",
        "parentId?": "uuid",
    },
    "People": {"people": ["Person"], "total": "count", "hidden": "count", "hasNextPage?": "flag"},
    "Person": {
        "id": "uuid", "name": "text", "birthDate": "text?", "isHidden": "flag", "thumbnailPath": "text", "color?": "text",
        "isFavorite?": "flag", "updatedAt?": "time",
    },
}  # fmt: skip

# (method, path below /api): (what is sent, the status of a yes, what comes back); [] stands for an id
OPERATIONS: dict[tuple[str, str], tuple[Any, int, Any]] = {
    ("GET", "/users/me"): (None, 200, "Me"),
    ("GET", "/albums"): (None, 200, ["Album"]),
    ("POST", "/albums"): ("NewAlbum", 201, "Album"),
    ("PUT", "/albums/[]/assets"): ("Ids", 200, ["IdDone"]),
    ("DELETE", "/albums/[]/assets"): ("Ids", 200, ["IdDone"]),
    ("POST", "/search/metadata"): ("Search", 200, "Found"),
    ("GET", "/people"): (None, 200, "People"),
    ("POST", "/assets/bulk-upload-check"): ("Known?", 200, "Known"),
    ("DELETE", "/assets"): ("Delete", 204, None),
    ("PUT", "/tags"): ("TagNames", 200, ["Tag"]),
    ("PUT", "/tags/[]/assets"): ("Ids", 200, ["IdDone"]),
    ("DELETE", "/tags/[]/assets"): ("Ids", 200, ["IdDone"]),
    ("POST", "/trash/restore/assets"): ("Ids", 200, "Count"),
}
QUERIES = {"/people": {"page", "size", "withHidden", "closestAssetId", "closestPersonId"}}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def operation(method: str, path: str) -> tuple[Any, int, Any] | None:
    """What is published of a request to a path with its query; None where there is no such operation."""
    parts = urlsplit(path.removeprefix("/api"))
    plain = _UUID.sub("[]", parts.path)
    assert {name for name, _ in parse_qsl(parts.query)} <= QUERIES.get(plain, set()), f"{plain} takes no {parts.query}"
    return OPERATIONS.get((method, plain))


def check(shape: Any, value: Any, where: str = "") -> None:
    """AssertionError where a value has not the published shape."""
    if shape is None:
        assert value is None, f"{where}: nothing belongs here"
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{where}: a list belongs here, not {value!r}"
        for number, one in enumerate(value):
            check(shape[0], one, f"{where}[{number}]")
    elif shape in SHAPES:
        fields = {name.removesuffix("?"): (kind, name.endswith("?")) for name, kind in SHAPES[shape].items()}
        assert isinstance(value, dict), f"{where}: {shape} belongs here, not {value!r}"
        assert value.keys() <= fields.keys(), f"{where}: {shape} has no {value.keys() - fields.keys()}"
        missing = {name for name, (_, optional) in fields.items() if not optional} - value.keys()
        assert not missing, f"{where}: {shape} needs {missing}"
        for name, one in value.items():
            check(fields[name][0], one, f"{where}.{name}")
    elif not (shape.endswith("?") and value is None):
        assert _fits(shape.removesuffix("?"), value), f"{where}: {shape} belongs here, not {value!r}"


def _fits(kind: str, value: Any) -> bool:
    match kind:
        case "any":
            return True
        case "text":
            return isinstance(value, str)
        case "flag":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "count":
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0
        case "uuid":
            return isinstance(value, str) and str(uuid.UUID(value)) == value
        case "time":
            return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
        case _:
            return value in kind.split("|")
