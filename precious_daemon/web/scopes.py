"""What a key for scripts may do, and what every profile may.

A route that is not named here is the owner's alone, so that a new one is closed at first.
"""

from __future__ import annotations

PREFIX = "precious_"  # of every key, so that one in a file or a log is known for what it is
SCOPES = ("read", "vote", "review")
"""Each may all that those before it may."""

_CLOSED = frozenset({"/api/settings", "/api/sessions", "/api/tokens", "/api/log", "/api/log.jsonl"})
"""What no key may read: the owner's settings hold passwords of plugins, and the log what they sent."""
_OWNERS = frozenset({"/settings", "/log"})  # pages
_READ = frozenset({"/thumb/{uid}", "/preview/{uid}", "/metrics"})  # and every GET under /api/
_VOTE = frozenset({
    "/api/answer", "/api/undo", "/api/blind", "/api/blind/undo", "/api/ranking/out", "/api/ranking/back",
    "/api/votes/import", "/api/clusters/label", "/api/clusters/undo", "/api/tasks/{id}/answer", "/api/tasks/{id}/undo",
})  # fmt: skip
_REVIEW = frozenset({
    "/api/suggestions/approve", "/api/suggestions/dismiss", "/api/suggestions/reopen", "/api/groups/decide", "/api/groups/undo",
    "/api/photos/trash", "/api/trash/restore", "/api/jobs/{name}/run", "/api/jobs/{name}/stop", "/api/pause", "/api/resume",
})  # fmt: skip


_OWN = frozenset({
    "/login", "/logout", "/api/people/switch", "/api/password", "/api/sessions/{id}/end", "/api/answers/{id}/undo",
})  # fmt: skip
"""What is no key's to do, and every profile's for itself."""


def for_everybody(method: str, route: str) -> bool:
    """Whether every profile may do this and not only the owner's: what a key may, pages but the settings, its own affairs."""
    if method in ("GET", "HEAD"):
        return route not in _CLOSED - {"/api/sessions"} and route not in _OWNERS
    return route in _OWN or needed(method, route) is not None


def needed(method: str, route: str) -> str | None:
    """The scope that a request to this route needs; None where no key will do."""
    if method in ("GET", "HEAD"):
        return "read" if route in _READ or (route.startswith("/api/") and route not in _CLOSED) else None
    if route in _VOTE:
        return "vote"
    return "review" if route in _REVIEW else None


def allows(scope: str, method: str, route: str) -> bool:
    """Whether a key of this scope may send this request."""
    wanted = needed(method, route)
    return wanted is not None and SCOPES.index(scope) >= SCOPES.index(wanted)
