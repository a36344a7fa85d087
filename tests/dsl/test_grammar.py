"""The grammar: without conflicts, closed under its own keywords, and cached without trusting the cache."""

from __future__ import annotations

import os
import pickle
import stat
from importlib.resources import files
from pathlib import Path

import lark
import pytest

from flowc.dsl import lalr, tables

GRAMMAR = files("flowc.dsl").joinpath("grammar.lark").read_bytes()


def test_it_has_no_conflict_and_no_overlapping_terminals() -> None:
    lark.Lark(GRAMMAR.decode(), parser="lalr", lexer="basic", strict=True)


def test_its_keywords_are_those_of_the_table() -> None:
    words = {term.pattern.value for term in lalr.build(GRAMMAR).terminals if term.pattern.type == "str"}
    assert {word for word in words if word.isalpha()} == tables.KEYWORDS


def test_no_setting_type_or_framework_is_spelt_like_a_keyword() -> None:
    settings = {row.name for framework in tables.FRAMEWORKS.values() for row in framework.settings} | set(
        tables.SETTINGS
    )
    names = settings | set(tables.TYPES) | set(tables.FRAMEWORKS)
    assert not names & (tables.KEYWORDS | tables.RESERVED)


# --- the cache --------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(lalr, "parser", lalr.parser.__wrapped__)
    return tmp_path / "flowc"


def cached_file(cache: Path) -> Path:
    (file,) = cache.iterdir()
    return file


def was_read(monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the parser came out of the cache."""
    built: list[bytes] = []
    original = lalr.build

    def build(grammar: bytes) -> lark.Lark:
        built.append(grammar)
        return original(grammar)

    monkeypatch.setattr(lalr, "build", build)
    assert lalr.parser().parse('flow x { step a { run ["b"] } }')
    return not built


def test_the_second_time_it_is_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not was_read(monkeypatch)
    assert was_read(monkeypatch)
    assert stat.S_IMODE(cached_file(cache).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"x" * 32 + pickle.dumps({"data": 1})])
def test_a_damaged_file_is_replaced(cache: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    lalr.parser()
    cached_file(cache).write_bytes(content)
    assert not was_read(monkeypatch)
    assert was_read(monkeypatch)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_read(cache: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    lalr.parser()
    cached_file(cache).chmod(mode)
    assert not was_read(monkeypatch)


def test_a_file_of_somebody_else_is_not_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lalr.parser()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert not was_read(monkeypatch)


def test_a_link_is_not_followed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lalr.parser()
    file = cached_file(cache)
    file.rename(cache / "elsewhere")
    file.symlink_to(cache / "elsewhere")
    assert not was_read(monkeypatch)


def test_a_place_that_cannot_be_written_is_no_trouble(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert not was_read(monkeypatch)
    assert not was_read(monkeypatch)


def test_without_a_home_it_works_too(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/path")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert not was_read(monkeypatch)
