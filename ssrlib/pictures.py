"""One picture, from a file in whatever state or from the program that draws faces: RGB bytes or one clear error."""

import re
from pathlib import Path

import cv2
import numpy as np

from ssrlib import synthetic

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}

LONGEST_SIDE = 32_766  # pixels; OpenCV cannot turn a larger picture

_DRAWN = re.compile(r"drawn:(\d+):(\d+)", re.ASCII)


def read_picture(path):
    """Read one picture of a table.

    Parameters
    ----------
    path : str or Path
        A file, or `drawn:SEED:INDEX` for a drawn face.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB, turned upright if the file says how the camera was held.

    Raises
    ------
    ValueError
        If the file is not a picture that OpenCV can read, or the name of a drawn face is not written as it should be.
    FileNotFoundError
        If there is no such file.
    OSError
        If the file is there but may not be opened, or is a folder.

    Examples
    --------
    >>> read_picture("drawn:0:17").shape
    (128, 128, 3)
    """
    if str(path).startswith("drawn:"):
        drawn = _DRAWN.fullmatch(str(path))
        if drawn is None:
            raise ValueError(f"'{path}' names no drawn face; write drawn:SEED:INDEX, as in drawn:0:17.")
        return synthetic.draw_face(int(drawn[1]), int(drawn[2]))[0]
    return decode(Path(path).read_bytes())


def decode(content):
    """Turn a picture file's bytes into RGB.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    ValueError
        If they are not those of a picture that OpenCV can read and turn.
    """
    # Not cv2.imread: it cannot open every file name on Windows and only warns when a file is missing.
    encoded = np.frombuffer(content, dtype=np.uint8)
    try:
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    except cv2.error:  # a header that announces more pixels than OpenCV accepts
        picture = None
    if picture is None:
        raise ValueError("not a picture that can be read (broken, empty or of an unknown format)")
    if max(picture.shape) > LONGEST_SIDE:
        raise ValueError(f"a picture of more than {LONGEST_SIDE:,} pixels a side; make it smaller")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
