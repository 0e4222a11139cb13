"""What of Python's holds memory, in a few lines."""

import gc
import sys
import time
import tracemalloc

# So long objects are looked at; what is found until then is told.
MAX_SECONDS = 2


def holders(limit):
    """The largest: `(bytes, count, file, line)` of what is traced, or `(bytes, count, type, 0)` of what the collector knows."""
    if tracemalloc.is_tracing():
        statistics = tracemalloc.take_snapshot().statistics("lineno")
        return [
            (it.size, it.count, it.traceback[0].filename, it.traceback[0].lineno)
            for it in statistics[:limit]
        ]
    totals = {}
    for one in reachable():
        kind = type(one)
        total = totals.setdefault(kind, [0, 0])
        try:
            total[0] += sys.getsizeof(one)
        except Exception:
            # An object with a size that can't be asked for is only counted.
            pass
        total[1] += 1
    largest = sorted(totals.items(), key=lambda it: it[1][0], reverse=True)[:limit]
    return [(size, count, f"{kind.__module__}.{kind.__qualname__}", 0) for kind, (size, count) in largest]


def reachable():
    """What the collector knows, and what only those refer to: text, numbers, and the dicts and tuples of them."""
    end = time.monotonic() + MAX_SECONDS
    seen = set()
    for one in gc.get_objects():
        yield one
        waiting = [one]
        while waiting:
            for referent in gc.get_referents(waiting.pop()):
                if gc.is_tracked(referent) or id(referent) in seen:
                    continue
                seen.add(id(referent))
                yield referent
                waiting.append(referent)
        if time.monotonic() > end:
            return
