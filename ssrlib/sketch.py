"""The layers of a drawn picture, and how light brings them together (deferred shading).

Three kinds of layer are drawn as anti-aliased vector shapes:

- *albedo*: the colours of things without any light on them (skin, lips, hair, cloth, background);
- *relief*: height maps of three sizes (head, features, lines), whose slope towards the light brightens the picture;
- *tint*: soft changes of colour (rosy cheeks, dark rings under the eyes, blotches).

Shapes are given in *face units*: the origin lies between the eyes, x points right, y down, and the outer eye corners
of a grown-up lie near x = -26.6 and x = +26.6. Layers are ``uint8``, coordinates reach OpenCV in fixed point and all
sums are whole numbers, so that the same parameters give the same bytes on every machine.
"""

import math

import cv2
import numpy as np

SUPERSAMPLING = 2
FIXED_POINT_BITS = 4  # OpenCV gets coordinates in 1/16 pixel
NEUTRAL = 128  # the value at which a relief or tint layer has no effect


def quantise(values):
    """Round to multiples of 1/1024: library functions that differ in the last bit then still give the same number."""
    return np.rint(np.asarray(values, dtype=np.float64) * 1024) / 1024


_ANGLES = np.arange(16) * (math.pi / 8)
UNIT_CIRCLE = quantise(np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1))


def limit(value, low=0.0, high=1.0):
    """Clip a number."""
    return min(max(value, low), high)


def parse_colour(text):
    """Turn "#rrggbb" into a tuple of three whole numbers."""
    return tuple(bytes.fromhex(text[1:]))


def scale_colour(colour, factor):
    """Brighten or darken a colour; `factor` is one number or one for each channel."""
    factors = np.broadcast_to(factor, 3)
    return tuple(int(limit(c * f, 0, 255)) for c, f in zip(colour, factors, strict=True))


def mix_colours(first, second, share):
    """Mix two colours, `share` (0..1) of the second."""
    return tuple(round((1 - share) * a + share * b) for a, b in zip(first, second, strict=True))


def offset(red, green, blue):
    """Turn a change of colour into a value of the tint layer."""
    return tuple(int(limit(NEUTRAL + change, 0, 255)) for change in (red, green, blue))


def smooth(points, closed=False, steps=4):
    """Run Catmull-Rom curves through points: float64 (..., m, 2) in, (..., about m * steps, 2) out."""
    points = np.asarray(points, dtype=np.float64)
    first, last = points[..., :1, :], points[..., -1:, :]
    if closed:
        padded = np.concatenate([last, points, points[..., :2, :]], axis=-2)
    else:
        before, after = 2 * first - points[..., 1:2, :], 2 * last - points[..., -2:-1, :]
        padded = np.concatenate([before, points, after], axis=-2)
    pieces = padded.shape[-2] - 3
    p0, p1, p2, p3 = (padded[..., i : i + pieces, None, :] for i in range(4))
    t = (np.arange(steps) / steps)[:, None]
    curve = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    curve = curve.reshape(*points.shape[:-2], pieces * steps, 2)
    return curve if closed else np.concatenate([curve, last], axis=-2)


def ellipses(centres, radii, tilt=0.0):
    """Outlines of ellipses: centres and radii (..., 2) in, float64 (..., 16, 2) out; `tilt` in degrees, clockwise."""
    outline = UNIT_CIRCLE * np.asarray(radii, dtype=np.float64)[..., None, :]
    if tilt:
        cos, sin = quantise([math.cos(math.radians(tilt)), math.sin(math.radians(tilt))])
        x, y = outline[..., 0], outline[..., 1]
        outline = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
    return outline + np.asarray(centres, dtype=np.float64)[..., None, :]


def mirrored(points, side):
    """Flip points to the left half of the picture where `side` is -1."""
    return np.asarray(points, dtype=np.float64) * (side, 1)


class Sketch:
    """The layers of one picture of `size` pixels, and the way from face units to their pixels."""

    def __init__(self, p, size):
        fine = SUPERSAMPLING * size
        self.size = size
        self.unit = p["scale"] * size / 100  # pixels of the final picture in one face unit
        self.centre = p["centre_x"] * size, p["centre_y"] * size
        roll = math.radians(p["roll"])
        self.cos, self.sin = np.rint(np.array([math.cos(roll), math.sin(roll)]) * 65536) / 65536
        self.turn = float(quantise(math.sin(math.radians(p["yaw"]))))
        self.albedo = np.zeros((fine, fine, 3), np.uint8)
        self.head = np.zeros((size, size), np.uint8)
        self.features = np.full((size, size), NEUTRAL, np.uint8)
        self.lines = np.full((fine, fine), NEUTRAL, np.uint8)
        self.tint = np.full((size, size, 3), NEUTRAL, np.uint8)

    def project(self, points, lift=0.0):
        """Turn face units (..., 2) into pixels of the final picture; `lift` is the height above the cheeks.

        Yaw moves a point sideways by its depth, which is largest in the middle of the face and at the tip of the nose.
        """
        points = np.asarray(points, dtype=np.float64)
        x, y = points[..., 0], points[..., 1]
        x = x + self.turn * (np.maximum(14 - x * x * (14 / 46**2), -8) + lift)
        out = np.empty(points.shape)
        out[..., 0] = self.centre[0] + self.unit * (self.cos * x - self.sin * y)
        out[..., 1] = self.centre[1] + self.unit * (self.sin * x + self.cos * y)
        return out

    def pixels(self, layer, points, lift=0.0):
        """Project to the fixed-point coordinates of a layer; pixel centres are whole numbers in every layer."""
        factor = layer.shape[0] // self.size
        at = self.project(points, lift) * factor + 0.5 * (factor - 1)
        return np.rint(at * 2**FIXED_POINT_BITS).astype(np.int32)

    def fill(self, layer, outline, value, lift=0.0):
        """Fill one polygon (m, 2)."""
        cv2.fillPoly(layer, [self.pixels(layer, outline, lift)], value, cv2.LINE_AA, FIXED_POINT_BITS)

    def fill_each(self, layer, outlines, values, lift=0.0):
        """Fill polygons (k, m, 2), each with its own value."""
        for outline, value in zip(self.pixels(layer, outlines, lift), values, strict=True):
            cv2.fillPoly(layer, [outline], value, cv2.LINE_AA, FIXED_POINT_BITS)

    def oval(self, layer, centre, radii, value, lift=0.0, tilt=0.0):
        """Fill one ellipse."""
        self.fill(layer, ellipses(centre, radii, tilt), value, lift)

    def thickness(self, layer, width):
        """Whole pixels for a line `width` face units wide, at least one."""
        return max(1, round(width * self.unit * layer.shape[0] / self.size))

    def stroke(self, layer, curve, value, width=0.0, lift=0.0):
        """Draw one open curve (m, 2) or several of equal length (k, m, 2) in the same value."""
        curves = np.atleast_3d(self.pixels(layer, curve, lift)).reshape(-1, *np.shape(curve)[-2:])
        cv2.polylines(layer, list(curves), False, value, self.thickness(layer, width), cv2.LINE_AA, FIXED_POINT_BITS)

    def soften(self, layer, width):
        """Blur a layer by `width` face units; OpenCV blurs ``uint8`` in exact fixed-point arithmetic."""
        sigma = max(0.3, round(width * self.unit * layer.shape[0] / self.size * 16) / 16)
        return cv2.GaussianBlur(layer, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)

    def blend(self, paint, mask):
        """Lay `paint`, a colour or a layer like the albedo, over the albedo through a mask (0..255)."""
        x, y, width, height = cv2.boundingRect(mask)
        window = np.s_[y : y + height, x : x + width]
        under, weight = self.albedo[window], mask[window].astype(np.uint16)[..., None]
        weight += weight >> 7  # 255 becomes 256: whole numbers up to 256 * 255 fit into 16 bits
        over = np.array(paint, np.uint8) if isinstance(paint, tuple) else paint[window]
        self.albedo[window] = (under * (256 - weight) + over * weight) >> 8

    def light(self, p):
        """Bring the layers together: slopes that face the light are brightened, hollows and creases darkened.

        Returns the picture, ``uint8`` RGB (size, size, 3).
        """
        albedo = cv2.resize(self.albedo, (self.size, self.size), interpolation=cv2.INTER_AREA).astype(np.int32)
        lines = cv2.resize(self.soften(self.lines, 0.7), (self.size, self.size), interpolation=cv2.INTER_AREA)
        lines = lines.astype(np.int32) - NEUTRAL
        features = self.soften(self.features, 2.2).astype(np.int32) - NEUTRAL
        tint = self.soften(self.tint, 2.4).astype(np.int32) - NEUTRAL
        head = self.soften(self.head, 11).astype(np.int32)
        height = 420 * head + 330 * features + 110 * lines
        across, down = np.zeros_like(height), np.zeros_like(height)
        across[:, 1:-1] = height[:, 2:] - height[:, :-2]
        down[1:-1] = height[2:] - height[:-2]
        toward = [round(p[axis] * self.unit * 64) for axis in ("light_x", "light_y")]
        slope = (across * toward[0] + down * toward[1]) >> 13
        slope = slope * 60 // (60 + np.abs(slope) // 2)
        figure = self.soften(self.head, 1.3).astype(np.int32)
        slope = slope * np.minimum(figure * 2, 255) >> 8
        crease = np.minimum(lines, 0)
        gain = np.empty_like(albedo)
        # Light that enters the skin comes out red: shadows lose less of it than of green and blue.
        for channel, (shade, hollow) in enumerate(((7, 7), (8, 9), (8, 9))):
            gain[..., channel] = 256 + (slope * shade >> 3) + (crease * hollow >> 3)
        gain += tint * figure[..., None] >> 8
        gloss = np.maximum(slope - 26, 0)[..., None] * p["shine"] >> 6
        lamp = [round(256 * p["exposure"] + 10 * p["light_warmth"] * side) for side in (1, 0, -1)]
        lit = (albedo * np.maximum(gain, 60) >> 8) + gloss
        return np.clip(lit * np.array(lamp, np.int32) >> 8, 0, 255).astype(np.uint8)


def photograph(image, p, rng):
    """Add what a camera adds: blur, noise and JPEG compression."""
    image = cv2.GaussianBlur(image, (0, 0), max(0.1, p["blur"] * image.shape[0] / 128))
    noise = rng.integers(-256, 256, (*image.shape[:2], 1), dtype=np.int32) * round(p["noise"] * 16) >> 11
    image = np.clip(image + noise, 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, p["jpeg_quality"]])
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
