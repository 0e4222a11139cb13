"""How often each byte value occurs in a block, counted where its bytes are: by NumPy, or by plain Python."""

import ctypes

try:
    import numpy
except ImportError:
    from array import array
    from collections import Counter

    tool = "plain Python"

    class Counting:
        def __init__(self, block):
            self.bytes = memoryview(block)
            self.counts = array("d", bytes(8 * 256))
            length = ctypes.c_char * len(self.bytes)
            self.address = ctypes.addressof(length.from_buffer(self.bytes))

        def add(self, start, end):
            for value, count in Counter(self.bytes[start:end]).items():
                self.counts[value] += count

else:
    tool = f"NumPy {numpy.__version__}"

    class Counting:
        def __init__(self, block):
            self.bytes = numpy.asarray(block)
            self.counts = numpy.zeros(256)
            self.address = self.bytes.ctypes.data

        def add(self, start, end):
            self.counts += numpy.bincount(self.bytes[start:end], minlength=256)
