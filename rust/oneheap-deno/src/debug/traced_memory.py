"""What `tracemalloc` has: the memory that is alive, by the stack that allocated it."""

import gc
import tracemalloc
import types


def read_traces(add_up):
    """All traces, added up by stack: with `add_up`, for what Python code allocates here is traced too. None where nothing is traced."""
    if not tracemalloc.is_tracing():
        return None
    was_enabled = gc.isenabled()
    # A snapshot is a tuple for each allocation: the collector would look at all of them over and over.
    gc.disable()
    try:
        peak = tracemalloc.get_traced_memory()[1]
        totals = add_up(tracemalloc.take_snapshot().traces._traces)
    finally:
        if was_enabled:
            gc.enable()
    indices = {}
    stacks = [[indices.setdefault(frame, len(indices)) for frame in frames] for frames, _, _ in totals]
    names = names_of(indices)
    return {
        "limit": tracemalloc.get_traceback_limit(),
        "peakBytes": peak,
        "frames": [[file, line, names.get((file, line), "")] for file, line in indices],
        "stacks": stacks,
        "bytes": [size for _, size, _ in totals],
        "counts": [count for _, _, count in totals],
    }


def names_of(places):
    """The names of functions by file and line, of code that is alive."""
    files = {file for file, _ in places}
    names = {}
    waiting = [it.__code__ for it in gc.get_objects() if type(it) is types.FunctionType]
    seen = set()
    while waiting:
        code = waiting.pop()
        if id(code) in seen:
            continue
        seen.add(id(code))
        if code.co_filename in files:
            for _, _, line in code.co_lines():
                names.setdefault((code.co_filename, line), code.co_qualname)
        waiting += [it for it in code.co_consts if type(it) is types.CodeType]
    return names
