import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from nas.training.data.pictures import (
    BROKEN,
    TOO_MANY_PIXELS,
    Header,
    UnreadablePictureError,
    decode,
    fit,
    read_header,
)


def stored(image: Image.Image, kind: str = "PNG", **options: object) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    stream.seek(0)
    return stream


def decoded(image: Image.Image, channels: int = 3, kind: str = "PNG", **options: object) -> list[int]:
    """The top left pixel at native size."""
    pixels = decode(stored(image, kind, **options), channels, (image.height, image.width))
    return [int(value) for value in pixels[:, 0, 0]]


def huge_png(width: int, height: int) -> io.BytesIO:
    """A PNG of a few bytes that declares any size, with a correct checksum."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (head, data, b"IEND")]
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "rgb"),
    [
        ("1", 1, "PNG", [255, 255, 255]),
        ("L", 77, "PNG", [77, 77, 77]),
        ("RGB", (10, 20, 30), "PNG", [10, 20, 30]),
        ("LA", (100, 0), "PNG", [255, 255, 255]),  # invisible: the white behind it
        ("LA", (100, 255), "PNG", [100, 100, 100]),
        ("RGBA", (0, 0, 0, 0), "PNG", [255, 255, 255]),
        ("RGBA", (200, 0, 0, 128), "PNG", [227, 127, 127]),  # 200 x 128/255 + 255 x 127/255
        ("CMYK", (0, 0, 0, 255), "TIFF", [0, 0, 0]),
        ("CMYK", (255, 0, 0, 0), "TIFF", [0, 255, 255]),
        ("I;16", 65535, "PNG", [255, 255, 255]),
        ("I;16", 257 * 9, "PNG", [9, 9, 9]),
        ("I;16", 200, "PNG", [1, 1, 1]),  # dark stays dark
        ("I", 40, "TIFF", [40, 40, 40]),
        ("I", 257 * 9, "TIFF", [9, 9, 9]),
        ("F", 0.5, "TIFF", [128, 128, 128]),
        ("F", 100.0, "TIFF", [100, 100, 100]),
        ("F", float("nan"), "TIFF", [0, 0, 0]),
    ],
)
def test_every_mode_becomes_the_colour_that_the_rule_says(mode: str, colour: object, kind: str, rgb: list[int]) -> None:
    image = Image.new(mode, (4, 3), colour)
    assert decoded(image, 3, kind) == rgb
    if len(set(rgb)) == 1:
        assert decoded(image, 1, kind) == rgb[:1]


def test_values_without_a_range_are_stretched() -> None:
    values = np.array([[-2.0, 0.0], [2.0, np.inf]], dtype=np.float32)
    values[1, 1] = 6.0
    pixels = decode(stored(Image.fromarray(values), "TIFF"), 1, (2, 2))
    assert pixels.tolist() == [[[0, 64], [128, 255]]]


def test_infinities_do_not_crash() -> None:
    values = np.array([[np.inf, 0.0], [-np.inf, np.nan]], dtype=np.float32)
    pixels = decode(stored(Image.fromarray(values), "TIFF"), 1, (2, 2))
    assert pixels.tolist() == [[[255, 128], [0, 128]]]


def test_palette_pictures_and_their_transparent_colour() -> None:
    image = Image.new("P", (4, 3), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    assert decoded(image) == [10, 200, 30]
    assert decoded(image, transparency=1) == [255, 255, 255]


def test_premultiplied_and_lab_pictures_are_converted() -> None:
    assert decoded(Image.new("PA", (4, 3)), kind="TIFF") is not None
    assert decoded(Image.new("LAB", (4, 3), (255, 128, 128)), 1, "TIFF")[0] > 240


def test_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    assert decoded(frames[0], kind="GIF", save_all=True, append_images=frames[1:]) == [255, 0, 0] or decoded(
        frames[0], kind="WEBP", save_all=True, append_images=frames[1:], lossless=True
    ) == [255, 0, 0]


def test_exif_rotation_turns_pixels_and_size() -> None:
    image = Image.new("RGB", (4, 2), "black")
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: 90 degrees clockwise to see it upright
    stream = stored(image, exif=exif)
    assert read_header(stream) == Header(height=4, width=2, grey=False)
    stream.seek(0)
    upright = decode(stream, 3, (4, 2))
    assert upright[0, 0].tolist() == [0, 255]  # the top left corner has gone to the top right


def test_a_broken_exif_is_ignored() -> None:
    stream = stored(Image.new("RGB", (4, 3), "red"), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert read_header(stream) == Header(3, 4, False)


@pytest.mark.parametrize(("mode", "grey"), [("1", True), ("L", True), ("LA", True), ("I;16", True), ("RGB", False)])
def test_grey_is_what_the_header_declares(mode: str, grey: bool) -> None:
    assert read_header(stored(Image.new(mode, (4, 3)))).grey is grey


def test_a_palette_of_greys_is_grey() -> None:
    grey = Image.new("P", (4, 3))
    grey.putpalette([7, 7, 7, 9, 9, 9])
    colour = Image.new("P", (4, 3))
    colour.putpalette([7, 7, 7, 9, 9, 8])
    assert read_header(stored(grey)).grey
    assert not read_header(stored(colour)).grey


def test_a_wide_picture_keeps_its_proportions_and_loses_both_ends() -> None:
    columns = np.repeat(np.array([0, 0, 100, 200, 0, 0], dtype=np.uint8), 10)
    wide = Image.fromarray(np.tile(columns, (20, 1)))
    square = fit(wide, (20, 20))
    assert square.shape == (1, 20, 20)
    assert set(square[0, 0].tolist()) == {100, 200}


def test_a_tall_picture_loses_top_and_bottom() -> None:
    rows = np.repeat(np.array([0, 0, 100, 200, 0, 0], dtype=np.uint8), 10)
    square = fit(Image.fromarray(np.tile(rows[:, None], (1, 20))), (20, 20))
    assert set(square[0, :, 0].tolist()) == {100, 200}


def test_shrinking_averages_instead_of_picking() -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    small = fit(Image.fromarray(board.astype(np.uint8)), (8, 8))
    assert np.abs(small.astype(int) - 128).max() <= 8


def test_one_pixel_becomes_a_plain_picture() -> None:
    assert np.unique(decode(stored(Image.new("RGB", (1, 1), (9, 9, 9))), 3, (16, 24))).tolist() == [9]


def test_large_jpegs_are_decoded_scaled_and_look_the_same() -> None:
    y, x = np.mgrid[0:600, 0:800]
    smooth = np.stack([x * 255 / 799, y * 255 / 599, (x + y) * 255 / 1398], axis=-1).astype(np.uint8)
    image = Image.fromarray(smooth)
    scaled = decode(stored(image, "JPEG", quality=95), 3, (48, 64)).astype(int)
    assert np.abs(scaled - fit(image, (48, 64))).max() <= 6


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_a_picture_cut_short_is_named(kind: str) -> None:
    rng = np.random.default_rng(0)
    whole = stored(Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)), kind).getvalue()
    with pytest.raises(UnreadablePictureError) as caught:
        decode(io.BytesIO(whole[: len(whole) // 2]), 3, (16, 16))
    assert caught.value.reason == BROKEN


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0\xff\xff\xff\xff"]
)
def test_what_is_no_picture_is_named(content: bytes) -> None:
    for read in (read_header, lambda stream: decode(stream, 3, (8, 8))):
        with pytest.raises(UnreadablePictureError) as caught:
            read(io.BytesIO(content))
        assert caught.value.reason == BROKEN


@pytest.mark.parametrize("side", [9_460, 13_000, 20_000, 2**31 - 1])
def test_a_decompression_bomb_is_named_and_never_decoded(side: int) -> None:
    for read in (read_header, lambda stream: decode(stream, 3, (8, 8))):
        with pytest.raises(UnreadablePictureError) as caught:
            read(huge_png(side, side))
        assert caught.value.reason in (TOO_MANY_PIXELS, BROKEN)
        assert side > 100_000 or caught.value.reason == TOO_MANY_PIXELS


def test_postscript_is_never_opened() -> None:
    # Pillow would start Ghostscript, which runs the file.
    stream = io.BytesIO(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(UnreadablePictureError):
        read_header(stream)


def test_random_damage_never_raises_anything_else() -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (24, 20, 3), dtype=np.uint8))
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM"):
        whole = bytearray(stored(image, kind).getvalue())
        for _ in range(60):
            damaged = bytearray(whole)
            for position in rng.integers(0, min(len(whole), 200), 4):
                damaged[position] = rng.integers(256)
            for read in (read_header, lambda stream: decode(stream, 1, (8, 8))):
                with contextlib.suppress(UnreadablePictureError):
                    read(io.BytesIO(damaged))
