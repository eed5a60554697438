"""Anti-patterns that the code of a workflow and of its tools shows."""

import ast
from collections.abc import Iterator

from engine.catalog.patterns import Patterns, Seen

OF_CODE = Patterns()

_BROAD = {"Exception", "BaseException"}
_MAKES = {"dict", "list", "set", "defaultdict", "deque", "Counter"}


@OF_CODE.add("invisible-state", level="error", do="Keep it in a channel of the state, where a checkpoint has it.")
def _invisible_state(seen: Seen) -> Iterator[str]:
    """What a module remembers is lost with its process, and shared by cases that must not meet."""
    for path, tree in seen.trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                yield f"{path}:{node.lineno} keeps {node.names[0]!r} in its module"
        for statement in tree.body:
            for name in _kept(statement):
                yield f"{path}:{statement.lineno} keeps {name!r} in its module"


@OF_CODE.add("catch-all", level="error", do="Catch what may be answered, and let the rest end the run.")
def _catch_all(seen: Seen) -> Iterator[str]:
    """A handler of everything also handles what nobody has thought of."""
    for path, handler in _handlers(seen):
        if handler.type is None or _BROAD & _names(handler.type):
            yield f"{path}:{handler.lineno} catches every error"


@OF_CODE.add("silent-failure", level="error", do="Raise a typed error, or return what says that it failed.")
def _silent(seen: Seen) -> Iterator[str]:
    """A failure that looks like a reply is acted upon."""
    for path, handler in _handlers(seen):
        if all(isinstance(one, ast.Pass | ast.Continue) or _returns_nothing(one) for one in handler.body):
            yield f"{path}:{handler.lineno} drops an error without a word"
    for path, tree in seen.trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and "suppress" in _names(node.func):
                yield f"{path}:{node.lineno} drops an error without a word"


@OF_CODE.add("endless-retry", level="error", do="Bound it by the budget: iterations, same_failure, same_call.")
def _endless(seen: Seen) -> Iterator[str]:
    """What fails for ever is tried for ever, and paid for."""
    budget = seen.workflow.policy.budget
    for name in ("iterations", "same_failure", "same_call"):
        if getattr(budget, name) <= 0:
            yield f"its budget sets no bound to {name}"
    for path, tree in seen.trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and not _ends(node):
                yield f"{path}:{node.lineno} loops without an end"


def _ends(loop: ast.While) -> bool:
    return any(isinstance(inner, ast.Break | ast.Return | ast.Raise) for inner in ast.walk(loop))


def _kept(statement: ast.stmt) -> Iterator[str]:
    """Names of a module that begin empty, and therefore only to be filled."""
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None and _empty(statement.value):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _empty(value: ast.expr) -> bool:
    match value:
        case ast.Dict(keys=[]) | ast.List(elts=[]):
            return True
        case ast.Call(args=[], keywords=[]):
            return bool(_MAKES & _names(value.func))
        case ast.Call():
            return bool({"defaultdict"} & _names(value.func))
        case _:
            return False


def _handlers(seen: Seen) -> Iterator[tuple[str, ast.ExceptHandler]]:
    for path, tree in seen.trees:
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))


def _returns_nothing(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Return):
        return False
    return statement.value is None or (isinstance(statement.value, ast.Constant) and not statement.value.value)


def _names(node: ast.AST) -> set[str]:
    found = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return found | {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
