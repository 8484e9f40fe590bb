"""Drawn faces whose age is known: the default data set of the book.

A face is drawn from its *cues*, the signs of age from the length of the jaw to the grey of the hair. Each cue follows
age in its own way and has its own noise in every person, ``cue = mean(age) + sigma * noise``, as in nature, where no
single sign gives an age away. Everything else about a face (sex, skin, hair, glasses, light, camera) is drawn without
regard to age. That makes it possible to say how well *anybody* could guess: see `ideal_guess`.

Beard and make-up are the only things besides the cues that children lack. They appear where the recorded cue
`cue_maturity` is above 0.5, so they say nothing about age that the cues do not say.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ssrlib import drawing, hair
from ssrlib.sketch import limit

OLDEST = 90.0  # years
SMALLEST_PICTURE = 32  # pixels
KNOTS = np.array([0, 5, 12, 18, 30, 45, 60, 75, 90], dtype=np.float64)  # years


class Cue(NamedTuple):
    """One sign of age: its mean at the ages `KNOTS`, straight between them, and its spread among people.

    What is below 0 cannot be seen: a child may be far from its first grey hair or near to it.
    """

    means: tuple
    sigma: float
    female: float = 1.0  # the cue of a woman is this many times that of a man, mean and noise alike


CUES = {
    # age                    0     5     12    18    30    45    60    75    90
    "jaw_length":     Cue((0.00, 0.35, 0.70, 0.95, 1.00, 1.00, 1.02, 1.00, 0.97), 0.24),
    "eye_size":       Cue((1.00, 0.70, 0.38, 0.12, 0.00, -0.06, -0.14, -0.22, -0.30), 0.29),
    "forehead":       Cue((1.00, 0.62, 0.28, 0.08, 0.00, 0.00, 0.00, 0.00, 0.00), 0.29),
    "nose_length":    Cue((0.00, 0.30, 0.62, 0.88, 1.00, 1.10, 1.22, 1.34, 1.46), 0.29),
    "cheek_fullness": Cue((1.00, 0.80, 0.50, 0.28, 0.12, 0.00, -0.15, -0.32, -0.50), 0.37),
    "ear_growth":     Cue((0.00, 0.35, 0.70, 0.90, 1.00, 1.18, 1.36, 1.55, 1.74), 0.39),
    "maturity":       Cue((0.00, 0.00, 0.15, 1.00, 1.00, 1.00, 1.00, 1.00, 1.00), 0.13),
    "hair_growth":    Cue((0.00, 0.75, 1.00, 1.00, 1.00, 1.00, 1.00, 1.00, 1.00), 0.26),
    "greying":        Cue((-0.75, -0.75, -0.75, -0.70, -0.25, 0.28, 0.66, 0.95, 1.15), 0.36),
    "receding":       Cue((-0.50, -0.50, -0.50, -0.45, -0.05, 0.32, 0.58, 0.80, 0.98), 0.44, female=0.35),
    "hair_thinning":  Cue((-0.40, -0.40, -0.40, -0.35, -0.05, 0.22, 0.48, 0.74, 1.00), 0.44),
    "brow_fading":    Cue((-0.40, -0.40, -0.40, -0.35, -0.05, 0.26, 0.54, 0.80, 1.02), 0.46),
    "skin_roughness": Cue((-0.45, -0.45, -0.40, -0.35, 0.02, 0.34, 0.60, 0.82, 1.05), 0.42),
    "skin_fading":    Cue((-0.40, -0.40, -0.40, -0.35, 0.05, 0.38, 0.62, 0.82, 1.00), 0.49),
    "forehead_lines": Cue((-0.50, -0.50, -0.50, -0.45, -0.02, 0.38, 0.66, 0.87, 1.05), 0.42),
    "crows_feet":     Cue((-0.50, -0.50, -0.50, -0.45, -0.05, 0.36, 0.66, 0.87, 1.05), 0.46),
    "nasolabial":     Cue((-0.40, -0.40, -0.40, -0.35, 0.08, 0.40, 0.65, 0.86, 1.05), 0.38),
    "eye_bags":       Cue((-0.45, -0.45, -0.45, -0.40, -0.02, 0.32, 0.62, 0.84, 1.02), 0.46),
    "lid_droop":      Cue((-0.45, -0.45, -0.45, -0.40, -0.08, 0.24, 0.56, 0.84, 1.12), 0.44),
    "lip_thinning":   Cue((-0.35, -0.35, -0.35, -0.30, 0.00, 0.32, 0.58, 0.82, 1.02), 0.46),
    "jowls":          Cue((-0.50, -0.50, -0.50, -0.45, -0.10, 0.24, 0.54, 0.82, 1.08), 0.42),
}  # fmt: skip

HAIR_STYLES = {
    "female": ("long", "long with fringe", "wavy", "bob", "tied back", "pixie", "curly"),
    "male": ("short", "side parting", "crop", "short curls", "fringe"),
}
BEARDS = {"none": 0.45, "stubble": 0.2, "moustache": 0.1, "goatee": 0.1, "full": 0.15}
GLASSES = {"none": 0.8, "round": 0.1, "square": 0.1}
GLASSES_COLOURS = ("#28221f", "#5c3a28", "#464e5c", "#967e6e")
LIPSTICKS = ("#b0283a", "#c4545c", "#963448", "#ce6254")
# Differences between people that have nothing to do with age: factors around 1, and shifts in face units.
FACTORS = {"face_width": 0.025, "nose_width": 0.08, "mouth_width": 0.05, "lips": 0.1, "eye_height": 0.08,
           "eye_spacing": 0.02}  # fmt: skip
SHIFTS = {"eye_slant": 0.6, "brow_height": 0.8}


def cue_distribution(name, age, sex):
    """Mean and standard deviation of the cue `name` at an age in years (a number or an array)."""
    cue = CUES[name]
    strength = cue.female if sex == "female" else 1.0
    return strength * np.interp(age, KNOTS, cue.means), strength * cue.sigma


def _rounded(value):
    # Steps of 1/1024 absorb what mathematical libraries may differ by in the last bit.
    return round(float(value) * 1024) / 1024


def _pick(rng, weights):
    chances = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=chances / chances.sum()))


def _colour(channels):
    return "#" + bytes(int(limit(c, 0, 255)) for c in channels).hex()


def _sample_face(seed, index, age=None):
    """Draw age and attributes of one person; with `age` given, of the same person at that age."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, index]))
    own_age = _rounded(rng.uniform(0, OLDEST))
    age = own_age if age is None else float(age)

    def uniform(low, high):
        return _rounded(rng.uniform(low, high))

    def normal(sigma):
        return _rounded(sigma * limit(rng.standard_normal(), -2.5, 2.5))

    a = {"sex": _pick(rng, {"female": 1, "male": 1}), "skin_tone": uniform(0, 1), "undertone": uniform(-1, 1)}
    # Fair hair and light eyes go with fair skin, at every age.
    fair = limit(1 - 1.7 * a["skin_tone"])
    dark = 0.3 + 2 * a["skin_tone"]
    shares = dark, 0.6, 0.15 + fair, 0.05 + 0.4 * fair, 0.3 * fair, 0.8 * fair, 0.7 * fair
    a["hair_colour"] = _pick(rng, dict(zip(hair.COLOURS, shares, strict=True)))
    a["eye_colour"] = _pick(rng, dict(zip(drawing.EYES, (1, 0.1 + 0.5 * fair, 0.4 * fair, 1.2 * fair), strict=True)))
    a["hair_style"] = str(rng.choice(HAIR_STYLES[a["sex"]]))
    a["glasses"] = _pick(rng, GLASSES)
    a["glasses_colour"] = str(rng.choice(GLASSES_COLOURS))
    beard, make_up = _pick(rng, BEARDS), max(0.0, uniform(-0.8, 1))
    a["lipstick"] = str(rng.choice(LIPSTICKS))
    a["clothes"] = _colour(rng.integers(50, 200) + rng.integers(-40, 41, 3))
    a["background"] = _colour(rng.integers(70, 215) + rng.integers(-30, 31, 3))
    a |= {f"shape_{name}": 1 + normal(sigma) for name, sigma in FACTORS.items()}
    a |= {f"shape_{name}": normal(sigma) for name, sigma in SHIFTS.items()}
    a |= {"blush": uniform(0.2, 1), "smile": uniform(0, 1), "gaze": uniform(-0.6, 0.6)}
    a |= {"roll": normal(6), "yaw": uniform(-14, 14), "scale": uniform(0.45, 0.53)}
    a |= {"centre_x": uniform(0.46, 0.54), "centre_y": uniform(0.44, 0.5)}
    a |= {"light_x": uniform(-1, 1), "light_y": uniform(0.3, 1), "light_warmth": uniform(-1, 1)}
    a |= {"exposure": uniform(0.95, 1.05), "shine": int(rng.integers(4, 16))}
    a |= {"blur": uniform(0.1, 0.7), "noise": uniform(0, 3), "jpeg_quality": int(rng.integers(72, 97))}
    a["texture_seed"] = int(rng.integers(2**32))
    for name in CUES:
        mean, sigma = cue_distribution(name, age, a["sex"])
        a[f"cue_{name}"] = _rounded(mean + sigma * rng.standard_normal())
    mature = a["cue_maturity"] > 0.5
    a["beard"] = beard if mature and a["sex"] == "male" else "none"
    a["make_up"] = make_up if mature and a["sex"] == "female" else 0.0
    return age, a


def sample_attributes(n, seed=0):
    """Draw ages and attributes as `draw_faces` does, without the pictures.

    Parameters
    ----------
    n : int
        Number of faces, 0 or more.
    seed : int
        Names the stream of faces.

    Returns
    -------
    ages : numpy.ndarray, float32, shape (n,)
        Years in 0..90.
    attributes : pandas.DataFrame
        One row for each face.

    Raises
    ------
    ValueError
        If `n` is negative.
    """
    if n < 0:
        raise ValueError(f"n must not be negative, but is {n}.")
    people = [_sample_face(seed, index) for index in range(n)]
    columns = list(_sample_face(seed, 0)[1])
    return np.array([age for age, _ in people], np.float32), pd.DataFrame([a for _, a in people], columns=columns)


def draw_face(seed, index, size=128, age=None):
    """Draw face `index` of the stream `seed`.

    Parameters
    ----------
    seed, index : int
        Name the person; both 0 or more.
    size : int
        Width and height of the picture in pixels, at least 32.
    age : float, optional
        Years in 0..90: draw the same person (features, colours, background, camera, and for every cue the same
        distance from the mean) at this age instead of the person's own.

    Returns
    -------
    image : numpy.ndarray, uint8, shape (size, size, 3)
        RGB.
    age : float
        Years in 0..90.
    landmarks : numpy.ndarray, float32, shape (68, 2)
        Pixels, x right and y down, in the iBUG order: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67.
    attributes : dict
        What was drawn. Cues are recorded as they were sampled, before a picture limits them to what can be shown.
        `scale` is the width of 100 face units as a part of the picture, `roll` and `yaw` are in degrees, `light_x`
        is above 0 for light from the left, `skin_tone` runs from 0 (light) to 1 (dark).

    Raises
    ------
    ValueError
        If `size` is below 32 or `age` outside 0..90.

    Examples
    --------
    >>> image, age, landmarks, attributes = draw_face(seed=1, index=5)
    >>> image.shape, round(age), attributes["sex"]
    ((128, 128, 3), 35, 'male')
    >>> draw_face(seed=1, index=5, age=80)[3]["hair_colour"] == attributes["hair_colour"]
    True
    """
    if size < SMALLEST_PICTURE:
        raise ValueError(f"size must be at least {SMALLEST_PICTURE} pixels, but is {size}.")
    if age is not None and not 0 <= age <= OLDEST:
        raise ValueError(f"age must lie between 0 and {OLDEST:g} years, but is {age}.")
    age, attributes = _sample_face(seed, index, age)
    image, landmarks = drawing.paint_face(attributes, size)
    return image, age, landmarks, attributes


def draw_faces(n, seed=0, size=128):
    """Draw the first `n` faces of a stream; face i depends on `seed` and i only.

    Parameters
    ----------
    n : int
        Number of faces, 0 or more.
    seed : int
        Names the stream.
    size : int
        Width and height of the pictures in pixels, at least 32.

    Returns
    -------
    images : numpy.ndarray, uint8, shape (n, size, size, 3)
        RGB.
    ages : numpy.ndarray, float32, shape (n,)
        Years, uniform over 0..90.
    landmarks : numpy.ndarray, float32, shape (n, 68, 2)
        Pixels, see `draw_face`.
    attributes : pandas.DataFrame
        One row for each face, see `draw_face`.

    Raises
    ------
    ValueError
        If `n` is negative or `size` below 32.

    Examples
    --------
    >>> images, ages, landmarks, attributes = draw_faces(3, seed=7, size=64)
    >>> images.shape, landmarks.shape, len(attributes)
    ((3, 64, 64, 3), (3, 68, 2), 3)
    """
    if size < SMALLEST_PICTURE:
        raise ValueError(f"size must be at least {SMALLEST_PICTURE} pixels, but is {size}.")
    ages, attributes = sample_attributes(n, seed)
    images, landmarks = np.empty((n, size, size, 3), np.uint8), np.empty((n, 68, 2), np.float32)
    for index, row in enumerate(attributes.to_dict("records")):
        images[index], landmarks[index] = drawing.paint_face(row, size)
    return images, ages, landmarks, attributes


def ideal_guess(attributes):
    """Guess ages as well as anybody can who reads every cue exactly.

    Given age and sex the cues are independent and Gaussian, and ages are uniform over 0..90, so Bayes' rule gives the
    whole posterior; its median has the smallest expected absolute error of all guesses. A picture is made from the
    cues and from things that do not depend on age, so it cannot tell more about age than the cues do (the
    data-processing inequality): the mean absolute error of this guess is a floor for every guesser from pixels.

    Parameters
    ----------
    attributes : pandas.DataFrame
        Needs the columns `sex` and `cue_...` of `draw_faces` or `sample_attributes`.

    Returns
    -------
    numpy.ndarray, float64, shape (n,)
        Years in 0..90, to 0.1 years.

    Examples
    --------
    >>> ages, attributes = sample_attributes(400, seed=1)
    >>> error = abs(ideal_guess(attributes) - ages).mean()
    >>> 3 < float(error) < 5
    True
    """
    grid = np.arange(0, 10 * OLDEST + 1) / 10
    log_posterior = np.zeros((len(attributes), len(grid)))
    for sex in HAIR_STYLES:
        rows = (attributes["sex"] == sex).to_numpy()
        for name in CUES:
            mean, sigma = cue_distribution(name, grid, sex)
            seen = attributes[f"cue_{name}"].to_numpy(np.float64)[rows, None]
            log_posterior[rows] -= 0.5 * ((seen - mean) / sigma) ** 2
    posterior = np.exp(log_posterior - log_posterior.max(axis=1, keepdims=True))
    mass = np.cumsum(posterior, axis=1)
    return grid[np.argmax(mass >= 0.5 * mass[:, -1:], axis=1)]
