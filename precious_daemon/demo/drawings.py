"""What the demo library draws rather than photographs: receipts, screenshots, and the companions of photos."""

from __future__ import annotations

import random
import struct
from datetime import datetime

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

GOODS = ["BREAD", "MILK", "APPLES", "COFFEE", "BUTTER", "TOMATOES", "RICE", "SOAP", "EGGS", "CHEESE", "PASTA", "HONEY"]
SHOPS = ["GREEN CORNER", "CITY MARKET", "BAKERY HOLM", "STATION KIOSK", "NORTH PHARMACY", "CAFE LINDE"]
TALK = (
    "see you at eight then did you book the train already the code is for the door thanks a lot that sounds good let me know "
    "when you are home I will bring the cake tomorrow maybe we can call later is this the right street"
)


def receipt(rng: random.Random, table: Image.Image) -> Image.Image:
    """A photo of a paper slip on a dark table."""
    slip = Image.new("RGB", (rng.randint(300, 380), rng.randint(560, 760)), rng.choice(["#f4f2ec", "#fbfaf7", "#ece9e0"]))
    draw, ink = ImageDraw.Draw(slip), rng.choice(["#222", "#333a44", "#4a4440"])
    middle = slip.width / 2
    draw.text((middle, 40), rng.choice(SHOPS), ink, _font(26), anchor="mm")
    draw.text((middle, 72), f"{rng.randint(1, 120)} Main Street   No {rng.randint(1000, 99999)}", ink, _font(14), anchor="mm")
    y, total = 120, 0
    while y < slip.height - 150:
        cents = rng.randint(79, 2499)
        total += cents
        draw.text((24, y), f"{rng.randint(1, 4)} {rng.choice(GOODS)}", ink, _font(17))
        draw.text((slip.width - 24, y), f"{cents / 100:.2f}", ink, _font(17), anchor="ra")
        y += 28
    draw.line((24, y + 8, slip.width - 24, y + 8), ink, 2)
    draw.text((24, y + 20), "TOTAL", ink, _font(24))
    draw.text((slip.width - 24, y + 20), f"{total / 100:.2f}", ink, _font(24), anchor="ra")
    for x in range(40, slip.width - 40, 5):
        draw.line((x, y + 70, x, y + 110), ink, rng.randint(1, 3))
    ground = ImageEnhance.Brightness(table.resize((620, 840))).enhance(rng.uniform(0.25, 0.6))
    mask = Image.new("L", slip.size, 255)
    tilt = rng.uniform(-9, 9)
    slip, mask = (image.rotate(tilt, Image.Resampling.BICUBIC, expand=True) for image in (slip, mask))
    slip.thumbnail((600, 820))
    mask.thumbnail((600, 820))
    place = (rng.randint(0, max(0, 620 - slip.width)), rng.randint(0, max(0, 840 - slip.height)))
    ground.paste(slip, place, mask)
    return ground.filter(ImageFilter.GaussianBlur(0.5))


def screenshot(rng: random.Random, picture: Image.Image, at: datetime) -> Image.Image:
    """The screen of a telephone: a chat, a list, or a page with a picture in it."""
    dark = rng.random() < 0.35
    paper, ink, soft, mine = (
        ("#101418", "#e8eaed", "#2a3036", "#1f5f4a") if dark else ("#ffffff", "#1b1d20", "#eceff2", "#d5f5e0")
    )
    screen = Image.new("RGB", (540, 1140), paper)
    draw = ImageDraw.Draw(screen)
    draw.text((24, 14), f"{at:%H:%M}", ink, _font(20))
    draw.rounded_rectangle((470, 18, 516, 36), 5, outline=ink)
    draw.rectangle((473, 21, 473 + rng.randint(8, 40), 33), ink)
    draw.text((24, 62), _sentence(rng, 2).title(), ink, _font(32))
    y, kind = 130, rng.choice(["chat", "list", "page"])
    if kind == "page":
        shot = picture.copy()
        shot.thumbnail((492, 360))
        screen.paste(shot, (24, y))
        y += shot.height + 24
    while y < 1040:
        if kind == "chat":
            text, own = _sentence(rng, rng.randint(2, 5)), rng.random() < 0.5
            width = int(_font(20).getlength(text)) + 36
            left = 516 - width if own else 24
            draw.rounded_rectangle((left, y, left + width, y + 50), 18, mine if own else soft)
            draw.text((left + 18, y + 13), text, ink, _font(20))
            y += 66
        elif kind == "list":
            draw.ellipse((24, y + 6, 68, y + 50), soft)
            draw.text((88, y + 4), _sentence(rng, 2).title(), ink, _font(22))
            draw.text((88, y + 32), _sentence(rng, 5), ink, _font(15))
            draw.line((88, y + 64, 516, y + 64), soft, 2)
            y += 76
        else:
            draw.text((24, y), _sentence(rng, 8), ink, _font(18))
            y += 30 if rng.random() < 0.8 else 56
    for x in (90, 210, 330, 450):
        draw.rounded_rectangle((x - 22, 1080, x + 22, 1116), 8, soft)
    return screen


def movie(rng: random.Random) -> bytes:
    """The start of a QuickTime file, and noise: what lies beside a Live Photo."""
    noise = rng.randbytes(4000)
    return struct.pack(">I4s4sI4s", 20, b"ftyp", b"qt  ", 0, b"qt  ") + struct.pack(">I4s", 8 + len(noise), b"mdat") + noise


def sidecar(stars: int) -> bytes:
    """An XMP file as a RAW developer leaves it."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{stars}"/></rdf:RDF></x:xmpmeta>\n'
    ).encode()


def _sentence(rng: random.Random, words: int) -> str:
    spoken = TALK.split()
    start = rng.randrange(len(spoken) - words)
    return " ".join(spoken[start : start + words])


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
