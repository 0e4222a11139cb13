"""What `tracemalloc` has: the memory that is alive, by the stack that allocated it."""

import gc
import tracemalloc
import types


# A snapshot is made for a new peak where so much more is traced than at the last one.
GROWTH = 1.05

# What was traced at the highest moment that was looked at: bytes, and the totals by stack.
peak = 0, []

# Something that is traced for as long as tracing isn't started anew: then the peak is of another time.
witness = None


def forget_other_peak():
    global peak, witness
    if witness is None or tracemalloc.get_object_traceback(witness) is None:
        peak = 0, []
        witness = object()


def add_up_traces(add_up):
    """All traces, added up by stack: with `add_up`, for what Python code allocates here is traced too."""
    was_enabled = gc.isenabled()
    # A snapshot is a tuple for each allocation: the collector would look at all of them over and over.
    gc.disable()
    try:
        return add_up(tracemalloc.take_snapshot().traces._traces)
    finally:
        if was_enabled:
            gc.enable()


def note_peak(add_up):
    """Keeps what is traced if it is more than ever before. Called over and over by a thread of its own."""
    global peak
    if not tracemalloc.is_tracing():
        return
    forget_other_peak()
    if tracemalloc.get_traced_memory()[0] > peak[0] * GROWTH:
        totals = add_up_traces(add_up)
        peak = sum([size for _, size, _ in totals]), totals


def read_traces(add_up):
    """What is traced now, and at the peak. None where nothing is traced."""
    if not tracemalloc.is_tracing():
        return None
    forget_other_peak()
    totals = add_up_traces(add_up)
    now = sum([size for _, size, _ in totals])
    peak_bytes, at_peak = peak if peak[0] > now else (now, totals)
    by_frames = {}
    for place, amounts in enumerate((totals, at_peak)):
        for frames, size, count in amounts:
            both = by_frames.setdefault(frames, [0, 0, 0, 0])
            both[2 * place] += size
            both[2 * place + 1] += count
    indices = {}
    stacks = [[indices.setdefault(frame, len(indices)) for frame in frames] for frames in by_frames]
    names = names_of(indices)
    return {
        "limit": tracemalloc.get_traceback_limit(),
        "peakBytes": peak_bytes,
        "frames": [[file, line, names.get((file, line), "")] for file, line in indices],
        "stacks": stacks,
        "amounts": list(by_frames.values()),
    }


def names_of(places):
    """The names of functions by file and line, of code that is alive."""
    files = {file for file, _ in places}
    names = {}
    # Without those that stand for frames of JavaScript: there may be a hundred thousand, and JavaScript knows their names.
    waiting = [
        it.__code__
        for it in gc.get_objects()
        if type(it) is types.FunctionType and it.__globals__.get("__name__") != "oneheap"
    ]
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
