"""Who is in a photo, as its XMP names them: face regions (Metadata Working Group, Microsoft) and IPTC's persons shown."""

from __future__ import annotations

REGIONS = "http://www.metadataworkinggroup.com/schemas/regions/"  # faces, as most programs write them
_MICROSOFT = "http://ns.microsoft.com/photo/1.2/t/Region#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_PET_OR_FACE = ("", "face", "pet")  # of a region's type; the others are focus points and bar codes
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_MARKS = (b"/regions/", b"Region#", b"PersonInImage")  # a packet without any of them names nobody
LARGEST = 4 * 1024 * 1024  # bytes of a packet


def named(data: bytes | None) -> tuple[str, ...]:
    """The names in a packet of any photo; none where there is no packet, or it cannot be read. Most are not even parsed."""
    if not data or not any(mark in data for mark in _MARKS):
        return ()
    try:
        return tuple(sorted(people(data)))
    except ValueError:
        return ()


def people(data: bytes) -> set[str]:
    """The names in a packet.

    A region is an element with its name and type as attributes, or as elements inside of it. ValueError for what is none.
    """
    from xml.parsers import expat

    found: set[str] = set()
    regions: list[dict[str, str]] = []  # one for each open element
    texts: list[str] = []
    names: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def refuse(*_: object) -> None:
        raise ValueError("it declares a document type, which no XMP packet does")

    def start(name: str, attributes: dict[str, str]) -> None:
        names.append(name)
        texts.append("")
        regions.append({key.rpartition(" ")[2]: text for key, text in attributes.items() if key.startswith(f"{REGIONS} ")})
        found.update(text for key, text in attributes.items() if key == f"{_MICROSOFT} PersonDisplayName")

    def end(name: str) -> None:
        text, region = texts.pop().strip(), regions.pop()
        names.pop()
        if name.startswith(f"{REGIONS} ") and text and regions:
            regions[-1][name.rpartition(" ")[2]] = text
        elif regions and names and names[-1] == f"{_RDF} li" and region.get("Name"):
            regions[-1] |= region  # a description inside of an item
        elif region.get("Name") and region.get("Type", "").casefold() in _PET_OR_FACE:
            found.add(region["Name"])
        if name == f"{_MICROSOFT} PersonDisplayName" or (name == f"{_RDF} li" and f"{_IPTC} PersonInImage" in names):
            found.add(text)

    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = start, end, refuse
    parser.buffer_text = True

    def add(text: str) -> None:
        if texts:
            texts[-1] += text

    parser.CharacterDataHandler = add
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MB")
    try:
        parser.Parse(data, True)
    except expat.ExpatError as exc:
        raise ValueError(f"it is not valid XML ({exc})") from exc
    return {name.strip() for name in found if name.strip()}
