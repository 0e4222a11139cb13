"""Annotations as trees, which cross to TypeScript: what each name in them means is resolved here."""

import ast
import types
import typing

ANY = {"kind": "any"}
NONE = {"kind": "none"}

# How deep an annotation and the aliases in it may nest before the rest of it is Any.
MAX_DEPTH = 24

# Modules whose names are said without them: a type is the same by each of its names.
UNNAMED = ("typing", "typing_extensions", "collections.abc", "builtins", "_typeshed", "types", "collections")


def union(members):
    """The union of types, without doubles."""
    flat = []
    for it in members:
        for each in it["members"] if it["kind"] == "union" else [it]:
            if each not in flat:
                flat.append(each)
    return flat[0] if len(flat) == 1 else {"kind": "union", "members": flat}


class Converter:
    """Converts the annotations of one class or function, in the names of its module."""

    def __init__(self, sources, source, found, *, classes=(), bindings=None, selves=(), depth=0):
        self.sources, self.source = sources, source
        self.found = found  # called with the meaning of each class of these packages
        self.classes = classes  # the bodies around, the innermost first
        self.bindings = bindings or {}  # what the variables of an alias stand for
        self.selves = selves  # the variables that stand for the type of `self`
        self.depth = depth

    def convert(self, node):
        """An annotation as a tree."""
        return self.deeper(self.converted, node)

    def deeper(self, convert, annotation):
        """Convert one level deeper; what nests too deeply is Any."""
        if self.depth > MAX_DEPTH:
            return ANY
        self.depth += 1
        try:
            return convert(annotation)
        finally:
            self.depth -= 1

    def converted(self, node):
        match node:
            case None:
                return ANY
            case ast.Constant(value=None):
                return NONE
            case ast.Constant(value=str() as text):
                try:
                    return self.convert(ast.parse(text.strip(), mode="eval").body)
                except SyntaxError:
                    return ANY
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return union([self.convert(left), self.convert(right)])
            case ast.Subscript(value=value, slice=ast.Tuple(elts=elements)):
                return self.named(value, elements)
            case ast.Subscript(value=value, slice=element):
                return self.named(value, [element])
            case ast.Name() | ast.Attribute():
                return self.named(node, None)
        return ANY

    def meaning(self, node):
        """What a name means, or one behind dots."""
        if isinstance(node, ast.Name):
            for body, qualified, source in self.classes:
                nodes = body.get(node.id)
                if nodes is not None and isinstance(nodes[-1], ast.ClassDef):
                    return self.sources.meaning(source, f"{qualified}.{node.id}", nodes, 0)
            return self.sources.look_up(self.source, node.id)
        if not isinstance(node, ast.Attribute):
            return None
        outer = self.meaning(node.value)
        if outer is None:
            return None
        if outer.kind == "module":
            return self.sources.in_module(outer.name, node.attr)
        if outer.kind == "foreign":
            return outer._replace(name=f"{outer.name}.{node.attr}")
        return None

    def named(self, node, arguments):
        if isinstance(node, ast.Name) and node.id in self.bindings:
            return self.bindings[node.id]
        if isinstance(node, ast.Name) and node.id in self.selves:
            return {"kind": "self"}
        meaning = self.meaning(node)
        if meaning is None:
            return ANY
        match meaning.kind:
            case "foreign":
                return self.foreign(meaning.name, arguments)
            case "class":
                return self.of_class(meaning, arguments)
            case "alias":
                return self.alias(meaning, arguments)
            case "variable of types":
                return self.variable(meaning)
            case "new type":
                inner = self.within(meaning.source)
                return inner.convert(meaning.node.args[1]) if len(meaning.node.args) > 1 else ANY
        return ANY

    def within(self, source, bindings=None):
        """A converter for what stands in another module."""
        return Converter(self.sources, source, self.found, bindings=bindings, depth=self.depth)

    def of_class(self, meaning, arguments):
        bases = [self.within(meaning.source).base_name(it) for it in meaning.node.bases]
        if "Protocol" in bases:
            return {"kind": "protocol"}
        if "TypedDict" in bases:
            return {"kind": "foreign", "name": "dict", "arguments": [{"kind": "foreign", "name": "str", "arguments": []}, ANY]}
        self.found(meaning)
        converted = [self.convert(it) for it in arguments or ()]
        return {"kind": "class", "id": meaning.name, "arguments": converted}

    def base_name(self, node):
        """The name of a base class of another package, without its arguments."""
        node = node.value if isinstance(node, ast.Subscript) else node
        meaning = self.meaning(node)
        return short(meaning.name) if meaning is not None and meaning.kind == "foreign" else None

    def alias(self, meaning, arguments):
        inner = self.within(meaning.source)
        node = meaning.node
        if node is None:
            return ANY
        bindings = {}
        for index, name in enumerate(inner.free_variables(node)):
            given = arguments[index] if arguments is not None and index < len(arguments) else None
            bindings[name] = self.convert(given) if given is not None else ANY
        return self.within(meaning.source, bindings).convert(node)

    def free_variables(self, node):
        """The type variables in an expression, in their order."""
        names = []
        for it in ast.walk(node):
            if not isinstance(it, ast.Name) or it.id in names:
                continue
            meaning = self.meaning(it)
            if meaning is not None and meaning.kind == "variable of types":
                names.append(it.id)
        return names

    def variable(self, meaning):
        inner = self.within(meaning.source)
        constraints = [inner.convert(it) for it in meaning.node.args[1:]]
        bound = next((it.value for it in meaning.node.keywords if it.arg == "bound"), None)
        limit = union(constraints) if constraints else inner.convert(bound)
        return {"kind": "variable", "name": meaning.name, "bound": limit}

    def foreign(self, name, arguments):
        name = short(name)
        match name:
            case "Any" | "Incomplete" | "Unused" | "TypeAlias":
                return ANY
            case "Self":
                return {"kind": "self"}
            case "AnyStr":
                return union([self.foreign("str", None), self.foreign("bytes", None)])
            case "Union" | "Optional":
                members = [self.convert(it) for it in arguments or ()]
                return union([*members, NONE] if name == "Optional" else members) if members else ANY
            case "Annotated" | "Final" | "ClassVar" | "Required" | "NotRequired" | "ReadOnly" | "TypeForm":
                return self.convert(arguments[0]) if arguments else ANY
            case "Literal":
                return union([self.literal(it) for it in arguments or ()])
            case "Never" | "NoReturn":
                return {"kind": "never"}
            case "TypeGuard" | "TypeIs":
                return self.foreign("bool", None)
            case "LiteralString" | "Text":
                return self.foreign("str", None)
            case "Callable" | "Type" | "type":
                return {"kind": "foreign", "name": name, "arguments": []}
            case "tuple" | "Tuple" if arguments and isinstance(arguments[-1], ast.Constant) and arguments[-1].value is ...:
                return {"kind": "foreign", "name": "tuple of any length", "arguments": [self.convert(arguments[0])]}
            case "tuple" | "Tuple" if arguments is not None:
                empty = len(arguments) == 1 and isinstance(arguments[0], ast.Tuple)
                return {"kind": "tuple", "members": [] if empty else [self.convert(it) for it in arguments]}
        return {"kind": "foreign", "name": name, "arguments": [self.convert(it) for it in arguments or ()]}

    def literal(self, node):
        match node:
            case ast.Constant(value=None):
                return NONE
            case ast.Constant(value=bool() | int() | str() as value):
                return {"kind": "literal", "value": value}
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
                return {"kind": "literal", "value": -value}
            case ast.Name() | ast.Attribute():
                # A name in it is an alias of more literals, or a member of an enumeration.
                return self.named(node, None)
            case ast.Subscript():
                return self.convert(node)
        return ANY

    def object(self, annotation):
        """An annotation that is an object, as `inspect.signature` gives it."""
        if isinstance(annotation, str):
            return self.convert(ast.Constant(annotation))
        if annotation is None or annotation is type(None):
            return NONE
        return self.deeper(self.of_object, annotation)

    def of_object(self, annotation):
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin in (typing.Union, types.UnionType):
            return union([self.object(it) for it in arguments])
        if origin is typing.Literal:
            return union([
                NONE if it is None else {"kind": "literal", "value": it} if type(it) in (bool, int, str) else ANY
                for it in arguments
            ])
        if origin is tuple and arguments:
            if arguments[-1] is ...:
                return {"kind": "foreign", "name": "tuple of any length", "arguments": [self.object(arguments[0])]}
            return {"kind": "tuple", "members": [self.object(it) for it in arguments]}
        if isinstance(annotation, typing.TypeVar):
            return {"kind": "variable", "name": annotation.__name__, "bound": ANY}
        if origin is not None and getattr(origin, "__module__", None) == "collections.abc" and origin.__name__ == "Callable":
            return self.foreign("Callable", None)
        base = origin or annotation
        if isinstance(base, type):
            return self.of_type(base, [self.object(it) for it in arguments])
        return ANY

    def of_type(self, cls, arguments=()):
        """A class that exists, as a type."""
        if cls.__module__.split(".")[0] in self.sources.packages:
            meaning = self.meaning_of(cls)
            self.found(meaning, cls)
            return {"kind": "class", "id": meaning.name, "arguments": list(arguments)}
        name = short(f"{cls.__module__}.{cls.__qualname__}")
        return ANY if name == "object" else {"kind": "foreign", "name": name, "arguments": list(arguments)}

    def meaning_of(self, cls):
        """Where a class that exists is written."""
        from oneheap_stubs_sources import Meaning

        if "." not in cls.__qualname__ and cls.__module__ is not None:
            found = self.sources.in_module(cls.__module__, cls.__qualname__)
            if found.kind == "class":
                return found
        return Meaning("class", f"{cls.__module__}.{cls.__qualname__}".replace(".<locals>.", "."))


def short(name):
    """A name without the modules in which the standard library has types."""
    module, _, last = name.rpartition(".")
    return last if module in UNNAMED else name
