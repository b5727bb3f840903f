"""The ``calculator`` tool: arithmetic and medical formulas, parsed and never evaluated as code."""

import ast
import math
import operator
from typing import Annotated

from msgspec import Meta

from medr_jax.retrieval.analysis import plain
from medr_jax.tools.base import ToolError, ToolOutput
from medr_jax.tools.formulas import FORMULAS
from medr_jax.tools.schema import parameters_of

MAX_CHARS = 500
MAX_DEPTH = 50

_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,
}
_UNARY = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_CONSTANTS = {"pi": math.pi, "e": math.e}
_FUNCTIONS = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "ln": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "abs": abs,
    "min": min,
    "max": max,
    "round": lambda value, digits=0.0: round(value, int(min(max(digits, -300), 300))),
}


class CalculatorTool:
    """The value of an expression, with the source of every formula that it uses.

    Every number is a float, so each operation takes constant time and memory: with the length
    and depth of the expression bounded there is nothing that could overrun a deadline.
    """

    name = "calculator"
    description = (
        "Work out an arithmetic expression with + - * / // % ** and parentheses. Functions: "
        f"{', '.join(_FUNCTIONS)}, {', '.join(formula.usage for formula in FORMULAS.values())}. "
        "female is 1 or 0."
    )

    def __init__(self) -> None:
        self.parameters = parameters_of(self.__call__)

    def __call__(
        self,
        expression: Annotated[
            str,
            Meta(
                description="such as (140-70)*72/(72*1.1) or bmi(80, 1.75)",
                min_length=1,
                max_length=MAX_CHARS,
            ),
        ],
    ) -> ToolOutput:
        """``"bmi(80, 1.75) = 26.12244898 kg/m² (Quetelet index; ...)"``."""
        written = " ".join(expression.split())
        try:
            tree = ast.parse(written, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise ToolError(
                f"cannot read {plain(written)[:60]!r}; write an expression such as 2*(3+4)"
            ) from None
        used: dict[str, str] = {}
        value = _value(tree, used, MAX_DEPTH)
        unit = FORMULAS[tree.func.id].unit if _is_formula(tree) else ""
        sources = f" ({'; '.join(used.values())})" if used else ""
        return ToolOutput(text=f"{written} = {value:.10g}{' ' if unit else ''}{unit}{sources}")


def _value(node: ast.expr, used: dict[str, str], depth: int) -> float:
    """Walks the expression; ``used`` collects the sources of formulas."""
    if depth == 0:
        raise ToolError(f"the expression is nested deeper than {MAX_DEPTH}; split it")
    match node:
        case ast.Constant(value=bool() | complex()):
            raise ToolError("only real numbers can be used")
        case ast.Constant(value=int() | float() as number):
            return _checked(float, number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            values = (_value(left, used, depth - 1), _value(right, used, depth - 1))
            return _checked(_BINARY[type(op)], *values)
        case ast.BinOp(op=ast.BitXor()):
            raise ToolError("^ is no operator here; write ** for powers")
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand, used, depth - 1))
        case ast.Call(func=ast.Name(id=name)):
            return _called(name, node, used, depth)
    raise ToolError(f"{plain(ast.unparse(node))[:60]!r} cannot be used in an expression")


def _called(name: str, node: ast.Call, used: dict[str, str], depth: int) -> float:
    formula = FORMULAS.get(name)
    function = formula.function if formula else _FUNCTIONS.get(name)
    if function is None:
        known = ", ".join([*_FUNCTIONS, *FORMULAS])
        raise ToolError(f"no function {plain(name)[:60]!r}; there are: {known}")
    if any(keyword.arg is None for keyword in node.keywords):
        raise ToolError("** before an argument cannot be used")
    values = [_value(argument, used, depth - 1) for argument in node.args]
    named = {keyword.arg: _value(keyword.value, used, depth - 1) for keyword in node.keywords}
    if formula:
        used[name] = formula.source
    try:
        return _checked(function, *values, **named)
    except TypeError:
        usage = formula.usage if formula else f"{name}(numbers)"
        raise ToolError(f"wrong arguments; use {usage}") from None


def _checked(function, *values: float, **named: float) -> float:
    """The finite real result; errors of the domain are told to the model."""
    try:
        result = float(function(*values, **named))
    except ZeroDivisionError:
        raise ToolError("division by zero") from None
    except OverflowError:
        raise ToolError("a number is too large") from None
    except ValueError as error:
        raise ToolError(f"not defined: {error}") from None
    if not math.isfinite(result):
        raise ToolError("the result is no finite number")
    return result


def _is_formula(tree: ast.expr) -> bool:
    return (
        isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id in FORMULAS
    )
