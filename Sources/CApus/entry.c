#define _GNU_SOURCE
#include "apus_entry.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Defined in ApusProcesses and ApusMessages, in Swift. Weak: a program that links one of them need not have the other.
extern int apus_worker_main(int argc, char **argv, char **envp) __attribute__((weak));
extern int apus_rank_main(int argc, char **argv, char **envp) __attribute__((weak));

// Of Swift's runtime: what `CommandLine` is to hold. Weak, too.
extern void _swift_stdlib_overrideUnsafeArgvArgc(char **argv, int argc) __attribute__((weak));

typedef int (*main_function)(int, char **, char **);

// What a run of the program can be in place of its `main`: the one place that knows all of them.
static const struct role {
  const char *argument;
  main_function main;
} roles[] = {
    {APUS_WORKER_ARGUMENT, apus_worker_main},
    {APUS_RANK_ARGUMENT, apus_rank_main},
};

static const struct role *role;
static const char *role_name;

bool apus_started_as(const char *argument) { return role && strcmp(role->argument, argument) == 0; }

typedef int (*start_function)(main_function, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

static bool installed = false;

bool apus_entry_is_installed(void) { return installed; }

static char **arguments;

char **apus_program_arguments(void) { return arguments; }

static uint64_t ignored;

bool apus_was_ignored_at_start(int number) { return ignored >> (number - 1) & 1; }

static void note_ignored_signals(void) {
  for (int number = 1; number <= 64; number++) {
    // See `reset_signals` in spawn.c for what this relies on.
    uintptr_t action[8] = {0};
    if (syscall(SYS_rt_sigaction, number, NULL, action, 8) == 0 && action[0] == (uintptr_t)SIG_IGN) {
      ignored |= (uint64_t)1 << (number - 1);
    }
  }
}

static void (*exit_call)(int);
static pid_t exit_process;
static void tell_exit(int status, void *argument) {
  (void)argument;
  // A fork inherits this, and has no part in what its parent does at its end.
  if (getpid() == exit_process) exit_call(status);
}

void apus_on_exit(void (*call)(int status)) {
  exit_call = call;
  exit_process = getpid();
  on_exit(tell_exit, NULL);
}

// Whether the first argument is a role's, alone or with a name: `--apus-worker=name`.
static bool is_argument(const char *given, const char *argument) {
  const size_t length = strlen(argument);
  return strncmp(given, argument, length) == 0 && (given[length] == 0 || given[length] == '=');
}

// Reads the environment behind the arguments and not through `getenv`: libc may not be ready yet.
static bool is_marked(const char *argument, int argc, char **argv) {
  if (argc < 2 || !is_argument(argv[1], argument)) return false;
  const size_t length = sizeof APUS_WORKER_VARIABLE - 1;
  for (char **entry = argv + argc + 1; *entry; entry++) {
    if (strncmp(*entry, APUS_WORKER_VARIABLE, length) == 0 && (*entry)[length] == '=') return true;
  }
  return false;
}

static void settle_in(int argc, char **argv) {
  // At once: what a worker starts must not become a worker.
  unsetenv(APUS_WORKER_VARIABLE);
  // Swift would read the kernel's copy of the arguments, in which the mark is still there.
  if (_swift_stdlib_overrideUnsafeArgvArgc) _swift_stdlib_overrideUnsafeArgvArgc(argv, argc);
  // The kernel named it after /proc/self/exe.
  const char *slash = strrchr(argv[0], '/');
  prctl(PR_SET_NAME, role_name ? role_name : slash ? slash + 1 : argv[0]);
}

static int main_of_role(int argc, char **argv, char **envp) {
  settle_in(argc, argv);
  return role->main(argc, argv, envp);
}

// The program's own `_start` calls this by name, and a definition in the program goes before libc's. A
// constructor would come too early: static initialisers of the program's C++ have not run then. Here
// libc runs them, and then calls our `main` instead of the program's.
__attribute__((visibility("default"))) int __libc_start_main(
    main_function main, int argc, char **argv, void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
    void *stack_end) {
  start_function start = (start_function)dlsym(RTLD_NEXT, "__libc_start_main");
  if (!start) {
    static const char message[] = "apus: can't find libc's __libc_start_main; link libc dynamically\n";
    (void)!write(2, message, sizeof message - 1);
    _exit(70);
  }
  installed = true;
  note_ignored_signals();
  for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
    if (roles[i].main && is_marked(roles[i].argument, argc, argv)) role = &roles[i];
  }
  if (role) {
    main = main_of_role;
    const char *equals = strchr(argv[1], '=');
    role_name = equals ? equals + 1 : NULL;
    // The mark is ours alone: what is left are the program's own arguments. The environment stays where it is.
    for (int i = 1; i < argc; i++) argv[i] = argv[i + 1];
    argc--;
  }
  arguments = argv;
  return start(main, argc, argv, init, fini, rtld_fini, stack_end);
}
