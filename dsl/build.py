"""build: Lark's tree to the syntax tree of dataclasses.

Takes the tree and the source; gives `ast.File` and diagnostics about what is wrong in itself: names, numbers, strings,
the parts of a loop. The children of a Lark node are its tokens and subtrees in the order of the grammar's rule, with
None where something optional is missing. Blocks recurse, and the parser bounds how deep they go; chains do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import ast, faults, literals, tables
from .build_expr import Child, ExprBuilder, Node, between, extent, is_token, token_of, tree_of, trees, word
from .diagnostics import Diagnostic
from .docs import doc_above
from .spans import Source, Span
from .tokens import span


def build(tree: Node, source: Source, *, damaged: bool) -> tuple[ast.File, list[Diagnostic]]:
    builder = _Builder(source, damaged=damaged)
    flow = builder.flow(tree_of(tree.children[1]))
    # Another edition than the one that is known has stopped the parser.
    return ast.File(source, tables.EDITION, flow, builder.damaged), builder.diagnostics


def _of(items: Iterable[Node], *kinds: str) -> Iterable[Node]:
    return (item for item in items if item.data in kinds)


class _Builder(ExprBuilder):
    def doc(self, keyword: Child) -> str:
        return doc_above(self.source, token_of(keyword))

    # --- the flow -----------------------------------------------------------------------------------------------------

    def flow(self, tree: Node) -> ast.Flow:
        keyword, name, _brace, *children, _ = tree.children
        items = trees(children)
        return ast.Flow(
            doc=self.doc(keyword),
            name=self.name(name),
            params=tuple(map(self.param, _of(items, "param"))),
            secrets=tuple(self.named(item, self.name(item.children[1])) for item in _of(items, "secret")),
            schedules=tuple(map(self.schedule, _of(items, "schedule"))),
            settings=self.settings(items),
            defaults=tuple(map(self.defaults, _of(items, "defaults"))),
            on=self.on(items),
            nodes=self.nodes(items),
            finals=tuple(map(self.final, _of(items, "finally"))),
            span=between(keyword, name),
        )

    def param(self, tree: Node) -> ast.Param:
        keyword, name, type_, default = tree.children
        return ast.Param(
            self.doc(keyword),
            self.name(name),
            self.type(tree_of(type_)),
            None if default is None else self.expr(default),
            extent(tree),
        )

    def schedule(self, tree: Node) -> ast.Schedule:
        _, cron, in_, *zone = tree.children
        at = None if in_ is None else self.quoted(token_of(zone[0]))
        return ast.Schedule(self.quoted(token_of(cron)), at, extent(tree))

    def defaults(self, tree: Node) -> ast.Defaults:
        items = trees(tree.children)
        env = tuple(map(self.env, _of(items, "env")))
        return ast.Defaults(self.settings(items), env, self.on(items), span(token_of(tree.children[0])))

    def final(self, tree: Node) -> ast.Finally:
        steps = []
        for node in trees(tree.children):
            if node.data == "step":
                steps.append(self.step(node))
            else:
                keyword = token_of(node.children[0])
                self.say(faults.only_steps_in_finally(str(keyword), span(keyword)))
                self.damaged = True
        return ast.Finally(tuple(steps), span(token_of(tree.children[0])))

    # --- nodes --------------------------------------------------------------------------------------------------------

    def nodes(self, items: Iterable[Child]) -> tuple[ast.Node, ...]:
        built: list[ast.Node] = []
        for item in trees(items):
            match item.data:
                case "step":
                    built.append(self.step(item))
                case "foreach":
                    built.append(self.foreach(item))
                case "cond":
                    built.append(self.cond(item))
                case "repeat":
                    built.append(self.repeat(item))
        return tuple(built)

    def foreach(self, tree: Node) -> ast.Foreach:
        keyword, name, _in, items, max_, limit, _brace, *nodes, _ = tree.children
        return ast.Foreach(
            self.doc(keyword),
            self.name(name),
            self.expr(items),
            None if max_ is None else self.limit(limit),
            self.nodes(nodes),
            between(keyword, items if limit is None else limit),
        )

    def limit(self, child: Child) -> ast.Expr:
        value = self.expr(child)
        if isinstance(value, (ast.Int, ast.Bad)):
            return value
        self.say(faults.limit_not_a_number(value.kind, value.span))
        return ast.Bad(value.span)

    def cond(self, tree: Node) -> ast.If:
        keyword, condition, _, *rest = tree.children
        end = next(number for number, child in enumerate(rest) if is_token(child, "RBRACE"))
        arms = [ast.Arm(self.expr(condition), self.nodes(rest[:end]), between(keyword, condition))]
        for other in trees(rest[end:]):
            if other.data == "else_if":
                else_, _if, condition, _, *nodes, _ = other.children
                arms.append(ast.Arm(self.expr(condition), self.nodes(nodes), between(else_, condition)))
            else:
                else_, _, *nodes, _ = other.children
                arms.append(ast.Arm(None, self.nodes(nodes), span(token_of(else_))))
        return ast.If(self.doc(keyword), tuple(arms), arms[0].span)

    def repeat(self, tree: Node) -> ast.Repeat:
        keyword, *children = tree.children
        begin = next(number for number, child in enumerate(children) if is_token(child, "LBRACE"))
        end = next(number for number, child in enumerate(children) if is_token(child, "RBRACE"))
        place, after = span(token_of(keyword)), span(token_of(children[end]))
        limit, until = self.bounds(trees(children[:begin]), trees(children[end:]), place, after)
        head = children[begin - 1] if begin and limit.span != place else keyword
        return ast.Repeat(self.doc(keyword), limit, self.nodes(children[begin:end]), until, between(keyword, head))

    def bounds(self, before: list[Node], after: list[Node], keyword: Span, end: Span) -> tuple[ast.Expr, ast.Expr]:
        """What `max` and `until` say; `Bad` with the place of the loop's edge where one is missing."""
        limit: ast.Expr | None = None
        until: ast.Expr | None = None
        for due, bounds in (("MAX", before), ("UNTIL", after)):
            for word_, value in ((token_of(bound.children[0]), bound.children[1]) for bound in bounds):
                is_first = (limit if word_.type == "MAX" else until) is None
                if word_.type == "MAX":
                    limit = self.limit(value) if is_first else limit
                else:
                    until = self.expr(value) if is_first else until
                if word_.type != due or not is_first:
                    self.say(faults.bound_misplaced(str(word_), span(word_)))
        if limit is None:
            self.say(faults.limit_missing(keyword))
        elif until is None and not self.torn:
            self.say(faults.until_missing(keyword, end))
        return limit or ast.Bad(keyword), until or ast.Bad(end)

    # --- steps --------------------------------------------------------------------------------------------------------

    def step(self, tree: Node) -> ast.Step:
        keyword, name, parallel, _, *children, _ = tree.children
        items = trees(children)
        return ast.Step(
            doc=self.doc(keyword),
            name=self.name(name),
            parallel=None if parallel is None else self.parallel(tree_of(parallel)),
            inputs=tuple(map(self.input, _of(items, "input"))),
            outputs=tuple(map(self.output, _of(items, "output"))),
            after=tuple(word(name) for item in _of(items, "after") for name in item.children[1:]),
            env=tuple(map(self.env, _of(items, "env"))),
            settings=self.settings(items),
            blocks=tuple(self.named(item, word(item.children[0])) for item in _of(items, "block")),
            main=tuple(self.named(item, word(item.children[0])) for item in _of(items, "main")),
            on=self.on(items),
            bodies=tuple(map(self.body, _of(items, "run", "script", "call"))),
            span=between(keyword, parallel or name),
        )

    def parallel(self, tree: Node) -> ast.Parallel:
        return ast.Parallel(self.expr(tree.children[2]), extent(tree))

    def input(self, tree: Node) -> ast.Input:
        keyword, name, value = tree.children
        return ast.Input(
            self.doc(keyword),
            # The short form names a parameter; whether that name is good was said there.
            word(name) if value is None else self.name(name),
            None if value is None else self.expr(value),
            extent(tree),
        )

    def output(self, tree: Node) -> ast.Output:
        keyword, each, name, type_ = tree.children
        each_span = None if each is None else span(token_of(each))
        return ast.Output(self.doc(keyword), self.name(name), self.type(tree_of(type_)), each_span, extent(tree))

    def env(self, tree: Node) -> ast.Env:
        # Variables are spelt by their readers' rules; the checker looks at the name.
        return ast.Env(word(tree.children[1]), self.expr(tree.children[2]), extent(tree))

    def settings(self, items: Iterable[Node]) -> tuple[ast.Setting, ...]:
        built = []
        for item in _of(items, "setting"):
            # A wrong name here is an unknown setting, which says more than "no name".
            name = word(item.children[0])
            value = self.expr(item.children[1])
            if name.text not in tables.RESERVED | tables.KEYWORDS:
                built.append(ast.Setting(name, value, extent(item)))
        return tuple(built)

    def named(self, tree: Node, name: ast.Name) -> ast.Block:
        return ast.Block(self.doc(tree.children[0]), name, self.settings(trees(tree.children)), name.span)

    def on(self, items: Iterable[Node]) -> tuple[ast.Block, ...]:
        built = []
        for item in _of(items, "on"):
            keyword, name, *_ = item.children
            if name is None:
                self.say(faults.target_missing(span(token_of(keyword))))
            else:
                built.append(self.named(item, word(name)))
        return tuple(built)

    def body(self, tree: Node) -> ast.Body:
        keyword, *rest = tree.children
        if tree.data == "run":
            return ast.Argv(self.items(tree_of(rest[0])), extent(tree))
        if tree.data == "call":
            return ast.Call(self.plain(token_of(rest[0]), "the target of `call`"), extent(tree))
        language, raw = rest
        is_whole = is_token(raw, "RAW") or token_of(raw).endswith('"""')
        text = literals.script(str(raw)) if is_whole else ""
        return ast.Script(word(language), text, between(keyword, raw))
