"""XMP packets: reading them, and adding a block of our own that can be taken out again to the last byte.

Nothing foreign is ever written anew: our properties go into one `rdf:Description` at the end of the packet, found by its
position in the bytes. Where another program has merged it with its own, what is ours is cut out property by property.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

OURS = "https://pypi.org/project/precious-daemon/ns/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
DC = "http://purl.org/dc/elements/1.1/"
DIGIKAM = "http://www.digikam.org/ns/1.0/"
CAMERA_RAW = "http://ns.adobe.com/camera-raw-settings/1.0/"
DARKTABLE = "http://darktable.sf.net/"
PREFIXES = {OURS: "precious", XMP: "xmp", DIGIKAM: "digiKam"}

LARGEST = 4 * 1024 * 1024  # bytes; a sidecar with a long history of edits has some hundred thousand
SKELETON = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    b' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>\n'
)

Name = tuple[str, str]  # namespace, local name


class NotXmp(ValueError):
    """Not a packet that can be read, or not one that can be added to."""


@dataclass(slots=True)
class Packet:
    """What is said in a packet: each property with its texts (one, or the items of its list), and where things are."""

    data: bytes
    properties: dict[Name, list[str]] = field(default_factory=dict)
    about: str = ""
    rdf_prefix: str = "rdf"
    end: int | None = None  # where `</rdf:RDF>` begins
    _attributes: dict[Name, tuple[int, str]] = field(default_factory=dict)  # where the tag begins, and the name as written
    _elements: dict[Name, tuple[int, int]] = field(default_factory=dict)
    _blocks: list[tuple[int, int]] = field(default_factory=list)  # descriptions that hold nothing but ours

    def text(self, space: str, name: str) -> str | None:
        found = self.properties.get((space, name))
        return found[0] if found else None

    def number(self, space: str, name: str) -> int | None:
        try:
            return round(float(self.text(space, name) or ""))
        except (ValueError, OverflowError):
            return None

    # --- writing -------------------------------------------------------------------------------------------------------

    def without_ours(self) -> bytes:
        """The packet as others left it."""
        ours = {key for key in self.properties if key[0] == OURS}
        for space, name in list(ours):  # a foreign property that is as we wrote it
            for foreign in (XMP, DIGIKAM):
                if self.text(foreign, name) is not None and self.text(foreign, name) == self.text(space, name):
                    ours.add((foreign, name))
        cuts = list(self._blocks)
        for key in ours:
            if key in self._elements:
                cuts.append(self._elements[key])
            if key in self._attributes:
                start, written = self._attributes[key]
                tag = re.compile(rb"\s+" + re.escape(written.encode()) + rb"\s*=\s*(\"[^\"]*\"|'[^']*')").search(self.data, start)
                if tag:
                    cuts.append(tag.span())
        data = self.data
        for start, end in sorted(set(cuts), reverse=True):
            if not any(a <= start and end <= b and (a, b) != (start, end) for a, b in cuts):
                data = (
                    data[:start] + data[end:].removeprefix(b"\n ") if (start, end) in self._blocks else data[:start] + data[end:]
                )
        return data


def read(data: bytes) -> Packet:
    """Parse a packet. NotXmp where it is none, declares entities, or is too large."""
    if len(data) > LARGEST:
        raise NotXmp(f"it is larger than {LARGEST >> 20} MB")
    reader = _Reader(data)
    from xml.parsers import expat

    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as exc:
        raise NotXmp(f"it is not valid XML ({exc})") from exc
    return reader.packet


def write(data: bytes, ours: Mapping[str, str], shared: Mapping[Name, str]) -> bytes:
    """The packet with our properties, and the `shared` ones (a rating, a label) that nobody else has set.

    Shared ones are noted among ours too, which tells them from what another program says. With nothing of ours, it is the
    packet as others left it.
    """
    if not data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        raise NotXmp("it is not UTF-8")
    base = read(read(data).without_ours())
    free = {key: value for key, value in shared.items() if key not in base.properties}
    if not ours and not free:
        return base.data
    if base.end is None:
        raise NotXmp("it has no rdf:RDF to add to")
    noted = dict(ours) | {name: value for (_, name), value in free.items()}
    spaces = {OURS, *(space for space, _ in free)}
    parts = [
        f"{base.rdf_prefix}:about={_attribute(base.about)}",
        *(f'xmlns:{PREFIXES[space]}="{space}"' for space in sorted(spaces)),
        *(f"precious:{name}={_attribute(value)}" for name, value in sorted(noted.items())),
        *(f"{PREFIXES[space]}:{name}={_attribute(value)}" for (space, name), value in sorted(free.items())),
    ]
    block = f"<{base.rdf_prefix}:Description {' '.join(parts)}/>\n ".encode()
    return base.data[: base.end] + block + base.data[base.end :]


def _attribute(value: str) -> str:
    """Quoted; what XML cannot hold, such as bytes that are no UTF-8, becomes a sign."""
    plain = "".join(c if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff" else "\ufffd" for c in value)
    return f'"{html.escape(plain)}"'  # xml.sax would load urllib, and with it OpenSSL


def embedded(file: Path) -> bytes | None:
    """The packet inside of a JPEG, or None."""
    with open(file, "rb") as jpeg:
        if jpeg.read(2) != b"\xff\xd8":
            return None
        for _ in range(64):
            head = jpeg.read(4)
            if len(head) < 4 or head[0] != 0xFF or head[1] in (0xD9, 0xDA):
                return None
            length = int.from_bytes(head[2:], "big") - 2
            if head[1] == 0xE1 and length > 29:
                segment = jpeg.read(length)
                if segment.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
                    return segment[29:]
            else:
                jpeg.seek(max(length, 0), 1)
    return None


class _Reader:
    """Follows the elements of a packet: x:xmpmeta, rdf:RDF, rdf:Description, a property, its list, its items."""

    def __init__(self, data: bytes) -> None:
        self.packet = Packet(data)
        from xml.parsers import expat  # here: few libraries have sidecars, and the parser takes its room in memory

        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.namespace_prefixes = True
        self.parser.ordered_attributes = True
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self._depth = 0
        self._rdf: int | None = None  # depth of rdf:RDF
        self._starts: list[int] = []
        self._property: Name | None = None
        self._texts: list[str] = []
        self._alone = True  # this description holds nothing foreign

    def _refuse(self, *_: object) -> None:
        raise NotXmp("it declares a document type, which no XMP packet does")

    def _start(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        self._starts.append(self.parser.CurrentByteIndex)
        space, local, written = _split(name)
        if self._rdf is None:
            if (space, local) == (RDF, "RDF"):
                self._rdf, self.packet.rdf_prefix = self._depth, written.rpartition(":")[0] or "rdf"
            return
        level = self._depth - self._rdf
        if level == 1:
            self._alone = True
            self._take_attributes(attributes)
        elif level == 2:
            self._property, self._texts = (space, local), []
            self._alone &= space == OURS
        elif level == 4 and self._property and (space, local) == (RDF, "li"):
            self.packet.properties.setdefault(self._property, []).append("")

    def _take_attributes(self, attributes: list[str]) -> None:
        values = dict(zip(map(_split, attributes[::2]), attributes[1::2], strict=True))
        ours = {local for (space, local, _) in values if space == OURS}
        for (space, local, written), value in values.items():
            if space == RDF:
                self.packet.about = value if local == "about" else self.packet.about
                continue
            self.packet.properties[space, local] = [value]
            self.packet._attributes[space, local] = self._starts[-1], written
            same = local in ours and any(k[:2] == (OURS, local) and v == value for k, v in values.items())
            self._alone &= space == OURS or same
        self._alone &= bool(ours)

    def _text(self, text: str) -> None:
        level = self._depth - self._rdf if self._rdf is not None else 0
        if self._property and level == 2:
            self._texts.append(text)
        elif self._property and level == 4 and (items := self.packet.properties.get(self._property)):
            items[-1] += text

    def _end(self, name: str) -> None:
        start, here = self._starts.pop(), self.parser.CurrentByteIndex
        level = self._depth - self._rdf if self._rdf is not None else -1
        end = self._after(start)
        empty = self.packet.data[:end].endswith(b"/>")  # it has no end tag, and `here` is of no use
        if level == 0:
            self.packet.end = None if empty else here
            self._rdf = None
        elif level == 1 and self._alone:
            self.packet._blocks.append((start, end if empty else self._after(here)))
        elif level == 2 and self._property:
            if text := "".join(self._texts).strip():
                self.packet.properties[self._property] = [text]
            self.packet.properties.setdefault(self._property, [])
            self.packet._elements[self._property] = start, end if empty else self._after(here)
            self._property = None
        self._depth -= 1

    def _after(self, tag: int) -> int:
        """Where the tag that begins here ends."""
        quote = 0
        for index in range(tag, len(self.packet.data)):
            sign = self.packet.data[index]
            if quote:
                quote = 0 if sign == quote else quote
            elif sign in b"\"'":
                quote = sign
            elif sign == ord(">"):
                return index + 1
        return len(self.packet.data)


def _split(name: str) -> tuple[str, str, str]:
    """(namespace, local name, name as written) of what expat gives."""
    parts = name.split(" ")
    if len(parts) == 1:
        return "", parts[0], parts[0]
    return parts[0], parts[1], f"{parts[2]}:{parts[1]}" if len(parts) > 2 else parts[1]
