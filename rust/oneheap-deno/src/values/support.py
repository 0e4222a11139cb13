"""What is easier said in Python: compiling, and describing exceptions. None of it is on a hot path.

Any allocation can run a finaliser, and that can come here again on the same thread: no lock is held anywhere, and nothing
iterates over what another call changes.
"""

import itertools
import sys
from collections import deque

# Sources are kept for the lines of tracebacks: the last ones that were compiled, with about so many characters.
MAX_SOURCE_CHARACTERS = 4 * 1024 * 1024
# By name: a source, and what `compiled_characters` was after it.
sources = {}
# How many characters were compiled so far. A lost update of another thread moves the bound by that one source.
compiled_characters = 0

# The most UTF-16 units that V8 lets a string have.
MAX_STRING_UNITS = (1 << 29) - 24
# Tracebacks show so many characters of a message or a note, so many of a line of source, and so many in all.
MAX_SHOWN_CHARACTERS = 64 * 1024
MAX_SHOWN_LINE = 4096
MAX_TRACEBACK_CHARACTERS = 4 * 1024 * 1024
MAX_NOTES = 1000
# The last so many entries of a traceback are kept, as Python's own printing of an uncaught exception does; repeated lines count as
# the three that are shown.
MAX_ENTRIES = 1000
MAX_REPETITIONS_SHOWN = 3
# Python shows so many members of an exception group.
MAX_GROUP_WIDTH = 15

# The flag of the code of functions, as `inspect` has it.
CO_OPTIMIZED = 1

# How many bits an int has.
bit_length = int.bit_length

class Buffer:
    """A type whose buffers come of Python code, as Rust recognises such types."""

    def __buffer__(self, flags):
        raise BufferError


# What a class itself says of these, whatever its metaclass returns.
qualname_of = type.__dict__["__qualname__"].__get__
module_of = type.__dict__["__module__"].__get__
mro_of = type.__dict__["__mro__"].__get__
dict_of_class = type.__dict__["__dict__"].__get__
# The same of exceptions.
FIELD_TYPES = (type(OSError.__dict__["errno"]), type(OSError.__dict__["characters_written"]))
dict_of_exception = BaseException.__dict__["__dict__"].__get__
args_of = BaseException.args.__get__
members_of = BaseExceptionGroup.exceptions.__get__
suppresses_context = BaseException.__suppress_context__.__get__
traceback_of = BaseException.__traceback__.__get__
cause_of = BaseException.__cause__.__get__
context_of = BaseException.__context__.__get__


def compile_source(source, mode, name):
    """
    Compiles source for "run" or "eval" under a file name that no other has. Also whether what the code does can leave a reference to its
    scope that isn't in there: it makes functions, or handles exceptions, which refer to frames. And whether it makes classes.
    """
    if mode == "eval":
        source = source.strip()
    elif source.lstrip("\r\n")[:1] in (" ", "\t"):
        import textwrap

        source = textwrap.dedent(source.replace("\r\n", "\n"))
    register_source(name, source)
    code = compile(source, name, "eval" if mode == "eval" else "exec", dont_inherit=True)
    makes_functions = any([isinstance(constant, type(code)) for constant in code.co_consts])
    if makes_functions:
        cache_lines(name, source)
    return code, makes_functions or bool(code.co_exceptiontable), makes_functions and makes_classes(code)


def makes_classes(code):
    """Whether code, or that of a function in it, makes classes: their bodies have no fast locals."""
    waiting = [code]
    while waiting:
        inner = [constant for constant in waiting.pop().co_consts if isinstance(constant, type(code))]
        if not all([function.co_flags & CO_OPTIMIZED for function in inner]):
            return True
        waiting += inner
    return False


def has_module(name):
    """Whether there is a module of a name, or Python would find one."""
    from importlib.util import find_spec

    return name in sys.modules or find_spec(name) is not None


def set_file(variables, code):
    """
    Has `inspect.getsource` find the classes that code makes in a scope: it looks for them in the file of their module. A scope has many
    sources, so this is the last one that makes classes. A `__file__` of the program's own stays.
    """
    file = variables.get("__file__")
    if file is None or (type(file) is str and file.startswith("<python.")):
        variables["__file__"] = code.co_filename


def cache_lines(name, source):
    """Has `inspect.getsource` find the functions and classes of a source, as long as that is kept."""
    import linecache

    linecache.cache[name] = len(source), None, lines_of(source), name


def lines_of(source):
    """The lines of a source, as Python counts them; each ends as that of a file does."""
    from io import StringIO

    return StringIO(source if source.endswith(("\n", "\r")) else source + "\n", None).readlines()


def forget_lines(name):
    """Drops what `cache_lines` has kept."""
    linecache = sys.modules.get("linecache")
    if linecache is not None:
        linecache.cache.pop(name, None)


def register_source(name, source):
    """Keeps a source for tracebacks, and drops the oldest ones beyond the bound."""
    global compiled_characters
    compiled_characters += len(name) + len(source)
    sources[name] = source, compiled_characters
    while True:
        try:
            oldest = next(iter(sources))
            if compiled_characters - sources[oldest][1] < MAX_SOURCE_CHARACTERS:
                return
            del sources[oldest]
            forget_lines(oldest)
        except (RuntimeError, KeyError):
            # Another call came first.
            continue
        except StopIteration:
            return


def describe_exception(exception):
    """An exception's type and message, and a `HeldException` that keeps it; None where that can't be made."""
    kind = type(exception)
    name = names_of_own.get(kind) or type_name(*names_of(kind))
    # Whatever these raise, SystemExit too, the exception itself is described.
    try:
        message = str(exception)
        if type(message) is not str or len(message) > MAX_SHOWN_CHARACTERS or not message.isascii():
            # What is too long is shorten first; what stands in the place of lone surrogates may make it longer.
            message = fit_javascript(replace_surrogates(fit_javascript(message)))
    except BaseException:
        message = "<its message can't be shown>"
    try:
        held = HeldException(exception, name, message)
    except BaseException:
        held = None
    return name, message, held


# Python's own exceptions by their names, which can't change: most that are raised are of these.
names_of_own = {
    kind: name
    for name, kind in vars(sys.modules["builtins"]).items()
    if isinstance(kind, type) and issubclass(kind, BaseException) and qualname_of(kind) == name and module_of(kind) == "builtins"
}


def names_of(kind):
    """The qualified name and the module of a class, as plain strings."""
    module = module_of(kind)
    return replace_surrogates(qualname_of(kind)), replace_surrogates(module) if isinstance(module, str) else "<unknown>"


def type_name(qualname, module):
    """A class's name as tracebacks show it."""
    return qualname if is_left_out(module) else f"{module}.{qualname}"


def is_left_out(module):
    """Whether a module's name says nothing to a reader: a scope that got no name has a number."""
    return module in ("builtins", "__main__") or module.startswith("oneheap_scope_")


def replace_surrogates(text):
    """The text of a string, of one that is no plain `str` too, without lone surrogates."""
    if type(text) is str and text.isascii():
        return text
    return str.encode(text, "utf-8", "backslashreplace").decode("utf-8")


def fit_javascript(text):
    """The text, shorten if JavaScript has no string of that size."""
    length = str.__len__(text)
    if length <= MAX_STRING_UNITS // 2:
        return text
    if length <= MAX_STRING_UNITS and (str.isascii(text) or utf16_length(text) <= MAX_STRING_UNITS):
        return text
    return shorten(text, MAX_SHOWN_CHARACTERS)


def utf16_length(text):
    """How many UTF-16 units a text has."""
    return len(str.encode(text, "utf-16-le", "surrogatepass")) // 2


def shorten(text, most):
    """The beginning of a long text, and how much more there is. Of a subclass of `str`, no method is called."""
    length = str.__len__(text)
    if length <= most:
        return text
    return f"{str.__getitem__(text, slice(most))}… ({length - most} more characters)"


class HeldException:
    """An exception that was raised to JavaScript, with its traceback as it was then. All that is asked of it is found out when it is asked."""

    __slots__ = "exception", "name", "message", "traceback", "sources", "scope"

    def __init__(self, exception, name, message):
        self.exception = exception
        self.name = name
        self.message = message
        self.traceback = steps = traceback_of(exception)
        # The fresh scope of the run that it has ended, if there is one: it is freed with the exception.
        self.scope = None
        # The sources of code that JavaScript has given are kept for a while only.
        self.sources = found = None
        while steps is not None:
            file = steps.tb_frame.f_code.co_filename
            source = None if file is found else sources.get(file)
            if source is not None:
                found = file
                self.sources = self.sources or {}
                self.sources[file] = source[0]
            steps = steps.tb_next

    def release(self):
        """Drops the exception; returns its run's scope, if there is one."""
        scope = self.scope
        self.exception = self.traceback = self.scope = None
        return scope

    def format(self):
        """What Python prints of the exception."""
        return Report(self)()

    def module(self):
        """The name of the module of its type."""
        return names_of(type(self.exception))[1]

    def mro(self):
        """The names of its type and of all base classes."""
        return [type_name(*names_of(kind)) for kind in mro_of(type(self.exception))]

    def is_instance(self, kind):
        """Whether it is an instance of a class, or of one of that name."""
        if type(kind) is str:
            return kind in self.mro()
        return isinstance(self.exception, kind)

    def fields(self):
        """What it has besides its text: its arguments, and the attributes that its class or somebody has given it."""
        fields = {"args": args_of(self.exception)}
        for kind in mro_of(type(self.exception)):
            if kind is not BaseException and kind is not object:
                for name, member in dict_of_class(kind).items():
                    if isinstance(member, FIELD_TYPES) and not name.startswith("_") and name not in fields:
                        try:
                            fields[name] = member.__get__(self.exception)
                        except AttributeError:
                            # It has no value.
                            pass
        for name, value in dict_of_exception(self.exception).items():
            if isinstance(name, str) and not name.startswith("_"):
                fields[name] = value
        return fields

    def notes(self):
        """The notes that were added to it, as texts."""
        return shown_notes(getattr(self.exception, "__notes__", None) or [])

    def members(self):
        """The exceptions of a group; None for others."""
        if not issubclass(type(self.exception), BaseExceptionGroup):
            return None
        return [HeldException.of(member) for member in members_of(self.exception)]

    def cause(self):
        """The exception that Python prints before it: its cause, or the one that was handled when it was raised. None without one."""
        cause = cause_of(self.exception)
        if cause is None and not suppresses_context(self.exception):
            cause = context_of(self.exception)
        return None if cause is None else HeldException.of(cause)

    @staticmethod
    def of(exception):
        """Another exception, as it is held."""
        return describe_exception(exception)[2]


def own_frames_left_out(steps):
    """A traceback without the frames of this library's own that it begins with."""
    while steps is not None and steps.tb_frame.f_code.co_filename == "<oneheap>":
        steps = steps.tb_next
    return steps


class Report:
    """What a traceback is formatted of."""

    __slots__ = "name", "message", "summary", "steps"

    def __init__(self, held):
        self.name = held.name
        self.message = shorten(held.message, MAX_SHOWN_CHARACTERS)
        self.steps = Steps(own_frames_left_out(held.traceback), held.sources)
        try:
            self.summary = summarize(held.exception, self.steps)
        except BaseException:
            # A class or an attribute of the exception's answers with errors.
            self.summary = None

    def __call__(self):
        """What Python prints of the exception."""
        try:
            parts, characters = [], 0
            for part in self.format():
                characters += len(part)
                if characters > MAX_TRACEBACK_CHARACTERS:
                    parts.append(f"… (the rest of the traceback is not shown)\n{self.last_line()}")
                    break
                parts.append(part)
            return replace_surrogates("".join(parts))
        except BaseException:
            return self.last_line()

    def format(self):
        """The parts of the text."""
        if self.summary is not None:
            give_types(self.summary)
            return self.summary.format()
        first_line = ["Traceback (most recent call last):\n"] if self.steps else []
        return itertools.chain(first_line, self.steps.format(), [self.last_line()])

    def last_line(self):
        """The type and the message."""
        return f"{self.name}: {self.message}\n" if self.message else f"{self.name}\n"


def summarize(exception, steps):
    """A `TracebackException` of the exception, and of those that Python prints with it, that refers to none of them."""
    import traceback

    first = traceback.TracebackException(
        type(exception), exception, traceback_of(exception), limit=0, lookup_lines=False, compact=True
    )
    waiting = [(first, exception, steps)]
    while waiting:
        summary, one, steps = waiting.pop()
        summary.stack = Steps(traceback_of(one)) if steps is None else steps
        drop_references(summary, type(one))
        if summary.__cause__ is not None:
            waiting.append((summary.__cause__, cause_of(one), None))
        if summary.__context__ is not None:
            waiting.append((summary.__context__, context_of(one), None))
        if summary.exceptions:
            shown = min(len(summary.exceptions), MAX_GROUP_WIDTH)
            summary.exceptions[shown:] = [None] * (len(summary.exceptions) - shown)
            for member, other in zip(summary.exceptions[:shown], one.exceptions):
                waiting.append((member, other, None))
    return first


def drop_references(summary, kind):
    """Has a summary keep texts alone: the exception's class would keep its methods, and they their variables."""
    qualname, module = names_of(kind)
    if "exc_type_qualname" in summary.__dict__:
        # From 3.13 on.
        summary._exc_type = None
        summary.exc_type_qualname, summary.exc_type_module = qualname, module
    else:
        # The type is made again where it is shown.
        summary.exc_type = qualname, module, issubclass(kind, SyntaxError)
    summary._str = shown(summary._str)
    summary.__suppress_context__ = bool(summary.__suppress_context__)
    if summary.__notes__ is not None:
        summary.__notes__ = shown_notes(summary.__notes__)
    if issubclass(kind, SyntaxError):
        for name in ("filename", "lineno", "end_lineno", "text", "offset", "end_offset", "msg"):
            value = getattr(summary, name, None)
            if value is not None and type(value) is not int:
                setattr(summary, name, shown(value))


def shown_notes(notes):
    """The notes of an exception as plain texts."""
    if type(notes) not in (list, tuple):
        return [shown(notes, repr)]
    texts = [shown(note) for note in tuple(notes[:MAX_NOTES])]
    if len(notes) > MAX_NOTES:
        texts.append(f"… ({len(notes) - MAX_NOTES} more notes)")
    return texts


def shown(value, text_of=str):
    """A value as a plain text of bounded length."""
    try:
        return replace_surrogates(shorten(text_of(value), MAX_SHOWN_CHARACTERS))
    except BaseException:
        return "<it can't be shown>"


def give_types(summary):
    """Gives summaries, up to 3.12, a class to show in the place of the exception's."""
    waiting = [summary]
    while waiting:
        one = waiting.pop()
        if one is None:
            continue
        waiting += (one.__cause__, one.__context__, *(one.exceptions or ())[:MAX_GROUP_WIDTH])
        kind = one.__dict__.get("exc_type")
        if type(kind) is tuple:
            qualname, module, is_syntax_error = kind
            base = SyntaxError if is_syntax_error else Exception
            names = {"__qualname__": qualname, "__module__": module}
            one.exc_type = type("Shown", (base,), names)


class Steps:
    """The entries of a traceback, the last `MAX_ENTRIES` of them: code, instruction, line, and how often that is repeated."""

    __slots__ = "entries", "left_out", "sources"

    def __init__(self, traceback, known_sources=None):
        entries = deque(maxlen=MAX_ENTRIES)
        self.sources = dict(known_sources or {})
        code = instruction = line = None
        repetitions = number = 0
        while traceback is not None:
            number += 1
            # Lines are computed, so the instruction is compared first.
            if traceback.tb_frame.f_code is code and (
                traceback.tb_lasti == instruction or traceback.tb_lineno == line
            ):
                repetitions += 1
            else:
                code, line, repetitions = traceback.tb_frame.f_code, traceback.tb_lineno, 1
                if code.co_filename not in self.sources:
                    self.register_source(code.co_filename, traceback.tb_frame)
            instruction = traceback.tb_lasti
            if repetitions <= MAX_REPETITIONS_SHOWN:
                entries.append([code, instruction, line, 0])
            else:
                entries[-1][3] += 1
            traceback = traceback.tb_next
        self.entries = entries
        self.left_out = number - sum([1 + entry[3] for entry in entries])

    def __len__(self):
        return len(self.entries)

    def register_source(self, name, frame):
        """Keeps the source of some code, or where to find it, for when the traceback is formatted."""
        source = sources.get(name)
        self.sources[name] = None if source is None else source[0]
        if source is None and not name.startswith("<"):
            import linecache

            # The module's loader may be asked for the lines later; nothing of the module is kept.
            linecache.lazycache(name, frame.f_globals)

    def format(self, **options):
        """The lines of all entries."""
        import linecache
        import traceback

        for name, source in self.sources.items():
            if source is None:
                linecache.checkcache(name)
        summary = traceback.StackSummary()
        lines = {name: lines_of(source) for name, source in self.sources.items() if source is not None}
        if self.left_out:
            yield f"  [{self.left_out} earlier entries are not shown]\n"
        for code, instruction, line, repetitions in self.entries:
            yield summary.format_frame_summary(frame_summary(code, instruction, line, lines)) or ""
            if repetitions:
                times = "time" if repetitions == 1 else "times"
                yield f"  [Previous line repeated {repetitions} more {times}]\n"


def frame_summary(code, instruction, line, lines):
    """One entry as Python's `traceback` formats it. `lines` has those of the sources that JavaScript passed."""
    import traceback

    place = None
    if instruction >= 0:
        place = next(itertools.islice(code.co_positions(), instruction // 2, None), None)
    first, last, column, end_column = place or (None, None, None, None)
    first = line if first is None else first
    text = None
    if code.co_filename in lines and first is not None:
        text = source_text(lines[code.co_filename], first, last)
        if len(text) > MAX_SHOWN_LINE:
            text = shorten(text.strip(), MAX_SHOWN_LINE) + "\n"
            last = column = end_column = None
    return traceback.FrameSummary(
        code.co_filename,
        first,
        code.co_name,
        lookup_line=False,
        line=text,
        end_lineno=last,
        colno=column,
        end_colno=end_column,
    )


def source_text(lines, first, last):
    """The text of an entry: one line, and from 3.13 on all that it extends over."""
    last = first if last is None or sys.version_info < (3, 13) else last
    return "".join([f"{line.rstrip()}\n" for line in lines[first - 1 : last]])
