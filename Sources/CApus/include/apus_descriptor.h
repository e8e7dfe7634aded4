// Where descriptors of ours may lie.
#ifndef APUS_DESCRIPTOR_H
#define APUS_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

/// Called before any descriptor is made that may live while the program's own code runs: where a standard stream is
/// closed (`>&-`), it would get that number, and what the program prints would go into it. A closed stream stays as
/// closed as before to whoever reads or writes it, and to what this program starts.
void apus_reserve_standard_streams(void);

/// Moves a descriptor to a high number, out of the way of programs that count on small ones, and of those that close
/// or open a few without looking whose they are. Returns the new number (close-on-exec), or the old one where there
/// is no other to be had.
int apus_move_high(int descriptor);

/// A close-on-exec pipe. Returns 0 or an errno.
int apus_pipe(int ends[2]);

/// A connected, close-on-exec pair of sockets that keeps the borders between messages. Returns 0 or an errno.
int apus_socket_pair(int ends[2]);

/// A close-on-exec, non-blocking eventfd. Returns the descriptor, or minus an errno.
int apus_eventfd(unsigned initial_value);

/// Whether it is the master of a pseudo-terminal: `/proc/self/fd` opens the master of a new one instead of it.
bool apus_is_terminal_master(int descriptor);

/// Whether it is /dev/null or one of its kin, which never block.
bool apus_is_memory_device(dev_t device);

/// /dev/null for reading, close-on-exec. Returns the descriptor, or minus an errno.
int apus_nothing(void);

#endif
