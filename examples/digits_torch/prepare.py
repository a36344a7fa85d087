"""Step `prepare`: scikit-learn's 1,797 images of handwritten digits, split into train and test."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def prepare(seed: int) -> dict[str, Any]:
    digits = load_digits()
    images = (digits.data / 16).astype(np.float32)  # 8x8 pixels as 64 numbers, each 0 to 16 in the original
    labels = digits.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=0.2, random_state=seed, stratify=labels
    )
    np.savez("digits.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return {"dataset": "digits.npz", "size": len(images)}
