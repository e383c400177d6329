"""Runs the deck's code: every block in the order of the talk, in one namespace, on a virtual clock.

So a slide cannot show code that does not work, and what stands under it as its output is what it printed.
"""

import ast
import contextlib
import inspect
import io
import linecache
from types import CodeType, FunctionType
from typing import Any

from asyncpatterns.testing import run


class BlockFailed(RuntimeError):
    """A block of code on a slide raised; the text says which slide and shows the code, the cause is what it raised."""


class Workspace:
    """The namespace that the blocks of one deck share. `await` may stand at the top of a block, as in a notebook."""

    def __init__(self, **names: Any) -> None:
        self.names: dict[str, Any] = {"__name__": "slides.talk", **names}
        self._blocks = 0

    def run(self, code: str, where: str) -> tuple[Any, str]:
        """The value of the block's last expression (None without one), and what it printed."""
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                value = self._run(code)
        except Exception as problem:
            raise BlockFailed(f"{where}: {type(problem).__name__}: {problem}\n\n{code}") from problem
        return value, printed.getvalue()

    def _run(self, code: str) -> Any:
        self._blocks += 1
        file = f"<block {self._blocks} of the talk>"
        linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
        tree = ast.parse(code, file)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        steps = [_compiled(tree, file, "exec")]
        if isinstance(last, ast.Expr):
            steps.append(_compiled(ast.Expression(last.value), file, "eval"))
        if not any(step.co_flags & inspect.CO_COROUTINE for step in steps):
            return [eval(step, self.names) for step in steps][-1]
        return run(lambda: self._awaited([FunctionType(step, self.names) for step in steps]))

    async def _awaited(self, steps: list[FunctionType]) -> Any:
        value = None
        for step in steps:
            value = step()
            if inspect.iscoroutine(value) and step.__code__.co_flags & inspect.CO_COROUTINE:
                value = await value
        return value


def _compiled(tree: ast.AST, file: str, mode: str) -> CodeType:
    return compile(tree, file, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)  # type: ignore[call-overload]
