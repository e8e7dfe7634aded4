// All the C there is in Apus: what Swift cannot say, and nothing else.
#ifndef CAPUS_H
#define CAPUS_H

#include "apus_closure.h"
#include "apus_crash.h"
#include "apus_descriptor.h"
#include "apus_entry.h"
#include "apus_fork.h"
#include "apus_futex.h"
#include "apus_guardian.h"
#include "apus_image.h"
#include "apus_memory.h"
#include "apus_mpi.h"
#include "apus_poll.h"
#include "apus_probe.h"
#include "apus_socket.h"
#include "apus_spawn.h"
#include "apus_symbols.h"

#endif
