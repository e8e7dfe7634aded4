from typing import Generic, TypeVar

__all__ = ["Shared"]

_T = TypeVar("_T")

class Shared(Generic[_T]):
    @property
    def value(self) -> _T: ...
