"""F04xx: settings, secrets, schedules and environments. See `faults`."""

from __future__ import annotations

from collections.abc import Sequence

from flowc.dsl import tables
from flowc.dsl.diagnostics import Diagnostic, Label, replace
from flowc.dsl.spans import Span
from flowc.dsl.suggest import closest, listed
from flowc.dsl.tables import Kind, SettingRow

# Of a text that is told.
_SHOWN = 40

# --- settings ---------------------------------------------------------------------------------------------------------


def unknown_setting(
    name: str, span: Span, rows: Sequence[SettingRow], where: str, other: str | None, form: str | None
) -> Diagnostic:
    """`rows` are the settings of this place; `other` names a place that does have it, `form` how else it is written."""
    names = [row.name for row in rows]
    keyword = tables.KEYWORD_ALIASES.get(name)
    found = None if keyword or form else tables.by_alias(name, rows) or closest(name, names)
    if form:
        help_ = form
    elif other:
        help_ = f"it stands in {other}"
    elif keyword:
        help_ = f"did you mean `{keyword}`?"
    else:
        help_ = f"did you mean `{found}`?" if found else f"the settings here: {listed(names)}"
    return _error(
        "F0401",
        f"{where} has no setting `{name}`",
        span,
        "unknown setting",
        help=(help_,),
        fix=None if other else found,
    )


def setting_twice(name: str, span: Span, first: Span) -> Diagnostic:
    return _error(
        "F0402", f"`{name}` is set twice", span, "set again", (Label(first, "set here first"),), ("leave one out",)
    )


def wrong_kind(
    row: SettingRow, what: str, found: str, span: Span, fixed: str | None, *, certain: bool = False
) -> Diagnostic:
    """`what` is the setting in backticks, or a part of it in words; `fixed` is what was meant."""
    example = f"such as `{row.example}`" if row.example else ""
    expected = f"{tables.KIND_NAMES[row.kind]}, {example}" if example else tables.KIND_WORDS[row.kind]
    return _error(
        "F0403",
        f"{what} is {expected}; found {found}",
        span,
        f"expected {tables.KIND_NAMES[row.kind]}",
        help=(f"write `{fixed}`",) if fixed else (),
        fix=fixed,
        certain=certain,
    )


def out_of_range(row: SettingRow, what: str, amount: float, span: Span) -> Diagnostic:
    kind: Kind = "int" if row.kind == "numbers" else row.kind
    if row.most is None:
        range_ = f"at least {shown_amount(kind, row.least)}"
    else:
        range_ = f"from {shown_amount(kind, row.least)} to {shown_amount(kind, row.most)}"
    too_large = row.most is not None and amount > row.most
    # As it is written in a program: without commas.
    bound = shown_amount(kind, row.most if too_large else row.least).replace(",", "")
    return _error(
        "F0404",
        f"{what} is {range_}; found {shown_amount(row.kind, amount)}",
        span,
        "too much" if too_large else "too little",
        help=(f"write `{bound}` or {'less' if too_large else 'more'}",),
    )


def not_a_literal(what: str, span: Span, meant: tuple[str, ...]) -> Diagnostic:
    return _error(
        "F0405",
        f"the value of {what} has to be written here",
        span,
        "a setting holds no references",
        help=meant or ("write the value itself: settings are known when the flow is compiled",),
    )


def default_not_literal(name: str, span: Span, meant: tuple[str, ...]) -> Diagnostic:
    return _error(
        "F0411",
        f"the default of `{name}` has to be written here",
        span,
        "a default holds no references",
        help=meant or ("write the value itself, or no default: then every run is given a value",),
    )


def defaults_twice(span: Span, first: Span) -> Diagnostic:
    return _error(
        "F0406",
        "a flow has one `defaults` block",
        span,
        "given again",
        (Label(first, "the first one"),),
        ("put all of it into one block",),
    )


def env_name(name: str, span: Span) -> Diagnostic:
    return _error(
        "F0407",
        f"`{name}` is no name of an environment variable",
        span,
        "not allowed",
        help=("letters, digits and underscores, not a digit first; for example `LOG_LEVEL`",),
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
        f"in `defaults` the value of `{name}` has to be written here, or is a secret",
        span,
        "not known outside a step",
        help=("set it in the steps that have it as an input",),
    )


def empty_image(span: Span) -> Diagnostic:
    return _error(
        "F0410",
        "an image has a name",
        span,
        "empty or blank",
        help=('for example `image = "acme/train:1.0"`; without the setting it is flowc\'s own',),
    )


# --- texts, lists and objects -----------------------------------------------------------------------------------------


def not_a_word(name: str, found: str, words: Sequence[str], span: Span, *, key: bool = False) -> Diagnostic:
    """A value, or the key of a member, that is not one of those there are."""
    close = closest(found, words)
    every = listed(words, word="or")
    other = f"its members: {listed(words)}" if key else f'for example `{name} = "{words[0]}"`'
    return _error(
        "F0412",
        f"`{name}` has no member `{found}`" if key else f"`{name}` is {every}; found `{found}`",
        span,
        "not one of them",
        help=(f"did you mean `{close}`?" if close else other,),
        fix=(close if key else f'"{close}"') if close else None,
    )


def bad_text(what: str, found: str, rule: str, span: Span) -> Diagnostic:
    """`rule` names a row of `tables.RULES`."""
    row = tables.RULES[rule]
    too_long = row.longest is not None and len(found) > row.longest
    candidates = (found.strip().lower(), found.strip().lower().replace("_", "-"), row.example)
    example = next(text for text in candidates if tables.fits(rule, text))
    return _error(
        "F0413",
        f"{what} is {row.what}; found `{found if len(found) <= _SHOWN else found[:_SHOWN] + '…'}`",
        span,
        f"{len(found):,} characters, of at most {row.longest:,}" if too_long else "not of this form",
        help=(f"{row.form}; for example `{example}`",),
    )


def unknown_member(row: SettingRow, name: str, span: Span) -> Diagnostic:
    names = [member.name for member in row.members]
    found = tables.by_alias(name, row.members) or closest(name, names)
    return _error(
        "F0414",
        f"`{row.name}` has no member `{name}`",
        span,
        "unknown member",
        help=(f"did you mean `{found}`?" if found else f"its members: {listed(names)}",),
        fix=found,
    )


def member_missing(name: str, member: SettingRow, span: Span) -> Diagnostic:
    return _error(
        "F0415",
        f"`{name}` needs the member `{member.name}`",
        span,
        f"has no `{member.name}`",
        help=(f"add `{member.name} = …`: {member.doc}",),
    )


def not_one_of(name: str, choices: Sequence[str], span: Span, given: tuple[Span, ...]) -> Diagnostic:
    """None or several of the members of which there is exactly one."""
    every = listed(choices, word="or")
    return _error(
        "F0416",
        f"`{name}` says twice what is mounted" if given else f"`{name}` does not say what is mounted",
        given[1] if given else span,
        "and this" if given else "nothing to mount",
        (Label(given[0], "this"),) if given else (),
        (f"leave one of {every}" if given else f"add one of {every}",),
    )


def listed_twice(name: str, text: str, span: Span, first: Span) -> Diagnostic:
    return _error(
        "F0417", f"`{text}` stands twice in `{name}`", span, "again", (Label(first, "here first"),), ("leave one out",)
    )


def said_elsewhere(text: str, instead: str, span: Span) -> Diagnostic:
    """`instead` is "the setting `x`", or that flowc says it."""
    return _error(
        "F0418",
        f"`{text}` is not given here: it is {instead}",
        span,
        "said elsewhere",
        help=("leave it out",) if instead.startswith("set by") else (f"use {instead}",),
    )


def not_among(row: SettingRow, shown: str, span: Span) -> Diagnostic:
    """A number that is none of the few that a platform knows."""
    known = [shown_amount(row.kind, amount) for amount in row.among]
    return _error(
        "F0419",
        f"`{row.name}` cannot be {shown}",
        span,
        "not a value that the platform knows",
        help=(f"it is one of {', '.join(known[:-1])} and {known[-1]}",),
    )


def contradiction(message: str, span: Span, remedy: str) -> Diagnostic:
    """Two members of one object that a platform refuses together."""
    return _error("F0420", message, span, "does not fit the rest", help=(remedy,))


def too_many_members(name: str, found: int, most: int, span: Span) -> Diagnostic:
    return _error(
        "F0421", f"`{name}` has {found:,} members, of at most {most:,}", span, "too many", help=("leave some out",)
    )


# --- blocks -----------------------------------------------------------------------------------------------------------


def unknown_target(name: str, span: Span) -> Diagnostic:
    found = tables.by_alias(name, tables.TARGETS.values()) or closest(name, tables.TARGETS)
    return _error(
        "F0422",
        f"there is no target `{name}`",
        span,
        "unknown target",
        help=(f"did you mean `{found}`?" if found else f"the targets: {listed(tables.TARGETS)}",),
        fix=found,
    )


def block_twice(what: str, span: Span, first: Span) -> Diagnostic:
    """`on argo` or `main` a second time in one place."""
    return _error(
        "F0423",
        f"`{what}` is given twice",
        span,
        "given again",
        (Label(first, "given here first"),),
        ("put all of it into one block",),
    )


def main_without_gang(step: str, span: Span, head: Span) -> Diagnostic:
    return _error(
        "F0424",
        "`main` needs a gang",
        span,
        "is about node 0 of a gang",
        (Label(head, "this step is one process"),),
        (f"write `step {step} parallel(2) {{` for two nodes, or set these in the step itself",),
    )


def main_alone(span: Span, head: Span) -> Diagnostic:
    return _warning(
        "F0425",
        "`main` sets node 0 apart, and this gang has no other node",
        span,
        "the only node",
        (Label(head, "one node"),),
        ("set these in the step itself",),
    )


# F0430 is retired: a secret without any entry is one for runs on this machine, where its name in capitals is read.

# --- schedules --------------------------------------------------------------------------------------------------------


def schedule_not_literal(span: Span) -> Diagnostic:
    return _error(
        "F0440",
        "a schedule has to be written here",
        span,
        "holds a reference",
        help=("write the text itself: when a flow runs is known when it is compiled",),
    )


def cron_fields(found: int, span: Span, hints: Sequence[str]) -> Diagnostic:
    return _error(
        "F0441",
        f"a schedule has five fields; found {found}",
        span,
        "minute, hour, day of the month, month, day of the week",
        help=(*hints, 'for example "30 2 * * 1-5": at 2:30 from Monday to Friday'),
    )


def cron_field(field: str, text: str, span: Span, hints: Sequence[str]) -> Diagnostic:
    return _error(
        "F0442",
        f"`{text}` is no {field}",
        span,
        "cannot be read",
        help=tuple(hints) or ("a field is `*`, a number, a range `1-5`, a list `1,3,5`, or steps `*/15` and `8-18/2`",),
    )


def cron_range(field: str, text: str, least: int, most: int, span: Span, hint: str | None = None) -> Diagnostic:
    return _error(
        "F0443",
        f"the {field} is from {least} to {most}; found {text}",
        span,
        "out of range",
        help=(hint or f"write a number from {least} to {most}",),
    )


def cron_order(field: str, text: str, span: Span, fixed: str | None, *, whole: bool) -> Diagnostic:
    """`whole`: the range is all of the field."""
    return _error(
        "F0444",
        f"the range `{text}` of the {field} ends before it begins",
        span,
        "runs backwards",
        help=(f"write `{fixed}`",) if fixed else (),
        fix=fixed if whole else None,
    )


def cron_word(text: str, span: Span, meant: str | None, fix: str | None) -> Diagnostic:
    """`MON`, `JAN`, `@daily`: what other schedulers know."""
    return _error(
        "F0445",
        f"`{text}` is not written in numbers",
        span,
        "a name",
        help=(f"write `{meant}`",)
        if meant
        else ("fields are numbers: months from 1, days of the week from 0 (Sunday)",),
        fix=fix,
        certain=True,
    )


def cron_both_days(span: Span, month: Span) -> Diagnostic:
    return _error(
        "F0446",
        "a schedule has a day of the month or a day of the week, not both",
        span,
        "and a day of the week",
        (Label(month, "a day of the month"),),
        ("schedulers do not agree whether both have to fit; make two schedules, or one of the fields `*`",),
    )


def cron_never(text: str, span: Span) -> Diagnostic:
    return _error(
        "F0447",
        f"this schedule never comes: {text}",
        span,
        "no such day in any year",
        help=("choose a day that one of these months has; `*` in the place of the month means all of them",),
    )


def unknown_zone(name: str, span: Span, found: str | None, hints: Sequence[str]) -> Diagnostic:
    return _error(
        "F0448",
        f"there is no time zone `{name}`",
        span,
        "unknown time zone",
        help=(f"did you mean `{found}`?",) if found else tuple(hints),
        fix=f'"{found}"' if found else None,
    )


def zone_without_place(name: str, span: Span) -> Diagnostic:
    """`CET`, `UTC+2`, `Japan`: an abbreviation, an offset, an old name."""
    return _error(
        "F0450",
        f"`{name}` names no place",
        span,
        "not a zone of one place",
        help=("a zone is named after a place, whose summer time it knows: for example `Europe/Paris`, or `UTC`",),
    )


def schedule_needs_defaults(param: str, span: Span, schedule: Span) -> Diagnostic:
    return _error(
        "F0451",
        f"nobody gives `{param}` when the flow starts by itself",
        span,
        "has no default",
        (Label(schedule, "starts the flow by itself"),),
        (f"give it a default: `param {param}: … = …`",),
    )


def same_schedule(span: Span, first: Span) -> Diagnostic:
    return _warning(
        "F0449",
        "the same schedule is given twice",
        span,
        "starts a second run at the same times",
        (Label(first, "given here first"),),
        ("leave one out",),
    )


# --- helpers ----------------------------------------------------------------------------------------------------------


def shown_amount(kind: Kind, amount: float | None) -> str:
    """An amount as it would be written."""
    assert amount is not None
    if kind in ("size", "duration"):
        units = tables.SIZE_UNITS if kind == "size" else tables.DURATION_UNITS
        for unit, factor in sorted(units.items(), key=lambda item: -item[1]):
            if amount >= factor and amount % factor == 0:
                return f"{int(amount // factor)}{unit}"
        return f"{int(amount)}{'s' if kind == 'duration' else ' bytes'}"
    return f"{amount:,}" if amount != int(amount) else f"{int(amount):,}"


def _error(
    code: str,
    message: str,
    span: Span,
    label: str,
    related: tuple[Label, ...] = (),
    help: tuple[str, ...] = (),  # noqa: A002 - the word of the renderer
    fix: str | None = None,
    *,
    certain: bool = False,
) -> Diagnostic:
    replaced = replace(span, fix, certain=certain) if fix else None
    return Diagnostic(code, "error", message, span, label, related, help, replaced)


def _warning(
    code: str,
    message: str,
    span: Span,
    label: str,
    related: tuple[Label, ...] = (),
    help: tuple[str, ...] = (),  # noqa: A002 - the word of the renderer
) -> Diagnostic:
    return Diagnostic(code, "warning", message, span, label, related, help)
