"""What an orderly end runs. Python is never finalised, so what its finalisation would write is written here.

`python3` runs its exit functions, flushes its output, and lets go of all modules: with them and by its collector all files are
closed, which writes what is in their buffers. Here files stay open, for other threads may still run, and are flushed. What writes
more than a buffer when it is closed (the end of a compressed file, the directory of an archive) is closed. Regular files come
first: flushing one that blocks (a full pipe) may take until the process ends.
"""

import atexit
import gc
import os
import stat
import sys

import _io

# What is closed, by the module that has it, if it was imported: writers of files that are incomplete before, and temporary files
# that are to be removed.
CLOSED = (
    ("gzip", "GzipFile"),
    ("bz2", "BZ2File"),
    ("lzma", "LZMAFile"),
    ("zipfile", "_ZipWriteFile"),
    ("zipfile", "ZipFile"),
    ("shelve", "Shelf"),
    ("dbm.dumb", "_Database"),
    ("wave", "Wave_write"),
    ("aifc", "Aifc_write"),
    ("sunau", "Au_write"),
    ("tempfile", "_TemporaryFileWrapper"),
)


def live_objects():
    """All objects that the collector knows, those too that `gc.freeze()` hid from it."""
    gc.unfreeze()
    return gc.get_objects()


def instances(objects, classes):
    """Those of the classes. The type is looked at, for `isinstance` asks a proxy for its `__class__`."""
    return [found for found in objects if issubclass(type(found), classes)]


def attempt(function, *arguments):
    """Calls a function; what it raises is reported as what a finaliser raises, if it is no more than a file that is closed."""
    try:
        function(*arguments)
    except ValueError:
        pass
    except BaseException as error:
        report(function, error)


def report(function, error):
    try:
        details = type(error), error, error.__traceback__, None, function
        sys.unraisablehook(sys.UnraisableHookArgs(details))
    except BaseException:
        pass


def is_regular(file):
    """Whether a file is on a disk, so that writing to it doesn't wait for somebody who reads."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except BaseException:
        return False


def flush_files(files):
    for file in files:
        attempt(file.flush)


def open_files():
    """The files that have a buffer: regular ones, and others. Text comes before the buffers that it is written to."""
    objects = live_objects()
    text = instances(objects, _io.TextIOWrapper)
    buffers = instances(objects, (_io.BufferedWriter, _io.BufferedRandom))
    regular, others = [], []
    for file in text + buffers:
        (regular if is_regular(file) else others).append(file)
    return regular, others


def flush_output():
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            attempt(stream.flush)


def close_writers():
    for module, name in CLOSED:
        writer = getattr(sys.modules.get(module), name, None)
        if isinstance(writer, type):
            for found in instances(live_objects(), writer):
                attempt(found.close)


attempt(atexit._run_exitfuncs)
regular, _ = open_files()
flush_files(regular)
flush_output()
attempt(gc.collect)
close_writers()
regular, others = open_files()
flush_files(regular)
flush_output()
flush_files(others)
flush_output()
