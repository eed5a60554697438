"""What an assistant needs beside outside systems: sums, a note to itself, and the word that a person takes over."""

import ast
import operator
from collections.abc import Callable
from decimal import Decimal, DivisionByZero, InvalidOperation, localcontext
from typing import Annotated

from pydantic import Field

from contracts.errors import ToolRefused
from contracts.tool import Call, ToolModel, tool

_MOST_PARTS = 60
_DIGITS = 28
_SIGNS: dict[type[ast.unaryop], Callable[[Decimal], Decimal]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_OPERATORS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class Sum(ToolModel):
    expression: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[0-9+*/(). -]+$")]
    """Numbers, + - * / and parentheses."""


class Worth(ToolModel):
    value: Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
    """Rounded to cents, as a decimal."""


class Thought(ToolModel):
    text: Annotated[str, Field(min_length=1, max_length=2000)]


class Noted(ToolModel):
    noted: bool


class Handover(ToolModel):
    summary: Annotated[str, Field(min_length=1, max_length=1000)]
    """What the customer wants and what was done, for the person who takes over."""


class HandedOver(ToolModel):
    accepted: bool


@tool(effect="read", scopes=("workpad:use",), timeout_s=1)
async def calculate(request: Sum, call: Call) -> Worth:
    """Work out a sum, exactly and in decimals. Raises `ToolRefused` for what is no sum."""
    try:
        parts = ast.parse(request.expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ToolRefused(f"{request.expression!r} is not a sum.") from error
    if sum(1 for _ in ast.walk(parts)) > _MOST_PARTS:
        raise ToolRefused("The sum has too many parts.", hint="Work it out in several steps.")
    with localcontext() as context:
        context.prec = _DIGITS
        try:
            worth = _worth(parts.body, request.expression.strip())
            return Worth(value=f"{worth.quantize(Decimal('0.01')):f}")
        except (DivisionByZero, InvalidOperation) as error:
            raise ToolRefused(f"{request.expression!r} has no value.") from error


def _worth(part: ast.expr, text: str) -> Decimal:
    match part:
        case ast.Constant():
            written = ast.get_source_segment(text, part) or ""
            return Decimal(written)
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _SIGNS:
            return _SIGNS[type(sign)](_worth(operand, text))
        case ast.BinOp(left=left, op=between, right=right) if type(between) in _OPERATORS:
            return _OPERATORS[type(between)](_worth(left, text), _worth(right, text))
    raise ToolRefused(f"{text!r} is not a sum of numbers.")


@tool(effect="read", scopes=("workpad:use",), timeout_s=1)
async def note_thought(request: Thought, call: Call) -> Noted:
    """Keep a thought among what was said. It reaches nobody and changes nothing."""
    return Noted(noted=True)


@tool(effect="read", scopes=("workpad:use",), timeout_s=1)
async def pass_to_person(request: Handover, call: Call) -> HandedOver:
    """End the conversation and have a person take it over. The case is what they get; nothing else is changed."""
    return HandedOver(accepted=True)
