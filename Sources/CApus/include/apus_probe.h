// What this kernel and this surrounding (container, sandbox) let a program do: for `apus doctor`.
#ifndef APUS_PROBE_H
#define APUS_PROBE_H

/// Each returns 0 if it works, or the errno with which it was refused.
int apus_probe_pidfd(void);
int apus_probe_memfd(void);
int apus_probe_membarrier(void);
/// Whether one child may read another's memory, as ranks do (process_vm_readv). Yama and containers forbid it.
int apus_probe_process_memory(void);
/// Whether a process may be made in a new user namespace.
int apus_probe_namespaces(void);

#endif
