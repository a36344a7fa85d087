"""What a finished run says last: the failure in full, or every output and where it lies.

Of a step in a `repeat` the last turn's outputs are shown, of one in a `foreach` the first few and how many there are.
Gives lines of plain text; values come from the store, through the runtime's own readers. A small file or folder is
copied to `.flowc/runs/RUN/outputs/STEP/OUTPUT/` so that it can be opened under its name; of a large one, and of one
that cannot be copied, the store's blob is named.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flowc.runtime import layout
from flowc.runtime.artifacts import Artifact, fetch
from flowc.runtime.commit import Outputs, read_commit, read_outputs
from flowc.runtime.errors import Stop
from flowc.runtime.layout import ix_of
from flowc.runtime.plan import FanOut, Loop, Output, Plan, Step
from flowc.runtime.store import Store, StoreError
from flowc.runtime.values import is_blob

from .attempt import Place
from .outcome import Failure
from .scheduler import Tally

# A copy beside the blob costs its size on the disk again.
COPY_LIMIT = 64 * 1024 * 1024
_SHOWN = 72


def failure_lines(failure: Failure) -> list[str]:
    """The failed step, its last lines and where the rest is."""
    lines = [failure.headline]
    if failure.attempts > 1 and failure.attempt > 1:
        lines[0] += f" (attempt {failure.attempt} of {failure.attempts})"
    if failure.last_lines:
        lines += ["  its last lines:", *(f"    {line}" for line in failure.last_lines)]
    if failure.log is not None:
        lines.append(f"  its whole output: {shown_path(failure.log)}")
    return lines


def allowed_lines(tallies: Mapping[str, Tally]) -> list[str]:
    """What failed without making the run fail."""
    found = [(name, tally.allowed) for name, tally in tallies.items() if tally.allowed]
    if not found:
        return []
    listed = ", ".join(f"{name} ({count} times)" if count > 1 else name for name, count in found)
    return [f"failed, which the flow allows: {listed}"]


def output_lines(plan: Plan, place: Place, tallies: Mapping[str, Tally]) -> list[str]:
    """One line per output of every step that was done, in declaration order."""
    rows = list(_rows(plan, place, tallies))
    if not rows:
        return []
    name_width = max(len(name) for name, _, _ in rows)
    type_width = max(len(type_) for _, type_, _ in rows)
    return ["outputs:", *(f"  {name:<{name_width}}  {type_:<{type_width}}  {text}" for name, type_, text in rows)]


def _rows(plan: Plan, place: Place, tallies: Mapping[str, Tally]) -> Iterator[tuple[str, str, str]]:
    for step in plan.steps:
        tally = tallies[step.name]
        if not step.outputs or not tally.first:
            continue
        blocks = [around.block for around in plan.chain(step.name)]
        stars = "[*]" * sum(isinstance(block, FanOut) for block in blocks)
        # Turns are no values of their own.
        count = None if any(isinstance(block, Loop) for block in blocks) else tally.done
        try:
            found = [_outputs(place, step, ix_of(path)) for _, path in sorted(tally.first.items())]
        except (StoreError, Stop) as error:
            yield step.name, "", f"cannot be read: {error}"
            continue
        for output in step.outputs:
            records = [outputs[output.name] for outputs in found if output.name in outputs]
            if records and stars:
                text = _many_text(output, records, count, has_more=tally.has_more)
                yield f"{step.name}{stars}.{output.name}", output.type, text
            elif records:
                yield f"{step.name}.{output.name}", output.type, _text(step, output, records[0], place)


def _outputs(place: Place, step: Step, ix: str) -> Outputs:
    commit = read_commit(place.store, place.flow, place.run, step.name, ix)
    return read_outputs(place.store, place.flow, step.name, commit, ix) if commit is not None else {}


def _many_text(output: Output, records: list[Any], count: int | None, *, has_more: bool) -> str:
    number = count if has_more else len(records)
    amount = "several values" if number is None else f"{number} value{'' if number == 1 else 's'}"
    if is_blob(output.type) or output.each:
        return amount
    shown = ", ".join(_list_item(record["value"]) for record in records)
    return f"{shown}, … ({amount})" if has_more else shown


def _text(step: Step, output: Output, record: Any, place: Place) -> str:
    if output.each:
        values = record["each"]
        if is_blob(output.type):
            return f"{len(values)} values, one of each node"
        return shorten([value["value"] for value in values])
    if not is_blob(output.type):
        return shorten(record["value"])
    artifact = Artifact(type=record["type"], blob=record["blob"], size=record["size"], name=record["name"])
    return f"{size_text(artifact.size):>9}  {_where(step, output, artifact, place)}"


def _where(step: Step, output: Output, artifact: Artifact, place: Place) -> str:
    if artifact.size <= COPY_LIMIT:
        try:
            copy = fetch(place.store, place.flow, artifact, place.folder / "outputs" / step.name / output.name)
            return shown_path(copy)
        except (StoreError, Stop, OSError):
            pass
    return blob_place(place.store, place.flow, artifact.blob)


def blob_place(store: Store, flow: str, digest: str) -> str:
    key = layout.blob_key(flow, digest)
    root = getattr(store, "root", None)
    return shown_path(root / key) if isinstance(root, Path) else f"{store.url}/{key}"


def shown_path(path: Path) -> str:
    """Relative to the current folder where it lies below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def shorten(value: Any) -> str:
    """A value on one line; long text and long lists are cut."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return _list_text(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = repr(text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}… ({len(text)} characters)"


def _list_text(values: list[Any]) -> str:
    parts: list[str] = []
    used = 0
    for index, value in enumerate(values):
        part = _list_item(value)
        used += len(part) + 2
        if used > _SHOWN and index > 0:
            return f"[{', '.join(parts)}, …] ({len(values)} items)"
        parts.append(part if len(part) <= _SHOWN else part[: _SHOWN - 1] + "…")
    return f"[{', '.join(parts)}]"


def _list_item(value: Any) -> str:
    return repr(value) if isinstance(value, str) else shorten(value)


def size_text(size: int) -> str:
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} TiB"


def make_private(folder: Path) -> None:
    """`.flowc/` keeps itself out of git."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    try:
        descriptor = os.open(ignore, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write("*\n")
