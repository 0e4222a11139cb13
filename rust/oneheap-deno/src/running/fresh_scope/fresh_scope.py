"""What `fresh_scope.rs` leaves to Python: freeing garbage in circles that clearing a scope doesn't break.

Nobody but the caller can get at the garbage, so what other threads do doesn't matter.
"""

import gc
import sys
import types
import weakref
from gc import get_referents
from sys import getrefcount
from weakref import getweakrefcount

mro_of = type.__dict__["__mro__"].__get__
module_of = type.__dict__["__module__"].__get__
dict_of_class = type.__dict__["__dict__"].__get__

# Freeing an object of these types, and what it refers to of these types, runs no Python code.
plain_types = (
    *(type(None), bool, int, float, complex, str, bytes, bytearray, memoryview, range, slice),
    *(list, tuple, dict, set, frozenset, types.FunctionType, types.BuiltinFunctionType, types.MethodType),
    *(types.CellType, types.CodeType, types.ModuleType, types.MappingProxyType, type),
)

# Python without a GIL spreads reference counts over threads, and others run while they are read.
is_free_threaded = "free-threading" in sys.version


def free(garbage, circular, may_be_seen):
    """
    Frees garbage, of which reference counts alone don't free the circular part; `may_be_seen` says whether there are weak references
    to it, or finalisers in it. What is to be passed to `collect` once the caller has dropped its references, or None.
    """
    watched = [weak for one in circular if (weak := weak_reference(one)) is not None]
    others = get_referents(*garbage)
    if may_be_seen or any(map(has_finaliser, set(map(type, others)))):
        # Finalisers find the variables that they use, and weak references are cleared first, where the collector does it.
        return watched, len(circular)
    of_classes = class_dictionaries(garbage)
    for one in garbage:
        try:
            clear(one, of_classes)
        except Exception:
            # It is freed with the others, or by the collector.
            pass
    garbage.clear()
    circular.clear()
    del one, others
    return (watched, 0) if any([weak() is not None for weak in watched]) else None


def collect(watched, number):
    """Collects garbage, in as few generations as have it: what is watched, or so many objects."""
    for generation in range(3):
        found = gc.collect(generation)
        if all([weak() is None for weak in watched]) and (watched or found >= number):
            return


def has_finaliser(kind):
    """Whether Python code can run when an object of a type is freed. Generators and files are such objects too."""
    return any(["__del__" in dict_of_class(base) for base in mro_of(kind)])


def class_dictionaries(garbage):
    """The identities of the dictionaries of classes, which must not be cleared."""
    classes = [one for one in garbage if issubclass(type(one), type)]
    return {id(other) for one in classes for other in get_referents(one) if type(other) is dict}


def clear(one, class_dictionaries):
    """Has an object that is garbage refer to nothing, so that all in a circle with it is freed."""
    kind = type(one)
    if kind is dict:
        if id(one) not in class_dictionaries:
            one.clear()
    elif kind is list or kind is set:
        one.clear()
    elif kind is types.CellType:
        del one.cell_contents
    elif kind is types.FrameType:
        one.clear()
    elif issubclass(kind, BaseException):
        BaseException.with_traceback(one, None)
        BaseException.__cause__.__set__(one, None)
        BaseException.__context__.__set__(one, None)


def weak_reference(one):
    """A weak reference to an object; None to most of built-in types."""
    try:
        return weakref.ref(one)
    except TypeError:
        return None


function_type = types.FunctionType
