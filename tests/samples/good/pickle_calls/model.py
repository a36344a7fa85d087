"""Functions of the flow beside this file."""

from typing import Any


def fit() -> Any:
    return {"weights": [0.0]}


def refit(model: Any, fold: int) -> Any:
    return {**model, "fold": fold}


def use(model: Any, score: float, *, verbose: bool = False) -> dict[str, Any]:
    if verbose:
        print(model, score)
    return {}
