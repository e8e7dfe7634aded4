// What Swift's runtime knows and does not say: metadata by address, for types that have no name another
// process could look up, and what a closure has captured.
#ifndef APUS_CLOSURE_H
#define APUS_CLOSURE_H

#include <stdbool.h>
#include <stddef.h>

/// The nominal type descriptor behind the metadata of a struct or enum, or NULL for any other kind.
const void *apus_descriptor_of_metadata(const void *metadata);

/// The complete metadata of the non-generic struct or enum that `descriptor` describes, or NULL.
const void *apus_metadata_of_descriptor(const void *descriptor);

/// Whether the program's own table of its types lists a descriptor at that address: false for an address that a
/// liar names.
bool apus_is_descriptor_of_program(const void *address);

/// What a closure has captured.
struct apus_captures {
  int values;
  int type_parameters;
  bool first_is_function;
};

/// Reads the captures behind a closure's context. False where reflection metadata is not there to read.
bool apus_captures_of_context(const void *context, struct apus_captures *captures);

#endif
