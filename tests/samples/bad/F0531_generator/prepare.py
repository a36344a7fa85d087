from collections.abc import Iterator


def split() -> Iterator[int]:
    yield from range(3)
