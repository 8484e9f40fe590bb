"""The authors' augmentation as one layer: flip, rotate, shear, shift and zoom a whole batch in a single resampling."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="ssrlib")
class RandomAffine(keras.layers.Layer):
    """Warp each picture of a batch by its own random affine map; only while training.

    The steps are those of the authors' generator, in their order and with their chances, but composed to one map, so
    that a picture is resampled once instead of up to four times. What comes from outside repeats the border.

    Parameters
    ----------
    flip : float
        Chance of a left-right flip, 0 to 1.
    chance : float
        Chance of each of the other four steps, drawn independently, 0 to 1.
    rotation : float
        Largest angle in degrees, either way.
    shear : float
        Largest shear in radians, either way.
    shift : float
        Largest shift as a share of the side, either way, drawn separately for x and y.
    zoom : float
        Pictures are scaled by 1 - zoom to 1 + zoom, drawn separately for x and y.
    seed : int
        The same seed gives the same maps.
    """

    def __init__(self, flip=0.5, chance=0.25, rotation=20.0, shear=0.2, shift=0.2, zoom=0.2, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.settings = {
            "flip": flip,
            "chance": chance,
            "rotation": rotation,
            "shear": shear,
            "shift": shift,
            "zoom": zoom,
            "seed": seed,
        }
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        if not training:
            return images
        count = ops.shape(images)[0]
        parameters = self.draw(count)
        return warp(images, affine_matrices(images.shape[1], **parameters))

    def draw(self, count):
        """Draw the parameters of `count` maps: a dict of tensors, the arguments of `affine_matrices`."""
        s = self.settings

        def uniform(limit):
            value = keras.random.uniform((count,), -limit, limit, seed=self.seed_generator)
            return ops.where(self._happens(count, s["chance"]), value, 0.0)

        def uniform_pair(limit):
            values = keras.random.uniform((count, 2), -limit, limit, seed=self.seed_generator)
            return ops.where(self._happens(count, s["chance"])[:, None], values, 0.0)

        return {
            "flip": self._happens(count, s["flip"]),
            "angle": uniform(math.radians(s["rotation"])),
            "shear": uniform(s["shear"]),
            "shift": uniform_pair(s["shift"]),
            "zoom": 1 + uniform_pair(s["zoom"]),
        }

    def _happens(self, count, chance):
        return keras.random.uniform((count,), seed=self.seed_generator) < chance

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | self.settings


def affine_matrices(size, flip, angle, shear, shift, zoom):
    """Compose the steps to maps from output to input pixels, about the picture's centre.

    Parameters
    ----------
    size : int
        Side of the picture in pixels.
    flip : tensor of bool, shape (N,)
    angle, shear : tensor of float, shape (N,)
        Radians.
    shift : tensor of float, shape (N, 2)
        x and y as a share of the side.
    zoom : tensor of float, shape (N, 2)
        Factors for x and y; above 1 the face gets smaller, as in Keras 2.

    Returns
    -------
    tensor of float, shape (N, 3, 3)
        Maps (x, y, 1) of the result to (x, y, 1) of the source.
    """
    one, zero = ops.ones_like(angle), ops.zeros_like(angle)

    def matrix(a, b, c, d, e, f):
        rows = [ops.stack(row, axis=-1) for row in ((a, b, c), (d, e, f), (zero, zero, one))]
        return ops.stack(rows, axis=-2)

    mirrored = matrix(ops.where(flip, -one, one), zero, zero, zero, one, zero)
    turned = matrix(ops.cos(angle), ops.sin(angle), zero, -ops.sin(angle), ops.cos(angle), zero)
    sheared = matrix(ops.cos(shear), zero, zero, -ops.sin(shear), one, zero)
    moved = matrix(one, zero, shift[:, 0] * size, zero, one, shift[:, 1] * size)
    scaled = matrix(zoom[:, 0], zero, zero, zero, zoom[:, 1], zero)
    # Step by step the result of one warp is the source of the next, so the first step stands leftmost.
    about_centre = mirrored @ turned @ sheared @ moved @ scaled
    centre = (size - 1) / 2 * one
    to_centre = matrix(one, zero, -centre, zero, one, -centre)
    back = matrix(one, zero, centre, zero, one, centre)
    return back @ about_centre @ to_centre


def warp(images, matrices):
    """Resample pictures bilinearly through maps from output to input pixels; outside, the border repeats.

    Parameters
    ----------
    images : tensor of float, shape (N, H, W, C)
    matrices : tensor of float, shape (N, 3, 3)

    Returns
    -------
    tensor of float, shape (N, H, W, C)
    """
    transforms = ops.reshape(matrices, (-1, 9))[:, :8]
    return ops.image.affine_transform(images, transforms, interpolation="bilinear", fill_mode="nearest")
