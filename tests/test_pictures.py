"""One picture in every state that a file may be in."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from ssrlib import synthetic
from ssrlib.pictures import PICTURE_SUFFIXES, read_picture


def write_picture(path, picture=None):
    """Write an RGB picture in the format that the file's name asks for."""
    picture = np.full((6, 8, 3), 128, np.uint8) if picture is None else picture
    done, encoded = cv2.imencode(path.suffix, picture[..., ::-1] if picture.ndim == 3 else picture)
    assert done
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.tobytes())
    return path


@pytest.mark.parametrize("index", [0, 17])
def test_a_drawn_path_gives_the_face_of_that_seed_and_index(index):
    np.testing.assert_array_equal(read_picture(f"drawn:3:{index}"), synthetic.draw_face(3, index)[0])


@pytest.mark.parametrize(
    "path", ["drawn:x", "drawn:", "drawn:0", "drawn:0:x", "drawn:0:-1", "drawn:0:1:2", "drawn:0:1.5"]
)
def test_a_drawn_path_that_names_no_face_is_refused_with_the_right_form(path):
    with pytest.raises(ValueError, match=f"'{path}' names no drawn face; write drawn:SEED:INDEX"):
        read_picture(path)


@pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES))
def test_every_kind_of_file_that_counts_as_a_picture_can_be_read(tmp_path, suffix):
    colour = np.full((6, 8, 3), (200, 120, 40), np.uint8)
    read = read_picture(write_picture(tmp_path / f"plain{suffix}", colour))
    assert read.dtype == np.uint8 and read.shape == (6, 8, 3)
    assert np.abs(read.astype(int) - colour).max() <= 4


@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 20_000, 3), (20_000, 20, 3)])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_pictures_of_odd_shapes_are_read_whole(tmp_path, shape, suffix):
    assert read_picture(write_picture(tmp_path / f"odd{suffix}", np.zeros(shape, np.uint8))).shape == shape


def test_a_picture_that_opencv_cannot_turn_is_refused(tmp_path):
    write_picture(tmp_path / "panorama.png", np.zeros((2, 32_767, 3), np.uint8))
    with pytest.raises(ValueError, match="more than 32,766 pixels a side"):
        read_picture(tmp_path / "panorama.png")


def test_a_picture_made_for_print_shows_its_colours(tmp_path):
    # Four patches of ink; Pillow writes the CMYK bytes as Adobe's programs do, and Pillow's own way back is the judge.
    patches = np.zeros((32, 32, 3), np.uint8)
    patches[:16, :16], patches[16:, :16], patches[16:, 16:] = (255, 0, 0), (0, 255, 0), (255, 255, 255)
    path = tmp_path / "print.jpg"
    Image.fromarray(patches).convert("CMYK").save(path, quality=95)
    with Image.open(path) as saved:
        assert saved.mode == "CMYK"
        expected = np.asarray(saved.convert("RGB")).astype(int)
    np.testing.assert_allclose(read_picture(path)[4::8, 4::8], expected[4::8, 4::8], atol=8)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_opened_is_an_os_error(tmp_path):
    path = write_picture(tmp_path / "secret.png")
    path.chmod(0)
    with pytest.raises(PermissionError):
        read_picture(path)


def test_colours_come_in_the_order_red_green_blue(tmp_path):
    # Bytes of a PNG written by hand, without OpenCV: one red pixel and one blue.
    path = tmp_path / "red and blue.png"
    path.write_bytes(png(2, 1, zlib.compress(b"\x00" + b"\xff\x00\x00" + b"\x00\x00\xff")))
    np.testing.assert_array_equal(read_picture(path), [[[255, 0, 0], [0, 0, 255]]])


@pytest.mark.parametrize(
    ("orientation", "turns", "mirrored"),
    [(1, 0, 0), (2, 0, 1), (3, 2, 0), (4, 2, 1), (5, -1, 1), (6, -1, 0), (7, 1, 1), (8, 1, 0)],
)
def test_a_picture_taken_with_a_turned_camera_is_turned_upright(tmp_path, orientation, turns, mirrored):
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:16, :16] = 255, 0, 0
    stored[16:, 32:] = 0, 0, 255
    jpeg = write_picture(tmp_path / "turned.jpg", stored).read_bytes()
    tag = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 1) + tag + b"\0\0\0\0"
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    # 6 means that the camera was turned left, so the picture is turned right, clockwise.
    expected = np.rot90(stored, turns).astype(int)
    expected = expected[:, ::-1] if mirrored else expected
    assert np.abs(read_picture(path)[4::8, 4::8] - expected[4::8, 4::8]).max() < 60


def test_grey_deep_and_transparent_pictures_become_rgb_bytes(tmp_path):
    gradient = np.arange(48, dtype=np.uint8).reshape(6, 8)
    grey = read_picture(write_picture(tmp_path / "grey.png", gradient))
    np.testing.assert_array_equal(grey, np.repeat(gradient[..., None], 3, axis=2))
    deep = read_picture(write_picture(tmp_path / "deep.png", gradient.astype(np.uint16) * 257))
    np.testing.assert_array_equal(deep, grey)
    bgra = np.dstack([gradient + 2, gradient + 1, gradient, np.full_like(gradient, 7)])
    (tmp_path / "alpha.png").write_bytes(cv2.imencode(".png", bgra)[1].tobytes())
    alpha = read_picture(tmp_path / "alpha.png")
    np.testing.assert_array_equal(alpha, np.dstack([gradient, gradient + 1, gradient + 2]))


def test_any_file_name_will_do(tmp_path):
    path = write_picture(tmp_path / "Größe 顔 é" / "ein Bild.jpg")
    assert read_picture(path).shape == read_picture(str(path)).shape == (6, 8, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_truncated_pictures_are_refused(tmp_path, suffix, share):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = write_picture(tmp_path / f"cut{suffix}", noise)
    assert read_picture(path).shape == (60, 80, 3)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="not a picture that can be read"):
        read_picture(path)


def test_files_that_are_no_pictures_are_refused(tmp_path):
    (tmp_path / "text.jpg").write_text("I am no picture.")
    # 10 gigapixels by its header: more than OpenCV accepts.
    (tmp_path / "bomb.png").write_bytes(png(100_000, 100_000, zlib.compress(b"\0")))
    for name in ("text.jpg", "bomb.png"):
        with pytest.raises(ValueError, match="not a picture that can be read"):
            read_picture(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_picture(tmp_path / "absent.jpg")
    with pytest.raises(OSError):
        read_picture(tmp_path)


def png(width, height, data):
    """Put together an RGB PNG from its parts."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
