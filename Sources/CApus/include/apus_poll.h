// Waiting on descriptors: epoll, which Swift's Glibc module does not show.
#ifndef APUS_POLL_H
#define APUS_POLL_H

#include <stdbool.h>
#include <stdint.h>

/// A new set of descriptors to wait on, or -errno.
int apus_poll_create(void);

/// Adds a descriptor, level-triggered, for input. `tag` comes back when it is ready. 0 or errno.
int apus_poll_add(int poller, int descriptor, uint64_t tag);

/// The same for a descriptor that is to be written to.
int apus_poll_add_writable(int poller, int descriptor, uint64_t tag);

void apus_poll_remove(int poller, int descriptor);

/// Whether a descriptor that was added is still the same and still in the set: the kernel takes one out that another part
/// of the program closes.
bool apus_poll_has(int poller, int descriptor, uint64_t tag);

/// The most that one wait tells.
enum { APUS_POLL_MOST = 32 };

/// The tags of at most `count` ready descriptors, after at most `milliseconds` (negative: for ever).
/// Returns how many; 0 also after a signal; -errno if the set is gone, because another part of the program has closed it.
int apus_poll_wait(int poller, uint64_t *tags, int count, int milliseconds);

#endif
