"""
Faults of CPython's own, without this library: where one of its requests for memory fails, compile() can fail without an exception, or
return with one, of which Python makes a SystemError. Run with failing_malloc.so in LD_PRELOAD; prints how many requests are such.
"""

import ctypes

malloc = ctypes.CDLL(None)
malloc.failing_find(1)

SOURCES = (
    "{} + 1" + " " * 5_000,
    "[f := lambda: g, g := lambda: f, h := [f, g], h.append(h),"
    " [h.append([h, lambda: h]) for _ in range(100)], {}][-1]",
)


def is_fault(request, source):
    """Whether compiling comes to a SystemError with that request failing; none if there is no such request."""
    number = ctypes.c_long(request)
    error = None
    malloc.failing_arm(ctypes.c_size_t(1024), number, number)
    try:
        compile(source, "<source>", "eval", dont_inherit=True)
    except (MemoryError, SystemError) as raised:
        error = raised
    if malloc.failing_disarm() < request:
        return None
    return isinstance(error, SystemError)


faults = 0
for source in SOURCES:
    # What Python makes for the first compilation is made.
    compile(source.format(0), "<source>", "eval")
    for request in range(1, 1_000):
        fault = is_fault(request, source.format(request))
        if fault is None:
            break
        faults += fault
print(faults)
