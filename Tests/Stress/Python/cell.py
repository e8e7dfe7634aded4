"""One cell of the matrix: a pool of some library meets a way to fail at a moment. One line of JSON.

    cell.py LIBRARY FAILURE MOMENT  ->  {"victim": "WorkerDied", "others": 11}

Twelve tasks, one after the other given; the sixth is the victim. `others` counts those of the rest whose values are right. A
program that does not come to its end hangs: whoever starts it finds out.
"""

import json
import os
import signal
import sys
import threading
import time

COUNT, VICTIM = 12, 5


def fail(failure):
    if failure == "raise":
        raise ValueError("on purpose")
    if failure == "sys.exit":
        sys.exit(3)
    if failure == "os._exit":
        os._exit(3)
    if failure == "endless loop":
        while True:
            pass
    if failure == "endless recursion":
        return fail(failure)
    os.kill(os.getpid(), {"SIGSEGV": signal.SIGSEGV, "SIGKILL": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP}[failure])
    time.sleep(60)


class FailsAsItIsPickled:
    def __init__(self, failure):
        self.failure = failure

    def __reduce__(self):
        fail(self.failure)


class FailsAsItIsUnpickled:
    def __init__(self, failure):
        self.failure = failure

    def __reduce__(self):
        return fail_elsewhere, (self.failure, os.getpid())


class FailsAsItIsDestroyed:
    def __init__(self, failure):
        self.failure = failure

    def __del__(self):
        fail(self.failure)


def fail_elsewhere(failure, process):
    if os.getpid() != process:
        fail(failure)


def fail_in_background(failure, mark):
    """Once the program has made the mark, which goes away again."""
    while not os.path.exists(mark):
        time.sleep(0.001)
    os.unlink(mark)
    fail(failure)


def work(task):
    """What all tasks call."""
    moment, failure, number, argument = task
    if number != VICTIM:
        time.sleep(0.01)
        return number
    if moment == "prepare to fail":
        threading.Thread(target=fail_in_background, args=(failure, argument), daemon=True).start()
    if moment == "import":
        os.environ["FAIL_AS_IMPORTED"] = failure
        import victim  # noqa: F401
    if moment == "call":
        fail(failure)
    if moment == "pickle result":
        return FailsAsItIsPickled(failure)
    if moment == "unpickle result":
        return FailsAsItIsUnpickled(failure)
    if moment == "destructor":
        FailsAsItIsDestroyed(failure)
    if moment == "amid 20 MB":
        threading.Timer(0.003, fail, (failure,)).start()
        return b"x" * (20 << 20)
    return number


def once(failure, mark):
    """An initializer that fails the first time."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    fail(failure)


def tasks(moment, failure):
    for number in range(COUNT):
        argument = None
        if number == VICTIM and moment == "pickle argument":
            argument = FailsAsItIsPickled(failure)
        if number == VICTIM and moment == "unpickle argument":
            argument = FailsAsItIsUnpickled(failure)
        yield moment, failure, number, argument


class OfPool:
    """`multiprocessing.Pool` and what has its interface."""

    def __init__(self, kind, initializer, arguments, **options):
        self.pool = kind(2, initializer, arguments, **options)

    def submit(self, task, callback):
        return self.pool.apply_async(work, (task,), callback=callback)

    def result(self, handle):
        return handle.get()

    def processes(self):
        return self.pool.pids if hasattr(self.pool, "pids") else [process.pid for process in self.pool._pool]


class OfExecutor:
    """`concurrent.futures` and what has its interface."""

    def __init__(self, kind, initializer, arguments, **options):
        self.pool = kind(2, initializer=initializer, initargs=arguments, **options)

    def schedule(self, task):
        return self.pool.submit(work, task)

    def submit(self, task, callback):
        future = self.schedule(task)
        if callback is not None:
            future.add_done_callback(lambda future: callback(None))
        return future

    def result(self, handle):
        return handle.result()

    def processes(self):
        self.pool.submit(os.getpid).result()
        return list(getattr(self.pool, "_processes", None) or self.pool._pool.pids)


class OfJoblib:
    """joblib takes tasks as one call, whose results come in order."""

    def __init__(self, initializer, arguments):
        import joblib

        self.delayed, self.tasks, self.results = joblib.delayed, [], None
        options = {"initializer": initializer, "initargs": arguments} if initializer else {}
        self.call = joblib.Parallel(2, "loky", return_as="generator", batch_size=1, timeout=5, **options)

    def submit(self, task, _):
        self.tasks.append(task)

    def result(self, _):
        if self.tasks:
            self.results = self.call(self.delayed(work)(task) for task in self.tasks)
            self.tasks = []
        return next(self.results)

    def processes(self):
        from joblib.externals.loky import reusable_executor

        return list(reusable_executor._executor._processes)


def library(name, initializer=None, arguments=()):
    if name == "apus.Pool":
        import apus

        return OfPool(apus.Pool, initializer, arguments, time_limit=5, start_timeout=20)
    if name == "apus.Executor":
        import apus

        return OfExecutor(apus.Executor, initializer, arguments, time_limit=5, start_timeout=20)
    if name == "multiprocessing.Pool":
        import multiprocessing

        return OfPool(multiprocessing.get_context("fork").Pool, initializer, arguments)
    if name == "ProcessPoolExecutor":
        from concurrent.futures import ProcessPoolExecutor

        return OfExecutor(ProcessPoolExecutor, initializer, arguments)
    if name == "loky":
        from loky import ProcessPoolExecutor

        return OfExecutor(ProcessPoolExecutor, initializer, arguments)
    if name == "joblib":
        return OfJoblib(initializer, arguments)
    if name == "pebble":
        from pebble import ProcessPool

        class Pebble(OfExecutor):
            def schedule(self, task):
                return self.pool.schedule(work, args=(task,), timeout=5)

            def processes(self):
                self.pool.schedule(os.getpid).result()
                return list(self.pool._pool_manager.worker_manager.workers)

        return Pebble(lambda count, **options: ProcessPool(max_workers=count, **options), initializer, arguments)
    raise SystemExit(f"no library {name}")


def main(name, failure, moment, mark):
    pool = library(name, once, (failure, mark)) if moment == "initialiser" else library(name)
    if moment in ("idle", "before pick-up"):
        [pool.result(pool.submit(("", "", 0, None), None)) for _ in range(4)]
        if failure in ("SIGKILL", "SIGSTOP"):
            os.kill(pool.processes()[0], getattr(signal, failure))
        else:
            pool.result(pool.submit(("prepare to fail", failure, VICTIM, mark), None))
            open(mark, "w").close()
            while os.path.exists(mark):
                time.sleep(0.001)
        # Or its death is not known yet.
        if moment == "idle":
            time.sleep(0.3)
    found, others = None, 0
    handles = []
    for task in tasks(moment, failure):
        callback = (lambda _: fail(failure)) if moment == "callback" and task[2] == VICTIM else None
        try:
            handles.append(pool.submit(task, callback))
        except BaseException as error:
            handles.append(error)
    for number, handle in enumerate(handles):
        try:
            if isinstance(handle, BaseException):
                raise handle
            value = pool.result(handle)
            outcome = "value"
        except BaseException as error:
            value, outcome = None, type(error).__name__
        if number == VICTIM:
            found = outcome
        elif value == number:
            others += 1
    print(json.dumps({"victim": found, "others": others}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
