"""Batches of crops for training: shuffled anew in each epoch, and yet the same when a run is resumed."""

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Batches of crops; what is in batch i depends on the seed and i only, so that a run can be resumed.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, size, size, 3)
        Not copied.
    targets : dict of ndarray of float32, shape (N, 1)
        For each output of the trained network what it should be.
    rows : ndarray of int
        Those of the images that are used.
    batch_size : int
    seed : int, optional
        Decides the order, which is another one in each epoch; an incomplete last batch is left out, and there is no
        end. Without a seed the batches are those of one epoch, in the order of the rows, and the last one is filled up
        with pictures that do not count.
    first_epoch : int
        The epoch, from 0, that batch 0 begins.
    """

    def __init__(self, images, targets, rows, batch_size, seed=None, first_epoch=0):
        # TensorFlow takes seconds to end an iterator that it tunes. One without an end is kept by Keras for all epochs,
        # and one that has two workers is not tuned.
        super().__init__(workers=1 if seed is not None else 2)
        self.images, self.targets, self.rows = images, targets, rows
        self.seed, self.first_epoch = seed, first_epoch
        self.batch_size = batch_size if seed is None else min(batch_size, len(rows))
        self.steps = -(-len(rows) // self.batch_size) if seed is None else len(rows) // self.batch_size
        self._shuffled = None, None

    @property
    def num_batches(self):
        return self.steps if self.seed is None else None

    def __getitem__(self, number):
        epoch, step = divmod(number, self.steps)
        place = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        chosen = self._order(self.first_epoch + epoch)[place % len(self.rows)]
        counts = (place < len(self.rows)).astype(np.float32)
        targets = {name: values[chosen] for name, values in self.targets.items()}
        return self.images[chosen], targets, dict.fromkeys(targets, counts)

    def _order(self, epoch):
        if self.seed is None:
            return self.rows
        known, order = self._shuffled
        if known != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
            self._shuffled = epoch, order
        return order
