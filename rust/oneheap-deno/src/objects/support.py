"""What is easier said in Python: compiling, and telling of exceptions. None of it is on a hot path."""

import _thread
import gc
import sys

# Sources are kept for the lines of tracebacks: so many characters of them, the oldest go first.
MOST_CHARACTERS = 4 * 1024 * 1024
lock = _thread.allocate_lock()
sources = {}
kept = 0
number = 0


# How many bits an int has.
bit_length = int.bit_length


def compile_source(source, mode):
    """Compiles source for "run" or "eval"; tells the code, and whether it makes functions, which refer to its scope."""
    if mode == "eval":
        source = source.strip()
    elif source.lstrip("\r\n")[:1] in (" ", "\t"):
        import textwrap

        source = textwrap.dedent(source.replace("\r\n", "\n"))
    name = remember(source, mode)
    code = compile(source, name, "eval" if mode == "eval" else "exec", dont_inherit=True)
    return code, any(isinstance(constant, type(code)) for constant in code.co_consts)


def remember(source, mode):
    """Gives a source a file name, and keeps it for tracebacks."""
    global number, kept
    with lock:
        number += 1
        name = f"<python.{mode} {number}>"
        sources[name] = source
        kept += len(name) + len(source)
        while kept > MOST_CHARACTERS:
            oldest = next(iter(sources))
            kept -= len(oldest) + len(sources.pop(oldest))
            forget_lines(oldest)
    return name


def forget_lines(name):
    """Forgets the lines of a source that a traceback has shown."""
    linecache = sys.modules.get("linecache")
    if linecache is not None:
        linecache.cache.pop(name, None)


def describe(exception):
    """An exception's type, message and traceback."""
    kind = type(exception)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    # Whatever these raise, SystemExit too, the exception itself is told.
    try:
        message = str(exception)
    except BaseException:
        message = "<its message can't be told>"
    try:
        printed = trace(exception)
    except BaseException:
        printed = ""
    return encodable(name), encodable(message), encodable(printed)


def trace(exception):
    """What Python prints of an exception, with the lines of code that JavaScript gave, and without the frames of this file."""
    import traceback

    for one in printed_with(exception):
        for frame, _ in traceback.walk_tb(one.__traceback__):
            show_lines(frame.f_code.co_filename)
    steps = exception.__traceback__
    while steps is not None and steps.tb_frame.f_globals is globals():
        steps = steps.tb_next
    return "".join(traceback.format_exception(type(exception), exception, steps))


def printed_with(exception):
    """The exception and those that Python prints with it: its causes, and the members of a group."""
    found = {}
    waiting = [exception]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in found:
            continue
        found[id(one)] = one
        waiting += (one.__cause__, one.__context__)
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return found.values()


def show_lines(name):
    """Lets tracebacks show the lines of a source, as long as it is kept."""
    import linecache

    source = sources.get(name)
    if source is not None and name not in linecache.cache:
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)


def encodable(text):
    """The text of a string, of one that is no plain `str` too, without lone surrogates."""
    return str.encode(text, "utf-8", "backslashreplace").decode("utf-8")


def collect_young():
    """Collects what became garbage just now."""
    gc.collect(0)
