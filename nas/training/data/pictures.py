"""One picture: from the bytes of a file to a uint8 array of the asked size, by stated rules, or a named reason.

The rules, the same for training, for `nas predict` and for the export (`preprocessing` writes them down):

- Rotation: the EXIF orientation is applied. Animated or multi-page files: the first frame.
- Transparency (LA, RGBA, palette or key colour): composited on white. Palette, CMYK, YCbCr, LAB, HSV: to RGB by Pillow.
- 16-bit grey: value / 257, so that the full range 0-65,535 becomes 0-255; never stretched, brightness is information.
- 32-bit integers and floats declare no range: read as 0-1 (floats only), 0-255 or 0-65,535 (integers only), the first
  that holds every value; else stretched from the least to the greatest value. NaN counts as 0.
- Shape: scaled so that it covers the asked size, then the overhang is cut off evenly (centre crop). Proportions are
  kept because squashing changes what a shape is, and bars would be pixels that no camera delivers.
- Scaling: bilinear with antialiasing. JPEG files more than four times too large are decoded at a half, a quarter or an
  eighth, which leaves at least twice the asked size.
- Refused: empty files, more than 256 MiB, more than 89,478,485 pixels (where Pillow itself warns of a bomb), and
  whatever Pillow cannot decode to the last row.
"""

import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

_RAW_WORDS = "bmp dib tif tiff ppm pgm pbm pnm pfm"
_COMPRESSED_WORDS = "jpg jpeg jpe jfif png apng gif webp jp2 j2k avif"
_FOREIGN_WORDS = "heic heif jxl dng cr2 cr3 nef arw raf orf rw2 psd tga svg ico eps"
RAW_SUFFIXES = frozenset(f".{word}" for word in _RAW_WORDS.split())  # pixels may be stored uncompressed
SUFFIXES = RAW_SUFFIXES | frozenset(f".{word}" for word in _COMPRESSED_WORDS.split())
FOREIGN_SUFFIXES = frozenset(f".{word}" for word in _FOREIGN_WORDS.split())
# Only decoders that read pixels: Pillow would hand an EPS file to Ghostscript, which runs it.
_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
MAX_BYTES = 256 * 2**20
MAX_PIXELS = 89_478_485

EMPTY = "empty file"
BROKEN = "broken, cut short or not a picture"
TOO_MANY_BYTES = "more than 256 MiB"
TOO_MANY_PIXELS = "more than 89,478,485 pixels"
NO_ACCESS = "cannot be opened (permissions)"
CRASHED = "kills the decoder"

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})
_RAISED_BY_DECODERS = (
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


class UnreadablePictureError(Exception):
    """A picture that is left out; `reason` is one of this module's reasons."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Header(NamedTuple):
    """What the first bytes of a picture say: its size in pixels after rotation, and whether it is grey."""

    height: int
    width: int
    grey: bool


@cache
def _formats() -> tuple[str, ...]:
    """The formats of `_FORMATS` that this build of Pillow can read."""
    from PIL import Image

    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@contextmanager
def _reasons() -> Iterator[None]:
    """Turns what decoders raise on foreign bytes into `UnreadablePictureError`, and silences their warnings."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UnreadablePictureError(TOO_MANY_PIXELS) from None
    except PermissionError:
        raise UnreadablePictureError(NO_ACCESS) from None
    except _RAISED_BY_DECODERS:
        raise UnreadablePictureError(BROKEN) from None


def read_header(stream: BinaryIO) -> Header:
    """Size and colour of the picture in `stream` without decoding it (a palette picture's first frame is decoded).

    Grey is what the file declares: an RGB file of grey pixels is not grey; a palette of greys is.
    """
    from PIL import Image

    with _reasons(), Image.open(stream, formats=_formats()) as image:
        width, height = image.size
        if min(width, height) < 1:
            raise UnreadablePictureError(BROKEN)
        if width * height > MAX_PIXELS:
            raise UnreadablePictureError(TOO_MANY_PIXELS)
        grey = image.mode in _GREY_MODES or image.mode.startswith("I;16") or _grey_palette(image)
        return Header(width, height, grey) if _orientation(image) >= 5 else Header(height, width, grey)


def decode(stream: BinaryIO, channels: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture in `stream` as uint8 (channels, height, width), `size` = (height, width), channels 1 or 3.

    `UnreadablePictureError` with the reason where it cannot be decoded.
    """
    from PIL import Image

    with _reasons(), Image.open(stream, formats=_formats()) as image:
        if image.width * image.height > MAX_PIXELS:
            raise UnreadablePictureError(TOO_MANY_PIXELS)
        orientation = _orientation(image)
        image.draft(None, (2 * max(size), 2 * max(size)))
        image.load()
        return fit(_upright(_plain(image, channels), orientation), size)


def decode_file(open_file: Callable[[], BinaryIO], channels: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """`decode` for a file that may be unreadable itself: missing rights, a damaged archive, more bytes than allowed."""
    with _reasons(), open_file() as stream:
        return decode(stream, channels, size)


def fit(image: "Image", size: tuple[int, int]) -> NDArray[np.uint8]:
    """An image of mode L or RGB as uint8 (channels, height, width): scaled to cover `size`, the overhang cut off."""
    from PIL.Image import Resampling

    height, width = size
    if (image.height, image.width) != size:
        scale = max(height / image.height, width / image.width)
        cut_x = max(0.0, (image.width - width / scale) / 2)
        cut_y = max(0.0, (image.height - height / scale) / 2)
        box = (cut_x, cut_y, image.width - cut_x, image.height - cut_y)
        image = image.resize((width, height), Resampling.BILINEAR, box=box)
    pixels = np.asarray(image, dtype=np.uint8).reshape(height, width, -1)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _plain(image: "Image", channels: int) -> "Image":
    """The image in mode L (one channel) or RGB (three)."""
    from PIL import Image

    mode = "L" if channels == 1 else "RGB"
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_to_eight_bits(image)).convert(mode)
    if image.has_transparency_data:
        if image.mode == "La":  # Pillow converts premultiplied grey in two steps only
            image = image.convert("LA")
        visible = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", visible.size, "white"), visible)
    if image.mode in ("LAB", "HSV", "PA"):
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _to_eight_bits(image: "Image") -> NDArray[np.uint8]:
    """Grey of more than eight bits as uint8 (height, width), by the module's rule."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        wide = np.asarray(image).astype(np.float64) / 257.0
    else:
        wide = _declared_nowhere(np.asarray(image).astype(np.float64), whole=image.mode == "I")
    return np.rint(np.clip(wide, 0.0, 255.0)).astype(np.uint8)


def _declared_nowhere(values: NDArray[np.float64], whole: bool) -> NDArray[np.float64]:
    """Values without a declared range, brought to 0-255."""
    limits = np.finfo(np.float32)
    values = np.nan_to_num(values, nan=0.0, posinf=float(limits.max), neginf=float(limits.min))
    least, greatest = float(values.min()), float(values.max())
    ranges = ((255.0, 1.0), (65_535.0, 1 / 257.0)) if whole else ((1.0, 255.0), (255.0, 1.0))
    for top, factor in ranges:
        if least >= 0.0 and greatest <= top:
            return values * factor
    return (values - least) * (255.0 / (greatest - least)) if greatest > least else np.zeros_like(values)


def _orientation(image: "Image") -> int:
    """The EXIF orientation 1-8; 1 where there is none or it cannot be read."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would decode the whole picture to look for it behind the pixels
    try:
        value = image.getexif().get(0x0112, 1)
    except _RAISED_BY_DECODERS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(image: "Image", orientation: int) -> "Image":
    """The image turned as its EXIF orientation says."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _grey_palette(image: "Image") -> bool:
    """Whether a palette picture uses a palette of greys alone."""
    if image.mode not in ("P", "PA"):
        return False
    palette = image.getpalette("RGB") or [0, 1, 0]
    colours = np.array(palette[: len(palette) // 3 * 3]).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())
