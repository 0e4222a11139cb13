"""
A fault of CPython's own, without this library: where one of its requests for memory fails, compile() can fail without an exception,
of which Python makes a SystemError. Run with failing_malloc.so in LD_PRELOAD; prints how many requests are such.
"""

import ctypes

malloc = ctypes.CDLL(None)
malloc.failing_find(1)


def fails_without_an_exception(request, source):
    """Whether compiling fails so with that request failing; none if there is no such request."""
    number = ctypes.c_long(request)
    error = None
    malloc.failing_arm(ctypes.c_size_t(1024), number, number)
    try:
        compile(source, "<source>", "eval")
    except (MemoryError, SystemError) as raised:
        error = raised
    if malloc.failing_disarm() < request:
        return None
    return isinstance(error, SystemError)


# What Python makes for the first compilation is made.
compile("1 + 1", "<source>", "eval")
faults = 0
for request in range(1, 1_000):
    fails = fails_without_an_exception(request, f"{request} + 1" + " " * 5_000)
    if fails is None:
        break
    faults += fails
print(faults)
