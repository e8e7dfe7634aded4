// Where the program's code lies in memory, and which build of it this is.
#ifndef APUS_IMAGE_H
#define APUS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A loaded program or library. `identity` is its build ID (NT_GNU_BUILD_ID), the same in every process
/// that runs the same file; a file linked without one has its path's and segments' hash instead.
struct apus_image {
  uintptr_t base;
  uintptr_t end;
  uint8_t identity[20];
  bool is_program;
};

/// The image that holds `address`.
bool apus_image_at(const void *address, struct apus_image *image);

/// The image with that identity.
bool apus_image_find(const uint8_t identity[20], struct apus_image *image);

/// The program's own image.
bool apus_image_program(struct apus_image *image);

/// Whether /proc/self/exe is the file that the program was mapped from. It is the loader's under
/// `ld.so ./program`, and valgrind's own under valgrind: running it again would not run this program.
bool apus_image_is_executable(void);

#endif
