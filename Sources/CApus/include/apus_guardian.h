// Two processes that end what the other one leaves behind, and signals as something to wait for.
#ifndef APUS_GUARDIAN_H
#define APUS_GUARDIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Makes the calling process the guardian of a copy of itself, in which alone this returns. Only for a process with one
/// thread: it forks.
///
/// The guardian ends as the copy does. It passes on those signals of `signals` (bit `n - 1` is signal `n`) that it gets, as
/// a byte each, and when the copy is gone it kills whatever that has left. The copy must see to the same when the guardian is
/// gone: then the descriptor is at its end.
///
/// - `has_own_group`: whether the copy leaves the guardian's process group. Then signals of the terminal, and those to the
///   group, come by the guardian alone; but the copy can't read the terminal.
///
/// Returns the descriptor (close-on-exec, non-blocking), or minus an errno if this process stays alone.
int apus_guard(uint64_t signals, bool has_own_group);

/// Kills all children of this process, and what they leave, which becomes its child: until nobody is left, or for
/// `milliseconds`. Returns how many are left. For a process to which orphans go, and that needs no child's status any more.
int apus_end_children(int milliseconds);

/// Reaps those children that have ended and are none of `known`: orphans that have become ours.
void apus_reap_orphans(const pid_t *known, size_t count);

/// Blocks these signals in the calling thread. Returns a descriptor that is readable when one is there, or minus an errno.
int apus_signal_descriptor(uint64_t signals);

/// The next signal there is; 0 if there is none.
int apus_next_signal(int descriptor);

#endif
