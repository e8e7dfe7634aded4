"""Which names the code of a function, and the code in it, refers to."""

import sys
from opcode import EXTENDED_ARG, opmap

_LOAD_GLOBAL = opmap["LOAD_GLOBAL"]
# CPython's lowest bit says whether it is called.
_LOAD_SHIFT = 1 if sys.version_info >= (3, 11) and sys.implementation.name == "cpython" else 0
# The last two are those of the bodies of classes.
_OTHER_GLOBAL = {opmap.get(name) for name in ("STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")}


def names_of_globals(code):
    """Those of globals that it reads or sets; in their order, each once."""
    found, wide = {}, 0
    instructions = code.co_code
    for place in range(0, len(instructions), 2):
        operation, argument = instructions[place], instructions[place + 1] | wide
        wide = argument << 8 if operation == EXTENDED_ARG else 0
        if operation == _LOAD_GLOBAL:
            found[code.co_names[argument >> _LOAD_SHIFT]] = None
        elif operation in _OTHER_GLOBAL:
            found[code.co_names[argument]] = None
    for inner in _codes_in(code):
        found.update(dict.fromkeys(names_of_globals(inner)))
    return found


def names_in(code):
    """Those of globals, attributes and modules."""
    yield from code.co_names
    for inner in _codes_in(code):
        yield from names_in(inner)


def _codes_in(code):
    return (constant for constant in code.co_consts if isinstance(constant, type(code)))
