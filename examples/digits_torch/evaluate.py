"""Step `evaluate`: the share of test images that the trained network names correctly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from net import network


def evaluate(dataset: Path, model: Path) -> float:
    net = network()
    net.load_state_dict(torch.load(model, map_location="cpu", weights_only=True))
    with np.load(dataset) as data, torch.no_grad():
        guesses = net(torch.from_numpy(data["x_test"])).argmax(dim=1).numpy()
        return float((guesses == data["y_test"]).mean())
