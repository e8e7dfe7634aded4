"""What can go wrong, besides what a task itself raises."""

from ._pickling import pickle


class ApusError(RuntimeError):
    """The base of the errors below."""


class TaskError(ApusError):
    """A task has no result for a reason that is not an ordinary exception of its own.

    `index` is its place among the inputs of the call, None for a call of one task.
    """

    def __init__(self, message, index=None):
        super().__init__(message)
        self.index = index

    def __str__(self):
        message = super().__str__()
        return message if self.index is None else f"task {self.index}: {message}"

    def __reduce__(self):
        return type(self)._rebuild, (type(self), self.args, self.__dict__)

    @staticmethod
    def _rebuild(kind, args, attributes):
        error = kind.__new__(kind, *args)
        error.args = args
        error.__dict__.update(attributes)
        return error


class WorkerDied(TaskError):
    """The worker process ended while it was at the task.

    `exit_code` or `signal` says how (the other one is None), `stderr` holds the end of what it wrote to standard error.
    """

    def __init__(self, message, index=None, process=None, exit_code=None, signal=None, stderr=""):
        super().__init__(message, index)
        self.process, self.exit_code, self.signal, self.stderr = process, exit_code, signal, stderr


class TaskTimeout(TaskError, TimeoutError):
    """The task exceeded its time limit, and its worker was killed."""


class TaskCancelled(TaskError):
    """The task was cancelled."""


class MemoryLimitExceeded(TaskError, MemoryError):
    """The task held more memory than its worker may, and was killed."""


class TaskExited(TaskError):
    """The task raised an exception that is meant to end the process: SystemExit, KeyboardInterrupt, GeneratorExit.

    It is the cause of this error (`__cause__`), and has not ended the worker.
    """


class EncodingError(TaskError, pickle.PickleError):
    """The function, an argument or the result can't be pickled."""


class RemoteError(TaskError):
    """The task raised an exception that can't be rebuilt here. Its traceback is in the message."""


class RemoteTraceback(Exception):
    """The traceback in the worker, as the cause of the exception that the task raised."""

    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text


class PoolBroken(ApusError):
    """The pool has no workers, and can have none."""


class PoolClosed(PoolBroken, ValueError):
    """The pool was closed or terminated."""


class MessageError(ApusError):
    """Something is wrong with a message, or with the ranks of the job.

    `rank` is the rank that it is about, in the communicator that was used; None if none.
    """

    def __init__(self, message, rank=None):
        super().__init__(message)
        self.rank = rank

    def __reduce__(self):
        return type(self), (*self.args, self.rank)


class InvalidArgument(MessageError, ValueError):
    """A rank, root, tag or count that can't be."""


class TypeMismatch(MessageError, TypeError):
    """The message is of another type than the memory it was to go to, or than anything that Python sends. It is gone."""


class TooLong(MessageError):
    """The message is longer than the memory it was to go to, and is gone; or ranks reduce arrays of different lengths."""


class NotEncodable(MessageError, pickle.PickleError):
    """The object can't be pickled; nothing was sent."""


class RankFailed(MessageError):
    """A rank of the job died."""


class RankEnded(MessageError):
    """The rank that was waited for has ended in good order, and sent nothing more."""


class CollectiveFailed(MessageError):
    """Another rank could not go on with a collective operation. The communicator can be used on."""


class Deadlock(MessageError):
    """Every rank waits for another one, as the message tells. Of ranks on one machine."""


class Finalized(MessageError):
    """The communicator was used after the end of its job, or in a process that was forked from a rank."""


class ConcurrentUse(MessageError):
    """Two threads used the communicators of a rank at the same time, without `world(threads=True)`."""


class TransportError(MessageError):
    """What came from another rank, or from the MPI library, was not as it should be."""


class NoResources(MessageError, MemoryError):
    """The system refused memory or a descriptor."""


class StartUpFailed(MessageError):
    """The ranks did not find together."""


class RequestCancelled(MessageError):
    """The receive was given up."""


FORKED = "this process is a fork of the one whose pool this is, and has no part in it: make a pool of its own here"
