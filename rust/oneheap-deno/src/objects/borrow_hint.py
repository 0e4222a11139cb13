"""What to borrow in the place of an object that has no buffer. Runs when borrowing failed; nothing of the object's own code runs."""

# What a class itself says of these, whatever its metaclass returns.
mro_of = type.__dict__["__mro__"].__get__
names_of = type.__dict__["__dict__"].__get__
module_of = type.__dict__["__module__"].__get__
qualname_of = type.__dict__["__qualname__"].__get__

# The unsigned integers that have as many bytes as the elements of an array.
UNSIGNED = {1: "u1", 2: "u2", 4: "u4", 8: "u8"}


def add_hint(value, exception):
    """Adds to the message of an exception of Python's what to borrow instead, if that is known."""
    if type(exception) not in (TypeError, ValueError, BufferError):
        return
    arguments = exception.args
    hint = hint_for(value)
    if hint is not None and len(arguments) == 1 and type(arguments[0]) is str:
        exception.args = (f"{arguments[0]}. {hint}",)


def hint_for(value):
    """What to do with an object that has no buffer; None if that isn't known."""
    kind = type(value)
    if kind is str:
        return "Borrow its encode() with { copy: true }, or take the string itself by eval"
    if kind in (list, tuple, set, frozenset, range):
        return "It has objects, not numbers side by side: convert it by toJs, or borrow numpy.array(it) or array.array('d', it)"
    if kind is dict:
        return "It has objects, not numbers side by side: convert it by toJs, or borrow its values one by one"
    names = [(str(module_of(base)), qualname_of(base)) for base in mro_of(kind)]
    if ("numpy", "ndarray") in names:
        return array_hint(value)
    has = {name for base in mro_of(kind) for name in names_of(base)}
    if "to_numpy" in has:
        return "Borrow what its to_numpy() returns"
    if any([module == "torch" or module.startswith("torch.") for module, _ in names]) and "numpy" in has:
        return "Borrow what its numpy() returns; of one with gradients or on another device, that of detach().cpu()"
    if "numpy" in has:
        return "Borrow what its numpy() returns"
    if not has.isdisjoint(("__array__", "__array_interface__", "__dlpack__")):
        return "Borrow numpy.asarray(it)"
    return None


def array_hint(array):
    """What to do with an array of NumPy's whose elements no buffer can describe."""
    from numpy import ndarray

    dtype = ndarray.__dict__["dtype"].__get__(array)
    if dtype.kind in "mM":
        return "Borrow its view('i8'): how many of its units each element is, of dates from 1970 on; NaT is the smallest"
    unsigned = UNSIGNED.get(dtype.itemsize)
    if unsigned is None or dtype.hasobject:
        return "Convert its elements in Python (astype), or take them by toJs"
    return f"Borrow its view('{unsigned}'), the bits of its elements, or convert them in Python (astype)"
