"""build_expr: Lark's trees of types, names and values to the syntax tree.

Takes a subtree of an expression; gives an `ast.Expr` and says what is wrong in itself: numbers, strings, chains of
comparisons, what hangs on a reference without meaning anything. `damaged` tells that names were lost in such a mistake.
The helpers for the children of Lark's nodes, which `build` shares, stand here too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from lark import Token, Tree

from . import ast, faults, literals, tables
from .diagnostics import Diagnostic
from .spans import Source, Span
from .tokens import span

Node: TypeAlias = "Tree[Token]"
Child: TypeAlias = "Tree[Token] | Token | None"

# Of a text that a message repeats.
_LONGEST = 40
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def token_of(child: Child) -> Token:
    assert isinstance(child, Token)
    return child


def tree_of(child: Child) -> Node:
    assert isinstance(child, Tree)
    return child


def is_token(child: Child, kind: str) -> bool:
    return isinstance(child, Token) and child.type == kind


def trees(children: Iterable[Child]) -> list[Node]:
    return [child for child in children if isinstance(child, Tree)]


def between(first: Child, last: Child) -> Span:
    return Span(_edge(first, 0), _edge(last, -1))


def extent(tree: Node) -> Span:
    return between(tree, tree)


def word(child: Child) -> ast.Name:
    token = token_of(child)
    return ast.Name(str(token), span(token))


def _edge(child: Child, index: int) -> int:
    while isinstance(child, Tree):
        children = [grandchild for grandchild in child.children if grandchild is not None]
        child = children[index]
    place = span(token_of(child))
    return place.end if index else place.start


class ExprBuilder:
    def __init__(self, source: Source, *, damaged: bool) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        # Whether lines were lost before, and whether anything was lost at all.
        self.torn = damaged
        self.damaged = damaged

    def say(self, diagnostic: Diagnostic | None) -> None:
        if diagnostic is not None:
            self.diagnostics.append(diagnostic)

    def text(self, place: Span) -> str:
        return self.source.text[slice(*place)]

    # --- names and types ----------------------------------------------------------------------------------------------

    def name(self, child: Child) -> ast.Name:
        token = token_of(child)
        if not _NAME.fullmatch(token) and token and token not in tables.KEYWORDS:
            self.say(faults.bad_name(str(token), span(token)))
        return word(token)

    def type(self, tree: Node) -> ast.Type:
        """`name` or `name[item]`; the depth is bounded by the parser."""
        name, _, item, _ = tree.children
        inner = None if item is None else self.type(tree_of(item))
        return ast.Type(word(name), inner, extent(tree))

    # --- values -------------------------------------------------------------------------------------------------------

    def expr(self, child: Child) -> ast.Expr:
        tree = tree_of(child)
        return _BUILDERS[tree.data](self, tree)

    def items(self, tree: Node) -> tuple[ast.Expr, ...]:
        return tuple(map(self.expr, trees(tree.children)))

    def number(self, tree: Node) -> ast.Expr:
        token = token_of(tree.children[0])
        value, diagnostic = literals.number(str(token), span(token))
        self.say(diagnostic)
        return value

    def boolean(self, tree: Node) -> ast.Expr:
        token = token_of(tree.children[0])
        return ast.Bool(token.type == "TRUE", span(token))

    def string(self, tree: Node) -> ast.Expr:
        return self.quoted(token_of(tree.children[0]))

    def quoted(self, token: Token) -> ast.String | ast.Template | ast.Bad:
        place = span(token)
        if token.type != "STRING":
            self.damaged = self.damaged or "${" in token
            return ast.Bad(place)
        value, diagnostics = literals.string(str(token), place)
        if diagnostics:
            self.diagnostics += diagnostics
            self.damaged = self.damaged or "${" in token
        return value

    def plain(self, token: Token, what: str) -> ast.String | None:
        """A string without references."""
        value = self.quoted(token)
        if isinstance(value, ast.Template):
            if not any(isinstance(part, ast.Bad) for part in value.parts):
                self.say(faults.not_plain(what, value.span))
                self.damaged = True
            return None
        return value if isinstance(value, ast.String) else None

    def raw(self, tree: Node) -> ast.Expr:
        token = token_of(tree.children[0])
        if token.type == "RAW":
            hint = "a text of one line stands in double quotes; for a script write `run bash` or `run python` before it"
            self.say(faults.unexpected("a value", "a script in '''", span(token), (hint,)))
        return ast.Bad(span(token))

    def unreadable(self, tree: Node) -> ast.Expr:
        self.damaged = True
        return ast.Bad(extent(tree))  # the character is reported already

    def list(self, tree: Node) -> ast.Expr:
        return ast.List(self.items(tree), extent(tree))

    def object(self, tree: Node) -> ast.Expr:
        members: list[ast.Member] = []
        firsts: dict[str, Span] = {}
        for member in trees(tree.children):
            written, value = member.children
            token = token_of(written)
            if token.type == "NAME":
                name = word(token)
            elif plain := self.plain(token, "the name of a member"):
                name = ast.Name(plain.value, plain.span)
            else:
                self.expr(value)
                continue
            if name.text in firsts:
                self.say(faults.member_twice(name.text, name.span, firsts[name.text]))
            else:
                members.append(ast.Member(name, self.expr(value), extent(member)))
                firsts[name.text] = name.span
        return ast.Object(tuple(members), extent(tree))

    # --- references ---------------------------------------------------------------------------------------------------

    def ref(self, tree: Node) -> ast.Expr:
        name, *rest = tree.children
        stars: list[Span] = []
        field: ast.Name | None = None
        odd: Span | None = None
        if not token_of(name):
            return ast.Bad(extent(tree))  # the parser has put it there
        for suffix in map(tree_of, rest):
            place = extent(suffix)
            if suffix.data == "index" and None not in suffix.children:
                return self._index(suffix, extent(tree))
            if suffix.data == "field":
                place = Span(place.start - 1, place.end)
                if field:
                    path = [part.strip() for part in self.text(extent(tree)).split(".")]
                    if not stars and (meant := literals.without_holders(path)):
                        self.say(faults.output_in_output(self.text(extent(tree)), meant, extent(tree)))
                        self.damaged = True
                        return ast.Bad(extent(tree))
                    self._no_access(Span(extent(tree).start, place.end), place)
                    return ast.Bad(extent(tree))
                field = word(suffix.children[0])
                continue
            if odd is None and (suffix.data != "star" or field):
                odd = place
            stars.append(place)
        if odd:
            meant = f"{name}{'[*]' * len(stars)}{'.' + field.text if field else ''}"
            self.say(faults.star_misplaced(odd, meant, extent(tree)))
        return ast.Ref(word(name), field, tuple(stars), extent(tree))

    def own_ref(self, tree: Node) -> ast.Expr:
        root, name, *rest = tree.children
        if rest:
            return self._suffix(tree_of(rest[0]), extent(tree))
        return ast.OwnRef(str(root), word(name), between(root, name))

    def _index(self, suffix: Node, whole: Span) -> ast.Expr:
        self.say(faults.no_index(extent(suffix)))
        self.damaged = True
        return ast.Bad(whole)

    def _suffix(self, suffix: Node, whole: Span) -> ast.Expr:
        """What hangs on something that has nothing to hang on."""
        if suffix.data == "index":
            return self._index(suffix, whole)
        place = extent(suffix)
        if suffix.data == "field":
            place = Span(place.start - 1, place.end)
        self._no_access(whole, place)
        return ast.Bad(whole)

    def _no_access(self, whole: Span, place: Span) -> None:
        hint = "a reference is a name, or a step and one output: `step.output`; pass the whole value and read it there"
        written = self.text(whole)
        if len(written) > _LONGEST or "\n" in written:
            written = self.text(place)
        self.say(faults.no_access(written, place, (hint,)))
        self.damaged = True

    def either(self, tree: Node) -> ast.Expr:
        at = next(
            index for index, child in enumerate(tree.children) if isinstance(child, Token) and child.type == "RPAR"
        )
        args = tuple(map(self.expr, trees(tree.children[:at])))
        stars: list[Span] = []
        for suffix in map(tree_of, tree.children[at + 1 :]):
            if suffix.data != "star":
                return self._suffix(suffix, extent(tree))
            stars.append(extent(suffix))
        return ast.Either(args, tuple(stars), span(token_of(tree.children[0])), extent(tree))

    def previous(self, tree: Node) -> ast.Expr:
        at = next(
            index for index, child in enumerate(tree.children) if isinstance(child, Token) and child.type == "RPAR"
        )
        args = tuple(map(self.expr, trees(tree.children[:at])))
        if rest := tree.children[at + 1 :]:
            return self._suffix(tree_of(rest[0]), extent(tree))
        keyword = span(token_of(tree.children[0]))
        if len(args) != 2:
            if not self.torn and not any(isinstance(value, ast.Bad) for value in args):
                self.say(faults.previous_arguments(len(args), extent(tree)))
            self.damaged = True
            return ast.Bad(extent(tree))
        return ast.Previous(args[0], args[1], keyword, extent(tree))

    # --- operators ----------------------------------------------------------------------------------------------------

    def group(self, tree: Node) -> ast.Expr:
        return self.expr(tree.children[1])

    def negation(self, tree: Node) -> ast.Expr:
        return ast.Not(self.expr(tree.children[1]), extent(tree))

    def logic(self, tree: Node) -> ast.Expr:
        """The grammar nests `a and b and c` to the left, however long; here the operands stand side by side."""
        operands: list[Node] = []
        left: Node = tree
        while left.data == tree.data:
            first, _, operand = left.children
            operands.append(tree_of(operand))
            left = tree_of(first)
        operands.append(left)
        sign = "or" if tree.data == "disjunction" else "and"
        return ast.Logic(sign, tuple(map(self.expr, reversed(operands))), extent(tree))

    def comparison(self, tree: Node) -> ast.Expr:
        left, sign, right, *more = tree.children
        place = span(token_of(sign))
        values = ast.Compare(str(sign), self.expr(left), self.expr(right), place, extent(tree))
        if not more:
            return values
        for child in trees(more):
            self.expr(child)
        texts = [" ".join(self.text(extent(child)).split()) for child in trees(tree.children)]
        signs = [child for child in tree.children if isinstance(child, Token)]
        pairs = (f"{one} {sign} {other}" for one, sign, other in zip(texts, signs, texts[1:], strict=False))
        self.say(faults.comparison_chain((place, span(token_of(more[0]))), " and ".join(pairs)))
        self.damaged = True
        return ast.Bad(extent(tree))


_BUILDERS: dict[str, Callable[[ExprBuilder, Node], ast.Expr]] = {
    "number": ExprBuilder.number,
    "string": ExprBuilder.string,
    "boolean": ExprBuilder.boolean,
    "raw": ExprBuilder.raw,
    "unreadable": ExprBuilder.unreadable,
    "list": ExprBuilder.list,
    "object": ExprBuilder.object,
    "ref": ExprBuilder.ref,
    "own_ref": ExprBuilder.own_ref,
    "either": ExprBuilder.either,
    "previous": ExprBuilder.previous,
    "group": ExprBuilder.group,
    "negation": ExprBuilder.negation,
    "disjunction": ExprBuilder.logic,
    "conjunction": ExprBuilder.logic,
    "comparison": ExprBuilder.comparison,
}
