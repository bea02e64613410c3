"""The document of the API (OpenAPI 3.1), made from the routes themselves; only the fields of bodies are written down here."""

from __future__ import annotations

import inspect
import re
from typing import Any

from aiohttp import web

from precious_daemon import __version__
from precious_daemon.asking import answering
from precious_daemon.web import scopes

routes = web.RouteTableDef()

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": ["integer", "null"]}
_FLAG: dict[str, Any] = {"type": "boolean"}
_NAMES: dict[str, Any] = {"type": "array", "items": _TEXT, "maxItems": 1000}
_PATH: dict[str, dict[str, Any]] = {
    "uid": {"type": "string", "pattern": "^[0-9a-f]+$"},
    "id": {"type": "integer", "minimum": 0},
    "number": {"type": "integer", "minimum": 0},
    "name": _TEXT,
}
BODIES: dict[str, tuple[dict[str, dict[str, Any]], tuple[str, ...]]] = {
    "/api/answer": (
        {
            "question": {"enum": list(answering.CHOICES)}, "choice": {"enum": sorted(set().union(*answering.CHOICES.values()))},
            "photos": _NAMES, "purpose": _TEXT, "request": _TEXT, "kind": {"enum": ["pair", "label", "any"]}, "within": _TEXT,
        },
        ("question", "choice", "photos", "purpose"),
    ),
    "/api/blind": (
        {
            "choice": {"enum": ["first", "second", "draw", "both_keep", "both_delete", "skip"]}, "photos": _NAMES,
            "kind": _TEXT, "request": _TEXT,
        },
        ("choice", "photos"),
    ),
    "/api/model": ({"file": _TEXT}, ("file",)),
    "/api/ranking/out": ({"uids": _NAMES}, ("uids",)),
    "/api/ranking/back": ({"uids": _NAMES}, ("uids",)),
    "/api/suggestions/approve": ({"uids": _NAMES, "typed_count": _NUMBER, "dry_run": _FLAG}, ("uids",)),
    "/api/suggestions/dismiss": ({"uids": _NAMES}, ("uids",)),
    "/api/suggestions/reopen": ({"uids": _NAMES}, ("uids",)),
    "/api/photos/trash": ({"uids": _NAMES, "typed_count": _NUMBER}, ("uids",)),
    "/api/trash/restore": ({"uids": _NAMES}, ("uids",)),
    "/api/trash/purge": ({"typed_count": _NUMBER, "dry_run": _FLAG}, ()),
    "/api/roots": ({"path": _TEXT}, ("path",)),
    "/api/pause": ({"for": _TEXT, "until": _TEXT}, ()),
    "/api/password": ({"password": _TEXT, "current": _TEXT}, ("password",)),
    "/api/tokens": ({"name": _TEXT, "scope": {"enum": list(scopes.SCOPES)}}, ("name",)),
}  # fmt: skip
"""What the body of a route holds: its fields, and which have to be there. Of any other, only that it is one."""


def document(app: web.Application) -> dict[str, Any]:
    """Every route under /api/, and the pictures and figures that a key may ask for."""
    paths: dict[str, dict[str, Any]] = {}
    for route in app.router.routes():
        resource = route.resource
        if resource is None or route.method == "HEAD":
            continue
        path, method = resource.canonical, route.method
        if path.startswith("/api/") or scopes.needed(method, path):
            paths.setdefault(path, {})[method.lower()] = _operation(method, path, route.handler)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "precious-daemon",
            "version": __version__,
            "description": "Everything that the page does. Send a key as `Authorization: Bearer KEY`; make one on the page of "
            "the settings or with `precious-daemon token new NAME`.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Problem": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": _TEXT, "kind": _TEXT, "count": {"type": "integer"}},
                }
            },
        },
        "security": [{"key": []}],
    }


def _operation(method: str, path: str, handler: Any) -> dict[str, Any]:
    said = inspect.getdoc(handler) or ""
    summary, _, more = said.partition("\n")
    scope = scopes.needed(method, path)
    content = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    problem = content if path.startswith("/api/") else {}
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()}{re.sub(r'[^a-z]+', '_', path)}".rstrip("_"),
        "summary": summary,
        "description": "\n".join(
            filter(None, (more.strip(), f"Needs the scope `{scope}`." if scope else "For the owner's own session alone."))
        ),
        "responses": {
            "200": {"description": "What was asked for."},
            "400": {"description": "What was sent cannot be understood.", **problem},
            "401": {"description": "No key, or a wrong one."},
            "403": {"description": "The key may not do this."},
            "404": {"description": "There is nothing by that name.", **problem},
            "409": {"description": "That cannot be done now; the sentence says why.", **problem},
        },
    }
    names = re.findall(r"{(\w+)}", path)
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": _PATH.get(name, _TEXT)} for name in names
        ]
    if method != "GET":
        fields, wanted = BODIES.get(path, ({}, ()))
        schema = {"type": "object", "properties": fields, **({"required": list(wanted)} if wanted else {})}
        operation["requestBody"] = {"required": bool(wanted), "content": {"application/json": {"schema": schema}}}
    return operation


@routes.get("/api/openapi.json")
async def show(request: web.Request) -> web.Response:
    """This document."""
    return web.json_response(document(request.app))
