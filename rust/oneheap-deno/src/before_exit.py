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


def report(found, error):
    try:
        details = type(error), error, error.__traceback__, None, found
        sys.unraisablehook(sys.UnraisableHookArgs(details))
    except BaseException:
        pass


def output():
    """Python's output, as far as there is one."""
    streams = getattr(sys, "stdout", None), getattr(sys, "stderr", None)
    return [stream for stream in streams if stream is not None]


def live_objects():
    """All objects that the collector knows, those too that `gc.freeze()` hid from it."""
    gc.unfreeze()
    return gc.get_objects()


def instances(objects, classes):
    """Those of the classes. The type is looked at, for `isinstance` asks a proxy for its `__class__`."""
    return [found for found in objects if issubclass(type(found), classes)]


def is_regular(file):
    """Whether a file is on a disk, so that writing to it doesn't wait for somebody who reads."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except BaseException:
        return False


def flush(files):
    for file in files:
        attempt(file, "flush")


def buffered_files():
    """The files that have a buffer: regular ones, and others. Text comes before the buffers that it is written to."""
    objects = live_objects()
    files = instances(objects, _io.TextIOWrapper)
    files += instances(objects, (_io.BufferedWriter, _io.BufferedRandom))
    regular, others = [], []
    for file in files:
        (regular if is_regular(file) else others).append(file)
    return regular, others


def closes_by_itself(kind):
    """Whether a class of files has a way to close that isn't one of Python's own files."""
    for base in kind.__mro__:
        if "close" in vars(base):
            return base.__module__ != "_io"
    return False


def writers():
    """All that is to be closed, what is written to another one before that."""
    objects = live_objects()
    found = [file for file in instances(objects, _io._IOBase) if closes_by_itself(type(file))]
    for module, name in CLOSED_BY_FINALISER:
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type):
            # An abstract base class would ask itself.
            found += [one for one in objects if type.__subclasscheck__(kind, type(one))]
    streams = set(map(id, output()))
    found = [writer for writer in found if id(writer) not in streams]
    identities = set(map(id, found))
    return sorted(found, key=lambda writer: -beneath(writer, identities))


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


def close_writers():
    for writer in writers():
        attempt(writer, "close")


def each(*steps):
    """Takes steps, each whether or not those before it failed."""
    for step in steps:
        try:
            step()
        except BaseException:
            pass


# The collector, which is disabled now, comes after the writers: what it finds was a scope's, and it knows no order in which to close
# what is there.
each(
    atexit._run_exitfuncs,
    lambda: flush(buffered_files()[0]),
    lambda: flush(output()),
    close_writers,
    gc.collect,
    lambda: flush(buffered_files()[0]),
    lambda: flush(output()),
    lambda: flush(buffered_files()[1]),
)
