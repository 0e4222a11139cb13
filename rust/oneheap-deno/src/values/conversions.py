"""Python's share of the conversions: what is made of values that cross as others, and what objects are lowered to.

Any code may run in here, that of the objects too. What it raises is reported.
"""

import sys
from datetime import date, datetime, time, timedelta, timezone

# The classes that values are made of; `values/tape/mod.rs` has the same numbers.
DATE, INSTANT, ZONED_DATE_TIME, PLAIN_DATE_TIME, PLAIN_DATE, PLAIN_TIME, DURATION, PATH, SLICE = range(9)

# What an object is lowered to; `values/walk.rs` has the same numbers.
VALUE, MADE, ARRAY, NOTHING = range(4)

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MILLISECOND = timedelta(milliseconds=1)
MICROSECOND = timedelta(microseconds=1)

# The elements that typed arrays have, by what `struct` calls them.
ELEMENTS = frozenset("bBhHiIlLqQnNefd")


def make(kind, value):
    """An object of the kind, made of a number, a text or a tuple."""
    return MAKERS[kind](value)


def make_zoned(text):
    """An aware `datetime` of `2026-01-01T00:00:00+01:00[Europe/Paris]`."""
    text, _, zone = text.partition("[")
    moment = datetime.fromisoformat(text)
    zone = zone.rstrip("]")
    if not zone or zone[0] in "+-":
        return moment
    from zoneinfo import ZoneInfo

    return moment.astimezone(timezone.utc if zone == "UTC" else ZoneInfo(zone))


def make_duration(text):
    """A `timedelta` of an ISO duration. Years and months have no length."""
    import re

    number = r"(?:(\d+){})?"
    pattern = "([+-]?)P" + number.format("Y") + number.format("M") + number.format("W") + number.format("D")
    pattern += "(?:T" + number.format("H") + number.format("M") + r"(?:(\d+)(?:\.(\d+))?S)?)?"
    sign, years, months, weeks, days, hours, minutes, seconds, fraction = re.fullmatch(pattern, text).groups()
    if int(years or 0) or int(months or 0):
        raise ValueError("a timedelta has no years and months")
    length = timedelta(
        weeks=int(weeks or 0),
        days=int(days or 0),
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "0").ljust(6, "0")[:6]),
    )
    return -length if sign == "-" else length


def make_path(text):
    """A `pathlib.Path`."""
    from pathlib import Path

    return Path(text)


MAKERS = (
    lambda milliseconds: EPOCH + milliseconds * MILLISECOND,
    datetime.fromisoformat,
    make_zoned,
    datetime.fromisoformat,
    date.fromisoformat,
    time.fromisoformat,
    make_duration,
    make_path,
    lambda parts: slice(*parts),
)


def lower(value, is_temporal):
    """A pair, or of `MADE` three: what the value is lowered to, and that."""
    kind = type(value)
    if is_instance_of(kind, "enum", "Enum"):
        return VALUE, value.value
    if issubclass(kind, (int, float, str, bytes)):
        return VALUE, plain(kind, value)
    if issubclass(kind, tuple):
        fields = getattr(kind, "_fields", None)
        if isinstance(fields, tuple):
            return VALUE, dict(zip(fields, tuple.__iter__(value)))
        return VALUE, tuple(tuple.__iter__(value))
    if issubclass(kind, list):
        return VALUE, list(list.__iter__(value))
    if issubclass(kind, dict):
        return VALUE, dict(value.items()) if is_instance_of(kind, "collections", "OrderedDict") else dict.copy(value)
    if issubclass(kind, (set, frozenset)):
        return VALUE, set(value)
    if issubclass(kind, (datetime, date, time, timedelta)):
        return lower_time(value, kind, is_temporal)
    if issubclass(kind, complex):
        return VALUE, {"re": value.real, "im": value.imag}
    if is_instance_of(kind, "pathlib", "PurePath") or is_instance_of(kind, "uuid", "UUID"):
        return VALUE, str(value)
    if is_instance_of(kind, "types", "SimpleNamespace"):
        return VALUE, dict(vars(value))
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import fields

        return VALUE, {field.name: getattr(value, field.name) for field in fields(value)}
    if is_instance_of(kind, "pandas", "DataFrame"):
        return VALUE, value.to_dict("records")
    if is_instance_of(kind, "pandas", "Series"):
        return VALUE, value.to_numpy()
    if is_instance_of(kind, "numpy", "ndarray"):
        return lower_array(value, is_temporal)
    if is_instance_of(kind, "numpy", "generic"):
        return lower_scalar(value)
    return lower_buffer(value)


def is_instance_of(kind, module, name):
    """Whether a class is one of a module, or a subclass, as far as the module was imported."""
    base = getattr(sys.modules.get(module), name, None)
    return isinstance(base, type) and issubclass(kind, base)


def plain(kind, value):
    """The value of a subclass's object as its base has it."""
    if issubclass(kind, int):
        return int.__int__(value)
    if issubclass(kind, float):
        return float.__float__(value)
    return str.__str__(value) if issubclass(kind, str) else bytes(memoryview(value))


def lower_time(value, kind, is_temporal):
    """Times: moments are dates to JavaScript, what has no time zone is text in ISO 8601 or an object of `Temporal`."""
    if issubclass(kind, datetime):
        if value.tzinfo is None or value.utcoffset() is None:
            return text_or(PLAIN_DATE_TIME, value.replace(tzinfo=None).isoformat(), is_temporal)
        if not is_temporal:
            return MADE, (value - EPOCH) // MILLISECOND, DATE
        zone = getattr(value.tzinfo, "key", None)
        if isinstance(zone, str):
            return MADE, f"{value.isoformat()}[{zone}]", ZONED_DATE_TIME
        return MADE, value.astimezone(timezone.utc).isoformat(), INSTANT
    if issubclass(kind, date):
        return text_or(PLAIN_DATE, value.isoformat(), is_temporal)
    if issubclass(kind, time):
        return text_or(PLAIN_TIME, value.isoformat(), is_temporal and value.tzinfo is None)
    return text_or(DURATION, duration_text(value), is_temporal)


def text_or(kind, text, is_temporal):
    """The text, or of what class it is."""
    return (MADE, text, kind) if is_temporal else (VALUE, text)


def duration_text(length):
    """A `timedelta` in ISO 8601."""
    microseconds = length // MICROSECOND
    sign = "-" if microseconds < 0 else ""
    seconds, microseconds = divmod(abs(microseconds), 1_000_000)
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    fraction = f".{microseconds:06}".rstrip("0") if microseconds else ""
    parts = "".join([f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number])
    if seconds or fraction:
        parts += f"{seconds}{fraction}S"
    text = (f"{days}D" if days else "") + (f"T{parts}" if parts else "")
    return f"{sign}P{text or 'T0S'}"


def lower_array(array, is_temporal):
    """A NumPy array: of one dimension its elements, of more its rows, of none its element."""
    numpy = sys.modules["numpy"]
    if array.ndim == 0:
        return VALUE, array.item() if array.dtype.kind not in "mM" else lower_scalar(array[()])[1]
    if array.ndim > 1 and array.dtype.kind in "biufmM":
        return VALUE, list(array)
    kind = array.dtype.kind
    if kind == "M":
        return VALUE, array.astype("datetime64[us]").tolist()
    if kind == "m":
        return VALUE, array.astype("timedelta64[us]").tolist()
    if kind == "b":
        return ARRAY, numpy.ascontiguousarray(array).view("uint8")
    native = array.dtype.newbyteorder("=")
    if kind in "iuf" and native.char in ELEMENTS:
        return ARRAY, numpy.ascontiguousarray(array, dtype=native)
    return VALUE, array.tolist()


def lower_scalar(value):
    """A NumPy scalar that crosses as no value of its own."""
    if value.dtype.kind == "M":
        return VALUE, value.astype("datetime64[us]").item()
    if value.dtype.kind == "m":
        return VALUE, value.astype("timedelta64[us]").item()
    item = value.item()
    return (NOTHING, None) if type(item) is type(value) else (VALUE, item)


def lower_buffer(value):
    """The elements of an object that exports a buffer."""
    try:
        view = memoryview(value)
    except TypeError:
        return NOTHING, None
    if view.ndim == 1 and view.format in ("c", "?"):
        return ARRAY, view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
    if view.format.lstrip("@=") not in ELEMENTS:
        return (VALUE, view.tolist()) if view.format in ("c", "?", "u", "w") else (NOTHING, None)
    if view.ndim == 0:
        return VALUE, view.tolist()
    if view.ndim > 1:
        return VALUE, rows(view)
    return ARRAY, view if view.c_contiguous else memoryview(view.tobytes()).cast(view.format.lstrip("@="))


def rows(view):
    """The rows of a view of several dimensions, as views of bytes that are cast."""
    letter = view.format.lstrip("@=")
    flat = memoryview(view.tobytes()).cast(letter)

    def split(start, shape):
        if len(shape) == 1:
            return flat[start : start + shape[0]]
        step = 1
        for extent in shape[1:]:
            step *= extent
        return [split(start + index * step, shape[1:]) for index in range(shape[0])]

    return split(0, view.shape)


def compare(one, other):
    """-1, 0 or 1, as one is less than, equal to, or greater than the other."""
    if one == other:
        return 0
    if one < other:
        return -1
    if one > other:
        return 1
    raise TypeError("neither is less than or equal to the other")


def type_of(value):
    """The name of an object's class, as `support.py` has it of exceptions."""
    return name_of(type(value))


def name_of(kind):
    module, name = module_of(kind), qualname_of(kind)
    is_left_out = not isinstance(module, str) or module in ("builtins", "__main__")
    return name if is_left_out or module.startswith("oneheap_scope_") else f"{module}.{name}"


# What a class itself says of these, whatever its metaclass returns.
qualname_of = type.__dict__["__qualname__"].__get__
module_of = type.__dict__["__module__"].__get__
mro_of = type.__dict__["__mro__"].__get__


def is_instance(value, kind):
    """Whether an object is an instance of a class, or of one of that name."""
    if not isinstance(kind, str):
        return isinstance(value, kind)
    return any([name_of(base) == kind for base in mro_of(type(value))])


def enter(manager):
    """What `with` gives to its body."""
    return type(manager).__enter__(manager)


def leave(manager, message):
    """Ends what `enter` began; `message` is that of the error that left the body, if one did. Whether the error ends here."""
    leave = type(manager).__exit__
    if message is None:
        leave(manager, None, None, None)
        return False
    try:
        raise RuntimeError(message)
    except RuntimeError as error:
        return bool(leave(manager, type(error), error, error.__traceback__))
