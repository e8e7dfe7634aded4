from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, TypeVar, Union

from typing_extensions import Self, TypeAlias

from .results import AsyncResult, Results
from .shared import Shared

__all__ = ["Pool", "cpu_count"]

_T = TypeVar("_T")
_R = TypeVar("_R")
# What is told how many tasks are over, how many of these have failed, and how many there are.
_Progress: TypeAlias = Union[bool, Callable[[int, int, Union[int, None]], object], None]

def cpu_count() -> int: ...

class Pool:
    def __new__(cls, *arguments: Any, kind: Literal["process", "thread"] = "process", **others: Any) -> Self: ...
    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
        context: object = None,
        *,
        time_limit: float | None = None,
        retries: int = 0,
        memory_limit: int | None = None,
        name: str | None = None,
        start: Literal["template", "fresh"] = "template",
        prepare: str | Sequence[str] | Callable[[], object] = (),
        start_timeout: float = 60,
        environment: Mapping[str, object] | None = None,
        kind: Literal["process", "thread"] = "process",
    ) -> None: ...
    def share(self, value: _T) -> Shared[_T]: ...
    def apply(self, func: Callable[..., _R], args: Iterable[Any] = (), kwds: Mapping[str, Any] = {}) -> _R: ...
    def apply_async(
        self,
        func: Callable[..., _R],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] = {},
        callback: Callable[[_R], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
        *,
        time_limit: float | None = None,
        retries: int | None = None,
    ) -> AsyncResult[_R]: ...
    def map(
        self,
        func: Callable[[_T], _R],
        iterable: Iterable[_T],
        chunksize: int | None = None,
        *,
        time_limit: float | None = None,
        retries: int | None = None,
        progress: _Progress = None,
    ) -> list[_R]: ...
    def starmap(
        self,
        func: Callable[..., _R],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        *,
        time_limit: float | None = None,
        retries: int | None = None,
        progress: _Progress = None,
    ) -> list[_R]: ...
    def map_async(
        self,
        func: Callable[[_T], _R],
        iterable: Iterable[_T],
        chunksize: int | None = None,
        callback: Callable[[list[_R]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
        *,
        time_limit: float | None = None,
        retries: int | None = None,
        progress: _Progress = None,
    ) -> AsyncResult[list[_R]]: ...
    def starmap_async(
        self,
        func: Callable[..., _R],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callable[[list[_R]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
        *,
        time_limit: float | None = None,
        retries: int | None = None,
        progress: _Progress = None,
    ) -> AsyncResult[list[_R]]: ...
    def imap(
        self,
        func: Callable[[_T], _R],
        iterable: Iterable[_T],
        chunksize: int = 1,
        *,
        time_limit: float | None = None,
        retries: int | None = None,
        progress: _Progress = None,
    ) -> Results[_R]: ...
    def imap_unordered(
        self,
        func: Callable[[_T], _R],
        iterable: Iterable[_T],
        chunksize: int = 1,
        *,
        time_limit: float | None = None,
        retries: int | None = None,
        progress: _Progress = None,
    ) -> Results[_R]: ...
    def close(self) -> None: ...
    def terminate(self) -> None: ...
    def join(self) -> None: ...
    @property
    def pids(self) -> list[int]: ...
    @property
    def statistics(self) -> dict[str, int]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def __del__(self, warn: Callable[..., object] = ...) -> None: ...
