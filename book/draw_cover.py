"""Draw book/_static/cover.png, the picture of README.md; run it when faces or weights change."""

from pathlib import Path

import numpy as np

from ssrlib import figures, synthetic, weights
from ssrlib.alignment import crop_face
from ssrlib.network import stage_heads
from ssrlib.stagewise import stage_contributions

AGES = [2, 6, 12, 18, 28, 38, 48, 58, 70, 84]

model, crop, _ = weights.load_model("drawn")
pictures = [synthetic.draw_face(seed=11, index=6, size=160, age=age)[0] for age in AGES]
heads = stage_heads(model).predict(np.stack([crop_face(picture, crop)[0] for picture in pictures]), verbose=0)
figure = figures.plot_life(pictures, AGES, stage_contributions(heads))
figure.savefig(Path(__file__).parent / "_static" / "cover.png", dpi=110, metadata={"Software": None})
