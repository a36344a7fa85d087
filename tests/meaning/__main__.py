"""Programs until the time is over, or until one means something else than it says; that one is printed.

python -m tests.meaning [SECONDS] [SEED]
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from tests.fuzz.flows import flow
from tests.meaning.examine import WrongMeaningError, examine, examine_in_folder, shorter
from tests.meaning.programs import program

RUNS = range(8)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    first = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    sys.stdout.write(f"seed {first}\n")
    end = time.monotonic() + seconds
    seed, compared = first, 0
    while time.monotonic() < end:
        try:
            generated = flow(random.Random(seed))
            compared += examine_in_folder(shorter(generated.text()), generated.folder(), RUNS)
            compared += examine(program(seed), Path(), RUNS)
        except WrongMeaningError as wrong:
            raise SystemExit(f"seed {seed}: {wrong}") from None
        seed += 1
    sys.stdout.write(f"{2 * (seed - first)} programs, {compared} inputs compared\n")


if __name__ == "__main__":
    main()
