// What a stress program needs of C: ways to fail that Swift has no words for, at moments that it can't choose.
#ifndef SABOTEUR_H
#define SABOTEUR_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The ways to fail, in the order of the table's rows. `stress_throw` is for the language to do.
enum stress_failure {
  stress_throw, stress_trap, stress_exit, stress_segv, stress_kill, stress_stop, stress_loop,
};

/// The exit status of `stress_exit`.
enum { stress_exit_status = 3 };

/// Fails, now and on this thread. Returns only from a stop that was continued.
void stress_commit(int failure);

/// Fails on the main thread, wherever it is: what interrupts it is a signal's handler.
void stress_commit_on_main_thread(int failure);

/// Leaves a thread behind that fails later, itself or by way of the main thread.
void stress_later(int failure, int milliseconds, bool on_main_thread);

/// Leaves a thread behind that has the main thread fail as soon as the process `pid` has this many bytes more
/// in memory than now: how one sees from outside that a large value is on its way into it.
void stress_when_grown(int pid, long bytes, int failure);

/// Bytes of a process in memory, or -1 if there is none.
long stress_resident(int pid);

/// Sends a signal to a child of this process that is a worker, and to no other process that has got its
/// number meanwhile. Returns when the child was started, in clock ticks, or 0 if nothing was signalled.
uint64_t stress_signal_worker(int pid, int signal);

/// Has this process killed when the script that started it is gone, however that ended.
void stress_end_with_script(void);

/// Adds 1 to a byte that several processes share. Returns what it was.
uint8_t stress_count(uint8_t *counter);

/// A word that several processes share.
void stress_store(uint64_t *word, uint64_t value);
uint64_t stress_load(const uint64_t *word);

/// Keeps the processor busy, without a system call that could be noticed.
void stress_spin(long nanoseconds);

/// Sleeps, as exactly as the kernel can.
void stress_rest(long nanoseconds);

#ifdef __cplusplus
}
#endif
#endif
