"""dlib's frontal face detector, taken out of the library for the page: five filters of 10 by 10 cells.

dlib is under the Boost Software License 1.0. Its detector writes itself as a stream of whole numbers, each a byte with
sign and length and then its bytes; a real number is a mantissa and a power of two.
"""

import numpy as np

CELLS, FEATURES, DETECTORS = 10, 31, 5


def read_detector(stream: bytes) -> np.ndarray:
    """Find the filters in a serialised detector.

    Parameters
    ----------
    stream : bytes
        Of `dlib.get_frontal_face_detector()`, pickled.

    Returns
    -------
    ndarray of float64, shape (5, 3101)
        A row for each detector: the weights by feature, row and column, and what its score must reach.

    Raises
    ------
    ValueError
        If there is something else in the stream.
    """
    numbers, at = [], 0
    while at < len(stream):
        size = stream[at] & 15
        value = int.from_bytes(stream[at + 1 : at + 1 + size], "little")
        numbers.append(-value if stream[at] & 128 else value)
        at += 1 + size
    length = FEATURES * CELLS**2 + 1
    starts = [place + 2 for place in range(len(numbers) - 1) if numbers[place : place + 2] == [-length, -1]]
    if len(starts) != DETECTORS:
        raise ValueError(f"This dlib's face detector has {len(starts)} filters of {length} weights, not {DETECTORS}.")
    pairs = np.array([numbers[start : start + 2 * length] for start in starts], float).reshape(DETECTORS, length, 2)
    return np.ldexp(pairs[..., 0], pairs[..., 1].astype(int))


def finder_weights() -> np.ndarray:
    """Arrange the filters as the page's convolution reads them.

    Returns
    -------
    ndarray of float32, shape (31 * 100 * 8 + 8,)
        The kernel (row, column, feature, filter), its filters filled up to eight with zeros, and the biases.
    """
    import dlib

    detector = read_detector(dlib.get_frontal_face_detector().__getstate__()[0])
    weights = detector[:, :-1].reshape(DETECTORS, FEATURES, CELLS, CELLS).transpose(2, 3, 1, 0)
    kernel = np.zeros((CELLS, CELLS, FEATURES, 8), np.float32)
    kernel[..., :DETECTORS] = weights
    bias = np.zeros(8, np.float32)
    bias[:DETECTORS] = -detector[:, -1]
    return np.concatenate([kernel.ravel(), bias])
