// Shared memory that no file system names and that the kernel frees with its last user.
#ifndef APUS_MEMORY_H
#define APUS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A sealed memfd of `size` bytes, every page of it there already. Returns the descriptor, or -errno.
int apus_memory_create(const char *name, size_t size);

/// Whether `descriptor` is a memfd of at least `size` bytes that can't shrink under its users (a shrunk
/// one would turn every access into SIGBUS).
bool apus_memory_is_sealed(int descriptor, size_t size);

/// Maps `[0, head)` once and after it each of `count` rings of `ring` bytes TWICE in a row, so that a
/// record that wraps round a ring's end is contiguous in memory. Returns NULL, errno set, on failure.
void *apus_memory_map(int descriptor, size_t head, size_t ring, int count);

void apus_memory_unmap(void *base, size_t head, size_t ring, int count);

/// Says that `size` bytes at `start`, fresh and not touched yet, are about to be filled: the kernel may give
/// them in huge pages, which takes a fifth of the time. Nothing happens for less than 4 MiB.
void apus_memory_will_fill(void *start, size_t size);

/// The machine's memory in bytes, with what it swaps to.
uint64_t apus_memory_total(void);

/// Copies `count` bytes from another process's memory (process_vm_readv). Returns 0 or an errno: EPERM where the
/// system does not let us, ESRCH if there is no such process.
int apus_memory_read_from(int process, uint64_t address, void *destination, size_t count);

/// The same in the other direction.
int apus_memory_write_to(int process, uint64_t address, const void *source, size_t count);

/// Room of the calling thread's own, aligned to 64 bytes, until `apus_scratch_end`. Null while it is lent.
#define APUS_SCRATCH_SIZE 256
void *apus_scratch_begin(void);
void apus_scratch_end(void);

/// An empty file that has no name and goes with its last user: in `folder`, or in memory where that can't be. The
/// descriptor, or -errno.
int apus_unnamed_file(const char *folder);

/// Bytes of stdout that `fflush` has not yet written.
size_t apus_stdout_pending(void);

/// Line buffering on stdout although it is a pipe: a worker's lines appear when they are printed.
void apus_stdout_line_buffered(void);

/// `fflush(stdout)`.
void apus_stdout_flush(void);

#endif
