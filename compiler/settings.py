"""settings: what is written in a step, in `defaults` and in the flow, against the tables of the language.

Takes parts of the syntax tree; gives settings, frameworks, `main` and `on` blocks with where each value comes from, and
secrets, with diagnostics. The step wins over `defaults`, which wins over the flow, which wins over the tables; a value
replaces another one whole. One that cannot be used is left out, so that the next place's stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flowc.dsl import ast, tables
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span
from flowc.dsl.tables import FrameworkRow, Place, SettingRow
from flowc.dsl.version import VERSION
from flowc.runtime import plan
from flowc.runtime.plan import Json

from . import body_faults
from . import setting_faults as faults
from .model import Origin, OriginWord, Secret, TargetSetting
from .schedules import schedules as schedules
from .settings_text import shown, shown_default
from .settings_values import checked, form_of

_PLACE_WORDS: dict[Place, str] = {"step": "a step", "defaults": "`defaults`", "flow": "the flow itself"}
_ROWS: dict[Place, tuple[SettingRow, ...]] = {
    place: tuple(row for row in tables.SETTINGS.values() if place in row.places) for place in _PLACE_WORDS
}
_MAIN_ROWS = tuple(tables.SETTINGS[name] for name in tables.MAIN_SETTINGS)


@dataclass(frozen=True, slots=True)
class StepSettings:
    """`settings` and `on` are complete; of the gang's parts each is None where the step has none.

    `framework` is also None where the block that was written is not known; `block` is its name and place then.
    """

    settings: plan.Settings
    framework: plan.Framework | None
    block: tuple[str, Span] | None
    main: plan.Settings | None
    on: tuple[TargetSetting, ...]
    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class FlowSettings:
    timeout: int | None
    on: tuple[TargetSetting, ...]


@dataclass(frozen=True, slots=True)
class _Given:
    """One usable setting, as it was written; `span` is the place of its name."""

    value: Json
    origin: OriginWord
    span: Span | None


_Values = Mapping[str, _Given]
# By target, then by name.
_On = Mapping[str, _Values]


# --- what is written in one place -------------------------------------------------------------------------------------


def _given(
    settings: Sequence[ast.Setting],
    rows: Sequence[SettingRow],
    where: str,
    origin: OriginWord,
    say: list[Diagnostic],
) -> _Values:
    by_name = {row.name: row for row in rows}
    first: dict[str, ast.Setting] = {}
    values: dict[str, _Given] = {}
    for setting in settings:
        name = setting.name.text
        row = by_name.get(name)
        if row is None:
            other = _elsewhere(name, where)
            say.append(
                faults.unknown_setting(name, setting.name.span, rows, where, other, form_of(name, setting.value))
            )
        elif name in first:
            say.append(faults.setting_twice(name, setting.name.span, first[name].name.span))
        elif (value := checked(row, setting.value, say)) is not None:
            values[name] = _Given(value, origin, setting.name.span)
        first.setdefault(name, setting)
    return values


def _elsewhere(name: str, where: str) -> str | None:
    """Where the setting stands that is not known here."""
    if name in tables.FRAMEWORKS:
        return f"a block of its own: `{name} {{ … }}`"
    blocks = [f"`{row.name} {{ … }}`" for row in tables.FRAMEWORKS.values() if row.setting(name)]
    targets = [f"`on {row.name} {{ … }}`" for row in tables.TARGETS.values() if row.setting(name)]
    row = tables.SETTINGS.get(name)
    if where in targets:
        # Known there, but not in this place.
        of_target = next(target for target in tables.TARGETS.values() if f"`on {target.name} {{ … }}`" == where)
        setting = of_target.setting(name)
        assert setting is not None
        return f"{where} of {_or(_PLACE_WORDS[place] for place in setting.places)}"
    if row is not None:
        return _or(_PLACE_WORDS[place] for place in row.places)
    if blocks:
        return f"the block {_or(blocks)}"
    return _or(targets) if targets else None


def _or(words: Iterable[str]) -> str:
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or in {words[-1]}"


def _given_on(blocks: Sequence[ast.Block], place: Place, say: list[Diagnostic]) -> _On:
    first: dict[str, ast.Block] = {}
    given: dict[str, _Values] = {}
    for block in blocks:
        row = tables.TARGETS.get(block.name.text)
        if row is None:
            say.append(faults.unknown_target(block.name.text, block.name.span))
            continue
        known = first.setdefault(row.name, block)
        if known is not block:
            say.append(faults.block_twice(f"on {row.name}", block.name.span, known.name.span))
            continue
        rows = [setting for setting in row.settings if place in setting.places]
        given[row.name] = _given(block.settings, rows, f"`on {row.name} {{ … }}`", place, say)
    return given


def _on_settings(given: _On) -> tuple[TargetSetting, ...]:
    """In the order of the tables."""
    found: list[TargetSetting] = []
    for target in tables.TARGETS.values():
        values = given.get(target.name)
        if not values:
            continue
        for row in target.settings:
            if (item := values.get(row.name)) is not None:
                assert item.span is not None
                found.append(TargetSetting(target.name, row.name, item.value, item.origin, item.span))
    return tuple(found)


# --- the flow and its defaults ----------------------------------------------------------------------------------------


def of_flow(flow: ast.Flow, say: list[Diagnostic]) -> FlowSettings:
    given = _given(flow.settings, _ROWS["flow"], _PLACE_WORDS["flow"], "flow", say)
    timeout = given.get("timeout")
    return FlowSettings(
        None if timeout is None else _whole(timeout.value), _on_settings(_given_on(flow.on, "flow", say))
    )


# Compared by what it is, not by what it holds; no slots for the same reason that `_plain` is filled in on demand.
@dataclass(frozen=True, eq=False)
class Defaults:
    """What holds for every step that says nothing else."""

    values: _Values
    on: _On
    origins: Mapping[str, Origin]
    on_settings: tuple[TargetSetting, ...]
    settings: plan.Settings
    plain: StepSettings = field(repr=False)


_BUILT_IN: _Values = {row.name: _Given(row.default, "built-in", None) for row in tables.SETTINGS.values()}


def defaults(flow: ast.Flow, say: list[Diagnostic]) -> Defaults:
    """The settings of `defaults { … }`, and of the flow's `on` blocks what holds for steps."""
    values: _Values = {}
    # What is wrong in the flow's own blocks is said by `of_flow`.
    on: _On = _for_steps(_given_on(flow.on, "flow", []))
    for block in flow.defaults:
        if block is not flow.defaults[0]:
            say.append(faults.defaults_twice(block.span, flow.defaults[0].span))
            continue
        values = _given(block.settings, _ROWS["defaults"], _PLACE_WORDS["defaults"], "defaults", say)
        on = _merged(on, _given_on(block.on, "defaults", say))
    values = {**_BUILT_IN, **values}
    settings = _settings(values, None)
    on_settings = _on_settings(on)
    origins = {
        **{origin.name: origin for origin in _origins(values, settings, None)},
        **{origin.name: origin for origin in _on_origins(on)},
    }
    plain = StepSettings(settings, None, None, None, on_settings, tuple(origins.values()))
    return Defaults(values, on, origins, on_settings, settings, plain)


def _for_steps(given: _On) -> _On:
    def is_for_steps(target: str, name: str) -> bool:
        row = tables.TARGETS[target].setting(name)
        return row is not None and "step" in row.places

    return {
        target: {name: item for name, item in values.items() if is_for_steps(target, name)}
        for target, values in given.items()
    }


def _merged(weak: _On, strong: _On) -> _On:
    return {target: {**weak.get(target, {}), **strong.get(target, {})} for target in (*weak, *strong)}


# --- a step -----------------------------------------------------------------------------------------------------------


def of_step(step: ast.Step, defaults: Defaults, say: list[Diagnostic]) -> StepSettings:
    if not (step.settings or step.blocks or step.main or step.on or step.parallel):
        return defaults.plain
    given = _given(step.settings, _ROWS["step"], _PLACE_WORDS["step"], "step", say)
    values = {**defaults.values, **given}
    gpus = _whole(values["gpu"].value)
    framework, row, block, inside = _framework(step, gpus, say)
    settings = _settings(values, row)
    main_given = _main_given(step, say)
    main = None if main_given is None else _settings({**values, "image": _image_of(values, row), **main_given}, row)
    own_on = _given_on(step.on, "step", say)
    on = _on_settings(_merged(defaults.on, own_on)) if own_on else defaults.on_settings
    origins = {
        **defaults.origins,
        **{origin.name: origin for origin in _origins(given, settings, None)},
        **{origin.name: origin for origin in _on_origins(own_on)},
    }
    if row is not None:
        if values["image"].value is None:
            origins["image"] = Origin("image", shown(tables.SETTINGS["image"], settings.image), "computed", None)
        origins.update((origin.name, origin) for origin in _framework_origins(row, inside, framework))
    if main is not None and main_given is not None:
        origins.update((origin.name, origin) for origin in _origins(main_given, main, "main"))
    # A step without `parallel` has no gang, whatever stands in it.
    is_gang = step.parallel is not None
    return StepSettings(
        settings,
        framework if is_gang else None,
        block if is_gang else None,
        main if is_gang else None,
        on,
        tuple(origins.values()),
    )


def _settings(values: _Values, framework: FrameworkRow | None) -> plan.Settings:
    value = {name: item.value for name, item in values.items()}
    return plan.Settings(
        image=str(_image_of(values, framework).value),
        cpu=_real(value["cpu"]),
        memory=_whole(value["memory"]),
        gpu=_whole(value["gpu"]),
        shm=_optional(value["shm"]),
        timeout=_optional(value["timeout"]),
        start_timeout=_whole(value["start_timeout"]),
        retries=_whole(value["retries"]),
        retry_wait=_whole(value["retry_wait"]),
        allow_failure=bool(value["allow_failure"]),
        cache=bool(value["cache"]),
    )


def _image_of(values: _Values, framework: FrameworkRow | None) -> _Given:
    given = values["image"]
    if given.value is not None:
        return given
    name = "base" if framework is None else framework.image
    return _Given(tables.IMAGES[name].format(version=VERSION), "computed", None)


def _main_given(step: ast.Step, say: list[Diagnostic]) -> _Values | None:
    if not step.main:
        return None
    first = step.main[0]
    say += [faults.block_twice("main", block.span, first.span) for block in step.main[1:]]
    if step.parallel is None:
        say.append(faults.main_without_gang(step.name.text, first.span, step.span))
    elif isinstance(step.parallel.count, ast.Int) and step.parallel.count.value == 1:
        say.append(faults.main_alone(first.span, step.parallel.span))
    return _given(first.settings, _MAIN_ROWS, "`main`", "step", say)


# --- frameworks -------------------------------------------------------------------------------------------------------


def _framework(
    step: ast.Step, gpus: int, say: list[Diagnostic]
) -> tuple[plan.Framework | None, FrameworkRow | None, tuple[str, Span] | None, _Values]:
    """The framework of a gang, its row, its block's name and place, and what is set in it."""
    if not step.blocks:
        return plan.Plain(), None, None, {}
    known: tuple[ast.Block, FrameworkRow] | None = None
    for block in step.blocks:
        name = block.name.text
        row = tables.FRAMEWORKS.get(name)
        if name in tables.RESERVED:
            continue  # the parser has said so
        if row is None:
            say.append(body_faults.unknown_block(name, block.span))
        elif known is not None:
            twice = known[1] is row
            say.append(body_faults.second_framework(name, block.span, known[0].span, twice=twice))
        else:
            known = block, row
    if known is None:
        return None, None, (step.blocks[0].name.text, step.blocks[0].span), {}
    block, row = known
    if step.parallel is None:
        say.append(body_faults.framework_without_gang(row, step.name.text, block.span, step.span))
    inside = _given(block.settings, row.settings, f"`{row.name}`", "step", say)
    return _made(row, inside, gpus), row, (row.name, block.span), inside


def _made(row: FrameworkRow, inside: _Values, gpus: int) -> plan.Framework:
    value = {setting.name: setting.default for setting in row.settings} | {
        name: item.value for name, item in inside.items()
    }
    if "procs_per_node" in value and value["procs_per_node"] is None:
        value["procs_per_node"] = max(1, gpus)
    match row.name:
        case "torchrun":
            return plan.Torchrun(
                _whole(value["procs_per_node"]), _whole(value["max_restarts"]), _optional(value["port"])
            )
        case "deepspeed":
            config = value["config"]
            return plan.DeepSpeed(
                _whole(value["procs_per_node"]), str(value["launcher"]), None if config is None else str(config)
            )
        case "tensorflow":
            return plan.TensorFlow(_optional(value["port"]), bool(value["chief"]))
        case "ray":
            return plan.Ray(_optional(value["port"]), bool(value["dashboard"]), _optional(value["object_store_memory"]))
        case _:
            arguments = value["args"] or []
            assert isinstance(arguments, list)
            return plan.Mpi(
                _whole(value["procs_per_node"]), str(value["implementation"]), tuple(str(item) for item in arguments)
            )


# --- where values come from -------------------------------------------------------------------------------------------


def _origins(values: _Values, settings: plan.Settings, block: str | None) -> Iterable[Origin]:
    prefix = f"{block}." if block else ""
    for name, item in values.items():
        row = tables.SETTINGS[name]
        if name == "image" and item.value is None:
            yield Origin(prefix + name, shown(row, settings.image), "computed", None)
        else:
            text = shown_default(row) if item.value is None else shown(row, item.value)
            yield Origin(prefix + name, text, item.origin, item.span)


def _framework_origins(row: FrameworkRow, inside: _Values, framework: plan.Framework | None) -> Iterable[Origin]:
    for setting in row.settings:
        name = f"{row.name}.{setting.name}"
        item = inside.get(setting.name)
        if item is not None:
            yield Origin(name, shown(setting, item.value), item.origin, item.span)
        elif setting.name == "procs_per_node" and setting.default is None:
            yield Origin(name, str(getattr(framework, setting.name)), "computed", None)
        else:
            yield Origin(name, shown_default(setting), "built-in", None)


def _on_origins(on: _On) -> Iterable[Origin]:
    for setting in _on_settings(on):
        row = tables.TARGETS[setting.target].setting(setting.name)
        assert row is not None
        yield Origin(f"{setting.target}.{setting.name}", shown(row, setting.value), setting.origin, setting.span)


# --- secrets ----------------------------------------------------------------------------------------------------------


def secrets(flow: ast.Flow, say: list[Diagnostic]) -> tuple[Secret, ...]:
    """All secrets as written, those of the same name too. One without an entry is for this machine alone."""
    found: list[Secret] = []
    for block in flow.secrets:
        name = block.name.text
        given = _given(block.settings, tuple(tables.SECRETS.values()), f"the secret `{name}`", "flow", say)
        value = {target: str(item.value) for target, item in given.items()}
        found.append(Secret(name, value.get("argo"), value.get("sfn"), value.get("local"), block.doc, block.name.span))
    return tuple(found)


# --- values of known kinds --------------------------------------------------------------------------------------------


def _whole(value: Json) -> int:
    assert isinstance(value, int)
    return value


def _real(value: Json) -> float:
    assert isinstance(value, (int, float))
    return float(value)


def _optional(value: Json) -> int | None:
    return None if value is None else _whole(value)
