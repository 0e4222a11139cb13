"""Frees what a fresh scope held after its run, unless something of it is used elsewhere.

Functions refer to the scope that they are made in, and it to them; frames, exceptions and classes do as well. Python's collector
would free all that some time later, and until then a block in it stays borrowed. A full collection takes too long to make one
after each run. So this looks from the scope at what it reaches, and counts: an object with more references than the objects
found have to it is used elsewhere, and so is all that it refers to. What remains is garbage, whatever other threads do.

What isn't looked at (modules, classes and functions of other modules, large containers) only makes for more references from
elsewhere: then everything stays as it is, for Python's own collector.
"""

import gc
import sys
import types
import weakref
from functools import partial
from gc import get_referents, is_tracked
from operator import call
from sys import getrefcount
from weakref import getweakrefcount

# So many objects are looked at, and so many references of one.
MAX_OBJECTS = 2000
MAX_REFERENCES = 2000

# Without a GIL reference counts are spread over threads, and other threads run while they are read.
IS_FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)() or "free-threading" in sys.version

# From 3.12 on, Python collects garbage between two instructions only.
COLLECTS_WHEN_ALLOCATING = sys.version_info < (3, 12)

module_of = type.__dict__["__module__"].__get__
mro_of = type.__dict__["__mro__"].__get__
dict_of_class = type.__dict__["__dict__"].__get__

builtins = sys.modules["builtins"].__dict__


def snapshot(objects):
    """
    The reference counts of objects, what each refers to, and how many weak references there are to each. All is read within one call
    of C's: no other thread runs meanwhile.
    """
    parts = tuple([partial(list, map(part, objects)) for part in (getrefcount, get_referents, getweakrefcount)])
    if not COLLECTS_WHEN_ALLOCATING or not gc.isenabled():
        return tuple(map(call, parts))
    try:
        _, *results, _ = tuple(map(call, (gc.disable, *parts, gc.enable)))
    finally:
        gc.enable()
    return results


# What `getrefcount` tells of an object that nobody but the list given to `snapshot` refers to.
OWN_COUNT = snapshot([[]])[0][0]

# The same for a scope, to which `release` and its caller have a reference each: measured by the first call, with an empty dictionary.
own_count_of_scope = None


def release(scope, may_be_garbage_elsewhere):
    """
    Clears a scope that nobody uses any more. The caller has one reference to it. What is to be passed to `collect` once the caller
    has dropped that, or None. Functions and frames that refer to the scope may be garbage that it doesn't refer to.
    """
    if IS_FREE_THREADED:
        return ((), 0) if may_be_garbage_elsewhere else None
    found = analyse(scope)
    if found is None and may_be_garbage_elsewhere:
        gc.collect(0)
        found = analyse(scope)
    if not found:
        return None
    watched = [weak for one in found.circular if (weak := weak_reference(one)) is not None]
    if found.runs_code:
        # The variables have to be there when that code runs, so all is left to the collector.
        return watched, len(found.circular)
    for one in found.garbage:
        try:
            clear(one, found.class_dictionaries)
        except Exception:
            # It is freed with the others, or by the collector.
            pass
    del one, scope, found
    return (watched, 0) if any([weak() is not None for weak in watched]) else None


class Found:
    """What is garbage once a scope is dropped."""

    __slots__ = "garbage", "circular", "class_dictionaries", "runs_code"

    def __init__(self, objects, counts, referents, weak_references, is_used):
        places = [place for place, used in enumerate(is_used) if not used]
        self.garbage = [objects[place] for place in places]
        self.circular = circular(objects, counts, referents, places)
        others = [other for place in places for other in referents[place]]
        self.class_dictionaries = class_dictionaries(objects, referents)
        # Whoever has a weak reference may still get at an object, unless the collector frees it.
        self.runs_code = any([weak_references[place] for place in places]) or any(
            map(has_finaliser, set(map(type, others)))
        )


def analyse(scope):
    """What is garbage once the caller has dropped the scope; false if dropping frees all of it, None if the scope is in use."""
    objects = reachable(scope)
    del scope
    counts, referents, weak_references = snapshot(objects)
    if own_count_of_scope is None:
        return calibrate(counts[0])
    counts = [count - OWN_COUNT for count in counts]
    counts[0] += OWN_COUNT - own_count_of_scope
    is_used = used(objects, counts, referents)
    if is_used[0]:
        return None
    found = Found(objects, counts, referents, weak_references, is_used)
    return found if found.circular else False


def calibrate(count):
    """Takes what was counted for an empty scope, unless it is more than it can be."""
    global own_count_of_scope
    own_count_of_scope = min(count, OWN_COUNT + 2)


def collect(watched, number):
    """Collects garbage, in as few generations as have it: what is watched, or so many objects."""
    for generation in range(3):
        found = gc.collect(generation)
        if all([weak() is None for weak in watched]) and (watched or found >= number):
            return


def reachable(scope):
    """The scope, and what can be reached from it and may belong to it alone."""
    found = {id(scope): scope}
    waiting = [scope]
    name = scope.get("__name__")
    while waiting and len(found) < MAX_OBJECTS:
        one = waiting.pop()
        referents = get_referents(one) if not is_large(one) else None
        if referents is None or len(referents) > MAX_REFERENCES:
            if one is scope:
                return [scope]
            del found[id(one)]
            continue
        for other in referents:
            if id(other) not in found and is_tracked(other) and may_belong(other, scope, name):
                found[id(other)] = other
                waiting.append(other)
    return list(found.values())


def is_large(one):
    """Whether so many references would have to be listed that it takes long."""
    return type(one) in (list, tuple, dict, set, frozenset) and len(one) > MAX_REFERENCES


def may_belong(one, scope, name):
    """Whether an object is worth looking at: no module, and nothing that a module defines."""
    kind = type(one)
    if kind is types.FunctionType:
        return one.__globals__ is scope
    if kind is dict:
        return one is not builtins and "__builtins__" not in one
    if issubclass(kind, type):
        return module_of(one) is name
    return kind is not types.ModuleType


def used(objects, counts, referents):
    """For each object whether it is used by others than these; the scope is the first."""
    places = {id(one): place for place, one in enumerate(objects)}
    rest = counts.copy()
    for others in referents:
        for other in others:
            place = places.get(id(other))
            if place is not None:
                rest[place] -= 1
    if min(rest) < 0:
        # Not as it was measured: nothing can be said.
        return [True]
    waiting = [place for place, count in enumerate(rest) if count > 0]
    is_used = [count > 0 for count in rest]
    while waiting and not is_used[0]:
        for other in referents[waiting.pop()]:
            place = places.get(id(other))
            if place is not None and not is_used[place]:
                is_used[place] = True
                waiting.append(place)
    return is_used


def circular(objects, counts, referents, garbage):
    """Those of the garbage that dropping the scope alone doesn't free."""
    places = {id(objects[place]): place for place in garbage}
    rest = counts.copy()
    waiting = [place for place in garbage if rest[place] == 0]
    freed = set(waiting)
    while waiting:
        for other in referents[waiting.pop()]:
            place = places.get(id(other))
            if place is not None:
                rest[place] -= 1
                if rest[place] == 0 and place not in freed:
                    freed.add(place)
                    waiting.append(place)
    return [objects[place] for place in garbage if place not in freed]


def has_finaliser(kind):
    """Whether Python code can run when an object of a type is freed. Generators and files are such objects too."""
    return any(["__del__" in dict_of_class(base) for base in mro_of(kind)])


def class_dictionaries(objects, referents):
    """The identities of the dictionaries of classes, which must not be cleared."""
    return {
        id(other)
        for one, others in zip(objects, referents)
        if issubclass(type(one), type)
        for other in others
        if type(other) is dict
    }


def clear(one, kept):
    """Has an object that is garbage refer to nothing, so that all in a circle with it is freed."""
    kind = type(one)
    if kind is dict:
        if id(one) not in kept:
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
