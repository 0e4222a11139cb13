"""What modules and classes have: from their source where it is found, and from what they are otherwise."""

import ast
import copy
import enum
import importlib
import importlib.util
import inspect
import os
import sys
import types

from oneheap_stubs_sources import Names, Sources, is_function
from oneheap_stubs_annotations import ANY, Converter

# Decorators after which a function is an attribute, by their last names.
PROPERTIES = {"property", "cached_property", "cache_readonly", "abstractproperty"}

# How long the first sentence of a documentation may be, in characters.
MAX_DOCUMENTATION = 100


def describe(names, files):
    """All about modules, which are given by their names, and about the classes that they lead to."""
    packages = {name.split(".")[0]: None for name in names}
    packages.update(files)
    for name, path in files.items():
        load_file(name, path)
    description = Description(Sources(packages))
    for name in [*names, *files]:
        description.module(name)
    description.drain()
    return {"python": sys.version.split()[0], "modules": description.modules, "classes": description.classes}


def load_file(name, path):
    """Import a file under a name, as `import` does where its folder is on `sys.path`."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


class Description:
    """What was found so far, and what is still to be looked at."""

    def __init__(self, sources):
        self.sources = sources
        self.modules, self.classes = {}, {}
        self.pending = []

    def found(self, meaning, cls=None):
        """Remember a class that something leads to."""
        if meaning.name in self.classes:
            return
        self.classes[meaning.name] = None
        self.pending.append((meaning, cls))

    def drain(self):
        """Describe the classes that were found, and those that they lead to."""
        while self.pending:
            meaning, cls = self.pending.pop()
            self.classes[meaning.name] = self.describe_class(meaning, cls)

    # ---- modules

    def module(self, name):
        """Describe a module, and those below it that it counts among its names."""
        if name in self.modules:
            return
        module = importlib.import_module(name)
        members = self.modules[name] = {"members": {}, "open": False, "version": text(getattr(module, "__version__", None))}
        source = self.sources.of(name)
        public = getattr(module, "__all__", None)
        public = {it for it in public if isinstance(it, str)} if isinstance(public, (list, tuple)) else None
        names = {it for it in dir(module) if not it.startswith("_")} | (public or set())
        for it in sorted(names):
            listed = public is None or it in public
            member = self.module_member(module, source, it, listed)
            if member is not None:
                members["members"][it] = member
        lazy = "__getattr__" in vars(module) and "__dir__" not in vars(module) and "__path__" not in vars(module)
        members["open"] = lazy

    def module_member(self, module, source, name, listed):
        try:
            value = getattr(module, name)
        except Exception:
            return {"kind": "attribute", "type": ANY, "writable": True}
        if isinstance(value, types.ModuleType):
            below = f"{module.__name__}.{name}"
            if not listed or sys.modules.get(below) is not value:
                return {"kind": "attribute", "type": ANY} if listed else None
            self.module(below)
            return {"kind": "module", "id": below}
        if not listed:
            return {"kind": "attribute", "type": ANY}
        meaning = self.sources.look_up(source, name)
        if isinstance(value, type):
            return self.class_member(value, meaning)
        if meaning is not None and meaning.kind == "function" and callable(value):
            converter = Converter(self.sources, meaning.source, self.found)
            return {**functions(meaning.node, converter, None), "documentation": documentation(value)}
        if inspect.isroutine(value):
            converter = Converter(self.sources, source, self.found)
            return {**runtime_function(value, converter), "documentation": documentation(value)}
        converter = Converter(self.sources, meaning.source if meaning else source, self.found)
        if meaning is not None and meaning.kind == "variable":
            return {"kind": "attribute", "type": self.not_any(converter.convert(meaning.node.annotation), value), "writable": True}
        return {"kind": "attribute", "type": type_of(value, converter), "writable": True}

    def not_any(self, converted, value):
        return type_of(value, Converter(self.sources, None, self.found)) if converted == ANY else converted

    def class_member(self, cls, meaning):
        if cls.__module__.split(".")[0] not in self.sources.packages:
            return {"kind": "attribute", "type": ANY}
        if meaning is None or meaning.kind != "class":
            meaning = Converter(self.sources, None, self.found).meaning_of(cls)
        self.found(meaning, cls)
        return {"kind": "class", "id": meaning.name}

    # ---- classes

    def describe_class(self, meaning, cls):
        if cls is None:
            cls = existing(meaning.name)
        node, source = meaning.node, meaning.source
        qualified = qualified_name(meaning)
        body = Names(node.body, source.module, False) if node is not None else {}
        own = [(body, qualified, source)] if node is not None else []
        converter = Converter(self.sources, source, self.found, classes=own, bindings=parameters_of(node))
        described = {
            "bases": self.bases(node, cls, converter),
            "parameters": class_parameters(node, converter),
            "members": {},
            "open": False,
            "enumeration": cls is not None and issubclass(cls, enum.Enum),
            "documentation": documentation(cls),
        }
        if any(it["kind"] not in ("class",) and it.get("name") not in CLOSED_BASES for it in described["bases"]):
            described["open"] = True
        for name, nodes in body.items():
            self.class_statement(described, name, nodes, cls, converter)
        for name, tree in instance_attributes(node, converter):
            described["members"].setdefault(name, {"kind": "attribute", "type": tree, "writable": True})
        if cls is not None:
            self.runtime_members(described, cls, converter)
            self.inherited_elsewhere(described, cls)
        return described

    def inherited_elsewhere(self, described, cls):
        """What a class has of bases of other packages: the values of an enumeration, the elements of a tuple."""
        if described["enumeration"]:
            said = {"kind": "attribute", "type": {"kind": "foreign", "name": "str", "arguments": []}}
            described["members"].setdefault("name", said)
            described["members"].setdefault("value", {"kind": "attribute", "type": ANY})
        for name in ("__call__", "__iter__", "__getitem__"):
            foreign = [it for it in cls.__mro__ if it.__module__.split(".")[0] not in self.sources.packages]
            if SPECIAL[name] not in described and any(name in vars(it) for it in foreign):
                described[SPECIAL[name]] = {"kind": "function", "signatures": []}

    def bases(self, node, cls, converter):
        if node is not None:
            trees = [converter.convert(it) for it in node.bases]
        else:
            trees = [converter.of_type(it) for it in cls.__bases__ if it is not object] if cls is not None else []
        return [it for it in trees if it.get("name") not in ("object", "Generic", "Protocol")]

    def class_statement(self, described, name, nodes, cls, converter):
        node = nodes[-1]
        if not is_function(node):
            if name.startswith("_"):
                return
            if isinstance(node, ast.AnnAssign):
                described["members"][name] = self.annotated(node, converter)
            elif isinstance(node, ast.Assign) and cls is None:
                described["members"][name] = {"kind": "attribute", "type": ANY, "writable": True}
            return
        member = functions(nodes, converter, "self")
        if name in SPECIAL:
            described[SPECIAL[name]] = member
            return
        if name.startswith("_"):
            if name in ("__getattr__", "__getattribute__"):
                described["open"] = True
            return
        decorators = {decorator_name(it) for each in nodes for it in each.decorator_list}
        if decorators & PROPERTIES or (cls is not None and is_data(vars(cls).get(name))):
            getters = [it for it in nodes if not {decorator_name(d) for d in it.decorator_list} & {"setter", "deleter"}]
            getter = functions(getters or nodes, converter, "self")
            member = {"kind": "attribute", "type": getter["signatures"][0]["result"], "writable": "setter" in decorators}
        elif decorators & {"classmethod", "staticmethod"}:
            member["static"] = True
        member["documentation"] = documentation(vars(cls).get(name)) if cls is not None else None
        described["members"][name] = member

    def annotated(self, node, converter):
        names = {it.id for it in ast.walk(node.annotation) if isinstance(it, ast.Name)}
        names |= {it.attr for it in ast.walk(node.annotation) if isinstance(it, ast.Attribute)}
        converted = converter.convert(node.annotation)
        return {"kind": "attribute", "type": converted, "writable": "Final" not in names, "static": "ClassVar" in names or node.value is not None}

    def runtime_members(self, described, cls, converter):
        for name, value in list(vars(cls).items()):
            if name in SPECIAL and SPECIAL[name] not in described and SPECIAL[name] != "constructor":
                described[SPECIAL[name]] = runtime_function(value, converter, skip=1)
            if name in ("__getattr__", "__getattribute__"):
                described["open"] = True
            if name.startswith("_") or name in described["members"]:
                continue
            described["members"][name] = self.runtime_member(cls, name, value, converter)
        if "constructor" not in described and ("__init__" in vars(cls) or "__new__" in vars(cls)):
            described["constructor"] = runtime_function(cls, converter)

    def runtime_member(self, cls, name, value, converter):
        said = documentation(value)
        if described_as_member(value, cls):
            return {"kind": "attribute", "type": {"kind": "self"}, "static": True, "documentation": said}
        if isinstance(value, (classmethod, staticmethod)):
            bound = getattr(cls, name)
            return {**runtime_function(bound, converter), "static": True, "documentation": said}
        if isinstance(value, types.ClassMethodDescriptorType):
            return {**runtime_function(getattr(cls, name), converter), "static": True, "documentation": said}
        if isinstance(value, property):
            result = getattr(value.fget, "__annotations__", {}).get("return", inspect.Parameter.empty)
            tree = ANY if result is inspect.Parameter.empty else converter.object(result)
            return {"kind": "attribute", "type": tree, "writable": value.fset is not None, "documentation": said}
        if inspect.isroutine(value):
            return {**runtime_function(value, converter, skip=1), "documentation": said}
        if isinstance(value, type):
            return {"kind": "attribute", "type": ANY, "static": True}
        if inspect.isdatadescriptor(value) or hasattr(type(value), "__get__"):
            return {"kind": "attribute", "type": ANY, "writable": True, "documentation": said}
        return {"kind": "attribute", "type": type_of(value, converter), "writable": True, "static": True}


# The methods that mean something to a proxy, and what they are called in a description.
SPECIAL = {
    "__init__": "constructor",
    "__new__": "constructor",
    "__call__": "call",
    "__iter__": "iterator",
    "__getitem__": "item",
}

# Base classes of other packages of which nothing is inherited that a declaration would lack.
CLOSED_BASES = {"object", "Generic", "Protocol", "abc.ABC", "enum.Enum", "enum.Flag", "TypedDict"}


def described_as_member(value, cls):
    return issubclass(cls, enum.Enum) and isinstance(value, cls)


def qualified_name(meaning):
    """The name of a class within its module."""
    if meaning.source is None:
        return meaning.name
    return meaning.name.removeprefix(meaning.source.module + ".")


def existing(name):
    """The class of that name, where its module is imported already."""
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        module = sys.modules.get(".".join(parts[:count]))
        if module is None:
            continue
        value = module
        for it in parts[count:]:
            value = vars(value).get(it) if hasattr(value, "__dict__") else None
        return value if isinstance(value, type) else None
    return None


def parameters_of(node):
    """The type parameters of `class Name[T]` and `def name[T]`, as what they stand for."""
    return {
        it.name: {"kind": "variable", "name": it.name, "bound": ANY}
        for it in getattr(node, "type_params", ())
    }


def class_parameters(node, converter):
    """The names of a class's type parameters: those of Generic or Protocol, or those of all bases in their order."""
    if node is None:
        return []
    names = [it.name for it in getattr(node, "type_params", ())]
    for base in node.bases:
        if converter.base_name(base) in ("Generic", "Protocol") and isinstance(base, ast.Subscript):
            return converter.free_variables(base.slice)
    for base in node.bases:
        names.extend(it for it in converter.free_variables(base) if it not in names)
    return names


def decorator_name(node):
    node = node.func if isinstance(node, ast.Call) else node
    return getattr(node, "attr", None) or getattr(node, "id", None)


def is_data(value):
    """Whether what a class has under a name is read as an attribute, though a function was written."""
    if value is None or inspect.isroutine(value) or isinstance(value, (classmethod, staticmethod, type)):
        return False
    return not callable(value) and hasattr(type(value), "__get__")


def instance_attributes(node, converter):
    """What the methods of a class assign to attributes of `self`, with the types that stand there."""
    for function in node.body if node is not None else ():
        if not is_function(function) or not function.args.args:
            continue
        this = function.args.args[0].arg
        annotations = {it.arg: it.annotation for it in (*function.args.args, *function.args.kwonlyargs)}
        for statement in ast.walk(function):
            if isinstance(statement, ast.AnnAssign):
                targets, tree = [statement.target], converter.convert(statement.annotation)
            elif isinstance(statement, ast.Assign):
                value = statement.value
                known = annotations.get(value.id) if isinstance(value, ast.Name) else None
                targets, tree = statement.targets, converter.convert(known)
            else:
                continue
            for target in targets:
                match target:
                    case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name == this:
                        if not attribute.startswith("_"):
                            yield attribute, tree


def functions(nodes, converter, first):
    """A function as it is written: its overloads, or the one that it is."""
    overloads = [it for it in nodes if "overload" in {decorator_name(d) for d in it.decorator_list}]
    return {"kind": "function", "signatures": [signature(it, converter, first) for it in overloads or nodes[-1:]]}


def signature(node, outer, first):
    decorators = {decorator_name(it) for it in node.decorator_list}
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    selves, bound = (), False
    if first is not None and "staticmethod" not in decorators and positional:
        annotation = positional[0].annotation
        if isinstance(annotation, ast.Name):
            selves = (annotation.id,)
        bound = annotation is not None and not isinstance(annotation, ast.Name)
        is_own = 1
    else:
        is_own = 0
    converter = Converter(
        outer.sources,
        outer.source,
        outer.found,
        classes=outer.classes,
        bindings={**outer.bindings, **parameters_of(node)},
        selves=(*outer.selves, *selves),
    )
    # What only goes in leads to no declarations.
    silent = copy.copy(converter)
    silent.found = lambda *_: None
    required = len(positional) - len(arguments.defaults)
    parameters = []
    for index, it in enumerate(positional[is_own:], is_own):
        only = index < len(arguments.posonlyargs) or (it.arg.startswith("__") and not it.arg.endswith("__"))
        kind = "positional" if only else "either"
        parameters.append(parameter(it, kind, index >= required, silent))
    if arguments.vararg:
        parameters.append(parameter(arguments.vararg, "rest", True, silent))
    for it, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        parameters.append(parameter(it, "keyword", default is not None, silent))
    if arguments.kwarg:
        parameters.append(parameter(arguments.kwarg, "keywords", True, silent))
    opaque = isinstance(node, ast.AsyncFunctionDef) or decorators & {"contextmanager", "asynccontextmanager"}
    result = ANY if opaque or node.returns is None else converter.convert(node.returns)
    return {"parameters": parameters, "result": result, "bound": bound}


def parameter(node, kind, optional, converter):
    return {"name": node.arg.removeprefix("__") if kind == "positional" else node.arg, "kind": kind, "optional": optional, "type": converter.convert(node.annotation)}


KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "positional",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "either",
    inspect.Parameter.VAR_POSITIONAL: "rest",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
    inspect.Parameter.VAR_KEYWORD: "keywords",
}


def runtime_function(value, converter, skip=0):
    """A function as `inspect.signature` has it; without parameters where it has none."""
    try:
        found = inspect.signature(value)
    except Exception:
        return {"kind": "function", "signatures": []}
    parameters = [
        {
            "name": it.name,
            "kind": KINDS[it.kind],
            "optional": it.default is not it.empty or it.kind in (it.VAR_POSITIONAL, it.VAR_KEYWORD),
            "type": ANY if it.annotation is it.empty else converter.object(it.annotation),
        }
        for it in list(found.parameters.values())[skip:]
    ]
    empty = inspect.Signature.empty
    is_class = isinstance(value, type)
    result = ANY if found.return_annotation is empty or is_class else converter.object(found.return_annotation)
    if inspect.iscoroutinefunction(value):
        result = ANY
    return {"kind": "function", "signatures": [{"parameters": parameters, "result": result, "bound": False}]}


def type_of(value, converter):
    """The type of a value that is there."""
    if value is None:
        return ANY
    cls = type(value)
    if cls.__module__.split(".")[0] in converter.sources.packages:
        return converter.of_type(cls)
    return {"kind": "foreign", "name": cls.__name__, "arguments": []} if cls in PLAIN else ANY


# The types of values that cross as such, and of containers.
PLAIN = {bool, int, float, str, bytes, list, dict, set, frozenset}


def documentation(value):
    """The first sentence of what an object says about itself."""
    said = text(getattr(value, "__doc__", None)) if value is not None else None
    for paragraph in (said or "").split("\n\n"):
        sentence = " ".join(paragraph.split())
        if not sentence or "->" in sentence or sentence.endswith(")"):
            continue
        sentence = sentence.split(". ")[0].removesuffix(".")
        return sentence[:MAX_DOCUMENTATION] + ("…" if len(sentence) > MAX_DOCUMENTATION else ".")
    return None


def text(value):
    return value if type(value) is str else None
