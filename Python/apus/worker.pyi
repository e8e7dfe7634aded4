from typing import Generic, TypeVar, overload

__all__ = ["Worker", "WorkerLocal", "current_worker"]

_T = TypeVar("_T")
_D = TypeVar("_D")

class Worker:
    number: int
    attempt: int

class WorkerLocal(Generic[_T]):
    def __init__(self) -> None: ...
    def set(self, value: _T) -> None: ...
    @overload
    def get(self) -> _T: ...
    @overload
    def get(self, default: _D) -> _T | _D: ...

def current_worker() -> Worker | None: ...
