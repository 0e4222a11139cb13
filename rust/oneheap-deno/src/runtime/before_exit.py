"""What an orderly end runs. Python is never finalised, so what its finalisation would write is written here.

`python3` runs its exit functions, flushes its output, and drops all modules: with them, and by its collector, all files are closed,
which writes what is in their buffers. Here files stay open, for other threads may still run, and are flushed. What writes more than a
buffer when it is closed (the end of a compressed file, the directory of an archive) is closed. Regular files come first: to flush one
that blocks (a full pipe) may take until the process ends.
"""

import atexit
import gc
import os
import stat
import sys
from itertools import compress

import _io

# What has a finaliser that closes it and is no file itself, by the module that has it, if it was imported: writers of files that are
# incomplete before, and temporary files that are to be removed.
CLOSED_BY_FINALISER = (
    ("zipfile", "ZipFile"),
    ("tarfile", "_Stream"),
    ("shelve", "Shelf"),
    ("dbm.dumb", "_Database"),
    ("wave", "Wave_write"),
    ("aifc", "Aifc_write"),
    ("sunau", "Au_write"),
    ("fileinput", "FileInput"),
    ("tempfile", "_TemporaryFileWrapper"),
)

# How many objects are looked at to find what a writer writes to.
MAX_VISITED = 200

# From here on, Python reports what a file raises that its finaliser closes.
REPORTS_ERRORS = sys.version_info >= (3, 13)

# The files that were tried in vain, by identity.
failed = set()


def attempt(found, method):
    """Calls a method once more unless it has failed before. One that raises keeps nobody else from being flushed."""
    if id(found) in failed:
        return
    try:
        getattr(found, method)()
    except ValueError:
        # It is closed, or detached.
        failed.add(id(found))
    except BaseException as error:
        failed.add(id(found))
        if REPORTS_ERRORS or any(found is stream for stream in output()):
            report(found, error)
        skip_buffer(found)


def skip_buffer(text):
    """The buffer under a text file fails as that does."""
    try:
        failed.add(id(text.buffer))
    except BaseException:
        pass


class Raises:
    """Raises an exception when it is freed."""

    def __init__(self, error):
        self.error = error

    def __del__(self):
        raise self.error


def unraisable_type():
    """The class of what `sys.unraisablehook` takes, which no module has: an exception of a finaliser shows it."""
    found = []
    hook = sys.unraisablehook
    sent = Exception()

    def take(details):
        if details.exc_value is sent:
            found.append(type(details))
        else:
            # Of another thread.
            hook(details)

    sys.unraisablehook = take
    try:
        Raises(sent)
    finally:
        sys.unraisablehook = hook
    return found[0]


def report(found, error):
    """Reports an exception as Python does where it finds none to raise it to."""
    try:
        # Without a traceback, which has only this library's own frames.
        details = type(error), error.with_traceback(None), None, None, found
        sys.unraisablehook(unraisable_type()(details))
    except BaseException:
        pass


def output():
    """Python's output, as far as there is one."""
    streams = getattr(sys, "stdout", None), getattr(sys, "stderr", None)
    return [stream for stream in streams if stream is not None]


def descendants(kind):
    """A class and all that are derived from it, by their identities: a class may not be hashable."""
    found, pending = {}, [kind]
    while pending:
        kind = pending.pop()
        if id(kind) not in found:
            found[id(kind)] = kind
            pending += type.__subclasses__(kind)
    return found


def imported_classes():
    kinds = [getattr(sys.modules.get(module), name, None) for module, name in CLOSED_BY_FINALISER]
    return [kind for kind in kinds if isinstance(kind, type)]


def find_files():
    """The text files, buffers and writers among all objects that the collector knows, those too that `gc.freeze()` hid from it.

    There may be millions of objects, so each is looked at by functions of C's alone. None of them runs code of the object's, as
    `isinstance` does, which asks a proxy for its class.
    """
    files = descendants(_io._IOBase)
    writing = {name: kind for name, kind in files.items() if closes_by_itself(kind)}
    for kind in imported_classes():
        writing.update(descendants(kind))
    text, buffers = descendants(_io.TextIOWrapper), descendants(_io.BufferedWriter)
    buffers.update(descendants(_io.BufferedRandom))
    wanted = {**writing, **text, **buffers}
    gc.unfreeze()
    objects = gc.get_objects()
    found = list(compress(objects, map(wanted.__contains__, map(id, map(type, objects)))))
    return [[one for one in found if id(type(one)) in kinds] for kinds in (text, buffers, writing)]


def is_regular(file):
    """Whether a file is on a disk, so that writing to it doesn't wait for somebody who reads."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except BaseException:
        return False


def flush(files):
    for file in files:
        attempt(file, "flush")


def closes_by_itself(kind):
    """Whether a class of files has a way to close that isn't one of Python's own files."""
    for base in type.mro(kind):
        if "close" in type.__dict__["__dict__"].__get__(base):
            return type.__dict__["__module__"].__get__(base) != "_io"
    return False


def beneath(writer, writers):
    """How many of the writers one refers to, directly or by what it has."""
    visited, pending = {id(writer)}, [writer]
    ends = type, type(sys), type(beneath), type(len)
    count = 0
    while pending and len(visited) < MAX_VISITED:
        for found in gc.get_referents(pending.pop(0)):
            if id(found) not in visited and not issubclass(type(found), ends):
                visited.add(id(found))
                pending.append(found)
                count += id(found) in writers
    return count


def close(writers):
    """Closes writers but for Python's output, what is written to another one before that."""
    streams = output()
    writers = [writer for writer in writers if not any(writer is stream for stream in streams)]
    identities = set(map(id, writers))
    for writer in sorted(writers, key=lambda writer: -beneath(writer, identities)):
        attempt(writer, "close")


def write_files():
    """Writes what is to be written to regular files and to Python's output, and returns the other files."""
    text, buffers, writers = find_files()
    identities = set(map(id, writers))
    regular, others = [], []
    # Text before the buffers that it is written to, and both before what is closed, which may be under them.
    for file in text + buffers:
        comes_first = is_regular(file) or beneath(file, identities)
        (regular if comes_first else others).append(file)
    flush(regular)
    flush(output())
    close(writers)
    return others


def each(*steps):
    """Takes steps, each whether or not those before it failed."""
    for step in steps:
        try:
            step()
        except BaseException:
            pass


# The collector, which is disabled now, comes after the writers: what it finds was a scope's, and it knows no order in which to close
# what is there. Its finalisers may write once more.
each(
    atexit._run_exitfuncs,
    write_files,
    gc.collect,
    lambda: flush(write_files()),
)
