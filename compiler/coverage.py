"""coverage: do some alternatives leave no case out?

Takes terms; a term is what must have happened for one alternative to be there, all of it, outermost first. Gives None
where in every case one of them holds, else a case in which none does: the question behind `either`.

Exact. Choices that have nothing to do with each other are looked at apart, and what lies inside an arm only once that
arm is taken, so plain references cost what they are long. Only terms that tie choices of different places together
(`either(a.x > b.y, …)`) can make many cases; past a bound that no sensible program meets, the answer is "not covered".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias


class Question(NamedTuple):
    """What the run decides: the arm of the `if` `name`, whether the step `name` succeeds, how far the run came.

    The choices are numbers from 0 to `choices` - 1; of an arm its number, one more for "none" where there is no `else`;
    of the others 0 for success. `turn` names the loops whose turn before this one is meant.
    """

    kind: Literal["arm", "success", "run"]
    name: str
    choices: int
    turn: tuple[str, ...] = ()


class Condition(NamedTuple):
    question: Question
    choice: int


Term: TypeAlias = tuple[Condition, ...]

ALWAYS: Term = ()

_MOST_WORK = 100_000
_DEEPEST = 200
_MOST_TERMS = 256


@dataclass(slots=True)
class _Budget:
    left: int


def uncovered(terms: Sequence[Term]) -> Term | None:
    """A case in which none of the terms holds; None where there is none."""
    return _uncovered(terms, _Budget(_MOST_WORK + 10 * sum(len(term) for term in terms)), _DEEPEST)


def _uncovered(terms: Sequence[Term], budget: _Budget, depth: int) -> Term | None:
    if not all(terms):
        return None  # one asks for nothing
    budget.left -= sum(len(term) for term in terms)
    if budget.left < 0 or depth == 0:
        return ()
    case: list[Condition] = []
    for group in _groups(terms):
        found = _in_group(group, budget, depth)
        if found is None:
            return None
        case += found
    return tuple(case)


def _in_group(terms: Sequence[Term], budget: _Budget, depth: int) -> Term | None:
    """The same for terms that hang together: what is asked first is tried each way."""
    question = terms[0][0].question
    mentioned = {condition.choice for term in terms for condition in term if condition.question == question}
    # A choice that nobody asks for leaves the fewest terms, and is the easiest to explain.
    for choice in sorted(range(question.choices), key=lambda choice: (choice in mentioned, choice)):
        found = _uncovered(tuple(_after(terms, Condition(question, choice))), budget, depth - 1)
        if found is not None:
            return (Condition(question, choice), *found)
    return None


def _after(terms: Iterable[Term], made: Condition) -> Iterable[Term]:
    """What is left of the terms when a choice has been made."""
    for term in terms:
        if all(condition.choice == made.choice for condition in term if condition.question == made.question):
            yield tuple(condition for condition in term if condition.question != made.question)


def _groups(terms: Sequence[Term]) -> Iterable[Sequence[Term]]:
    """The terms that share questions, directly or by way of others, together; in their order."""
    parent: dict[Question, Question] = {}

    def root(question: Question) -> Question:
        above = parent.setdefault(question, question)
        while above != question:
            parent[question] = parent[above]
            question, above = above, parent[above]
        return question

    for term in terms:
        for condition in term[1:]:
            parent[root(condition.question)] = root(term[0].question)
    groups: dict[Question, list[Term]] = {}
    for term in terms:
        groups.setdefault(root(term[0].question), []).append(term)
    return groups.values()


def together(needed: Iterable[Sequence[Term]]) -> tuple[Term, ...]:
    """The terms of a value that needs one of each."""
    fixed: list[Condition] = []
    terms: list[Term] = [ALWAYS]
    for alternatives in needed:
        if len(alternatives) == 1:
            fixed += alternatives[0]
        else:
            # Leaving terms out errs on the safe side.
            terms = [(*term, *other) for term in terms for other in alternatives][:_MOST_TERMS]
    return tuple(tuple(dict.fromkeys((*fixed, *term))) for term in terms)
