"""What is easier said in Python: compiling, and telling of exceptions. None of it is on a hot path."""

import _thread
import gc

# Sources are kept for the lines of tracebacks: so many characters of them, the oldest go first.
MOST_CHARACTERS = 4 * 1024 * 1024
lock = _thread.allocate_lock()
sources = {}
kept = 0
number = 0


def compile_source(source, mode):
    """Compiles source for "run" or "eval"; tells the code, and whether it makes functions, which refer to its scope."""
    if mode == "eval":
        source = source.strip()
    elif source.lstrip("\r\n")[:1] in (" ", "\t"):
        import textwrap

        source = textwrap.dedent(source)
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
    return name


def describe(exception):
    """An exception's type, message and traceback."""
    kind = type(exception)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    try:
        message = str(exception)
    except Exception:
        message = "<its message can't be told>"
    try:
        printed = trace(exception)
    except Exception:
        printed = ""
    return encodable(name), encodable(message), encodable(printed)


def trace(exception):
    """What Python prints of an exception; with the lines of code, also of code that JavaScript gave."""
    import linecache
    import traceback

    tracebacks = [exception.__traceback__]
    for other in (exception.__cause__, exception.__context__):
        tracebacks += [other.__traceback__] if other else []
    for step in tracebacks:
        for frame, _ in traceback.walk_tb(step):
            name = frame.f_code.co_filename
            source = sources.get(name)
            if source is not None:
                linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    try:
        return "".join(traceback.format_exception(exception))
    finally:
        for name in [name for name in linecache.cache if name.startswith("<python.")]:
            linecache.cache.pop(name, None)


def encodable(text):
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def collect_young():
    """Collects what became garbage just now."""
    gc.collect(0)
