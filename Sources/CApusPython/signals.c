// A rank that waits for another one looks whether the interpreter's handlers of signals have something to say: Ctrl-C.
#include <stddef.h>

#include "apus_python_messages.h"

static apus_py_interpreter interpreter;
static _Atomic int is_there;

// Signals are handled by the main thread alone, so these are its own.
static void *raised_kind, *raised_value, *raised_trace;

// The functions stay: a thread that waits for the interpreter's lock may be about to call one.
void apus_py_signals(const apus_py_interpreter *given) {
  if (given->check_signals) interpreter = *given;
  is_there = given->check_signals != NULL;
}

void apus_py_signals_raised(void *raised[3]) {
  raised[0] = raised_kind;
  raised[1] = raised_value;
  raised[2] = raised_trace;
  raised_kind = raised_value = raised_trace = NULL;
}

int32_t apus_py_signals_check(void) {
  if (!is_there) return 0;
  int state = interpreter.ensure();
  // Nothing more is asked while one is on its way to its caller: whoever gives up may have to wait on the way.
  int32_t raised = 0;
  if (is_there && !raised_kind && interpreter.check_signals() != 0) {
    interpreter.fetch(&raised_kind, &raised_value, &raised_trace);
    raised = 1;
  }
  interpreter.release(state);
  return raised;
}
