// What the program's symbol table says: the variables at the top level of its main.swift, which only `main` initialises,
// and the names of functions.
#ifndef APUS_SYMBOLS_H
#define APUS_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Writes the names of the stored variables of the program's main.swift into `names`, separated by ", ", as many as
/// fit. Returns how many there are; 0 also if the program has no symbol table (it was stripped).
int apus_main_variables(char *names, size_t size);

/// Writes the readable name of what lies `offset` bytes from the start of the program's image into `name`, cut off if it is
/// longer: of a function made to adapt one other alone, that one's. False if there is no symbol for it, or if it adapts
/// whatever it is given.
bool apus_function_name(uint64_t offset, char *name, size_t size);

/// Copies memory of this process that may not be there. False then.
bool apus_read_memory(uintptr_t address, void *copy, size_t size);

#endif
