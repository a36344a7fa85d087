"""The closed vocabularies of the language: words, types, units, settings, frameworks, targets.

Tables of frozen dataclasses and nothing else. Parser, checker, messages and the manual read the same rows, so that a
setting is known everywhere or nowhere.
"""

from __future__ import annotations

from .frameworks import FRAMEWORKS, IMAGES, FrameworkRow
from .rows import KIND_NAMES, KIND_WORDS, Kind, Place, SettingRow, TargetRow, by_alias
from .rules import RULES, RuleRow, fits
from .settings import MAIN_SETTINGS, MOST_NODES, RESERVED_ENV_PREFIXES, SETTINGS
from .targets import SECRETS, TARGETS
from .words import (
    DURATION_UNITS,
    EDITION,
    FORMS,
    KEYWORD_ALIASES,
    KEYWORDS,
    RESERVED,
    SCRIPT_LANGUAGES,
    SIZE_UNITS,
    TYPES,
    UNIT_ALIASES,
    TypeRow,
)

__all__ = [
    "DURATION_UNITS",
    "EDITION",
    "FORMS",
    "FRAMEWORKS",
    "IMAGES",
    "KEYWORDS",
    "KEYWORD_ALIASES",
    "KIND_NAMES",
    "KIND_WORDS",
    "MAIN_SETTINGS",
    "MOST_NODES",
    "RESERVED",
    "RESERVED_ENV_PREFIXES",
    "RULES",
    "SCRIPT_LANGUAGES",
    "SECRETS",
    "SETTINGS",
    "SIZE_UNITS",
    "TARGETS",
    "TYPES",
    "UNIT_ALIASES",
    "FrameworkRow",
    "Kind",
    "Place",
    "RuleRow",
    "SettingRow",
    "TargetRow",
    "TypeRow",
    "by_alias",
    "fits",
]
