"""lower_values: values and operands of the model as those of the plan.

One line per kind. Takes what `resolve` has made without errors; an unresolved value is a fault of flowc itself.
"""

from __future__ import annotations

from flowc.runtime import plan

from . import values


def value(of: values.Value) -> plan.Value:
    match of:
        case values.Constant():
            return plan.Const(of.value)
        case values.ParamRef():
            return plan.FromParam(of.name)
        case values.ItemRef():
            return plan.FromItem(of.name)
        case values.RunValue():
            return plan.FromRun(of.name)
        case values.OutputRef():
            return plan.FromStep(of.step, of.output, of.each)
        case values.Gather():
            return plan.Gather(of.block, value(of.value))
        case values.LastTurn():
            return plan.LastTurn(of.block, value(of.value))
        case values.Previous():
            return plan.Previous(of.block, value(of.value), value(of.first))
        case values.Unresolved():
            raise AssertionError("an unresolved value was lowered")
        case _:
            return _made(of)


def _made(
    of: values.Either | values.Not | values.Logic | values.Compare | values.Text | values.MakeList | values.MakeObject,
) -> plan.Value:
    """What is made of its parts, all on the path of the whole."""
    match of:
        case values.Either():
            return plan.Either(tuple(map(value, of.args)))
        case values.Not():
            return plan.Not(value(of.operand))
        case values.Logic():
            return plan.Logic(of.word, tuple(map(value, of.operands)))
        case values.Compare():
            return plan.Compare(of.sign, value(of.left), value(of.right))
        case values.Text():
            return plan.Text(tuple(map(value, of.parts)))
        case values.MakeList():
            return plan.MakeList(tuple(map(value, of.items)))
        case values.MakeObject():
            return plan.MakeObject(tuple(plan.Member(name, value(member)) for name, member in of.members))


def operand(of: values.Operand) -> plan.Operand:
    match of:
        case values.Constant():
            return plan.Const(of.value)
        case values.InputRef():
            return plan.InRef(of.name)
        case values.OutputPath():
            return plan.OutRef(of.name)
        case values.RunValue():
            return plan.RunId()
        case values.SecretRef():
            return plan.SecretRef(of.name)
        case values.Format():
            return plan.Format(tuple(map(operand, of.parts)))
        case values.Unresolved():
            raise AssertionError("an unresolved operand was lowered")
