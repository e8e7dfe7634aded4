// More elements than an int counts, for libraries without the functions of MPI 4: as one element of a large type.
#include <string.h>

#include "table.h"

int apus_mpi_block_type(int64_t count, int type, handle *block) {
  if (count < 0) return APUS_MPI_BAD_ARGUMENT;
  // A power of two: then blocks of any type end at a multiple of its alignment.
  const int64_t part = (mpi.limit >> 1) + 1;
  const int64_t whole = count / part;
  if (whole > INT_MAX) return APUS_MPI_TOO_LARGE;
  const handle element = mpi.handles.types[type];

  handle one = 0, body = 0, rest = 0;
  int code = mpi.Type_contiguous((int)part, element, &one);
  if (code) return code;
  code = mpi.Type_contiguous((int)whole, one, &body);
  if (!code) code = mpi.Type_contiguous((int)(count % part), element, &rest);
  if (!code) {
    const int lengths[2] = {1, 1};
    const intptr_t offsets[2] = {0, (intptr_t)(whole * part * element_size(type))};
    char types[2 * sizeof(handle)];
    memcpy(types, &body, sizeof body);
    memcpy(types + mpi.constants.handle_size, &rest, (size_t)mpi.constants.handle_size);
    *block = 0;
    code = mpi.Type_create_struct(2, lengths, offsets, types, block);
  }
  if (!code && (code = mpi.Type_commit(block)) != 0) mpi.Type_free(block);
  if (rest) mpi.Type_free(&rest);
  if (body) mpi.Type_free(&body);
  mpi.Type_free(&one);
  return code;
}
