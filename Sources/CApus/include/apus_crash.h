// Noticing that the process is about to end by a fault of its own.
#ifndef APUS_CRASH_H
#define APUS_CRASH_H

#ifdef __cplusplus
extern "C" {
#endif

/// Has the time (`apus_now`) written to `*when` as soon as a fault raises a signal for which there is a handler, such as
/// the one with which Swift makes its backtrace; then rings `doorbell`, an eventfd, and calls that handler.
///
/// A signal without a handler ends the process at once, and nobody needs to know before.
void apus_note_crashes(void *when, int doorbell);

#ifdef __cplusplus
}
#endif

#endif
