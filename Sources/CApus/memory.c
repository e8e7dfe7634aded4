#define _GNU_SOURCE
#include "apus_memory.h"

#include "apus_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <unistd.h>

static const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

int apus_memory_create(const char *name, size_t size) {
  // Past RLIMIT_FSIZE, ftruncate does not fail: it raises SIGXFSZ, which would end the program.
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < size) return -EFBIG;
  apus_reserve_standard_streams();
  int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -errno;
  // fallocate, not ftruncate alone: memory that is not there must be an error here, not SIGBUS later.
  int failed = 0;
  if (ftruncate(descriptor, (off_t)size) != 0) failed = errno;
  while (!failed && fallocate(descriptor, 0, 0, (off_t)size) != 0) {
    if (errno != EINTR) failed = errno;
  }
  if (!failed && fcntl(descriptor, F_ADD_SEALS, seals) != 0) failed = errno;
  if (!failed) return descriptor;
  close(descriptor);
  return -failed;
}

bool apus_memory_is_sealed(int descriptor, size_t size) {
  struct stat status;
  int found = fcntl(descriptor, F_GET_SEALS);
  return found >= 0 && (found & F_SEAL_SHRINK) && fstat(descriptor, &status) == 0 &&
         (size_t)status.st_size >= size;
}

void *apus_memory_map(int descriptor, size_t head, size_t ring, int count) {
  size_t total = head + 2 * ring * (size_t)count;
  char *base = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return NULL;
  const int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_FIXED;
  bool mapped = mmap(base, head, protection, flags, descriptor, 0) != MAP_FAILED;
  for (int i = 0; mapped && i < 2 * count; i++) {
    off_t offset = (off_t)(head + ring * (size_t)(i / 2));
    mapped = mmap(base + head + ring * (size_t)i, ring, protection, flags, descriptor, offset) != MAP_FAILED;
  }
  if (mapped) return base;
  int failed = errno;
  munmap(base, total);
  errno = failed;
  return NULL;
}

void apus_memory_unmap(void *base, size_t head, size_t ring, int count) {
  munmap(base, head + 2 * ring * (size_t)count);
}

void apus_memory_will_fill(void *start, size_t size) {
  const uintptr_t huge = 2 << 20;
  if (size < 2 * huge) return;
  uintptr_t first = ((uintptr_t)start + huge - 1) & ~(huge - 1);
  uintptr_t last = ((uintptr_t)start + size) & ~(huge - 1);
  if (first < last) madvise((void *)first, last - first, MADV_HUGEPAGE);
}

int apus_unnamed_file(const char *folder) {
  apus_reserve_standard_streams();
  int descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  // Some file systems can't do it; the folder may be missing, or not be ours to write to.
  if (descriptor < 0) descriptor = memfd_create("apus-file", MFD_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

size_t apus_stdout_pending(void) { return __fpending(stdout); }
void apus_stdout_line_buffered(void) { setvbuf(stdout, NULL, _IOLBF, 0); }
void apus_stdout_flush(void) { fflush(stdout); }

static _Thread_local struct {
  _Alignas(64) char room[APUS_SCRATCH_SIZE];
  bool is_lent;
} scratch;

void *apus_scratch_begin(void) {
  if (scratch.is_lent) return NULL;
  scratch.is_lent = true;
  return scratch.room;
}

void apus_scratch_end(void) { scratch.is_lent = false; }

uint64_t apus_memory_total(void) {
  struct sysinfo info;
  return sysinfo(&info) == 0 ? ((uint64_t)info.totalram + info.totalswap) * info.mem_unit : INT64_MAX;
}

typedef ssize_t (*process_copy)(
    pid_t, const struct iovec *, unsigned long, const struct iovec *, unsigned long, unsigned long);

static int copy_with(int process, process_copy copy, char *here, uint64_t there, size_t count) {
  while (count > 0) {
    struct iovec local = {here, count}, remote = {(void *)(uintptr_t)there, count};
    ssize_t copied = copy(process, &local, 1, &remote, 1, 0);
    if (copied < 0 && errno == EINTR) continue;
    if (copied <= 0) return copied < 0 ? errno : EFAULT;
    here += copied;
    there += (uint64_t)copied;
    count -= (size_t)copied;
  }
  return 0;
}

int apus_memory_read_from(int process, uint64_t address, void *destination, size_t count) {
  return copy_with(process, process_vm_readv, destination, address, count);
}

int apus_memory_write_to(int process, uint64_t address, const void *source, size_t count) {
  return copy_with(process, process_vm_writev, (char *)source, address, count);
}
