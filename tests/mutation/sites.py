"""Places in gateware source where a plausible bug may be put, and the source with one put in.

A *site* is a node of a file's syntax tree and what takes its place. What only costs logic is no fault and is
not made: a reset more, a wider signal, another name.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SWAPPED = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip

WIDTHS = (
    "Signal",
    "range",
    "In",
    "Out",
    "signed",
    "unsigned",
    "array",
    "ArrayLayout",
    "StructLayout",
    "Memory",
)
"""Calls whose constants are widths or depths: one more of them is no fault."""

UNTOUCHED = ("name", "reset_less", "attrs", "emit_src", "key")
"""Keyword arguments that change no behaviour; a reset where none is needed among them."""


@dataclass(frozen=True)
class Site:
    """A mutant: in ``file`` the node number ``node`` of its tree becomes what ``kind`` makes of it.

    line: source text of the line. before, after: of the node.
    """

    file: str
    node: int
    kind: str
    number: int
    line: str
    before: str
    after: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names the mutant when lines have moved."""
        return self.file, self.line, self.before, self.after

    def __str__(self) -> str:
        return f"{self.file}:{self.number} [{self.kind}] {self.before} => {self.after}"


def sites(root: Path, file: str) -> list[Site]:
    """All sites of ``file``, a path from ``root``."""
    text = (root / file).read_text()
    tree, lines, found = ast.parse(text), text.splitlines(), []
    _mark(tree)
    for number, node in enumerate(ast.walk(tree)):
        if node.skipped:
            continue
        for kind, new in _changes(node):
            before, after = _text(node), _text(new)
            if before != after:
                line = lines[node.lineno - 1].strip()
                found.append(Site(file, number, kind, node.lineno, line, before, after))
    return found


def mutated(root: Path, site: Site) -> ast.Module:
    """The tree of the site's file with the mutant in it."""
    tree = ast.parse((root / site.file).read_text())
    _mark(tree)
    for number, node in enumerate(ast.walk(tree)):
        if number == site.node:
            new = next(new for kind, new in _changes(node) if kind == site.kind and _text(new) == site.after)
            parent, field, index = node.place
            if index is None:
                setattr(parent, field, new)
            else:
                getattr(parent, field)[index] = new
            return ast.fix_missing_locations(tree)
    raise LookupError(str(site))


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _mark(tree: ast.AST) -> None:
    """Give every node its place, the calls around it, and whether it is left alone."""
    tree.skipped, tree.calls, tree.place = False, (), None
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, ast.AST):
                    continue
                child.place = parent, field, index if isinstance(value, list) else None
                child.calls = parent.calls
                if isinstance(parent, ast.Call):
                    child.calls = (*parent.calls, _name(parent.func))
                child.skipped = (
                    parent.skipped
                    or field in ("annotation", "returns", "decorator_list", "slice" if _typed(parent) else "")
                    or (isinstance(parent, ast.keyword) and parent.arg in UNTOUCHED)
                    or isinstance(child, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom)
                    or (isinstance(child, ast.Call) and _name(child.func) in ("rename", "replicate_name"))
                )


def _typed(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("tuple", "list", "dict")
    )


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What a node may become, by kind of fault."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in SWAPPED:
            yield "comparison", _with(node, ops=[SWAPPED[type(op)]()])
        case ast.BinOp(op=op) if type(op) in SWAPPED and not _is_text(node):
            yield "operator", _with(node, op=SWAPPED[type(op)]())
            if isinstance(op, ast.Sub | ast.LShift | ast.RShift):
                yield "operands", _with(node, left=node.right, right=node.left)
        case ast.UnaryOp(op=ast.Invert() | ast.Not() | ast.USub(), operand=operand):
            yield "inversion", operand
        case ast.BoolOp(op=op):
            yield "operator", _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.Constant(value=bool(value)):
            yield "flag", ast.Constant(not value)
        case ast.Constant(value=int(value)):
            if not (node.calls and node.calls[-1] in WIDTHS):
                yield "constant", ast.Constant(value + 1)
            if value > 0:
                yield "constant", ast.Constant(value - 1)
        case ast.Call(func=ast.Name(id="Mux"), args=[choice, yes, no]):
            yield "arms", _with(node, args=[choice, no, yes])
        case ast.Call(func=ast.Attribute(value=ast.Name(id="m"), attr="If" | "Elif"), args=[condition]):
            yield "condition", _with(node, args=[_inverted(condition)])
        case ast.AugAssign(target=ast.Attribute(value=ast.Attribute(attr="d"), attr=domain)):
            yield from _statements(node, domain)
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="m"), attr="next")]):
            yield "dropped", ast.Pass()


def _statements(node: ast.AugAssign, domain: str) -> Iterator[tuple[str, ast.AST]]:
    """Of ``m.d.sync += ...``: one statement of the list dropped, or all of them in the other domain."""
    other = {"sync": "comb", "comb": "sync"}.get(domain)
    if other:
        yield "domain", _with(node, target=_with(node.target, attr=other))
    if isinstance(node.value, ast.List) and len(node.value.elts) > 1:
        for i in range(len(node.value.elts)):
            left = node.value.elts[:i] + node.value.elts[i + 1 :]
            yield "dropped", _with(node, value=_with(node.value, elts=left))
    else:
        yield "dropped", ast.Pass()


def _with(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _inverted(condition: ast.expr) -> ast.expr:
    """Not ``condition``, as a value of one bit whatever its width."""
    any_of = ast.Call(ast.Attribute(ast.Call(ast.Name("Cat"), [condition], []), "any"), [], [])
    return ast.UnaryOp(ast.Invert(), any_of)


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(one, ast.Constant | ast.JoinedStr) and isinstance(getattr(one, "value", ""), str)
        for one in (node.left, node.right)
    )
