"""What an XMP sidecar says of whether its photo is worth keeping: stars, reject flag, pick flag. Bytes in, a word out.

Nothing that this program wrote into a sidecar itself is taken for the owner's word: it is noted there among its own properties.
"""

from __future__ import annotations

LARGEST = 4 * 1024 * 1024  # bytes
KEEP_STARS = 3  # so many or more; with one or two, programs differ in what is meant
OURS = "https://pypi.org/project/precious-daemon/ns/1.0/"
_RATING = "http://ns.adobe.com/xap/1.0/ Rating"
_LABEL = "http://ns.adobe.com/xap/1.0/ Label"
_PICK = "http://www.digikam.org/ns/1.0/ PickLabel"  # 1 rejected, 2 pending, 3 accepted
_REJECTED = frozenset({"reject", "rejected"})


def said(data: bytes) -> str | None:
    """`keep`, `delete`, or None: it says neither, or is no XMP. Entities are not read, so that nothing can blow up."""
    if len(data) > LARGEST:
        return None
    found = _properties(data)
    for name in (_RATING, _LABEL, _PICK):
        if name in found and found.get(f"{OURS} {name.rpartition(' ')[2]}") == found[name]:
            del found[name]
    stars = _number(found.get(_RATING))
    pick = _number(found.get(_PICK))
    if stars == -1 or pick == 1 or found.get(_LABEL, "").strip().lower() in _REJECTED:
        return "delete"
    return "keep" if (stars is not None and KEEP_STARS <= stars <= 5) or pick == 3 else None


def _number(text: str | None) -> int | None:
    try:
        return round(float(text or ""))
    except (ValueError, OverflowError):
        return None


def _properties(data: bytes) -> dict[str, str]:
    """The simple properties, as attributes or as elements, by `namespace name`; none where it is not well-formed."""
    from xml.parsers import expat

    found: dict[str, str] = {}
    texts: list[list[str]] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def refuse(*_: object) -> None:
        raise expat.ExpatError("a document type is not read")

    def start(name: str, attributes: dict[str, str]) -> None:
        found.update(attributes)
        texts.append([])

    def end(name: str) -> None:
        text = "".join(texts.pop()).strip()
        if text:
            found[name] = text

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: texts[-1].append(text) if texts else None
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, RecursionError, ValueError):
        return {}
    return found
