// How a run of the program becomes a worker: in place of `main`, before any line of it.
#ifndef APUS_ENTRY_H
#define APUS_ENTRY_H

#include <stdbool.h>

/// The environment variable and the argument that together make a run of the program a worker of a pool, or a rank of
/// `withRanks`.
#define APUS_WORKER_VARIABLE "APUS_WORKER"
#define APUS_WORKER_ARGUMENT "--apus-worker"
#define APUS_RANK_ARGUMENT "--apus-rank"

/// Whether this run of the program is what such an argument says, in place of its `main`.
bool apus_started_as(const char *argument);

/// The descriptors a worker is born with.
enum { APUS_WORKER_CHANNEL = 3, APUS_WORKER_CONTROL = 4, APUS_WORKER_DOORBELL = 5 };

/// The descriptor that a rank of `withRanks` is born with: what it is to run.
enum { APUS_RANK_FUNCTION = 3 };

/// Whether this program was started through our entry, so that running it again can make a worker.
/// False in a program that loaded us with `dlopen` (Python), and in one linked fully statically.
bool apus_entry_is_installed(void);

/// The arguments that the program was started with, its name first and null at the end; in a worker those of the program
/// whose worker it is. Null unless the entry is installed.
char **apus_program_arguments(void);

/// Whether a signal was ignored when the program was started. False unless the entry is installed.
bool apus_was_ignored_at_start(int number);

/// Has `call` called with the exit status when the program ends by `exit` or from `main`. (`atexit` does not tell it.)
/// Not in what is forked from this process.
void apus_on_exit(void (*call)(int status));

#endif
