def split(corpus: str) -> list[str]:
    return [f"{corpus}/{number:05}" for number in range(64)]
