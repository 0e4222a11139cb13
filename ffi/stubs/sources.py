"""What the names of a module mean, read from its source without running it: from its stub file where it has one."""

import ast
import builtins
import importlib.util
import os
import sys
from typing import NamedTuple

# Where chains of aliases and imports end that go round in a circle.
MAX_STEPS = 40


class Meaning(NamedTuple):
    """What a name stands for: a class, functions, an alias, a variable, a type variable, a module, or what another package has."""

    kind: str
    name: str
    source: "Source | None" = None
    node: object = None


class Names(dict):
    """The names that statements bind, each with the nodes that bind it. Branches for other Pythons and systems are left out."""

    def __init__(self, body, module, is_package):
        super().__init__()
        self.module, self.is_package = module, is_package
        self.stars = []
        self.read(body)

    def read(self, body):
        for node in body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    known = self.get(node.name, [])
                    known = known if known and is_function(known[-1]) else []
                    self[node.name] = [*known, node]
                case ast.ClassDef():
                    self[node.name] = [node]
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    self[name] = [node]
                case ast.Import(names=names):
                    for it in names:
                        module = it.name if it.asname else it.name.split(".")[0]
                        self[it.asname or module] = [("module", module)]
                case ast.ImportFrom():
                    self.read_import(node)
                case ast.If(test=test):
                    decided = decide(test)
                    if decided is not False:
                        self.read(node.body)
                    if decided is not True:
                        self.read(node.orelse)
                case ast.Try():
                    # What is imported where that fails is a stand-in: the first binding counts.
                    handlers = Names([it for h in node.handlers for it in h.body], self.module, self.is_package)
                    for name, nodes in handlers.items():
                        self.setdefault(name, nodes)
                    self.read([*node.body, *node.orelse, *node.finalbody])
                case _ if type(node).__name__ == "TypeAlias":
                    self[node.name.id] = [node]

    def read_import(self, node):
        module = node.module or ""
        if node.level:
            parts = self.module.split(".")
            drop = node.level - (1 if self.is_package else 0)
            parts = parts[: len(parts) - drop]
            module = ".".join([*parts, *([module] if module else [])])
        for it in node.names:
            if it.name == "*":
                self.stars.append(module)
            else:
                self[it.asname or it.name] = [("from", module, it.name)]


def is_function(node):
    """Whether it is the node of a function."""
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def decide(test):
    """What a condition on the version, the system or the type checker is; None where it depends on something else."""
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            decided = decide(operand)
            return None if decided is None else not decided
        case ast.BoolOp(op=operation, values=values):
            decided = [decide(it) for it in values]
            if None in decided:
                return None
            return all(decided) if isinstance(operation, ast.And) else any(decided)
        case ast.Compare():
            names = {it.attr for it in ast.walk(test) if isinstance(it, ast.Attribute)}
            if names and names <= {"version_info", "platform"}:
                try:
                    return bool(eval(compile(ast.Expression(test), "<condition>", "eval"), {"sys": sys}))
                except Exception:
                    return None
    return None


class Source:
    """The source of one module: a stub, or the module itself."""

    def __init__(self, module, path):
        self.module = module
        with open(path, "rb") as file:
            tree = ast.parse(file.read(), path)
        is_package = os.path.basename(path).startswith("__init__.")
        self.names = Names(tree.body, module, is_package)


class Sources:
    """The sources of the packages that declarations are made for. What other packages have is known by its name alone."""

    def __init__(self, packages):
        self.packages = packages
        self.loaded = {}

    def of(self, module):
        """The source of a module of these packages; None where it has none, or none that this Python can parse."""
        if module not in self.loaded:
            self.loaded[module] = self.load(module)
        return self.loaded[module]

    def load(self, module):
        if module.split(".")[0] not in self.packages:
            return None
        for path in self.paths(module):
            if not os.path.isfile(path):
                continue
            try:
                return Source(module, path)
            except (SyntaxError, ValueError, OSError):
                continue
        return None

    def paths(self, module):
        """Where the source may be, the best first: beside the module, in a package of stubs alone, in mypy's own collection."""
        loaded = sys.modules.get(module)
        origin = getattr(loaded, "__file__", None) or self.packages.get(module)
        if origin is None:
            try:
                origin = getattr(importlib.util.find_spec(module), "origin", None)
            except Exception:
                origin = None
        if origin and os.path.sep in origin:
            folder, file = os.path.split(origin)
            yield os.path.join(folder, file.split(".")[0] + ".pyi")
        top, *rest = module.split(".")
        for root in sys.path:
            yield from stub_paths(os.path.join(root, top + "-stubs"), rest)
            if origin is None or not origin.startswith(root):
                yield from stub_paths(os.path.join(root, top), rest)
        for root in sys.path:
            yield from stub_paths(os.path.join(root, "mypy", "typeshed", "stdlib", top), rest)
        if origin and origin.endswith(".py"):
            yield origin

    def look_up(self, source, name, steps=0):
        """What a name means in a module; None where it isn't bound there."""
        if source is None or steps > MAX_STEPS:
            return None
        nodes = source.names.get(name)
        if nodes is not None:
            return self.meaning(source, name, nodes, steps)
        for module in source.names.stars:
            found = self.in_module(module, name, steps + 1)
            if found is not None and (found.kind != "foreign" or module.split(".")[0] not in self.packages):
                return found
        if hasattr(builtins, name):
            return Meaning("foreign", f"builtins.{name}")
        return None

    def meaning(self, source, name, nodes, steps):
        match nodes[-1]:
            case ("module", module):
                return Meaning("module", module)
            case ("from", module, imported):
                return self.in_module(module, imported, steps + 1)
            case ast.ClassDef() as node:
                return Meaning("class", f"{source.module}.{name}", source, node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return Meaning("function", name, source, nodes)
            case ast.AnnAssign(annotation=annotation, value=value) if mentions(annotation, "TypeAlias"):
                return Meaning("alias", name, source, value)
            case ast.AnnAssign() as node:
                return Meaning("variable", name, source, node)
            case ast.Assign(value=ast.Call(func=function) as call) if called(function) in TYPE_VARIABLES:
                return Meaning(TYPE_VARIABLES[called(function)], name, source, call)
            case ast.Assign(value=value):
                return Meaning("alias", name, source, value)
            case node:
                return Meaning("alias", name, source, node.value)

    def in_module(self, module, name, steps=0):
        """What a name means in a module that may belong to another package."""
        if module.split(".")[0] not in self.packages:
            return Meaning("foreign", f"{module}.{name}")
        source = self.of(module)
        if source is not None and (name in source.names or source.names.stars):
            found = self.look_up(source, name, steps)
            if found is not None and found.name != f"builtins.{name}":
                return found
        if self.of(f"{module}.{name}") is not None:
            return Meaning("module", f"{module}.{name}")
        return Meaning("foreign", f"{module}.{name}")


# The calls that make a type variable or a new type, by the kind of what they make.
TYPE_VARIABLES = {
    "TypeVar": "variable of types",
    "ParamSpec": "parameters",
    "TypeVarTuple": "parameters",
    "NewType": "new type",
}


def called(function):
    """The last name of what is called."""
    return getattr(function, "attr", None) or getattr(function, "id", None)


def mentions(annotation, name):
    """Whether an annotation is that name."""
    return called(annotation) == name


def stub_paths(folder, parts):
    """The two places of a stub below a folder."""
    path = os.path.join(folder, *parts)
    yield path + ".pyi"
    yield os.path.join(path, "__init__.pyi")
