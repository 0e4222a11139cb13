"""
What is done with objects, each within a frame of Python's: libraries look at who calls them, with `sys._getframe`, and find nobody where C
calls. pandas does so when a column is set, to see whether the frame is a variable of its caller's.
"""

# What `next_element` returns at the end.
END = object()


def call(object, /, *args, **kwargs):
    return object(*args, **kwargs)


def call_method(object, name, /, *args, **kwargs):
    return getattr(object, name)(*args, **kwargs)


def get_attribute(object, name):
    return getattr(object, name)


def set_attribute(object, name, value):
    setattr(object, name, value)


def delete_attribute(object, name):
    delattr(object, name)


def has_attribute(object, name):
    return hasattr(object, name)


def get_item(object, key):
    return object[key]


def set_item(object, key, value):
    object[key] = value


def delete_item(object, key):
    del object[key]


def contains(object, value):
    return value in object


def length(object):
    return len(object)


def equals(object, other):
    return object is other or bool(object == other)


def iterate(object):
    return iter(object)


def next_element(iterator):
    return next(iterator, END)


def string(object):
    return str(object)
