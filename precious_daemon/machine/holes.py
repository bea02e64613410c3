"""Versions of our dependencies that have known holes, kept here because nothing is looked up at run time.

Looked through by hand on the day below, in the advisories that are named; `make audit` asks pip-audit's databases, where the
network is open. Whoever adds a row raises the floor in pyproject.toml, too: `tests/test_dependencies.py` holds both to this.
"""

from __future__ import annotations

CHECKED = "2026-11-22"
HOLES = {  # the first version without: below it, these
    "aiohttp": ("3.14.3", "CVE-2026-69244"),
    "click": ("8.3.3", "CVE-2026-7246"),
    "cryptography": ("50.0.0", "CVE-2026-69247, CVE-2026-39892"),
    "filelock": ("3.20.3", "CVE-2026-22701, CVE-2025-68146"),
    "fonttools": ("4.61.0", "CVE-2025-66034"),
    "idna": ("3.15", "CVE-2026-45409"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "pillow": ("13.0.0", "CVE-2026-55379, CVE-2026-54058"),
    "pyarrow": ("23.0.1", "CVE-2026-25087"),
    "pygments": ("2.20.0", "CVE-2026-4539"),
    "pytest": ("9.0.3", "CVE-2025-71176"),
    "scikit-learn": ("1.5.0", "CVE-2024-5206"),
    "torch": ("2.12.1", "CVE-2025-3000"),
}
LIBHEIF = "1.22"  # inside pillow-heif
