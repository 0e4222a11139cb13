"""What Python has for the fuzzer: the module `fuzz`, whose objects run JavaScript's code wherever Python runs theirs."""

import ctypes
import gc
import sys
import threading

# The functions of JavaScript's, for each of its threads its own: no other thread may call them.
_local = threading.local()


def register(address, gate):
    """Registers the calling thread's function of JavaScript's, and the byte that says whether it may be called."""
    _local.call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(address)
    _local.hold = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int)(address)
    _local.gate = ctypes.c_ubyte.from_address(gate)


def unregister():
    """Forgets the calling thread's function."""
    _local.__dict__.clear()


def _enter(name, kind):
    function = getattr(_local, name, None)
    return function is not None and _local.gate.value == 0 and function(kind) != 0


def call(kind=0):
    """Calls JavaScript without the GIL; raises if it says so."""
    if _enter("call", kind):
        raise RuntimeError("as JavaScript says")


def hold(kind=1):
    """Calls JavaScript with the GIL; raises if it says so."""
    if _enter("hold", kind):
        raise RuntimeError("as JavaScript says")


def call_main(address):
    """Calls the main thread's function from another thread."""
    return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(address)(2)


class Finalised:
    """Calls JavaScript where it is freed."""

    def __init__(self, in_cycle=False, holding=False):
        self.name = "hold" if holding else "call"
        if in_cycle:
            self.me = self

    def __del__(self):
        _enter(self.name, 3)


class Hostile:
    """Calls JavaScript wherever Python runs its code."""

    def __repr__(self):
        call(4)
        return "Hostile"

    def __getattr__(self, name):
        call(5)
        if name == "missing" or name.startswith("__"):
            raise AttributeError(name)
        return len(name)

    def __call__(self, *arguments):
        hold(6)
        return len(arguments)

    def __len__(self):
        call(7)
        return 8

    def __getitem__(self, index):
        call(8)
        if index >= 8:
            raise IndexError(index)
        return index

    def __eq__(self, other):
        call(9)
        return self is other

    def __hash__(self):
        call(9)
        return 9

    def __buffer__(self, flags):
        call(10)
        return memoryview(bytearray(b"\x91\x92\x93\x94\x95\x96\x97\x98"))

    def __release_buffer__(self, view):
        call(11)


class Raising(Exception):
    """An exception that calls JavaScript where its text is asked for."""

    def __str__(self):
        call(12)
        return "raising"


def write(thing, offset, value):
    """Writes a byte of the object's memory."""
    size = memoryview(thing).nbytes
    (ctypes.c_ubyte * size).from_buffer(thing)[offset] = value


def garbage(count):
    """Makes garbage that only the collector finds, with finalisers."""
    for index in range(count):
        Finalised(True, index % 2 == 1)
