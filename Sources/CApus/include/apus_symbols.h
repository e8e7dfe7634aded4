// The variables at the top level of the program's main.swift, which only `main` initialises.
#ifndef APUS_SYMBOLS_H
#define APUS_SYMBOLS_H

#include <stddef.h>

/// Writes the names of the stored variables of the program's main.swift into `names`, separated by ", ", as many as
/// fit. Returns how many there are; 0 also if the program has no symbol table (it was stripped).
int apus_main_variables(char *names, size_t size);

#endif
