"""F04xx: settings, secrets, schedules and environments. See `faults`."""

from __future__ import annotations

from collections.abc import Sequence

from flowc.dsl import tables
from flowc.dsl.diagnostics import Diagnostic, Label, replace
from flowc.dsl.spans import Span
from flowc.dsl.suggest import closest, listed
from flowc.dsl.tables import SettingRow

# --- settings ---------------------------------------------------------------------------------------------------------


def unknown_setting(name: str, span: Span, rows: Sequence[SettingRow], where: str, other: str | None) -> Diagnostic:
    """`rows` are the settings of this place; `other` names a place that does have it."""
    names = [row.name for row in rows]
    keyword = tables.KEYWORD_ALIASES.get(name)
    found = None if keyword else tables.by_alias(name, tuple(rows)) or closest(name, names)
    if other:
        help_ = f"it stands in {other}"
    elif keyword:
        help_ = f"did you mean `{keyword}`?"
    else:
        help_ = f"did you mean `{found}`?" if found else f"the settings here: {listed(names)}"
    return _error("F0401", f"{where} has no setting `{name}`", span, "unknown setting", help=(help_,), fix=found)


def setting_twice(name: str, span: Span, first: Span) -> Diagnostic:
    return _error("F0402", f"`{name}` is set twice", span, "set again", (Label(first, "set here first"),))


def wrong_kind(row: SettingRow, found: str, span: Span, fixed: str | None) -> Diagnostic:
    return _error(
        "F0403",
        f"`{row.name}` is {tables.KIND_WORDS[row.kind]}; found {found}",
        span,
        f"expected a {row.kind}" if row.kind != "int" else "expected an int",
        help=(f"write `{fixed}`",) if fixed else (),
        fix=fixed,
    )


def out_of_range(row: SettingRow, shown: str, span: Span) -> Diagnostic:
    least, most = (shown_amount(row, bound) for bound in (row.least, row.most))
    return _error("F0404", f"`{row.name}` is from {least} to {most}; found {shown}", span, "out of range")


def not_a_literal(name: str, span: Span, meant: tuple[str, ...]) -> Diagnostic:
    return _error(
        "F0405",
        f"the value of `{name}` has to be written here",
        span,
        "a setting holds no references",
        help=("settings are known when the flow is compiled", *meant),
    )


def default_not_literal(name: str, span: Span, meant: tuple[str, ...]) -> Diagnostic:
    return _error(
        "F0411",
        f"the default of `{name}` is a literal",
        span,
        "a default holds no references",
        help=meant or ("a parameter without a default is given on the command line",),
    )


def defaults_twice(span: Span, first: Span) -> Diagnostic:
    return _error("F0406", "a flow has one `defaults` block", span, "given again", (Label(first, "the first one"),))


def env_name(name: str, span: Span) -> Diagnostic:
    return _error(
        "F0407",
        f"`{name}` is no name of an environment variable",
        span,
        "not allowed",
        help=("letters, digits and underscores, not a digit first",),
    )


def env_reserved(name: str, prefix: str, span: Span) -> Diagnostic:
    return _error(
        "F0408",
        f"variables that begin with `{prefix}` belong to the platform",
        span,
        "reserved",
        help=(f"choose another name than `{name}`",),
    )


def env_default_not_literal(name: str, span: Span) -> Diagnostic:
    return _error(
        "F0409",
        f"in `defaults` the value of `{name}` is a literal",
        span,
        "not known outside a step",
        help=("set it in the steps that have it as an input",),
    )


def empty_image(span: Span) -> Diagnostic:
    return _error("F0410", "an image has a name", span, "empty or blank")


# --- helpers ----------------------------------------------------------------------------------------------------------


def shown_amount(row: SettingRow, amount: float | None) -> str:
    """A setting's value as it would be written."""
    assert amount is not None
    if row.kind in ("size", "duration"):
        units = tables.SIZE_UNITS if row.kind == "size" else tables.DURATION_UNITS
        for unit, factor in sorted(units.items(), key=lambda item: -item[1]):
            if amount >= factor and amount % factor == 0:
                return f"{int(amount // factor)}{unit}"
        return f"{int(amount)}{'s' if row.kind == 'duration' else ' bytes'}"
    return f"{amount:,}" if amount != int(amount) else f"{int(amount):,}"


def _error(
    code: str,
    message: str,
    span: Span,
    label: str,
    related: tuple[Label, ...] = (),
    help: tuple[str, ...] = (),  # noqa: A002 - the word of the renderer
    fix: str | None = None,
) -> Diagnostic:
    return Diagnostic(code, "error", message, span, label, related, help, replace(span, fix) if fix else None)
