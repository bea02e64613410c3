"""The languages of the page, by the name that its rooms know them by."""

from __future__ import annotations

from precious_daemon.words.language import (
    LANGUAGES,
    N_,
    _,
    _n,
    filled,
    gettext,
    ngettext,
    preferred,
    scripts,
    speak,
    spoken,
    told,
)

__all__ = ["LANGUAGES", "N_", "_", "_n", "filled", "gettext", "ngettext", "preferred", "scripts", "speak", "spoken", "told"]
