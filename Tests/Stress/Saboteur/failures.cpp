// The ways to fail.
#include "saboteur.h"

#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern "C" void stress_commit(int failure) {
  switch (failure) {
  case stress_trap: __builtin_trap();
  case stress_exit: exit(stress_exit_status);
  case stress_segv: *reinterpret_cast<volatile int *>(8) = 1; break;
  case stress_kill: kill(getpid(), SIGKILL); break;
  case stress_stop: kill(getpid(), SIGSTOP); break;
  case stress_loop:
    for (volatile bool for_ever = true; for_ever;) {}
  }
}

static volatile int failure_on_main_thread;

static void fail_in_handler(int) {
  // `exit` would run handlers in the middle of whatever was interrupted, and could wait for its locks.
  if (failure_on_main_thread == stress_exit) _exit(stress_exit_status);
  stress_commit(failure_on_main_thread);
}

extern "C" void stress_commit_on_main_thread(int failure) {
  failure_on_main_thread = failure;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = fail_in_handler;
  sigaction(SIGUSR2, &action, nullptr);
  syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2);
}

namespace {
struct Plan {
  int failure, milliseconds, pid;
  bool on_main_thread;
  long limit;
};

void pause_for(long nanoseconds) {
  timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
  nanosleep(&time, nullptr);
}

void *carry_out(void *argument) {
  const Plan plan = *static_cast<Plan *>(argument);
  free(argument);
  if (plan.limit > 0) {
    for (long resident; (resident = stress_resident(plan.pid)) < plan.limit;) {
      if (resident < 0) return nullptr;
      pause_for(20000);
    }
  } else {
    pause_for(plan.milliseconds * 1000000L);
  }
  if (plan.on_main_thread) stress_commit_on_main_thread(plan.failure); else stress_commit(plan.failure);
  return nullptr;
}

void leave_behind(const Plan &plan) {
  Plan *copy = static_cast<Plan *>(malloc(sizeof plan));
  *copy = plan;
  pthread_t thread;
  if (pthread_create(&thread, nullptr, carry_out, copy) == 0) pthread_detach(thread);
}
}  // namespace

extern "C" void stress_later(int failure, int milliseconds, bool on_main_thread) {
  leave_behind({failure, milliseconds, 0, on_main_thread, 0});
}

extern "C" void stress_when_grown(int pid, long bytes, int failure) {
  leave_behind({failure, 0, pid, true, stress_resident(pid) + bytes});
}
