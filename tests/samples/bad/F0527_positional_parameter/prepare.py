def split(parts: int, seed: int, *, shuffle: bool = True) -> str:
    return f"{parts} {seed} {shuffle}"


def takes_all(**inputs: object) -> None: ...


async def later() -> None: ...


def by_position(a: int, /) -> None: ...
