"""From bytes to lines that a terminal can show, and values to words."""

from __future__ import annotations

import io

import pytest

from flowc.targets.local.addresses import loopback_addresses
from flowc.targets.local.lines import LONGEST, LineSplitter, without_color
from flowc.targets.local.options import RunOptions
from flowc.targets.local.screen import Style, duration, style_of
from flowc.targets.local.summary import shorten, size_text


def split(*parts: bytes) -> list[str]:
    splitter = LineSplitter()
    return [line for part in parts for line in splitter.feed(part)] + splitter.rest()


def test_lines_are_put_together_across_reads() -> None:
    assert split(b"a\nb", b"c\n", b"d") == ["a", "bc", "d"]


def test_a_character_may_be_cut_between_two_reads() -> None:
    assert split("ä€".encode()[:3], "ä€\n".encode()[3:]) == ["ä€"]


def test_bytes_that_are_no_utf8_survive_as_replacements() -> None:
    assert split(b"a\xff\xfeb\n") == ["a\ufffd\ufffdb"]


def test_a_line_without_end_comes_in_pieces() -> None:
    lines = split(b"x" * (3 * LONGEST + 5), b"y\nz\n")
    assert [len(line) for line in lines] == [LONGEST, LONGEST, LONGEST, 6, 1]


def test_of_a_progress_bar_the_last_state_is_kept() -> None:
    assert split(b" 10%\r 50%\r100%\r\nnext\r\n") == ["100%", "next"]


def test_only_colours_and_tabs_are_left_of_control_characters() -> None:
    text = b"\x1b[2J\x1b]0;title\x07a\tb\x1b[1;31mred\x1b[0m\x08\x1b[3Aend\x1b(B\x00\n"
    assert split(text) == ["a\tb\x1b[1;31mred\x1b[0mend\x1b[0m"]
    assert without_color("\x1b[1;31mred\x1b[0m") == "red"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "env", "style"),
    [
        (True, {}, Style(color=True, live=True)),
        (True, {"NO_COLOR": "1"}, Style(color=False, live=True)),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, Style(color=False, live=True)),
        (True, {"TERM": "dumb"}, Style(color=False, live=False)),
        (False, {}, Style(color=False, live=False)),
        (False, {"NO_COLOR": ""}, Style(color=False, live=False)),
        (False, {"FORCE_COLOR": "1"}, Style(color=True, live=False)),
    ],
)
def test_colour_and_table_follow_terminal_and_environment(terminal: bool, env: dict[str, str], style: Style) -> None:
    assert style_of(Terminal() if terminal else io.StringIO(), RunOptions(), env) == style


def test_values_are_shown_on_one_line() -> None:
    assert shorten(True) == "true"
    assert shorten(0.1) == "0.1"
    assert shorten("two words") == "two words"
    assert shorten("two\nlines") == r"'two\nlines'"
    assert shorten("x" * 500).endswith("… (500 characters)")
    assert shorten(["a", "b"]) == "['a', 'b']"
    assert shorten([]) == "[]"
    assert shorten(list(range(1000))).endswith(", …] (1000 items)")
    assert len(shorten([["x" * 500]])) < 100
    assert [size_text(size) for size in (0, 1023, 1536, 5 << 30, 3 << 40)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 GiB",
        "3.0 TiB",
    ]
    assert [duration(seconds) for seconds in (0, 3.24, 99.96, 3599, 3725)] == [
        "0.0s",
        "3.2s",
        "1m40s",
        "59m59s",
        "1h02m",
    ]


def test_every_node_has_an_address_of_its_own_where_the_system_can() -> None:
    addresses = loopback_addresses(8)
    assert all(address.startswith("127.") for address in addresses)
    assert len(set(addresses)) in (1, 8)
    if len(set(addresses)) == 8:
        assert set(addresses).isdisjoint(loopback_addresses(8))
