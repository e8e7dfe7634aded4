// Starts a program in odd surroundings: `Oddly WORD… -- PROGRAM [ARGUMENT…]`. It becomes the program, but for the
// word `init`. Ends with 77 where a surrounding can't be had (no root, no namespaces).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(int failed, const char *what) {
  if (!failed) return;
  perror(what);
  _exit(77);
}

static const char *after(const char *word, const char *name) {
  size_t length = strlen(name);
  return strncmp(word, name, length) == 0 ? word + length : NULL;
}

/// A system call, if its second argument is `argument` (or that is 0), fails with `error`.
static void refuse(unsigned call, unsigned argument, unsigned error) {
  struct sock_filter lines[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
    BPF_JUMP(BPF_JMP | (argument ? BPF_JEQ : BPF_JGE) | BPF_K, argument, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof lines / sizeof *lines, .filter = lines};
  need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges");
  need(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
}

/// A process 1 that reaps its own child alone, as many a container's program. Ends with 99 if it has any other.
static void become_child_of_init(void) {
  need(unshare(CLONE_NEWPID | CLONE_NEWNS), "a PID namespace");
  pid_t init = fork();
  need(init < 0, "fork");
  if (init > 0) {
    int status;
    waitpid(init, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
  }
  need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
  need(mount("proc", "/proc", "proc", 0, NULL), "mount /proc");
  pid_t program = fork();
  need(program < 0, "fork");
  if (program == 0) return;
  int status;
  waitpid(program, &status, 0);
  int is_alone = waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
  _exit(!is_alone ? 99 : WIFEXITED(status) ? WEXITSTATUS(status) : 98);
}

static void limit(int which, const char *value) {
  struct rlimit limit = {strtoul(value, NULL, 10), strtoul(value, NULL, 10)};
  need(setrlimit(which, &limit), "a limit");
}

static void apply(const char *word) {
  const char *rest;
  if ((rest = after(word, "close="))) {
    for (; *rest; rest++) close(*rest - '0');
  } else if ((rest = after(word, "full="))) {
    int full = open("/dev/full", O_RDWR);
    for (; *rest; rest++) dup2(full, *rest - '0');
    close(full);
  } else if ((rest = after(word, "ignore="))) {
    signal(atoi(rest), SIG_IGN);
  } else if (strcmp(word, "block") == 0) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
  } else if (strcmp(word, "refuse-eventfd") == 0) {
    refuse(SYS_eventfd2, 0, EPERM);
  } else if (strcmp(word, "refuse-memfd") == 0) {
    refuse(SYS_memfd_create, 0, EPERM);
  } else if (strcmp(word, "old-pidfd") == 0) {
    refuse(SYS_ioctl, 0xC040FF0B, ENOTTY);  // PIDFD_GET_INFO
  } else if ((rest = after(word, "files="))) {
    limit(RLIMIT_NOFILE, rest);
  } else if ((rest = after(word, "memory="))) {
    limit(RLIMIT_AS, rest);
  } else if (strcmp(word, "no-proc") == 0) {
    need(unshare(CLONE_NEWNS), "a mount namespace");
    need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    need(umount2("/proc", MNT_DETACH), "unmount /proc");
  } else if (strcmp(word, "nobody") == 0) {
    need(setgid(65534) || setuid(65534), "another user");
  } else if (strcmp(word, "no-folder") == 0) {
    char folder[] = "/tmp/oddly-XXXXXX";
    need(mkdtemp(folder) == NULL || chdir(folder) || rmdir(folder), "a folder");
    setenv("HOME", "/proc", 1);
    setenv("TMPDIR", "/proc", 1);
  } else if (strcmp(word, "no-terminal") == 0) {
    need(setsid() < 0 && errno != EPERM, "a session");
  } else if (strcmp(word, "init") == 0) {
    become_child_of_init();
  } else {
    fprintf(stderr, "Oddly: what is %s?\n", word);
    _exit(2);
  }
}

int main(int count, char **words) {
  (void)count;
  words++;
  for (; *words && strcmp(*words, "--") != 0; words++) apply(*words);
  if (!*words || !*++words) return 2;
  execvp(*words, words);
  perror(*words);
  return 127;
}
