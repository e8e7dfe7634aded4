// Loading a library, telling which kind it is, and filling the table.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "table.h"

struct mpi_table mpi;

struct entry {
  const char *symbol;
  size_t offset;
};

#define ENTRY(result, name, parameters) {"MPI_" #name, offsetof(struct mpi_table, name)},
static const struct entry required[] = {REQUIRED_FUNCTIONS(ENTRY)};
static const struct entry large[] = {LARGE_FUNCTIONS(ENTRY)};
static const struct entry optional[] = {OPTIONAL_FUNCTIONS(ENTRY)};
#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

// The three rows. Sources: the headers of Open MPI 4 and 5 and MPICH 4 and 5; mpi-abi-stubs for MPI 5.0, chapter 20.
static const struct mpi_constants constants[] = {
    [APUS_MPI_STANDARD] = {.any_source = -1,
                           .any_tag = -2,
                           .proc_null = -3,
                           .undefined = -32766,
                           .type_shared = 221,
                           .tag_limit_key = 501,
                           .thread_levels = {0, 1024, 2048, 4096},
                           .source = 0,
                           .tag = 1,
                           .error = 2,
                           .words = 8,
                           .handle_size = 8,
                           .in_place = (void *)1,
                           .status_ignore = NULL},
    [APUS_MPI_OPEN_MPI] = {.any_source = -1,
                           .any_tag = -1,
                           .proc_null = -2,
                           .undefined = -32766,
                           .type_shared = 0,
                           .tag_limit_key = 0,
                           .thread_levels = {0, 1, 2, 3},
                           .source = 0,
                           .tag = 1,
                           .error = 2,
                           .words = 6,
                           .handle_size = 8,
                           .in_place = (void *)1,
                           .status_ignore = NULL},
    [APUS_MPI_MPICH] = {.any_source = -2,
                        .any_tag = -1,
                        .proc_null = -1,
                        .undefined = -32766,
                        .type_shared = 1,
                        .tag_limit_key = 0x64400001,
                        .thread_levels = {0, 1, 2, 3},
                        .source = 2,
                        .tag = 3,
                        .error = 4,
                        .words = 5,
                        .handle_size = 4,
                        .in_place = (void *)-1,
                        .status_ignore = (void *)1},
};

static const struct mpi_handles standard_handles = {
    .world = 0x101,
    .self = 0x102,
    .no_comm = 0x100,
    .no_request = 0x180,
    .no_message = 0x128,
    .no_info = 0x130,
    // 0x142 in headers from before October 2025 (mpi-abi-stubs #72), and that is MPI_ERRORS_ABORT.
    .errors_return = 0x143,
    .types = {0x240, 0x248, 0x250, 0x258, 0x241, 0x249, 0x251, 0x259, 0x210, 0x214, 0x247},
    .operators = {0x21, 0x24, 0x22, 0x23, 0x30, 0x31, 0x32, 0x28, 0x29, 0x2a},
};

static const struct mpi_handles mpich_handles = {
    .world = 0x44000000,
    .self = 0x44000001,
    .no_comm = 0x04000000,
    .no_request = 0x2c000000,
    .no_message = 0x2c000000,
    .no_info = 0x1c000000,
    .errors_return = 0x54000001,
    .types = {0x4c000137, 0x4c000238, 0x4c000439, 0x4c00083a, 0x4c00013b, 0x4c00023c, 0x4c00043d, 0x4c00083e,
              0x4c00040a, 0x4c00080b, 0x4c00010d},
    .operators = {0x58000003, 0x58000004, 0x58000002, 0x58000001, 0x58000005, 0x58000007, 0x58000009, 0x58000006,
                  0x58000008, 0x5800000a},
};

// Open MPI's handles are the addresses of its variables.
#define VARIABLE(name, field) {name, offsetof(struct mpi_handles, field)}
static const struct entry open_mpi_variables[] = {
    VARIABLE("ompi_mpi_comm_world", world),
    VARIABLE("ompi_mpi_comm_self", self),
    VARIABLE("ompi_mpi_comm_null", no_comm),
    VARIABLE("ompi_request_null", no_request),
    VARIABLE("ompi_message_null", no_message),
    VARIABLE("ompi_mpi_info_null", no_info),
    VARIABLE("ompi_mpi_errors_return", errors_return),
    VARIABLE("ompi_mpi_int8_t", types[APUS_MPI_INT8]),
    VARIABLE("ompi_mpi_int16_t", types[APUS_MPI_INT16]),
    VARIABLE("ompi_mpi_int32_t", types[APUS_MPI_INT32]),
    VARIABLE("ompi_mpi_int64_t", types[APUS_MPI_INT64]),
    VARIABLE("ompi_mpi_uint8_t", types[APUS_MPI_UINT8]),
    VARIABLE("ompi_mpi_uint16_t", types[APUS_MPI_UINT16]),
    VARIABLE("ompi_mpi_uint32_t", types[APUS_MPI_UINT32]),
    VARIABLE("ompi_mpi_uint64_t", types[APUS_MPI_UINT64]),
    VARIABLE("ompi_mpi_float", types[APUS_MPI_FLOAT]),
    VARIABLE("ompi_mpi_double", types[APUS_MPI_DOUBLE]),
    VARIABLE("ompi_mpi_byte", types[APUS_MPI_BYTE]),
    VARIABLE("ompi_mpi_op_sum", operators[APUS_MPI_SUM]),
    VARIABLE("ompi_mpi_op_prod", operators[APUS_MPI_PROD]),
    VARIABLE("ompi_mpi_op_min", operators[APUS_MPI_MIN]),
    VARIABLE("ompi_mpi_op_max", operators[APUS_MPI_MAX]),
    VARIABLE("ompi_mpi_op_land", operators[APUS_MPI_LAND]),
    VARIABLE("ompi_mpi_op_lor", operators[APUS_MPI_LOR]),
    VARIABLE("ompi_mpi_op_lxor", operators[APUS_MPI_LXOR]),
    VARIABLE("ompi_mpi_op_band", operators[APUS_MPI_BAND]),
    VARIABLE("ompi_mpi_op_bor", operators[APUS_MPI_BOR]),
    VARIABLE("ompi_mpi_op_bxor", operators[APUS_MPI_BXOR]),
};

/// Writes the addresses of `entries` from `start` on. Returns the name that the library does not have, or NULL.
static const char *find_all(void *library, void *start, const struct entry *entries, int count) {
  for (int i = 0; i < count; i++) {
    void *address = dlsym(library, entries[i].symbol);
    memcpy((char *)start + entries[i].offset, &address, sizeof address);
    if (!address) return entries[i].symbol;
  }
  return NULL;
}

static enum apus_mpi_abi abi_of(void *library) {
  // Before Open MPI's own: its standard library needs the other, in which its variables would be found. And by what
  // it answers: MPICH's own library has the function too, and says -1.
  int (*abi_version)(int *, int *) = (int (*)(int *, int *))dlsym(library, "MPI_Abi_get_version");
  int major = -1, minor = -1;
  if (abi_version && abi_version(&major, &minor) == 0 && major > 0) return APUS_MPI_STANDARD;
  if (dlsym(library, "ompi_mpi_comm_world")) return APUS_MPI_OPEN_MPI;
  if (dlsym(library, "MPI_Init_thread")) return APUS_MPI_MPICH;
  return APUS_MPI_CLOSED;
}

static const char *find_handles(void *library, enum apus_mpi_abi abi) {
  if (abi == APUS_MPI_OPEN_MPI) {
    return find_all(library, &mpi.handles, open_mpi_variables, COUNT(open_mpi_variables));
  }
  mpi.handles = abi == APUS_MPI_STANDARD ? standard_handles : mpich_handles;
  return NULL;
}

enum apus_mpi_abi apus_mpi_open(const char *path, char *problem, size_t size) {
  if (mpi.loaded) return mpi.abi;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    snprintf(problem, size, "%s", dlerror());
    return APUS_MPI_CLOSED;
  }
  enum apus_mpi_abi abi = abi_of(library);
  if (abi == APUS_MPI_CLOSED) {
    snprintf(problem, size, "it has no function MPI_Init_thread");
    dlclose(library);
    return APUS_MPI_CLOSED;
  }
  const char *missing = find_all(library, &mpi, required, COUNT(required));
  if (!missing) missing = find_handles(library, abi);
  if (missing) {
    snprintf(problem, size, "it has no %s", missing);
    dlclose(library);
    return APUS_MPI_CLOSED;
  }
  mpi.has_large = find_all(library, &mpi, large, COUNT(large)) == NULL;
  for (int i = 0; i < COUNT(optional); i++) find_all(library, &mpi, &optional[i], 1);
  mpi.constants = constants[abi];
  mpi.byte = mpi.handles.types[APUS_MPI_BYTE];
  mpi.limit = INT_MAX;
  mpi.abi = abi;
  mpi.loaded = library;

  struct link_map *map = NULL;
  Dl_info info;
  const char *file = NULL;
  if (dladdr((void *)mpi.Init_thread, &info)) file = info.dli_fname;
  if (path && dlinfo(library, RTLD_DI_LINKMAP, &map) == 0) file = map->l_name;
  snprintf(mpi.path, sizeof mpi.path, "%s", file ? file : path ? path : "");
  // Open MPI's plug-ins expect its symbols to be there for everybody. Only now, when it is the one we want.
  if (path) dlopen(path, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  return abi;
}

void apus_mpi_close(void) {
  if (!mpi.loaded) return;
  void *library = mpi.loaded;
  memset(&mpi, 0, sizeof mpi);
  dlclose(library);
}

bool apus_mpi_is_in_program(void) { return dlsym(RTLD_DEFAULT, "MPI_Init_thread") != NULL; }
const char *apus_mpi_path(void) { return mpi.path; }
bool apus_mpi_has_large_counts(void) { return mpi.has_large; }
void apus_mpi_set_count_limit(int32_t limit) { mpi.limit = limit; }
