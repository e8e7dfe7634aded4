"""How workers and their templates are started."""

import ctypes
import os
import sys

from . import _native as native
from ._codec import dumps
from ._functions import dump_function


def command(module):
    """How a process of ours is started: the same interpreter with the same options, which imports what this one could."""
    from subprocess import _args_from_interpreter_flags

    path = [os.getcwd() if entry == "" else entry for entry in sys.path if isinstance(entry, str)]
    code = f"import sys; sys.path[:] = {path!r}; from apus.{module} import main; main()"
    return [os.fsencode(word) for word in (sys.executable, *_args_from_interpreter_flags(), "-c", code)]


# Where glibc's malloc is told to take large pages. Only a program that starts reads it.
TUNABLES, HUGE_PAGES = b"GLIBC_TUNABLES", b"glibc.malloc.hugetlb"

# The last few templates, by all that they have taken over from this process.
_templates = {}
_MOST_TEMPLATES = 4


def variables_of(environment):
    """A mapping's items as bytes."""
    if not hasattr(environment, "items"):
        raise TypeError(f"environment must be a mapping of variables to values, not {environment!r}")
    variables = {}
    for name, value in environment.items():
        if value is None:
            raise TypeError(f"environment: {name!r} has no value")
        name, value = os.fsencode(name), os.fsencode(str(value))
        if not name or b"=" in name or b"\0" in name + value:
            raise ValueError(f"environment: {name!r} can't be a variable with the value {value!r}")
        variables[name] = value
    return variables


def _modules(prepare):
    names = (prepare,) if isinstance(prepare, str) else prepare
    try:
        names = tuple(names)
        for name in names:
            if not all(part.isidentifier() for part in name.split(".")):
                raise ValueError(f"prepare: {name!r} is not the name of a module, as after `import`")
        return names
    except (AttributeError, TypeError):
        raise TypeError(
            f"prepare must be a function to call, the name of a module, or a list of such names, not {prepare!r}") from None


def template(prepare, variables, patience):
    """What workers are forked from. Pools that want the same share one."""
    arguments, variable = command("_template"), None
    if callable(prepare):
        # It may make much, and a fork takes as long as there are pages; as `huge_arenas` in `_template.py`.
        tunables = os.environb.get(TUNABLES)
        if HUGE_PAGES not in (tunables or b""):
            variable = b"%b=%b%b=1" % (TUNABLES, tunables + b":" if tunables else b"", HUGE_PAGES)
        data = dumps(({TUNABLES: tunables, **variables}, (), dump_function(prepare)))
    else:
        data = dumps((variables, _modules(prepare), None))
    key = (os.getpid(), os.getcwd(), tuple(os.environ.items()), tuple(arguments), data)
    found = _templates.pop(key, None)
    if found is None or native.template_has_failed(found.pointer):
        source = os.memfd_create("apus-template")
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(source, left):]
            os.lseek(source, 0, os.SEEK_SET)
            problem = ctypes.create_string_buffer(4096)
            pointer = native.template_new(
                arguments[0], native.strings(arguments), variable, source, patience, problem, len(problem))
        finally:
            os.close(source)
        if not pointer:
            raise OSError(problem.value.decode("utf-8", "replace"))
        found = native.Handle(pointer)
    _templates[key] = found
    while len(_templates) > _MOST_TEMPLATES:
        del _templates[next(iter(_templates))]
    return found
