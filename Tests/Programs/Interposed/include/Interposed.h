// Functions of libc that behave as they do in bad moments. A definition in the program goes before libc's.
#ifndef INTERPOSED_H
#define INTERPOSED_H

/// From now on the wall clock seems to be an hour ahead of what the kernel waits by: as if it was set back right after it
/// was read.
void interposed_clock_is_set_back(void);

/// From now on somebody else fills a pipe whenever `poll` has found it ready for writing.
void interposed_pipes_are_filled(void);

#endif
