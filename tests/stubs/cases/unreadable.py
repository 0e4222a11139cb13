def half(value, by=2):
    return value / by
