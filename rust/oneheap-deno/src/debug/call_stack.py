"""Call stacks of JavaScript as frames of Python: a function for each frame, made of one whose code is given that place.

A stack is nested pairs, the outermost frame first: `(function, (function, … (leaf, None)))`. Each function calls the next pair, and the
leaf does what is to be done within the frames.
"""

import builtins

GLOBALS = {"__builtins__": builtins, "__name__": "oneheap"}

# Functions by file, name and line, so that a profiler sees one code object for each place.
functions = {}

# The addresses of the stacks in Rust, by their texts. A lost update of another thread makes a stack twice.
addresses = {}


# On one line, whose number is the place's.
def step(rest): return rest[0](rest[1])


def function_at(file, name, line):
    key = file, name, line
    function = functions.get(key)
    if function is None:
        code = step.__code__.replace(
            co_filename=file, co_name=name, co_qualname=name, co_firstlineno=max(int(line), 1)
        )
        function = functions.setdefault(key, type(step)(code, GLOBALS))
    return function


def make_frames(leaf, text):
    """The pairs for a text: for each frame, the innermost first, its file, its name and its line, each closed by a NUL."""
    fields = text.split("\0")
    frames = leaf, None
    for index in range(0, len(fields) - 2, 3):
        frames = function_at(*fields[index : index + 3]), frames
    return frames
