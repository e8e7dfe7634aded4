#ifndef APUS_SPAWN_H
#define APUS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/// `source` of this process becomes `target` of the child.
struct apus_descriptor_pair {
  int source;
  int target;
};

enum {
  /// The child becomes the leader of a process group of its own.
  APUS_SPAWN_NEW_GROUP = 1,
  /// The kernel kills the child when the *thread* that spawned it ends.
  APUS_SPAWN_DIE_WITH_PARENT = 2,
};

/// What was being done when a spawn failed.
enum {
  APUS_SPAWN_STEP_CLONE = 0,
  APUS_SPAWN_STEP_GROUP = 1,
  APUS_SPAWN_STEP_DESCRIPTORS = 2,
  APUS_SPAWN_STEP_DIRECTORY = 3,
  APUS_SPAWN_STEP_EXEC = 4,
};

/// The environment of this process; null after `clearenv`.
char **apus_environment(void);

/// Whether whoever manages control groups leaves that at `path` to other programs, as systemd says it (`Delegate=`).
bool apus_is_delegated(const char *path);

struct apus_spawn_request {
  /// Taken as it is: no search in PATH. If relative, it is relative to `working_directory`.
  const char *path;
  char *const *argv;
  char *const *envp;
  const struct apus_descriptor_pair *descriptors;
  size_t descriptor_count;
  /// May be null.
  const char *working_directory;
  /// A descriptor of the folder to start in, if `working_directory` is null; -1: where this process is.
  int folder;
  /// Whether this process is there already, so that it does not matter if it may not enter it any more.
  bool is_in_folder;
  unsigned flags;
  /// Signals that the child begins with ignored, and with their default action, whatever was at the program's start: bit
  /// `n - 1` is signal `n`.
  uint64_t ignored_signals;
  uint64_t default_signals;
  /// May be null; otherwise a child with a group of its own writes its number there before it runs anything, whatever
  /// becomes of this process meanwhile.
  int32_t *group_note;
  /// How much nicer than this process the child is.
  int nice;
  /// How many descriptors the child may have open, if less than this process may; 0: as many.
  uint64_t descriptor_limit;
  /// May be null; otherwise it receives an APUS_SPAWN_STEP when the spawn fails.
  int *failed_step;
};

/// Starts a program. Returns 0, or the errno of what failed, in this process or in the child.
///
/// The child has the empty signal mask, no handler, and those signals ignored that were when this program was started, but
/// for SIGPIPE and SIGCHLD, unless the request says otherwise. It has descriptors 0 to 2 as they are here, the targets of `descriptors`, and no other descriptor.
/// `*pidfd` is close-on-exec, or -1 where the kernel has no pidfds.
int apus_spawn(const struct apus_spawn_request *request, pid_t *pid, int *pidfd);

struct apus_exit {
  /// CLD_EXITED, CLD_KILLED or CLD_DUMPED; 0 while the child runs.
  int how;
  /// The exit code or the signal.
  int value;
  /// What the child, and those of its descendants that were waited for, have used: processor time in nanoseconds, and the most
  /// memory that one of them had at a time, in bytes.
  uint64_t user_time, system_time, peak_memory;
};

/// `waitid` for one child, by its pidfd where there is one. Returns 0 or an errno: ECHILD if somebody else has reaped it
/// and how it ended can't be known (before Linux 6.15).
int apus_wait(pid_t pid, int pidfd, int options, struct apus_exit *result);

/// A pidfd (close-on-exec) of any process, or -errno.
int apus_pidfd_open(pid_t pid);

/// Whether a descriptor is still a pidfd: another part of the program may have closed it.
bool apus_is_pidfd(int descriptor);

/// Signals one child, by its pidfd where there is one. Returns 0 or an errno.
int apus_signal(pid_t pid, int pidfd, int signal);

/// Signals the process group that the child leads. Returns 0 or an errno.
int apus_signal_group(pid_t pid, int pidfd, int signal);

/// The same once the child has been reaped, for what is left of its group: as long as somebody is in it, its number is given to
/// no other. Signal 0 asks whether somebody is.
int apus_signal_left_group(pid_t pid, int pidfd, int signal);

/// How many processors the affinity mask allows this thread; 0 if that cannot be known.
int apus_allowed_processors(void);

/// Which signal this thread's process gets when the thread that spawned it ends. Of each thread's own the kernel sends
/// one; it is the main thread that has APUS_SPAWN_DIE_WITH_PARENT's.
void apus_set_parent_death_signal(int signal);

/// Starts a process that kills the process groups in the table once this process has ended, however it ended, and then
/// ends itself. Returns the table, all zeros (none), or null. Only for a process with one thread: it forks.
int32_t *apus_watchdog_start(size_t count, pid_t *watchdog);

/// Ends the watchdog, and reaps it: where process 1 reaps nobody, it would stay as a zombie.
void apus_watchdog_stop(pid_t watchdog);

/// Names the calling thread for debuggers and `top`. Linux keeps 15 bytes.
void apus_name_thread(const char *name);

#ifdef __cplusplus
}
#endif

#endif
