"""Hair, brows and beard: everything on a face that is made of strands."""

from typing import NamedTuple

import numpy as np

from ssrlib.sketch import NEUTRAL, ellipses, limit, mirrored, mix_colours, quantise, scale_colour, smooth

COLOURS = {
    "black": (42, 35, 35), "dark brown": (68, 48, 39), "brown": (102, 72, 52), "auburn": (124, 66, 42),
    "red": (168, 92, 52), "dark blond": (156, 120, 82), "blond": (204, 172, 120),
}  # fmt: skip
GREY = (208, 206, 205)


class Style(NamedTuple):
    """How hair is worn, in face units; `parting` is 0 at the left ear and 1 at the right one."""

    volume: float
    length: float = 0.0  # y of the ends; 0 for hair that stays on the head
    parting: float = 0.5
    fringe: float = 0.0  # how far hair comes down the forehead, 1 to the brows
    wave: float = 0.0
    curls: float = 0.0  # radius
    bun: bool = False


STYLES = {
    "long": Style(7, length=104),
    "long with fringe": Style(7, length=96, fringe=0.9),
    "wavy": Style(10, length=88, parting=0.36, wave=2.2),
    "bob": Style(10, length=54, parting=0.34),
    "tied back": Style(4, bun=True),
    "pixie": Style(8, parting=0.3, fringe=0.5),
    "curly": Style(15, length=44, curls=3.4),
    "short": Style(7, parting=0.34),
    "side parting": Style(9, parting=0.22, fringe=0.2),
    "crop": Style(3.5),
    "short curls": Style(10, curls=2.8),
    "fringe": Style(8, parting=0.42, fringe=0.75),
}

# The hairline from the left ear to the middle of the forehead, and how soon each of its points recedes.
HAIRLINE = np.array([(-45, 6), (-43.5, -7), (-41, -21), (-37, -34), (-27.5, -43.5), (-13.5, -48.5), (0, -50)])
RECESSION = np.array([0, 0.05, 0.4, 1.1, 1.5, 1.15, 0.85])
# A lock of long hair beside the right half of the face: its inner and its outer edge.
LOCK_INNER = np.array([(30, -44), (40, -24), (43.5, 0), (42.5, 22), (41, 44), (37, 72), (34, 100)])
LOCK_OUTER = np.array([(33, -54), (47, -26), (51, 0), (53, 24), (54, 46), (52, 76), (44, 104)])


def both_halves(left):
    """Complete a curve from the left ear to the middle, and double its points: (7, k) in, (25, k) out."""
    flip = (-1, 1) if left.shape[1] == 2 else 1
    curve = np.concatenate([left, left[-2::-1] * flip])
    out = np.repeat(curve, 2, axis=0)[:-1]
    out[1::2] = (curve[1:] + curve[:-1]) / 2
    return out


def along(curve, position):
    """Points of a curve (m, 2) at fractional indices, linearly between its corners."""
    low = np.minimum(position.astype(int), len(curve) - 2)
    share = (position - low)[..., None]
    return curve[low] * (1 - share) + curve[low + 1] * share


class Hair:
    """The hair of one person, painted in passes behind and in front of the head.

    Parameters
    ----------
    sketch : ssrlib.sketch.Sketch
    p : dict
        Parameters of the face.
    points : numpy.ndarray, float64, shape (68, 2)
        Landmarks in face units.
    skull : numpy.ndarray, float64, shape (25, 2)
        Outline of the head from the left ear over the crown to the right ear.
    rng : numpy.random.Generator
    """

    def __init__(self, sketch, p, points, skull, rng):
        self.sketch, self.p, self.points, self.rng = sketch, p, points, rng
        self.style = STYLES[p["hair_style"]]
        self.grown = limit(p["cue_hair_growth"])
        self.grey = limit(p["cue_greying"])
        self.natural = COLOURS[p["hair_colour"]]
        self.colour = mix_colours(self.natural, GREY, 0.92 * self.grey)
        thin = limit(p["cue_hair_thinning"])
        self.opacity = (0.45 + 0.55 * self.grown) * (1 - 0.5 * thin)
        # Only hair that has grown for some years hangs down.
        self.length = self.style.length * self.grown if self.grown > 0.45 else 0.0

        away = np.clip(both_halves(RECESSION[:, None] * limit(p["cue_receding"], 0, 1.2)), 0, 1)
        line = both_halves(HAIRLINE) * (p["shape_face_width"], 1)
        line[:, 1] *= np.where(line[:, 1] < 0, 1 + 0.13 * limit(p["cue_forehead"], -0.4, 1.4), 1)
        fringe = np.stack([line[:, 0], -19 - 0.006 * line[:, 0] ** 2], axis=1)
        reach = np.where(np.abs(line[:, :1]) < 39, self.style.fringe * self.grown, 0) * (1 - away)
        line += np.maximum(fringe - line, 0) * (0, 1) * reach
        self.line = line + (skull - line) * away
        outward = skull - (0, -4)
        outward /= np.sqrt((outward**2).sum(axis=1, keepdims=True))
        volume = self.style.volume * (0.25 + 0.75 * self.grown) * (1 - 0.45 * thin)
        self.outer = skull + outward * (volume * (1 - away) + 0.4)
        self.hairy = away[:, 0] < 0.7

    def strands(self, layer, curves, contrast=0.24, width=0.0):
        """Draw curves (k, m, 2) as single hairs, some lighter, some darker, some grey before the others."""
        grey = self.rng.uniform(size=len(curves)) < self.grey
        tone = self.rng.integers(0, 4, len(curves))
        for step in range(4):
            for is_grey, base in ((False, self.natural), (True, GREY)):
                chosen = curves[(tone == step) & (grey == is_grey)]
                if len(chosen):
                    colour = scale_colour(mix_colours(base, self.colour, 0.65), 1 + contrast * (step - 1.5) / 1.5)
                    self.sketch.stroke(layer, chosen, colour, width)
                    self.sketch.stroke(self.sketch.lines, chosen, NEUTRAL + 8 * (2 * step - 3), width)

    def curl(self, layer, places):
        """Draw curls around the given places (k, 2)."""
        angle = np.linspace(0, 4.4, 7)
        ring = quantise(np.stack([np.cos(angle), np.sin(angle)], axis=1))
        flip = self.rng.choice([-1.0, 1.0], (len(places), 1, 2))
        radius = self.rng.uniform(0.6, 1.2, (len(places), 1, 1)) * self.style.curls
        self.strands(layer, places[:, None] + ring * flip * radius, 0.26, 0.9)

    def paint_back(self):
        """Paint what is seen behind the head; head, neck and shoulders come over it."""
        s = self.sketch
        if self.style.bun and self.grown > 0.45:
            for layer, value in ((s.albedo, scale_colour(self.colour, 0.85)), (s.head, 200)):
                s.oval(layer, (0, self.outer[12, 1] - 4), (17 * self.grown, 13 * self.grown), value)
        if self.length:
            end, side = self.length, 48 + self.style.volume
            fall = np.array([(side + 2, 24), (side + 4, end - 22), (side - 4, end - 2), (22, end + 3)])
            outline = smooth(np.concatenate([self.outer[::3], fall, mirrored(fall[::-1], -1)]), closed=True)
            s.fill(s.albedo, outline, scale_colour(self.colour, 0.68))
            s.fill(s.head, outline, 110)
            if self.style.curls:
                places = self.rng.uniform(-1, 1, (150, 2)) * (20, 0.5 * end + 10) + (0, 0.5 * end - 12)
                places[:, 0] += np.sign(places[:, 0]) * (side - 20)
                self.curl(s.albedo, places)

    def paint_front(self):
        """Paint the hair on the head, and the locks that fall beside the face."""
        s = self.sketch
        paint, mask = s.albedo.copy(), np.zeros(s.albedo.shape[:2], np.uint8)
        cap = np.concatenate([self.outer, self.line[::-1]])
        density = int(255 * self.opacity)
        s.fill(paint, ellipses((0, -20), (90, 90)), self.colour)
        s.fill(mask, cap, density)
        s.fill(s.head, self.outer, 235)
        if self.style.curls:
            at = self.rng.choice(np.flatnonzero(self.hairy), 260)
            share = self.rng.uniform(0, 1, (260, 1))
            self.curl(paint, self.line[at] * (1 - share) + self.outer[at] * share)
            bump = ellipses(self.outer[self.hairy], np.full(2, 2 + 0.3 * self.style.volume * self.grown))
            s.fill_each(mask, bump, [density] * len(bump))
        else:
            self.strands(paint, self.combed())
        s.blend(paint, s.soften(mask, 0.8))
        if self.length:
            for side in (-1, 1):
                self.paint_lock(side)

    def combed(self, count=90):
        """Courses of hairs over the skull, from the parting down to the ears: float64 (count, 13, 2)."""
        share = self.rng.uniform(0, 1, (count, 1, 1))
        start = 24 * self.style.parting + np.clip(self.rng.normal(0, 1.2, (count, 1)), -3, 3)
        ear = np.where(np.arange(count)[:, None] < count * self.style.parting, 0.0, 24.0)
        position = start + (ear - start) * np.linspace(0, 1, 13)
        return along(self.line, position) * (1 - share) + along(self.outer, position) * share

    def paint_lock(self, side):
        """Paint the long hair on one side of the face, over ear and shoulder."""
        s = self.sketch
        reach = np.clip((self.length + 44) / 148, 0.3, 1)
        widen = np.array([0, 0.4, 1, 1, 1, 1, 1])[:, None] * (self.style.volume - 6, 0)
        inner, outer = (mirrored((edge + (0, 44)) * (1, reach) - (0, 44), side)
                        for edge in (LOCK_INNER * (self.p["shape_face_width"], 1), LOCK_OUTER + widen))  # fmt: skip
        share = self.rng.uniform(0, 1, (44, 1, 1))
        curves = smooth(inner * (1 - share) + outer * share, steps=3)
        if self.style.wave:
            phase = self.rng.uniform(0, 1, (44, 1))
            curves[..., 0] += self.style.wave * quantise(np.sin(curves[..., 1] / 6 + phase))
        paint, mask = s.albedo.copy(), np.zeros(s.albedo.shape[:2], np.uint8)
        outline = np.concatenate([smooth(inner), smooth(outer)[::-1]])
        s.fill(paint, ellipses((side * 48, 30), (60, 110)), scale_colour(self.colour, 0.94))
        s.fill(mask, outline, int(255 * limit(1.3 * self.opacity)))
        s.fill(s.head, outline, 200)
        if self.style.curls:
            at, share = self.rng.integers(0, 7, 90), self.rng.uniform(0, 1, (90, 1))
            self.curl(paint, inner[at] * (1 - share) + outer[at] * share + self.rng.uniform(-7, 7, (90, 2)))
        else:
            self.strands(paint, curves)
        if self.style.wave:
            s.stroke(mask, curves, int(255 * limit(1.3 * self.opacity)))
        s.blend(paint, s.soften(mask, 0.8))

    def paint_brows(self):
        """Paint the brows, which thin out and turn grey with age."""
        s, p = self.sketch, self.p
        fading = limit(p["cue_brow_fading"], 0, 1.2)
        colour = mix_colours(scale_colour(self.natural, 0.72), GREY, 0.62 * limit(fading))
        strength = limit((0.35 + 0.65 * self.grown) * (1 - 0.5 * fading))
        thick = 2.2 + (1.2 if p["sex"] == "male" else 0.1) * limit(p["cue_maturity"])
        half = np.array([0.9, 1.0, 0.9, 0.6, 0.15])[:, None] * (0, thick / 2)
        for brow, side in ((self.points[21:16:-1], -1), (self.points[22:27], 1)):
            mask = np.zeros(s.albedo.shape[:2], np.uint8)
            body = np.concatenate([smooth(brow - half, steps=2), smooth(brow + half, steps=2)[::-1]])
            s.fill(mask, body, int(235 * strength))
            s.blend(colour, s.soften(mask, 0.5))
            position = self.rng.uniform(0, 3.9, 18)
            root = along(brow, position) + (0, thick * 0.4)
            tip = root + np.stack([side * (1.2 + 0.5 * position), 0.25 * position - thick], axis=1)
            s.stroke(s.albedo, np.stack([root, tip], axis=1)[: 1 + int(17 * strength)], scale_colour(colour, 0.9))

    def paint_beard(self):
        """Paint stubble, moustache, goatee or full beard."""
        s, beard = self.sketch, self.p["beard"]
        if beard == "none":
            return
        jaw, nose, mouth = self.points[:17], self.points[27:36], self.points[48:68]
        top, corner, chin = nose[6, 1] + 2.5, mouth[6], jaw[8, 1]
        mask = np.zeros(s.albedo.shape[:2], np.uint8)
        density = 90 if beard == "stubble" else 225
        if beard in ("full", "stubble"):
            cheek = np.array([(42, 6), (38, 24), (32, 36), corner + (7, -2), corner + (1, -4), (6, top)])
            outline = np.concatenate([mirrored(cheek, -1), cheek[::-1], jaw[15:0:-1] * (1.02, 1.02)])
            s.fill(mask, outline, density)
        if beard == "goatee":
            edge = np.array([corner + (1, 0), (corner[0], chin - 10), (8, chin + 2)])
            s.fill(mask, np.concatenate([mirrored(edge, -1), edge[::-1]]), density)
        edge = np.array([(0, top), (8, top + 0.5), corner + (2, 1), corner + (-3, 0.5), (0, mouth[3, 1] + 0.3)])
        s.fill(mask, np.concatenate([edge, mirrored(edge[3:0:-1], -1)]), density, 2)
        s.fill(mask, mouth[:12], 0, 2)
        paint = s.albedo.copy()
        paint[:] = mix_colours(scale_colour(self.natural, 0.84), GREY, 0.9 * self.grey)
        if beard != "stubble":
            root = self.rng.uniform((-42, top), (42, chin + 3), (240, 2))
            self.strands(paint, np.stack([root, root + root * (0.04, 0) + (0, 4.5)], axis=1), 0.28)
        s.blend(paint, s.soften(mask, 1.0))
