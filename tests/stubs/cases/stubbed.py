def half(value):
    return value / 2


def hidden():
    return 1
