// Fails while a worker starts, before a line of Swift has run: in a static initialiser.
//
// APUS_STRESS_START says how and how often: "FAILURE:FOLDER". Each file in the folder, named 0, 1, 2…, is one
// start to spoil; whoever removes it first does so.
#include "saboteur.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <unistd.h>

static bool take_token(const char *folder) {
  for (int number = 0; number < 64; number++) {
    char path[512];
    snprintf(path, sizeof path, "%s/%d", folder, number);
    if (unlink(path) == 0) return true;
  }
  return false;
}

// A worker is known by this variable until it is in place of `main`: the arguments are the program's own.
__attribute__((constructor)) static void spoil_start() {
  const char *plan = getenv("APUS_STRESS_START");
  if (!plan || !getenv("APUS_WORKER")) return;
  const char *colon = strchr(plan, ':');
  if (!colon || !take_token(colon + 1)) return;
  const int failure = atoi(plan);
  if (failure == stress_throw) throw std::runtime_error("sabotaged while starting");
  stress_commit(failure);
}
