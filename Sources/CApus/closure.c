#include "apus_closure.h"

#include <stdint.h>

// Swift's ABI, docs/ABI/TypeMetadata.rst: the kind words of value types, and a context descriptor's head.
enum { kind_struct = 0x200, kind_enum = 0x201, kind_optional = 0x202 };
enum { descriptor_struct = 17, descriptor_enum = 18, descriptor_is_generic = 0x80 };

struct descriptor {
  uint32_t flags;
  int32_t parent, name, accessor;  // relative to their own addresses
};

struct response {
  const void *metadata;
  size_t state;
};

static int is_plain_value_type(const struct descriptor *descriptor) {
  uint32_t kind = descriptor->flags & 0x1f;
  return (kind == descriptor_struct || kind == descriptor_enum) && !(descriptor->flags & descriptor_is_generic);
}

const void *apus_descriptor_of_metadata(const void *metadata) {
  const uintptr_t *words = metadata;
  if (words[0] != kind_struct && words[0] != kind_enum) return NULL;
  const struct descriptor *descriptor = (const void *)words[1];
  return is_plain_value_type(descriptor) ? descriptor : NULL;
}

const void *apus_metadata_of_descriptor(const void *address) {
  const struct descriptor *descriptor = address;
  if (!is_plain_value_type(descriptor) || descriptor->accessor == 0) return NULL;
  // An access function takes a request (0: complete, blocking) and returns two words: in this shape
  // Swift's calling convention and C's agree on x86-64 and arm64.
  typedef struct response (*accessor)(size_t request);
  accessor access = (accessor)((uintptr_t)&descriptor->accessor + (intptr_t)descriptor->accessor);
  return access(0).metadata;
}

// Every Swift image lists its types in this section, each entry relative to itself. The linker makes the names of
// its ends; hidden, they are those of the image that this file is linked into.
extern const int32_t __start_swift5_type_metadata[] __attribute__((weak, visibility("hidden")));
extern const int32_t __stop_swift5_type_metadata[] __attribute__((weak, visibility("hidden")));

bool apus_is_descriptor_of_program(const void *address) {
  for (const int32_t *entry = __start_swift5_type_metadata; entry < __stop_swift5_type_metadata; entry++) {
    if ((const char *)entry + (*entry & ~3) == address) return (*entry & 3) == 0;
  }
  return false;
}

// Swift's ABI, include/swift/ABI/Metadata.h: a closure's heap box starts with a metadata pointer, and its
// metadata leads to a description of what was captured, as reflection sees it.
enum { kind_heap_local_variable = 0x400 };

struct heap_local_variable {
  uintptr_t kind;
  uint32_t offset_to_first_capture;
  const uint32_t *description;  // capture types, metadata sources, bindings; then relative pairs
};

bool apus_captures_of_context(const void *context, struct apus_captures *captures) {
  if (!context) return false;
  const struct heap_local_variable *metadata = *(const struct heap_local_variable *const *)context;
  if (!metadata || metadata->kind != kind_heap_local_variable || !metadata->description) return false;
  const uint32_t *words = metadata->description;
  *captures = (struct apus_captures){.values = (int)words[0], .type_parameters = (int)words[2]};
  if (words[0] == 0) return true;
  const char *name = (const char *)&words[3] + (int32_t)words[3];
  size_t length = 0;
  while (name[length]) {
    unsigned char byte = (unsigned char)name[length];  // 1-0x17: a relative symbolic reference, 4 bytes more
    length += byte <= 0x17 ? 5 : byte <= 0x1f ? 9 : 1;
  }
  // A function type's mangling ends in the convention of an escaping closure, or, as the optimiser and the
  // calling convention see it, in an underscore.
  captures->first_is_function = length > 0 && (name[length - 1] == 'c' || name[length - 1] == '_');
  return true;
}
