"""Functions that TypeScript calls by their names."""

import os
import sys
import threading

# The names of the modules that files were imported as.
file_modules = {}
file_lock = threading.RLock()


def import_module(name):
    """The module of that name, imported unless it is already."""
    from importlib import import_module

    return import_module(name)


def import_file(path):
    """
    A file as a module, run once: by the name of the file if no other module has that, else by that and a number. What fails is tried
    again the next time, as an import is.
    """
    from importlib.util import module_from_spec, spec_from_file_location

    path = os.path.realpath(path)
    with file_lock:
        known = sys.modules.get(file_modules.get(path))
        if known is not None:
            return known
        name = free_name(os.path.splitext(os.path.basename(path))[0])
        spec = spec_from_file_location(name, path)
        if spec is None:
            raise ImportError(f"{path!r} is no file of Python: its name should end with .py", path=path)
        module = module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        file_modules[path] = name
        return sys.modules.get(name, module)


def free_name(stem):
    """An identifier like the name of a file that no module has."""
    from importlib.util import find_spec

    identifier = "".join([letter if letter.isalnum() else "_" for letter in stem])
    identifier = identifier if identifier.isidentifier() else f"_{identifier}"
    name, number = identifier, 1
    while name in sys.modules or find_spec(name) is not None:
        number += 1
        name = f"{identifier}_{number}"
    return name


def first_misplaced(source, prefix, count):
    """
    Which of the values of a template stands where Python has no expression: in a string, in a comment, as a name. They are the names
    of that prefix and a number. None if all are expressions, or the source doesn't compile, which compiling it says better.
    """
    import ast

    try:
        tree = ast.parse(source, mode="eval")
    except SyntaxError:
        return None
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for number in range(1, count + 1):
        if f"{prefix}{number}" not in used:
            return number
    return None
