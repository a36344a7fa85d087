"""build: Lark's tree to the syntax tree of dataclasses.

Takes the tree and the source; gives `ast.File` and diagnostics about what is wrong
in itself: names, numbers, strings, constructs that are not built. The children of a Lark node are its tokens and
subtrees in the order of the grammar's rule, with None where something optional is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

from lark import Token, Tree

from . import ast, faults, literals, tables
from .diagnostics import Diagnostic
from .docs import doc_above
from .spans import Source, Span
from .tokens import span

Node: TypeAlias = "Tree[Token]"
Child: TypeAlias = "Tree[Token] | Token | None"

_NAME = re.compile(r"[a-z][a-z0-9_]*")

_UNBUILT_EXPRESSIONS = {
    "disjunction": "`or`",
    "conjunction": "`and`",
    "negation": "`not`",
    "comparison": "a comparison",
    "either": "`either`",
    "previous": "`previous`",
    "object": "an object",
}


def build(tree: Node, source: Source, *, damaged: bool) -> tuple[ast.File, list[Diagnostic]]:
    builder = _Builder(source)
    flow = tree.children[1]
    assert isinstance(flow, Tree)
    built = builder.flow(flow)
    return ast.File(source, built, frozenset(builder.hidden), damaged), builder.diagnostics


def _token(child: Child) -> Token:
    assert isinstance(child, Token)
    return child


def _tree(child: Child) -> Node:
    assert isinstance(child, Tree)
    return child


def _between(first: Child, last: Child) -> Span:
    return Span(_edge(first, 0), _edge(last, -1))


def _edge(child: Child, index: int) -> int:
    while isinstance(child, Tree):
        children = [grandchild for grandchild in child.children if grandchild is not None]
        child = children[index]
    place = span(_token(child))
    return place.end if index else place.start


def _word(child: Child) -> ast.Name:
    token = _token(child)
    return ast.Name(str(token), span(token))


def _extent(tree: Node) -> Span:
    return _between(tree, tree)


class _Builder:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.hidden: set[str] = set()

    def say(self, diagnostic: Diagnostic | None) -> None:
        if diagnostic is not None:
            self.diagnostics.append(diagnostic)

    # --- the flow -----------------------------------------------------------------------------------------------------

    def flow(self, tree: Node) -> ast.Flow:
        keyword, name, _brace, *items, _ = tree.children
        params: list[ast.Param] = []
        settings: list[ast.Setting] = []
        defaults: list[ast.Defaults] = []
        steps: list[ast.Step] = []
        for item in map(_tree, items):
            match item.data:
                case "param":
                    params.append(self.param(item))
                case "setting":
                    settings += self.settings([item])
                case "defaults":
                    defaults.append(self.defaults(item))
                case "step":
                    steps.append(self.step(item))
                case _:
                    self.unbuilt_item(item)
        return ast.Flow(
            doc_above(self.source, _token(keyword)),
            self.name(name),
            tuple(params),
            tuple(settings),
            tuple(defaults),
            tuple(steps),
            _between(keyword, name),
        )

    def param(self, tree: Node) -> ast.Param:
        keyword, name, type_, default = tree.children
        return ast.Param(
            doc_above(self.source, _token(keyword)),
            self.name(name),
            self.type(_tree(type_)),
            None if default is None else self.expr(default),
            _extent(tree),
        )

    def defaults(self, tree: Node) -> ast.Defaults:
        items = [_tree(child) for child in tree.children[2:-1]]
        for item in items:
            if item.data == "on":
                self.unbuilt_item(item)
        env = tuple(self.env(item) for item in items if item.data == "env")
        return ast.Defaults(self.settings(items), env, span(_token(tree.children[0])))

    # --- steps --------------------------------------------------------------------------------------------------------

    def step(self, tree: Node) -> ast.Step:
        keyword, name, parallel, _, *children, _ = tree.children
        items = [_tree(child) for child in children]
        for item in items:
            if item.data in ("on", "main"):
                self.unbuilt_item(item)

        def of(kind: str) -> Iterable[Node]:
            return (item for item in items if item.data == kind)

        return ast.Step(
            doc=doc_above(self.source, _token(keyword)),
            name=self.name(name),
            parallel=None if parallel is None else self.parallel(_tree(parallel)),
            inputs=tuple(map(self.input, of("input"))),
            outputs=tuple(map(self.output, of("output"))),
            after=tuple(_word(name) for item in of("after") for name in item.children[1:]),
            env=tuple(map(self.env, of("env"))),
            settings=self.settings(items),
            blocks=tuple(map(self.block, of("block"))),
            bodies=tuple(self.body(item) for item in items if item.data in ("run", "script", "call")),
            span=_between(keyword, parallel or name),
        )

    def parallel(self, tree: Node) -> ast.Parallel:
        return ast.Parallel(self.expr(tree.children[2]), _extent(tree))

    def input(self, tree: Node) -> ast.Input:
        keyword, name, value = tree.children
        return ast.Input(
            doc_above(self.source, _token(keyword)),
            # The short form names a parameter; whether that name is good was said there.
            _word(name) if value is None else self.name(name),
            None if value is None else self.expr(value),
            _extent(tree),
        )

    def output(self, tree: Node) -> ast.Output:
        keyword, each, name, type_ = tree.children
        each_span = None if each is None else span(_token(each))
        if each_span:
            self.say(faults.not_built("`out each`", each_span))
        doc = doc_above(self.source, _token(keyword))
        return ast.Output(doc, self.name(name), self.type(_tree(type_)), each_span, _extent(tree))

    def env(self, tree: Node) -> ast.Env:
        # Variables are spelt by their readers' rules; the checker looks at the name.
        return ast.Env(_word(tree.children[1]), self.expr(tree.children[2]), _extent(tree))

    def settings(self, items: Iterable[Node]) -> tuple[ast.Setting, ...]:
        built = []
        for item in items:
            if item.data == "setting":
                # A wrong name here is an unknown setting, which says more than "no name".
                name = _word(item.children[0])
                value = self.expr(item.children[1])
                if name.text not in tables.RESERVED | tables.KEYWORDS:
                    built.append(ast.Setting(name, value, _extent(item)))
        return tuple(built)

    def block(self, tree: Node) -> ast.Block:
        name = _word(tree.children[0])
        return ast.Block(name, self.settings(_tree(child) for child in tree.children[2:-1]), name.span)

    def body(self, tree: Node) -> ast.Body:
        keyword, *rest = tree.children
        if tree.data == "run":
            items = self.items(_tree(rest[0]))
            return ast.Argv(items, _extent(tree))
        if tree.data == "call":
            target = self.string(_token(rest[0]))
            return ast.Call(target if isinstance(target, ast.String) else None, _extent(tree))
        language, raw = rest
        return ast.Script(_word(language), self.script(_token(raw)), _between(keyword, raw))

    # --- what is not built --------------------------------------------------------------------------------------------

    def unbuilt_item(self, tree: Node) -> None:
        """One diagnostic at the construct's first word; the names in it are hidden, not unknown."""
        keyword = _token(tree.children[0])
        hint = "until then, write the steps one by one" if tree.data == "foreach" else None
        self.say(faults.not_built(f"`{keyword}`", span(keyword), hint))
        for subtree in tree.iter_subtrees():
            if subtree.data in ("step", "foreach", "secret"):
                self.hidden.add(str(subtree.children[1]))

    # --- names, types, values -----------------------------------------------------------------------------------------

    def name(self, child: Child) -> ast.Name:
        token = _token(child)
        if not _NAME.fullmatch(token) and token and token not in tables.KEYWORDS:
            self.say(faults.bad_name(str(token), span(token)))
        return _word(token)

    def type(self, tree: Node) -> ast.Type:
        """`name` or `name[item]`; the depth is bounded by the parser."""
        name, _, item, _ = tree.children
        inner = None if item is None else self.type(_tree(item))
        return ast.Type(_word(name), inner, _extent(tree))

    def items(self, tree: Node) -> tuple[ast.Expr, ...]:
        # A missing element, as after a trailing comma, is None; the first and last child are the brackets.
        return tuple(self.expr(child) for child in tree.children[1:-1] if child is not None)

    def expr(self, child: Child) -> ast.Expr:
        tree = _tree(child)
        match tree.data:
            case "number":
                token = _token(tree.children[0])
                value, diagnostic = literals.number(str(token), span(token))
                self.say(diagnostic)
                return value
            case "string":
                return self.string(_token(tree.children[0]))
            case "boolean":
                token = _token(tree.children[0])
                return ast.Bool(token.type == "TRUE", span(token))
            case "ref":
                return self.ref(tree)
            case "own_ref":
                root, name = tree.children
                return ast.OwnRef(str(root), _word(name), _between(root, name))
            case "list":
                return ast.List(self.items(tree), _extent(tree))
            case "group":
                return self.expr(tree.children[1])
            case "raw":
                token = _token(tree.children[0])
                self.script(token)
                self.say(faults.unexpected("a value", "a script in '''", span(token)))
            case "unreadable":
                pass  # the character is reported already
            case kind:
                self.say(faults.not_built(_UNBUILT_EXPRESSIONS[kind], _extent(tree)))
        return ast.Bad(_extent(tree))

    def ref(self, tree: Node) -> ast.Expr:
        name, *stars, field = tree.children
        return ast.Ref(
            _word(name),
            None if field is None else _word(field),
            _between(stars[0], stars[-1]) if stars else None,
            _extent(tree),
        )

    def string(self, token: Token) -> ast.String | ast.Bad:
        place = span(token)
        if token.type != "STRING":
            return ast.Bad(place)
        value, diagnostics = literals.string(str(token), place)
        self.diagnostics += diagnostics
        return value

    def script(self, token: Token) -> str:
        return literals.script(str(token)) if token.type == "RAW" else ""
