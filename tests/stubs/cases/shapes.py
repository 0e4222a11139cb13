"""A module with what declarations have to cope with."""

import enum
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Iterator, Literal, NamedTuple, TypeVar, overload

T = TypeVar("T")
NAME: str = "shapes"
count = 3
globals()["not a name"] = 1


def area(width: float, height: float = 1, /, *, unit: str = "m", exact: bool = False) -> float:
    """Return the area. It is a product."""
    return width * height


def scale(values: list[float], by: float = 2, offset: int = 0) -> list[float]:
    return [it * by + offset for it in values]


def required(first: str, second: int, *, third: bool) -> str:
    return f"{first}{second}{third}"


def total(*numbers: int, start: int = 0) -> int:
    return sum(numbers, start)


def record(name: str, **fields: object) -> dict[str, object]:
    return {"name": name, **fields}


def first(values: list[T]) -> T:
    return values[0]


@overload
def load(path: str, text: Literal[True]) -> str: ...
@overload
def load(path: str, text: Literal[False] = False) -> bytes: ...
def load(path, text=False):
    return path if text else path.encode()


def new(function: int, default: int = 0) -> tuple[int, str]:
    return function, str(default)


delete = new
absent = os.fsencode


def untyped(a, b=None, *rest):
    return a


async def later() -> int:
    return 1


@contextmanager
def opened(path: str) -> Iterator[int]:
    yield 1


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Pair(NamedTuple):
    left: int
    right: str = ""


class Record(dict):
    """Has what a dict has."""


@dataclass
class Point:
    x: float
    y: float = 0.0

    def moved(self, by: float) -> "Point":
        return Point(self.x + by, self.y)


class Upper:
    """A descriptor."""

    def __get__(self, instance, owner=None) -> str:
        return "UPPER"


class Base:
    label = Upper()

    def __init__(self, size: int):
        self.size = size
        self._hidden = 1

    @property
    def double(self) -> int:
        return self.size * 2

    @double.setter
    def double(self, value: int) -> None:
        self.size = value // 2

    @classmethod
    def of(cls, size: int) -> "Base":
        return cls(size)

    @staticmethod
    def limit() -> int:
        return 10

    def describe(self) -> str:
        return "base"

    def itself(self: T) -> T:
        return self


class Derived(Base):
    """Changes what it inherits, as Python allows."""

    __slots__ = ("extra",)
    double = 4

    def describe(self, long: bool) -> int:
        return 1


class Box(Generic[T]):
    def __init__(self, value: T):
        self.value = value

    def get(self) -> T:
        return self.value

    def __iter__(self) -> Iterator[T]:
        yield self.value


class Words(Box[str]):
    pass


class Anything:
    def __getattr__(self, name):
        return name


class Meta(type):
    @property
    def kind(cls) -> str:
        return "meta"


class WithMeta(metaclass=Meta):
    class Inner:
        depth: int = 2

    def inner(self) -> Inner:
        return self.Inner()
