"""Settings: what is written in a step, in `defaults` and in the flow, against the tables of the language.

Takes parts of the syntax tree; gives checked values by name, `plan.Settings` and frameworks, with diagnostics. A value
that cannot be used is left out, so that the next place's, or the built-in default, stands in for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowc.dsl import ast, tables
from flowc.dsl import faults as syntax_faults
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.tables import FrameworkRow, Place, SettingRow
from flowc.dsl.version import VERSION
from flowc.runtime import plan

from . import body_faults, constants
from . import setting_faults as faults
from .model import Gang

Given = Mapping[str, int | float | str | bool]

_PLACE_WORDS: dict[Place, str] = {"step": "a step", "defaults": "`defaults`", "flow": "the flow itself"}
_LITERALS: dict[str, tuple[type, ...]] = {
    "int": (ast.Int,),
    "number": (ast.Int, ast.Float),
    "size": (ast.Size,),
    "duration": (ast.Duration,),
    "string": (ast.String,),
    "bool": (ast.Bool,),
}


def given(settings: Sequence[ast.Setting], place: Place, say: list[Diagnostic]) -> Given:
    """The usable settings of one place."""
    rows = [row for row in tables.SETTINGS.values() if place in row.places]
    return _given(settings, rows, _PLACE_WORDS[place], say)


def _given(settings: Sequence[ast.Setting], rows: list[SettingRow], where: str, say: list[Diagnostic]) -> Given:
    by_name = {row.name: row for row in rows}
    first: dict[str, ast.Setting] = {}
    values: dict[str, int | float | str | bool] = {}
    for setting in settings:
        name = setting.name.text
        row = by_name.get(name)
        if row is None:
            say.append(_unknown(setting.name, rows, where))
        elif name in first:
            say.append(faults.setting_twice(name, setting.name.span, first[name].name.span))
        elif row.since is None:
            say.append(syntax_faults.not_built(f"the setting `{name}`", setting.name.span))
        elif (value := _value(row, setting.value, say)) is not None:
            values[name] = value
        first.setdefault(name, setting)
    return values


def _unknown(name: ast.Name, rows: list[SettingRow], where: str) -> Diagnostic:
    other = None
    for framework in tables.FRAMEWORKS.values():
        if framework.setting(name.text):
            other = f"the block `{framework.name} {{ … }}`"
    if row := tables.SETTINGS.get(name.text):
        other = " or in ".join(_PLACE_WORDS[place] for place in row.places)
    if name.text in tables.FRAMEWORKS:
        other = f"a block of its own: `{name.text} {{ … }}`"
    return faults.unknown_setting(name.text, name.span, rows, where, other)


def _value(row: SettingRow, value: ast.Expr, say: list[Diagnostic]) -> int | float | str | bool | None:
    if isinstance(value, ast.Bad):
        return None
    if isinstance(value, (ast.Ref, ast.OwnRef)):
        say.append(faults.not_a_literal(row.name, value.span, constants.meant(value, row.kind)))
        return None
    if not isinstance(value, _LITERALS[row.kind]):
        say.append(faults.wrong_kind(row, value.kind, value.span, _meant(row, value)))
        return None
    match value:
        case ast.String():
            if not value.value.strip():
                say.append(faults.empty_image(value.span))
                return None
            return value.value
        case ast.Bool():
            return value.value
        case ast.Size():
            amount: int | float = value.bytes
        case ast.Duration():
            amount = value.seconds
        case ast.Int() | ast.Float():
            amount = value.value
        case ast.List():
            return None
    if (row.least is not None and amount < row.least) or (row.most is not None and amount > row.most):
        say.append(faults.out_of_range(row, faults.shown_amount(row, amount), value.span))
        return None
    return float(amount) if row.kind == "number" else amount


def _meant(row: SettingRow, value: ast.Expr) -> str | None:
    """A value of the right kind that the writer may have meant."""
    if isinstance(value, ast.Int) and value.value > 0:
        return {"size": f"{value.value}GiB", "duration": f"{value.value}s"}.get(row.kind)
    if isinstance(value, ast.Float) and value.value == int(value.value) and row.kind == "int":
        return str(int(value.value))
    if isinstance(value, ast.String):
        from flowc.dsl import literals

        node, _ = literals.number(value.value, value.span)
        meant = value.value in ("true", "false") if row.kind == "bool" else isinstance(node, _LITERALS[row.kind])
        return value.value if meant else None
    return None


# --- all together -----------------------------------------------------------------------------------------------------


def resolved(step: Given, defaults: Given, gang: Gang | None) -> plan.Settings:
    """The step wins over `defaults`, which wins over the tables."""
    values = {name: row.default for name, row in tables.SETTINGS.items()} | {**defaults} | {**step}
    image = values["image"]
    if image is None:
        is_torch = gang is not None and isinstance(gang.framework, plan.Torchrun)
        image = tables.IMAGES["torchrun" if is_torch else "base"].format(version=VERSION)
    return plan.Settings(
        image=str(image),
        cpu=float(values["cpu"] or 0),
        memory=int(values["memory"] or 0),
        gpu=int(values["gpu"] or 0),
        shm=_optional(values["shm"]),
        timeout=_optional(values["timeout"]),
        start_timeout=int(values["start_timeout"] or 0),
        retries=int(values["retries"] or 0),
        retry_wait=int(values["retry_wait"] or 0),
    )


def _optional(value: int | float | str | bool | None) -> int | None:
    return None if value is None else int(value)


def gang(step: ast.Step, gpus: int, say: list[Diagnostic]) -> Gang | None:
    """The gang that a step's head and framework block ask for."""
    framework = _framework(step, gpus, say)
    if step.parallel is None:
        return None
    nodes = _nodes(step.parallel.count, say)
    return Gang(nodes, framework, step.parallel.span)


def _nodes(count: ast.Expr, say: list[Diagnostic]) -> int:
    match count:
        case ast.Bad():
            return 1
        case ast.Ref() | ast.OwnRef():
            say.append(syntax_faults.not_built("`parallel` with a reference", count.span, "write the number of nodes"))
            return 1
        case ast.Int() if 1 <= count.value <= tables.MOST_NODES:
            return count.value
        case ast.Int():
            say.append(body_faults.nodes_out_of_range(str(count.value), count.span))
        case _:
            say.append(body_faults.nodes_out_of_range(count.kind, count.span))
    return 1


def _framework(step: ast.Step, gpus: int, say: list[Diagnostic]) -> plan.Framework | None:
    if not step.blocks:
        return plan.Plain()
    found: plan.Framework | None = None
    first: ast.Block | None = None
    for block in step.blocks:
        row = tables.FRAMEWORKS.get(block.name.text)
        if block.name.text in tables.RESERVED:
            continue
        if row is None:
            say.append(body_faults.unknown_block(block.name.text, block.span))
        elif row.since is None:
            say.append(syntax_faults.not_built(f"`{row.name}`", block.span))
        elif first is not None:
            say.append(body_faults.second_framework(row.name, block.span, first.span))
        else:
            if step.parallel is None:
                say.append(body_faults.framework_without_gang(row, step.name.text, block.span, step.span))
            found = _torchrun(row, block, gpus, say)
            first = block
    return found


def _torchrun(row: FrameworkRow, block: ast.Block, gpus: int, say: list[Diagnostic]) -> plan.Torchrun:
    values = _given(block.settings, list(row.settings), f"`{row.name}`", say)
    port = values.get("port")
    return plan.Torchrun(
        procs_per_node=int(values.get("procs_per_node", max(1, gpus))),
        max_restarts=int(values.get("max_restarts", 0)),
        port=None if port is None else int(port),
    )
