import sys

type_of_results = float

def half(value: int) -> float: ...

if sys.version_info >= (4, 0):
    def half(value: str) -> str: ...
