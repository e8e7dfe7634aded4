import concurrent.futures
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from typing_extensions import ParamSpec

from .pool import _Progress
from .shared import Shared

__all__ = ["Executor", "Future"]

_T = TypeVar("_T")
_P = ParamSpec("_P")

class Future(concurrent.futures.Future[_T]): ...

class Executor(concurrent.futures.Executor):
    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: object = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        *,
        max_tasks_per_child: int | None = None,
        time_limit: float | None = None,
        retries: int = 0,
        memory_limit: int | None = None,
        name: str | None = None,
        start: Literal["template", "fresh"] = "template",
        prepare: str | Sequence[str] | Callable[[], object] = (),
        start_timeout: float = 60,
        environment: Mapping[str, object] | None = None,
    ) -> None: ...
    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]: ...
    def map(
        self,
        fn: Callable[..., _T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
        progress: _Progress = None,
    ) -> Iterator[_T]: ...
    def share(self, value: _T) -> Shared[_T]: ...
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None: ...
    def terminate_workers(self) -> None: ...
    def kill_workers(self) -> None: ...
