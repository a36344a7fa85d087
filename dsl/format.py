"""format: the one layout of a flow file.

Takes a `Source`; gives the text as it should stand, or None and diagnostics where the syntax is broken. Looks at
nothing but the syntax: what is wrong otherwise is laid out as well. Changes blanks, line ends and commas at the end of
lists, never another token or a comment, and makes sure of that before it gives a text away.

The layout: two blanks per level; one item per line; a block without inner blocks stays on one line where it was written
so and fits; a list stands on one line if it fits, else with one element per line, an option of a command line with its
value; the `=` of neighbours of one kind are aligned, as are the types of parameters; `in` is padded where the step has
an `out`; one empty line at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lark import Lark, Token

from . import faults, lalr
from .diagnostics import Diagnostic, in_order
from .layout import Block, Comment, Group, Item, Part, Word, read
from .literals import script
from .parse import parse, without_collector
from .recover import parse_tokens
from .spans import Source, Span
from .tokens import span, words

WIDTH = 100
_STEP = 2
# Within an item, after a comment.
_FURTHER = 4

# Items whose `=` are aligned with those of their neighbours.
_ALIGNED = frozenset({"setting", "input", "env", "param"})


def format_source(source: Source) -> tuple[str | None, tuple[Diagnostic, ...]]:
    if "\0" in source.text:
        return None, parse(source)[1]
    with without_collector():
        parser = lalr.parser()
        parsed = parse_tokens(parser, source)
        tokens = _tokens(parser, source.text)
        diagnostics = in_order([*parsed.diagnostics, *_unreadable(tokens)])
        if parsed.tree is None or parsed.damaged or diagnostics:
            return None, diagnostics
        items, end = read(source.text, tokens, parsed.tree)
        text = _Printer().file(items, end)
        if _content(text, _tokens(parser, text)) != _content(source.text, tokens):
            raise AssertionError("the formatter would have changed the program")
        return text, ()


def _tokens(parser: Lark, text: str) -> list[Token]:
    return list(words(parser.lex(text)))


def _unreadable(tokens: Iterable[Token]) -> Iterator[Diagnostic]:
    """What parses as what it was meant to be."""
    for token in tokens:
        place = span(token)
        if token.type == "BAD_STRING":
            yield faults.string_not_closed(Span(place.start, place.start + len(token.rstrip())))
        elif token.type == "BAD_QUOTE":
            yield faults.bad_quotes(str(token), place)
        elif token.type == "BAD_RAW":
            yield faults.script_not_closed(Span(place.start, place.start + 3))


def _content(text: str, tokens: list[Token]) -> tuple[list[str], list[str]]:
    """What formatting must not change: the tokens but for commas at the end, scripts by their meaning; the comments."""
    contents: list[str] = []
    comments: list[str] = []
    at = 0
    for token in tokens:
        start = token.start_pos or 0
        comments += _comments(text[at:start])
        at = token.end_pos or start
        if token.type in ("RSQB", "RBRACE") and contents[-1] == ",":
            contents.pop()
        contents.append(script(str(token)) if token.type == "RAW" else str(token))
    return contents, comments + _comments(text[at:])


def _comments(gap: str) -> list[str]:
    if "#" not in gap:
        return []
    return [line[line.index("#") :].rstrip() for line in gap.split("\n") if "#" in line]


# --- on one line ------------------------------------------------------------------------------------------------------


def _separator(before: Part, after: Part) -> str:
    left = before if isinstance(before, Word) else before.close
    right = after if isinstance(after, Word) else after.open
    if right.glued or right.kind in ("COMMA", "COLON", "DOT", "RPAR", "RSQB"):
        return ""
    return "" if left.kind in ("DOT", "LPAR", "LSQB") else " "


def _flat(parts: Iterable[Part]) -> str | None:
    """The parts on one line; None where a comment or a script of many lines forbids it.

    Comments before the first part do not count: they are printed before it.
    """
    text = ""
    before: Part | None = None
    for part in parts:
        if isinstance(part, Block):
            return None
        word = part if isinstance(part, Word) else part.open
        if word.comments and before is not None:
            return None
        more = _flat_group(part) if isinstance(part, Group) else word.text
        if more is None or "\n" in more:
            return None
        text += more if before is None else _separator(before, part) + more
        before = part
    return text


def _flat_group(group: Group) -> str | None:
    if group.close.comments:
        return None
    text = ""
    for number, element in enumerate(group.elements):
        if _first(element).comments or (more := _flat(element)) is None:
            return None
        if number:
            text += ", " if group.commas[number - 1] else "  "
        text += more
    if group.kind == "object" and group.elements:
        text = f" {text} "
    return f"{group.open.text}{text}{group.close.text}"


def _flat_block(block: Block) -> str | None:
    if block.close.comments:
        return None
    if not block.items:
        return "{}"
    if not block.one_line:
        return None
    texts = []
    for item in block.items:
        if item.first.comments or (text := _flat(item.parts)) is None:
            return None
        texts.append(text)
    return f"{{ {'  '.join(texts)} }}"


def _first(parts: list[Part]) -> Word:
    return parts[0] if isinstance(parts[0], Word) else parts[0].open


# --- aligned ----------------------------------------------------------------------------------------------------------

Columns = dict[int, int]


def _columns(items: list[Item], indent: int) -> Columns:
    """The columns of words (by their start) that are not to follow the word before them by one blank."""
    columns: Columns = {}
    pad = any(item.kind == "output" for item in items)
    run: list[tuple[Item, list[str]]] = []
    kind = ""
    for item in items:
        first = item.first
        if pad and item.kind == "input":
            columns[_start(item.parts[1])] = indent + 4
        cells = _cells(item, padded=pad) if item.kind in _ALIGNED else None
        apart = first.blank or len(first.comments) > first.trailing
        if cells is None or item.kind != kind or apart:
            _align(run, indent, columns)
            run = []
        kind = item.kind if cells is not None else ""
        if cells is not None:
            run.append((item, cells))
    _align(run, indent, columns)
    return columns


def _cells(item: Item, *, padded: bool) -> list[str] | None:
    """What stands before the type, of a parameter, and before the `=`."""
    cells = []
    begin = 0
    for at, part in enumerate(item.parts):
        sign = part.kind if isinstance(part, Word) else ""
        end = at + 1 if sign == "COLON" else at
        if sign in ("COLON", "EQUAL"):
            # Not the first parts' comments, which are before the item.
            if any(isinstance(cell, Word) and cell.comments for cell in item.parts[max(begin, 1) : at + 1]):
                return None
            text = _flat(item.parts[begin:end])
            if text is None:
                return None
            cells.append(text if begin or not (padded and item.kind == "input") else f" {text}")
            begin = end
        if sign == "EQUAL":
            break
    else:
        if item.kind == "param":
            cells.append("")
    return cells


def _align(run: list[tuple[Item, list[str]]], indent: int, columns: Columns) -> None:
    if len(run) < 2:
        return
    at = indent
    for number in range(max(len(cells) for _, cells in run)):
        # A parameter without a default needs no room for its type.
        widths = [len(cells[number]) for _, cells in run if len(cells) > number]
        at += max(widths) + 1
        for item, cells in run:
            if len(cells) > number and (word := _after(item, number)) is not None:
                columns[word.start] = at


def _after(item: Item, number: int) -> Word | None:
    """The word after a cell."""
    signs = ("COLON", "EQUAL") if item.kind == "param" else ("EQUAL",)
    for at, part in enumerate(item.parts):
        if isinstance(part, Word) and part.kind == signs[number]:
            following = item.parts[at + 1] if part.kind == "COLON" else part
            return following if isinstance(following, Word) else None
    return None


def _start(part: Part) -> int:
    return part.start if isinstance(part, Word) else part.open.start


# --- on many lines ----------------------------------------------------------------------------------------------------


class _Printer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line = ""

    def file(self, items: list[Item], end: Word) -> str:
        self._items(items, 0)
        self._comments(end, 0, at_start=False)
        self.lines.append(self.line)
        return "\n".join(self.lines[1:]) + "\n"

    def _break(self, indent: int, *, blank: bool = False) -> None:
        self.lines.append(self.line)
        if blank:
            self.lines.append("")
        self.line = " " * indent

    def _comments(self, word: Word, indent: int, *, at_start: bool) -> bool:
        """The comments before a word; gives whether the next line is still the first of its block."""
        own: list[Comment] = word.comments
        if word.trailing:
            self.line += f"  {own[0].text}"
            own = own[1:]
        for comment in own:
            self._break(indent, blank=comment.blank and not at_start)
            self.line += comment.text
            at_start = False
        return at_start

    def _items(self, items: list[Item], indent: int) -> None:
        columns = _columns(items, indent)
        for number, item in enumerate(items):
            at_start = self._comments(item.first, indent, at_start=number == 0)
            self._break(indent, blank=item.first.blank and not at_start)
            self._parts(item.parts, indent, columns)

    def _parts(self, parts: list[Part], indent: int, columns: Columns, tail: int = 0) -> None:
        """The parts of an item or an element, behind what stands on the line. `tail`: the width of what follows."""
        before: Part | None = None
        for number, part in enumerate(parts):
            word = part if isinstance(part, Word) else part.open
            if before is not None:
                if word.comments:
                    further = 0 if word.kind in ("ELSE", "UNTIL") else _FURTHER
                    self._comments(word, indent + further, at_start=True)
                    self._break(indent + further)
                else:
                    self.line += _separator(before, part)
                self.line = self.line.ljust(columns.get(word.start, 0))
            if isinstance(part, Group):
                self._group(part, indent, _tail(part, parts[number + 1 :], tail))
            elif isinstance(part, Block):
                self._block(part, indent)
            else:
                self.line += part.text if part.kind != "RAW" else self._script(part.text, indent)
            before = part

    def _group(self, group: Group, indent: int, tail: int) -> None:
        text = _flat_group(group)
        if text is not None and (len(self.line) + len(text) + tail <= WIDTH or not group.elements):
            self.line += text
            return
        inner = indent + _STEP
        # Arguments take no comma at the end, objects need none anywhere.
        last = group.kind == "list" or (group.kind == "object" and any(group.commas))
        self.line += group.open.text
        after_option = False
        for element, comma in zip(group.elements, [*group.commas, last], strict=False):
            if after_option and self._fits_behind(element, comma):
                self.line += " "
            else:
                self._comments(_first(element), inner, at_start=True)
                self._break(inner)
            after_option = group.kind == "list" and _is_option(element)
            self._parts(element, inner, {}, tail=comma)
            self.line += "," if comma else ""
        self._comments(group.close, inner, at_start=True)
        self._break(indent)
        self.line += group.close.text

    def _fits_behind(self, element: list[Part], comma: bool) -> bool:
        """Whether an element may stand behind an option of a command line, as its value."""
        if _first(element).comments or _is_option(element):
            return False
        text = _flat(element)
        return text is not None and len(self.line) + 1 + len(text) + comma <= WIDTH

    def _block(self, block: Block, indent: int) -> None:
        text = _flat_block(block)
        if text is not None and (len(self.line) + len(text) <= WIDTH or not block.items):
            self.line += text
            return
        self.line += block.open.text
        self._items(block.items, indent + _STEP)
        self._comments(block.close, indent + _STEP, at_start=not block.items)
        self._break(indent)
        self.line += block.close.text

    def _script(self, text: str, indent: int) -> str:
        """A script at this indent, or as it is where that would change what it says."""
        if "\n" not in text:
            return text
        value = script(text)
        first, _, _ = text[3:-3].replace("\r\n", "\n").partition("\n")
        lines = value.split("\n")
        head = first if first.strip(" \t") else ""
        rest = lines[1:] if head else lines
        inner = " " * (indent + _STEP)
        moved = [line and inner + line for line in rest]
        if not rest[-1]:
            moved[-1] = " " * indent
        laid_out = "\n".join([f"'''{head}", *moved]) + "'''"
        return laid_out if script(laid_out) == value else text


def _is_option(element: list[Part]) -> bool:
    """`"--lr"`: what follows it in a command line is usually its value."""
    return len(element) == 1 and isinstance(element[0], Word) and element[0].text.startswith('"-')


def _tail(group: Group, following: list[Part], tail: int) -> int:
    """The width of what stands on the line after a group, up to where the line may be broken."""
    width = 0
    before: Part = group
    for part in following:
        word = part if isinstance(part, Word) else part.open
        if word.comments:
            return width
        width += len(_separator(before, part))
        if not isinstance(part, Word) or "\n" in part.text:
            return width + len(word.text.partition("\n")[0])
        width += len(part.text)
        before = part
    return width + tail
