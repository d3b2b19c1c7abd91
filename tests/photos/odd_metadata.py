"""Photos whose pixels are whole and whose metadata is odd, as files from the world have it."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

PIXELS = np.stack(np.broadcast_arrays(*np.ogrid[0:160:4, 0:240:4], 80), -1).astype(np.uint8)  # 40 high, 60 wide
TURN = (0x112, 3, 1, struct.pack("<H", 6))  # orientation 6: to be turned by a quarter


def ifd(*entries):
    """EXIF of entries (tag, type, count, value)."""
    body, more, start = struct.pack("<H", len(entries)), b"", 14 + 12 * len(entries)
    for tag, kind, count, value in entries:
        offset = struct.pack("<I", start + len(more))
        body += struct.pack("<HHI", tag, kind, count) + (value.ljust(4, b"\0") if len(value) <= 4 else offset)
        more += value if len(value) > 4 else b""
    return b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 0) + more


EXIF = {  # name: (EXIF, whether it asks for a turn)
    "orientation as text": (ifd((0x112, 2, 6, b"right\0")), False),
    "orientation 77": (ifd((0x112, 3, 1, struct.pack("<H", 77))), False),
    "negative resolution": (ifd(TURN, (0x11A, 10, 1, struct.pack("<ii", -72, 1))), True),
    "resolution 0/0": (ifd(TURN, (0x11A, 5, 1, struct.pack("<II", 0, 0))), True),
    "resolution NaN": (ifd(TURN, (0x11A, 11, 1, struct.pack("<f", float("nan")))), True),
    "resolution as text": (ifd(TURN, (0x11A, 2, 4, b"abc\0")), True),
    "overlong value": (ifd((0x10F, 2, 70000, b"\x40\0\0\0"), TURN), True),
    "unknown type": (ifd((0x10F, 99, 1, b"abcd"), TURN), True),
    "negative short": (ifd(TURN, (0x128, 8, 1, struct.pack("<h", -5))), True),
    "cut short": (ifd(TURN)[:15], False),
    "empty": (b"", False),
}


def encoded(format, **options):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, format, **options)
    return file.getvalue()


def jpeg(kind, data, **options):
    """A JPEG with an APP1 segment."""
    content = encoded("JPEG", quality=95, **options)
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(kind + data) + 2) + kind + data + content[2:]


def png(kind, data, intact=True, times=1):
    """A PNG with more chunks behind its header."""
    content = encoded("PNG")
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ (not intact))
    return content[:33] + chunk * times + content[33:]


BIG = zlib.compress(b"x" * 3_000_000)
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
CASES = {f"JPEG: EXIF {name}": (jpeg(b"Exif\0\0", exif), turn) for name, (exif, turn) in EXIF.items()}
CASES |= {f"PNG: EXIF {name}": (png(b"eXIf", exif), turn) for name, (exif, turn) in EXIF.items()}
CASES |= {
    "JPEG: orientation in XMP alone": (jpeg(b"http://ns.adobe.com/xap/1.0/\0", XMP), True),
    "JPEG: without its last two bytes": (encoded("JPEG")[:-2], False),
    "JPEG, progressive: without its last two bytes": (encoded("JPEG", progressive=True)[:-2], False),
    "PNG: EXIF with JPEG's header": (png(b"eXIf", b"Exif\0\0" + ifd(TURN)), True),
    "PNG: EXIF with a bad checksum": (png(b"eXIf", ifd(TURN), intact=False), False),
    "PNG: bad raw profile": (png(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 4\nzzzz\n")), False),
    "PNG: text of 3 MB": (png(b"zTXt", b"Comment\0\0" + BIG), False),
    "PNG: text of 70 MB": (png(b"tEXt", b"Comment\0" + b"x" * 1_000_000, times=70), False),
    "PNG: XMP of 3 MB": (png(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BIG), False),
    "PNG: ICC profile of 3 MB": (png(b"iCCP", b"icc\0\0" + BIG), False),
    "PNG: text with a bad checksum": (png(b"tEXt", b"Comment\0hello", intact=False), False),
    "WebP: EXIF with two headers": (encoded("WEBP", lossless=True, exif=b"Exif\0\0" * 2 + ifd(TURN)), True),
}
