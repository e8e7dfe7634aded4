from multiprocessing import TimeoutError as TimeoutError, freeze_support as freeze_support

from .errors import (
    ApusError as ApusError,
    EncodingError as EncodingError,
    MemoryLimitExceeded as MemoryLimitExceeded,
    MessageError as MessageError,
    PoolBroken as PoolBroken,
    PoolClosed as PoolClosed,
    RemoteError as RemoteError,
    RemoteTraceback as RemoteTraceback,
    TaskCancelled as TaskCancelled,
    TaskError as TaskError,
    TaskExited as TaskExited,
    TaskTimeout as TaskTimeout,
    WorkerDied as WorkerDied,
)
from .executor import Executor as Executor, Future as Future
from .pool import Pool as Pool, cpu_count as cpu_count
from .results import AsyncResult as AsyncResult, Results as Results
from .shared import Shared as Shared
from .worker import Worker as Worker, WorkerLocal as WorkerLocal, current_worker as current_worker

__version__: str
__all__ = ["Executor", "Pool", "cpu_count", "register_joblib"]

def register_joblib() -> None: ...
