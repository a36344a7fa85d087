"""Writes the scores of all models, groups and data sets."""


def table(all: list[list[list[float]]], best: list[float]) -> dict[str, object]:
    for groups, score in zip(all, best, strict=True):
        print(score, groups)
    return {}
