import functools


def make(rows: int, header: bool = True) -> str:
    return "table.csv"


@functools.cache
def decorated(anything, at, all): ...
