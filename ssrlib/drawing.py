"""Paint one face from its parameters: the shape of the head, skin, features and the lines of age.

See `ssrlib.sketch` for the layers, the unit of length and the light, and `ssrlib.hair` for hair and beard.
"""

import math

import cv2
import numpy as np

from ssrlib.hair import Hair
from ssrlib.sketch import (
    NEUTRAL,
    Sketch,
    ellipses,
    limit,
    mirrored,
    mix_colours,
    offset,
    parse_colour,
    photograph,
    quantise,
    scale_colour,
    smooth,
)  # fmt: skip

# Skin colours from light to dark, at equal steps of `skin_tone`.
SKIN = [
    (248, 218, 198), (240, 200, 172), (225, 178, 146), (202, 150, 115), (170, 118, 86), (138, 92, 66), (108, 71, 52),
]  # fmt: skip
EYES = {"brown": (84, 54, 36), "hazel": (120, 90, 52), "green": (98, 126, 92), "blue": (96, 138, 176)}
WHITE, BLACK = (255, 255, 255), (18, 12, 12)

# The left half of the iBUG 68 points of a grown-up; the right half is its mirror image.
JAW = [(-45, 1), (-44.5, 13), (-43, 25), (-40.5, 36.5), (-36, 47.5), (-29, 57), (-20.5, 65), (-11, 71), (0, 73)]
BROW = [(-35, -9), (-29, -13.5), (-21.5, -14.5), (-14.3, -13), (-7.5, -10)]
NOSE = [(0, -1), (0, 7), (0, 14.5), (0, 22.5), (-8.7, 27.3), (-4.5, 29), (0, 30.3)]
EYELIDS = [(-26.6, 0.3), (-22.4, -3.9), (-16.4, -4.1), (-11.3, 0.9), (-16.8, 2.9), (-22.4, 2.8)]
LIPS = [(-17.3, 0), (-11.2, -3.2), (-4.4, -5), (0, -4), (0, 7), (-5, 6.6), (-11.2, 4.2)]  # below the line of the mouth
INNER_LIPS = [(-14.5, 0), (-4.7, 0), (0, 0.4), (0, 0.4), (-4.7, 0)]

# How much full cheeks, a square jaw and jowls move the jaw points 0..8.
CHEEK_REACH = np.array([0, 0, 0.3, 0.8, 1.2, 1.3, 1.1, 0.6, 0])
CORNER_REACH = np.array([0, 0, 0.1, 0.4, 1.0, 1.0, 0.7, 0.5, 0])
JOWL_REACH = np.array([0, 0, 0, 0.2, 0.9, 1.0, 0.6, 0.1, 0])
# The landmarks of the nose stand out from the face.
LANDMARK_LIFT = np.zeros(68)
LANDMARK_LIFT[27:36] = [5, 5, 6, 8, 3, 4, 5, 4, 3]

_ANGLES = np.linspace(0, math.pi, 25)
SKULL_ACROSS = quantise(np.sign(np.cos(_ANGLES)) * np.abs(np.cos(_ANGLES)) ** 0.8)
SKULL_UP = quantise(np.abs(np.sin(_ANGLES)) ** 0.9)


def _template():
    def both(left, order):
        """Entry k >= 0 of `order` is point k of the left half, entry k < 0 the mirror image of point -k - 1."""
        return [left[k] if k >= 0 else (-left[-k - 1][0], left[-k - 1][1]) for k in order]

    return np.array(
        [
            *both(JAW, [*range(9), *range(-8, 0)]),
            *both(BROW, [*range(5), *range(-5, 0)]),
            *both(NOSE, [0, 1, 2, 3, 4, 5, 6, -6, -5]),
            *both(EYELIDS, [*range(6), -4, -3, -2, -1, -6, -5]),
            *both(LIPS, [0, 1, 2, 3, -3, -2, -1, -7, -6, 4, 5, 6]),
            *both(INNER_LIPS, [0, 1, 2, -2, -1, -5, 3, 4]),
        ],
        dtype=np.float64,
    )


TEMPLATE = _template()


def shown(cue):
    """Limit a cue, whose noise has no bounds, to what a picture can show."""
    return limit(cue, 0.0, 1.3)


def face_shape(p):
    """Place the 68 points (68, 2) and the outline of the skull (25, 2) of a person, in face units."""
    points = TEMPLATE.copy()
    jaw, brows, nose, mouth = points[:17], points[17:27], points[27:36], points[48:]
    male = p["sex"] == "male"
    length = 0.78 + 0.22 * limit(p["cue_jaw_length"], -0.4, 1.4)
    # Boys and girls have the same jaw; it becomes square in men.
    square = shown(p["cue_maturity"]) * (1.0 if male else -0.5)
    jowls = shown(p["cue_jowls"])
    cheeks = limit(p["cue_cheek_fullness"], -0.9, 1.4)

    widen = 4.6 * cheeks * CHEEK_REACH + 2.2 * square * CORNER_REACH + 3.6 * jowls * JOWL_REACH
    drop = 2.6 * jowls * JOWL_REACH + 2.2 * square * np.array([0, 0, 0, 0, 0, 0.2, 0.5, 0.8, 1])
    jaw[:, 0] += np.concatenate([-widen, widen[7::-1]])
    jaw[:, 0] *= p["shape_face_width"]
    jaw[:, 1] = jaw[:, 1] * length + np.concatenate([drop, drop[7::-1]])

    nose_length = 0.66 + 0.34 * limit(p["cue_nose_length"], -0.4, 1.8)
    nose[1:, 1] *= nose_length
    nose[4:, 0] *= p["shape_nose_width"] * (0.92 + 0.08 * nose_length)
    base, chin = nose[6, 1], jaw[8, 1]

    mouth[:, 0] *= p["shape_mouth_width"] * (0.82 + 0.18 * length)
    mouth[:12, 1] *= (1.08 - 0.55 * shown(p["cue_lip_thinning"])) * p["shape_lips"]
    mouth[:, 1] += base + 0.275 * (chin - base) - (2.6 - jowls) * p["smile"] * (mouth[:, 0] / 17) ** 2

    size, droop = limit(p["cue_eye_size"], -0.8, 1.5), shown(p["cue_lid_droop"])
    open_wide = (1 + 0.42 * size) * p["shape_eye_height"]
    for first, side in ((36, -1), (42, 1)):
        lids = points[first : first + 6]
        outer, inner = (0, 3) if side < 0 else (3, 0)
        lids[:, 0] = (lids[:, 0] - side * 19.1) * (1 + 0.10 * size) + side * 19.1 * p["shape_eye_spacing"]
        lids[1:3, 1] = lids[1:3, 1] * open_wide + 1.9 * droop
        lids[4:, 1] *= 0.6 + 0.4 * open_wide
        lids[outer, 1] += 1.2 * droop - p["shape_eye_slant"]
        lids[inner, 1] += 0.5 * p["shape_eye_slant"]

    brows[:, 1] += 4 * (1 - length) - 3 * (open_wide - 1) + p["shape_brow_height"] + 1.2 * droop
    brows[:, 1] += (1.3 * shown(p["cue_maturity"]) + 0.35) * male

    forehead = limit(p["cue_forehead"], -0.4, 1.4)
    bulge = 1 + (0.02 + 0.06 * forehead) * SKULL_UP * (1 - SKULL_UP) * 4
    skull = [-45.5 * p["shape_face_width"] * SKULL_ACROSS * bulge, 1 - (68 + 13 * forehead) * SKULL_UP]
    return points, np.stack(skull, axis=1)


def skin_colour(p):
    position = p["skin_tone"] * (len(SKIN) - 1)
    low = min(int(position), len(SKIN) - 2)
    red, green, blue = mix_colours(SKIN[low], SKIN[low + 1], position - low)
    # Undertone runs from rosy to golden; old skin loses its colour.
    colour = red, green + 3 * p["undertone"], blue - 6 * p["undertone"]
    grey = (red + 2 * green + blue) / 4
    fade = shown(p["cue_skin_fading"])
    return scale_colour(mix_colours(colour, (grey, grey, grey), 0.3 * fade), 1 - 0.05 * fade)


def paint_background(s, p, rng):
    """Paint soft clouds of colour: squares so large and blurred that no edge is left."""
    colour = parse_colour(p["background"])
    side = s.albedo.shape[0]
    squares = np.clip(rng.integers(-26, 27, (4, 4, 1)) + rng.integers(-8, 9, (4, 4, 3)) + colour, 0, 255)
    cloud = cv2.resize(squares.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
    for _ in range(2):
        cloud = cv2.blur(cloud, (side // 4, side // 4), borderType=cv2.BORDER_REPLICATE)
    s.albedo[:] = cloud


def paint_body(s, p, points, skin):
    """Paint neck, shoulders and clothes; they grow with the head."""
    grown, male = shown(p["cue_jaw_length"]), p["sex"] == "male"
    neck = (15 + 10 * grown) * (1.12 if male else 0.95)
    wide, chin = 54 + 34 * grown + 10 * male, points[8, 1]
    cloth = parse_colour(p["clothes"])
    half = np.array([(neck + 6, chin + 20), (wide - 22, chin + 30), (wide - 4, chin + 42), (wide, 170), (wide, 320)])
    body = smooth(np.concatenate([half, mirrored(half[::-1], -1)]), closed=True)
    half = np.array([(neck, 30), (neck, chin + 14), (neck + 9, chin + 25), (8, chin + 44)])
    throat = smooth(np.concatenate([half, mirrored(half[::-1], -1)]), closed=True)
    half = np.array([(0, chin + 49), (neck, chin + 36), (neck + 11, chin + 22)])
    collar = smooth(np.concatenate([mirrored(half[:0:-1], -1), half]))
    for outline, colour, height in ((body, cloth, 150), (throat, skin, 170)):
        s.fill(s.albedo, outline, colour)
        s.fill(s.head, outline, height)
    s.stroke(s.albedo, collar, scale_colour(cloth, 0.78), 4)
    s.stroke(s.lines, collar, NEUTRAL + 40, 4)
    s.oval(s.tint, (0, chin + 2), (neck + 10, 17), offset(-40, -48, -50))  # the shadow of the head


def paint_ears(s, p, skin):
    size = 0.86 + 0.14 * limit(p["cue_ear_growth"], -0.5, 2.4)
    for side in (-1, 1):
        centre = (side * 46.5 * p["shape_face_width"], 10 + 3 * size)
        outline = ellipses(centre, (7.5 * size, 16 * size), 8 * side)
        s.fill(s.albedo, outline, skin)
        s.fill(s.head, outline, 120)
        rim = ellipses(centre, (4.5 * size, 11 * size), 8 * side)
        s.stroke(s.lines, np.roll(rim, 4 if side > 0 else -4, axis=0)[:12], NEUTRAL - 50, 1.2)
        s.oval(s.tint, centre, (4 * size, 10 * size), offset(-4, -24, -24))


def paint_volumes(s, p, points):
    """Model sockets, cheeks, brow ridge, nose, lips and chin in the relief of the features."""
    nose, mouth = points[27:36], points[48:68]
    full = shown(0.3 + 0.7 * p["cue_cheek_fullness"])
    for side, lids, brow in ((-1, points[36:42], points[17:22]), (1, points[42:48], points[22:27])):
        eye = lids.mean(axis=0)
        cheek = (side * 26, (nose[6, 1] + eye[1]) / 2 + 6)
        s.oval(s.features, cheek, (13, 9 + 3 * full), NEUTRAL + 18 + int(14 * full), 0, -20 * side)
        s.oval(s.features, eye + (-1.5 * side, -1), (12.5, 7), NEUTRAL - 42)
        s.oval(s.features, eye, (8, 4.5), NEUTRAL + 8)
        s.stroke(s.features, smooth(brow + (0, 1.5)), NEUTRAL + 34, 4)
    wing, tip = nose[8, 0], nose[3, 1]
    half = np.array([(3.4, -4), (3, 6), (4.2, tip - 4), (wing - 1.5, tip + 2), (wing, nose[4, 1]), (3.5, nose[6, 1])])
    s.fill(s.features, smooth(np.concatenate([half, mirrored(half[::-1], -1)]), closed=True), NEUTRAL + 70, 5)
    s.oval(s.features, (0, tip + 1.5), (5.2, 4.8), 255, 8)
    s.fill(s.features, smooth(mouth[:12], closed=True), NEUTRAL + 40, 3)
    below = mouth[9, 1]
    s.stroke(s.features, smooth([(-13, below + 3), (0, below + 4.5), (13, below + 3)]), NEUTRAL - 34, 4, 2)
    s.oval(s.features, (0, points[8, 1] - 9), (9, 6), NEUTRAL + 42, 2)


def paint_complexion(s, p, points, skin, rng):
    """Colour cheeks, nose and eye sockets, and scatter the blotches and spots of old skin."""
    nose, rough = points[27:36], shown(p["cue_skin_roughness"])
    # One person always has them in the same places; the years only bring them out.
    places = rng.uniform(-1, 1, (60, 4))
    x, y, size, depth = places.T
    middle = np.abs(x) < 0.5  # above the eyes in the middle of the face, everywhere on its sides
    y = np.where(middle, 20 * y - 37, 44 * y + 10)
    centres = np.stack([x * (38 - 0.24 * np.maximum(y - 20, 0)), y], axis=1)
    blotches = ellipses(centres[:26], np.stack([3 + 1.6 * size, 2.4 + size], axis=1)[:26])
    s.fill_each(s.tint, blotches, [offset(*[-(26 + 18 * d) * rough * c for c in (1, 1.3, 1.2)]) for d in depth[:26]])
    spots = ellipses(centres[26:], np.stack([1.1 + 0.7 * size, 0.9 + 0.5 * depth], axis=1)[26:])
    spots = spots[: int(34 * min(rough, 1))]
    browns = [scale_colour(skin, (0.88 - 0.08 * d, 0.84 - 0.1 * d, 0.8)) for d in depth[: len(spots)]]
    s.fill_each(s.albedo, spots, browns)

    blush = p["blush"] + 0.6 * p["make_up"]
    bags = shown(p["cue_eye_bags"])
    for side, lids in ((-1, points[36:42]), (1, points[42:48])):
        eye = lids.mean(axis=0)
        s.oval(s.tint, (side * 26, nose[6, 1] - 4), (13, 9), offset(3 * blush, -16 * blush, -14 * blush))
        s.oval(s.tint, eye + (0, -4.5), (12, 4.5), offset(-14, -20, -16))
        s.oval(s.tint, eye + (0, 6.5), (9.5, 3.4), offset(-8 - 34 * bags, -12 - 34 * bags, -2 - 34 * bags))
    s.oval(s.tint, (0, nose[3, 1] + 2), (8, 6), offset(1, -10, -10), 6)


def age_lines(p, points, rng):
    """List the lines of age: four control points each (k, 4, 2), how deep (k,) and how wide (k,) they are."""
    nose, mouth, chin = points[27:36], points[48:68], points[8, 1]
    wobble = rng.uniform(-1, 1, (4, 3))  # the course belongs to the person, the depth to the age
    forehead, crow, bags, lips, jowls = (
        shown(p[f"cue_{name}"]) for name in ("forehead_lines", "crows_feet", "eye_bags", "lip_thinning", "jowls")
    )
    fold = shown(0.12 + p["cue_nasolabial"])  # even a child has a trace of it
    found = []

    def add(course, strength, width):
        found.append((np.array(course, dtype=np.float64), strength, width))

    for i, (y, (shift, length, bend)) in enumerate(zip((-24, -31, -38, -45), wobble, strict=True)):
        y, reach, bend = y + 1.5 * shift - 2 * shown(p["cue_forehead"]), 22 + 4 * length - 3 * i, 2 + bend
        course = [(-reach, y + 1), (-reach / 3, y - bend), (reach / 3, y - bend), (reach, y + 1)]
        add(course, forehead * (0.9 - 0.1 * i), 1.3)
    for side in (-1, 1):
        outer, corner = points[36 if side < 0 else 45], mouth[0 if side < 0 else 6]
        eye = points[36:42].mean(axis=0) if side < 0 else points[42:48].mean(axis=0)
        right, low = np.array((side, 1)), mouth[6, 1]
        add([(2 * side, -14), (2.8 * side, -11), (2.6 * side, -8), (2 * side, -5)], 0.75 * forehead, 1.1)
        for i, (dx, dy) in enumerate(((9, -5.5), (10.5, 0.5), (9, 6), (5, 9.5))):
            start = outer + (2.2 * side, 0.6 * (i - 1))
            course = [start + right * (dx * t, dy * t - 2.4 * t * (1 - t)) for t in (0, 1 / 3, 2 / 3, 1)]
            add(course, crow * (1 - 0.1 * i), 1.1)
        wing = (side * (nose[8, 0] + 2), nose[4, 1] - 4)
        middle = (0.86 * corner[0] + 2 * side, (nose[6, 1] + low) / 2 - 1)
        add([wing, middle, (corner[0] + 4.5 * side, low + 0.5), (corner[0] + 4.5 * side, low + 3 + 6 * fold)],
            fold, 1.5 + 1.0 * fold)  # fmt: skip
        marionette = [corner + right * (1.5, 3), corner + right * (3, 7), corner + right * (3.5, 11)]
        add([*marionette, (corner[0] + 3 * side, chin - 12)], 0.9 * jowls, 1.6)
        add([eye + right * at for at in ((-8, 4.5), (-3, 8 + 1.5 * bags), (4, 7.5 + 1.5 * bags), (9, 4.5))], bags, 1.4)
        for i in range(3):
            x, top = side * (2.5 + 3.6 * i), mouth[3, 1] - 1
            add([(x, top), (1.04 * x, top - 1.5), (1.08 * x, top - 3), (1.12 * x, top - 4.5)], 0.6 * lips, 0.8)
        add([(22 * side, chin + 8), (16 * side, chin + 12), (8 * side, chin + 14), (0, chin + 15)], 0.6 * jowls, 1.4)
    courses, strengths, widths = zip(*found, strict=True)
    return np.array(courses), strengths, widths


def paint_age_lines(s, p, points, rng):
    """Carve the lines of age into the finest relief, shallow at their ends."""
    courses, strengths, widths = age_lines(p, points, rng)
    for course, strength, width in zip(smooth(courses), strengths, widths, strict=True):
        depth = int(95 * strength)
        if depth > 2:
            s.stroke(s.lines, course, NEUTRAL - depth // 2, 0.7 * width)
            s.stroke(s.lines, course[2:-2], max(0, NEUTRAL - depth), width)


def paint_nose(s, points, skin):
    nose = points[27:36]
    wing, base = nose[8, 0], nose[6, 1]
    for side in (-1, 1):
        s.oval(s.albedo, (side * wing * 0.52, base - 1.4), (2.2, 1.15), scale_colour(skin, 0.45), 3, -14 * side)
        curl = [(wing + 0.2, base - 6.5), (wing + 1.4, base - 3.2), (wing - 0.4, base - 0.6)]
        s.stroke(s.lines, smooth(mirrored(curl, side)), NEUTRAL - 46, 1.2)
    s.stroke(s.lines, smooth([(-0.6 * wing, base), (0, base + 0.9), (0.6 * wing, base)]), NEUTRAL - 40, 1.4)


def paint_mouth(s, p, points, skin):
    mouth = points[48:68]
    natural = scale_colour(skin, (0.9, 0.64, 0.64))
    natural = mix_colours(natural, skin, 0.38 * shown(p["cue_lip_thinning"]))
    colour = mix_colours(natural, parse_colour(p["lipstick"]), 0.75 * p["make_up"])
    upper = np.concatenate([mouth[:7], mouth[16:11:-1]])
    lower = np.concatenate([mouth[6:12], mouth[:1], mouth[12:13], mouth[:16:-1], mouth[16:17]])
    s.fill(s.albedo, smooth(upper, closed=True), scale_colour(colour, 0.86), 2)
    s.fill(s.albedo, smooth(lower, closed=True), colour, 2)
    seam = smooth([mouth[0], *mouth[12:17], mouth[6]])
    s.stroke(s.albedo, seam, scale_colour(colour, 0.42), 0.9, 2)
    s.stroke(s.lines, seam, NEUTRAL - 40, 1.6, 2)
    bright = mouth[9, 1] - 3.4
    s.stroke(s.lines, smooth([(-5, bright - 0.3), (0, bright), (5, bright - 0.3)]), NEUTRAL + 30, 1.4, 2)


def paint_eye(s, p, lids, side, skin):
    """Paint the eye whose six lid points run clockwise from the left corner."""
    opening, upper = smooth(lids, closed=True), smooth(lids[:4])
    yellow, droop = shown(p["cue_skin_fading"]), shown(p["cue_lid_droop"])
    eyeball, mask = s.albedo.copy(), np.zeros(s.albedo.shape[:2], np.uint8)
    s.fill(mask, opening, 255)
    s.fill(eyeball, opening, scale_colour((232, 226, 220), (1, 1 - 0.04 * yellow, 1 - 0.1 * yellow)))
    iris = EYES[p["eye_colour"]]
    radius = 3.5 + 0.35 * limit(p["cue_eye_size"], 0, 1.5)
    at = (lids[0] + lids[3]) / 2 + (1.2 * p["gaze"], -0.5)
    for share, colour in ((1, scale_colour(iris, 0.55)), (0.82, iris), (0.42, BLACK)):
        s.oval(eyeball, at, (radius * share, radius * share), colour)
    s.oval(eyeball, at + (1.1, -1.2), (0.85, 0.8), WHITE)
    s.stroke(eyeball, upper + (0, 0.8), scale_colour(iris, 0.4), 1.2)  # the shadow of the lid
    s.blend(eyeball, mask)

    above = (0, 1.6 * droop - 3.4)
    crease = smooth([lids[0] + (-1, -1.5), lids[1] + above, lids[2] + above, lids[3] + (1, -1.5)])
    s.stroke(s.lines, crease, NEUTRAL - 36 - int(20 * droop), 1.1)
    if p["make_up"] > 0:
        veil = np.zeros_like(mask)
        s.fill(veil, np.concatenate([upper, crease[::-1]]), int(150 * p["make_up"]))
        s.blend(mix_colours(scale_colour(skin, 0.7), parse_colour(p["lipstick"]), 0.3), s.soften(veil, 0.7))
    lash = mix_colours(scale_colour(skin, 0.32), BLACK, 0.4 + 0.6 * p["make_up"])
    s.stroke(s.albedo, upper, lash, 0.9 + 0.9 * p["make_up"])
    s.stroke(s.albedo, smooth([*lids[3:], lids[0]]), scale_colour(skin, 0.66), 0.5)
    if droop > 0.1:  # the skin of the brow hangs over the outer corner
        outer = lids[0] if side < 0 else lids[3]
        fold = [outer + (side * 2.5, 2.4), outer + (0, -1.2), outer + (side * -5, droop - 3.6)]
        s.stroke(s.lines, smooth(fold), NEUTRAL - int(60 * droop), 1.4)


def paint_glasses(s, p, points):
    """Paint round or square glasses."""
    rim, radii = parse_colour(p["glasses_colour"]), (13.2, 12.0) if p["glasses"] == "round" else (14.0, 9.5)
    nose_ends = []
    for eye, side in ((points[36:42].mean(axis=0), -1), (points[42:48].mean(axis=0), 1)):
        lens = ellipses((0, 0), (1, 1))
        if p["glasses"] == "square":
            lens = np.sign(lens) * np.sqrt(np.abs(lens))
        lens = smooth(lens * radii + eye + (side, 2.5), closed=True, steps=2)
        lens = np.concatenate([lens, lens[:1]])
        s.stroke(s.albedo, lens, rim, 1.4, 6)
        s.stroke(s.lines, lens, NEUTRAL + 40, 1.4, 6)
        hinge = eye + (side * (radii[0] + 1), 0.5)
        s.stroke(s.albedo, np.array([hinge, (side * 46 * p["shape_face_width"], 1.5)]), rim, 1.4, 4)
        nose_ends.append(eye + (side * (1.2 - radii[0]), 0.5))
    left, right = nose_ends
    s.stroke(s.albedo, smooth([left, (left + right) / 2 - (0, 1.5), right]), rim, 1.4, 7)


def paint_face(p, size):
    """Paint one face.

    Parameters
    ----------
    p : dict
        The attributes of one face, as `ssrlib.synthetic.draw_face` returns them.
    size : int
        Width and height of the picture in pixels.

    Returns
    -------
    image : numpy.ndarray, uint8, shape (size, size, 3)
        RGB.
    landmarks : numpy.ndarray, float32, shape (68, 2)
        Pixels, x right and y down, in the order of iBUG and dlib.
    """
    # Every part has a stream of its own, so that one person keeps all of them at every age.
    background, spots, lines, strands, camera = (np.random.default_rng([p["texture_seed"], i]) for i in range(5))
    s = Sketch(p, size)
    points, skull = face_shape(p)
    skin = skin_colour(p)
    hair = Hair(s, p, points, skull, strands)
    paint_background(s, p, background)
    hair.paint_back()
    paint_body(s, p, points, skin)
    paint_ears(s, p, skin)
    outline = smooth(np.concatenate([points[15:0:-1], skull]), closed=True, steps=3)
    s.fill(s.albedo, outline, skin)
    s.fill(s.head, outline, 255)
    paint_complexion(s, p, points, skin, spots)
    paint_volumes(s, p, points)
    paint_nose(s, points, skin)
    paint_mouth(s, p, points, skin)
    paint_eye(s, p, points[36:42], -1, skin)
    paint_eye(s, p, points[42:48], 1, skin)
    paint_age_lines(s, p, points, lines)
    hair.paint_brows()
    hair.paint_beard()
    hair.paint_front()
    if p["glasses"] != "none":
        paint_glasses(s, p, points)
    return photograph(s.light(p), p, camera), s.project(points, LANDMARK_LIFT).astype(np.float32)
