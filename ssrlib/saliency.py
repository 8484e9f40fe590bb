"""What a network looks at: maps of where its answer is sensitive, and single signs of age taken from drawn faces.

A map says where a picture's pixels matter to the answer, not what they mean. On drawn faces the question can be put
directly, because there each sign of age is a number that can be set back while everything else stays: `cue_effects`.
"""

import cv2
import keras
import numpy as np
import pandas as pd
from keras import ops
from scipy import stats

from ssrlib import alignment, drawing, synthetic

YOUNG = 25.0  # years; the age that signs are set back to
OLD = (50.0, 80.0)  # years; the people whose signs are set back
CUE_GROUPS = {
    "wrinkles": ("forehead_lines", "crows_feet", "nasolabial", "eye_bags"),
    "hair": ("greying", "receding", "hair_thinning", "brow_fading"),
    "skin": ("skin_roughness", "skin_fading"),
    "sagging": ("lid_droop", "lip_thinning", "jowls"),
    "shape": ("jaw_length", "eye_size", "forehead", "nose_length", "cheek_fullness", "ear_growth"),
    "all signs": tuple(synthetic.CUES),
}


def occlusion_map(model, image, size=12, stride=4, fill="blur"):
    """Measure by how many years the answer moves when a part of the picture is covered (Zeiler and Fergus, 2014).

    Parameters
    ----------
    model : keras.Model
        Takes (N, H, W, 3), returns (N, 1) years.
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    size : int
        Side of the square that covers, in pixels; at most the picture's shorter side.
    stride : int
        Step from one square to the next in pixels, 1 to `size`, so that every pixel is covered.
    fill : str
        "mean" paints the square in the picture's mean colour: whatever it showed is gone, but its edges are new, and
        the network may answer to them as well. "blur" puts the blurred picture there: colour and shading stay and
        no edge comes in, so only detail is gone, such as lines, but not, for instance, the grey of hair.

    Returns
    -------
    ndarray of float64, shape (H, W)
        Years: the answer with a square minus the answer without, averaged over the squares that cover the pixel.
        Above 0 where covering makes the person look older.

    Raises
    ------
    ValueError
        If the picture is not RGB uint8, or a size, step or fill is impossible.

    Examples
    --------
    >>> layers = [keras.Input((64, 64, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    >>> image = np.full((64, 64, 3), 128, np.uint8)
    >>> float(np.abs(occlusion_map(keras.Sequential(layers), image)).max())  # grey on grey covers nothing
    0.0
    """
    alignment.check_picture(image)
    height, width = image.shape[:2]
    if not 1 <= size <= min(height, width) or not 1 <= stride <= size:
        raise ValueError(
            f"Squares of {size} pixels in steps of {stride} do not cover a picture of {width}x{height} pixels: the "
            f"size is 1 to {min(height, width)}, and the step 1 to the size."
        )
    if fill == "mean":
        cover = np.broadcast_to(np.rint(image.mean(axis=(0, 1))), image.shape).astype(np.uint8)
    elif fill == "blur":
        cover = cv2.GaussianBlur(image, (0, 0), size / 3, borderType=cv2.BORDER_REPLICATE)
    else:
        raise ValueError(f"A square is filled with 'mean' or 'blur', not '{fill}'.")
    # The last square ends at the border even if the steps do not.
    tops, lefts = (sorted({*range(0, side - size + 1, stride), side - size}) for side in (height, width))
    windows = [np.s_[top : top + size, left : left + size] for top in tops for left in lefts]
    covered = np.repeat(image[None], 1 + len(windows), axis=0)
    for picture, window in zip(covered[1:], windows, strict=True):
        picture[window] = cover[window]
    whole, *answers = _ages(model, covered)
    total, count = np.zeros((2, height, width))
    for window, answer in zip(windows, answers, strict=True):
        total[window] += answer - whole
        count[window] += 1
    return total / count


def gradient_map(model, image, noise=5.0, copies=32, seed=0):
    """Compute the derivative of the age with respect to every value of the picture, smoothed over noisy copies.

    A network's gradient changes quickly from one picture to a nearly equal one. Its mean over noisy copies shows what
    they have in common: SmoothGrad (Smilkov et al., 2017, arXiv:1706.03825).

    Parameters
    ----------
    model : keras.Model
        Takes (N, H, W, 3), returns (N, 1) years. Keras's backend may be TensorFlow, JAX or PyTorch.
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    noise : float
        Standard deviation of the Gaussian noise in grey levels, at least 0; 0 with one copy is the plain gradient.
        Strong noise moves the answer itself: the map is then that of pictures which the network does not know.
    copies : int
        How many noisy copies, at least 1.
    seed : int

    Returns
    -------
    ndarray of float64, shape (H, W, 3)
        Years per grey level. The change of the age for a small change d of the picture is about the sum of map * d.

    Raises
    ------
    ValueError
        If the picture is not RGB uint8, `noise` is negative or there is no copy.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    >>> model.set_weights([np.full((192, 1), 0.25), np.zeros(1)])  # a quarter of a year for every value
    >>> gradient_map(model, np.zeros((8, 8, 3), np.uint8))[0, 0]
    array([0.25, 0.25, 0.25])
    """
    alignment.check_picture(image)
    if not noise >= 0 or copies < 1:
        raise ValueError(f"Smoothing takes noise of at least 0 and at least 1 copy, not {noise} and {copies}.")
    noisy = image + noise * np.random.default_rng(seed).standard_normal((copies, *image.shape))
    # At the ends of the range, where SSRNet cuts its input, there is no derivative, and beyond them it is 0.
    noisy = np.clip(noisy, 0.5, 254.5).astype(np.float32)
    return _input_gradient(model, noisy).mean(axis=0, dtype=np.float64)


def cue_effects(models, crop, groups=CUE_GROUPS, count=100, seed=1):
    """Set signs of age of old drawn people back to the age of 25 and measure by how much each guesser's answer moves.

    A person is drawn twice, with the own signs and with those of a group as the same person had them at 25: at the same
    distance from the mean of that age, everything else as it was, the camera's noise too. Both pictures are cropped by
    the landmarks of the first, so that nothing moves but what the signs move.

    Parameters
    ----------
    models : dict of keras.Model
        For each name a network that was trained on crops made in this way.
    crop : alignment.Crop
        With a detector and landmarks.
    groups : dict of sequence of str
        For each name cues in `synthetic.CUES`.
    count : int
        Number of people, with ages uniform over 50 to 80 years, at least 2. A person whose face is not found is left
        out.
    seed : int
        Names the stream of drawn people (the weights "drawn" were trained on stream 0) and of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        One row for each group and guesser, who is one of the models or "ideal" (`synthetic.ideal_guess`, told the same
        cues): `cues`, `guesser`, `years` (mean change of the answer, below 0 for younger), `low` and `high` (its 95 %
        bootstrap interval over the people), `people`.

    Raises
    ------
    ValueError
        If a group names a cue that there is not, there are fewer than 2 people, or the crop does not align.
    """
    unknown = sorted({cue for cues in groups.values() for cue in cues} - synthetic.CUES.keys())
    if unknown:
        raise ValueError(f"There is no cue {', '.join(unknown)}; the cues are {', '.join(synthetic.CUES)}.")
    if count < 2:
        raise ValueError(f"An interval takes at least 2 people, not {count}.")
    if not crop.landmarks:
        raise ValueError("Only a crop with landmarks can be made twice in the same place; this one has none.")
    images, attributes = _set_back(crop, groups, count, seed)
    people = len(attributes[0])
    guesses = {name: _ages(model, images.reshape(-1, *images.shape[2:])) for name, model in models.items()}
    guesses["ideal"] = synthetic.ideal_guess(pd.concat(attributes))
    rows = []
    for number, cues in enumerate(groups, start=1):
        for guesser, ages in guesses.items():
            ages = ages.reshape(-1, people)
            changes = ages[number] - ages[0]
            interval = stats.bootstrap(
                (changes,), np.mean, n_resamples=2000, method="percentile", rng=seed
            ).confidence_interval
            rows.append((cues, guesser, changes.mean(), *interval, people))
    return pd.DataFrame(rows, columns=["cues", "guesser", "years", "low", "high", "people"])


def set_back(attributes, age, cues):
    """Give a drawn person the named cues as the same person had them at 25, at the same distance from that age's mean.

    Parameters
    ----------
    attributes : dict
        As `synthetic.draw_face` returns them.
    age : float
        The person's age in years, 0..90.
    cues : sequence of str
        Names in `synthetic.CUES`.

    Returns
    -------
    dict
        A copy, for `drawing.paint_face` and `synthetic.ideal_guess`.

    Examples
    --------
    >>> _, _, _, old = synthetic.draw_face(seed=1, index=5, age=70)
    >>> _, _, _, young = synthetic.draw_face(seed=1, index=5, age=25)
    >>> dyed = set_back(old, 70, ["greying"])
    >>> [round(person["cue_greying"], 2) for person in (old, dyed, young)]
    [0.87, -0.42, -0.42]
    """
    changed = dict(attributes)
    for cue in cues:
        own, young = (synthetic.cue_distribution(cue, years, attributes["sex"])[0] for years in (age, YOUNG))
        changed[f"cue_{cue}"] += float(young - own)
    return changed


def _set_back(crop, groups, count, seed):
    """Draw and crop people as they are and once a group: (1 + groups, people, size, size, 3), and their attributes."""
    images, attributes = [], []
    for index, age in enumerate(np.random.default_rng(seed).uniform(*OLD, count)):
        picture, _, _, own = synthetic.draw_face(seed, index, age=age)
        try:
            face = alignment.usable_faces(picture, crop)[0]
        except alignment.NoFaceError:
            continue
        points = alignment.find_landmarks(picture, face, crop.landmarks)
        matrix = alignment.alignment_matrix(points, crop)
        people = [own, *(set_back(own, age, cues) for cues in groups.values())]
        pictures = [picture, *(drawing.paint_face(person, len(picture))[0] for person in people[1:])]
        images.append([alignment.warp_crop(each, matrix, crop.size) for each in pictures])
        attributes.append(people)
    return np.array(images).swapaxes(0, 1), [pd.DataFrame(people) for people in zip(*attributes, strict=True)]


def _ages(model, images):
    return np.float64(model.predict(images, batch_size=256, verbose=0)[:, 0])


def _input_gradient(model, images):
    """Derive each picture's answer by the picture, on whichever backend Keras runs: float32 (N, H, W, 3)."""

    def total(pictures):  # one picture's answer does not depend on another's values
        return ops.sum(model(pictures, training=False))

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        pictures = tf.constant(images)
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            answer = total(pictures)
        return tape.gradient(answer, pictures).numpy()
    if backend == "jax":
        import jax

        # Uncompiled, JAX would compile each operation by itself.
        return np.asarray(jax.jit(jax.grad(total))(images))
    if backend == "torch":
        pictures = ops.convert_to_tensor(images).requires_grad_()
        total(pictures).backward()
        return pictures.grad.cpu().numpy()
    raise ValueError(f"Keras runs on {backend}; gradients are taken on tensorflow, jax or torch.")
