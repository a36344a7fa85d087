"""The fuzzer that learns from coverage: what reached new code is mutated further. Runs by hand, for minutes or hours.

    pip install atheris
    python -m tests.fuzz.guided [SECONDS] [SEED]

Begins with the samples, the examples and generated programs; changes tokens more often than bytes. Whatever breaks the
promise of `front_end.examine` is printed, and the run ends with another code than 0. Atheris instruments the compiler
while it is imported, so this module imports it last.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.flows import flow
from tests.fuzz.mutations import cross, mutate

ROOT = Path(__file__).parents[2]
_GENERATED = 200
# Long programs are slow, and say little that short ones do not.
_LONGEST = 4_000


def seeds(folder: Path, seed: int) -> int:
    """Writes the programs to begin with; gives their number."""
    texts = {file.read_bytes() for place in ("examples", "tests/samples") for file in (ROOT / place).rglob("*.flow")}
    texts |= {flow(random.Random(seed + number), steps=1 + number % 5).text().encode() for number in range(_GENERATED)}
    ordered = sorted(text for text in texts if len(text) <= _LONGEST)
    for number, text in enumerate(ordered):
        (folder / f"{number:04}").write_bytes(text)
    return len(ordered)


def _mutator(atheris: Any) -> Callable[[bytes, int, int], bytes]:
    def mutator(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.1:
            return bytes(atheris.Mutate(data, most))
        return _fitting(mutate(data.decode(errors="ignore"), rng), most)

    return mutator


def _crossover(one: bytes, other: bytes, most: int, seed: int) -> bytes:
    rng = random.Random(seed)
    return _fitting(cross(one.decode(errors="ignore"), other.decode(errors="ignore"), rng), most)


def _fitting(text: str, most: int) -> bytes:
    return text.encode(errors="ignore")[:most] or b" "


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**31)
    sys.stdout.write(f"seed {seed}\n")
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["flowc.dsl", "flowc.compiler"], enable_loader_override=False):
        for package in ("flowc.dsl", "flowc.compiler"):
            for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
                importlib.import_module(module.name)
        front_end = importlib.import_module("tests.fuzz.front_end")

    with tempfile.TemporaryDirectory() as folder:
        corpus, place = Path(folder, "corpus"), Path(folder, "code")
        corpus.mkdir()
        place.mkdir()
        sys.stdout.write(f"{seeds(corpus, seed)} programs to begin with\n")
        sys.stdout.flush()

        def one(data: bytes) -> None:
            front_end.examine(data.decode(errors="ignore"), place)

        options = [f"-max_total_time={seconds}", f"-seed={seed or 1}", f"-max_len={_LONGEST}", "-timeout=60"]
        options += ["-rss_limit_mb=4096", f"-artifact_prefix={tempfile.gettempdir()}/flowc-fuzz-", str(corpus)]
        atheris.Setup([sys.argv[0], *options], one, custom_mutator=_mutator(atheris), custom_crossover=_crossover)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
