// Sockets by which processes of one user find each other: abstract (no file is left behind), with borders between
// messages, and able to hand a descriptor over.
#ifndef APUS_SOCKET_H
#define APUS_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

/// A listening socket (AF_UNIX, SOCK_SEQPACKET, non-blocking, close-on-exec) under an abstract name, or -errno.
int apus_socket_listen(const char *name);

/// A blocking, close-on-exec connection to the socket of that name, or -errno.
int apus_socket_connect(const char *name);

/// The next connection, non-blocking and close-on-exec, or -errno (-EAGAIN if there is none).
int apus_socket_accept(int listener);

/// Who is at the other end: who connected, or who listened. 0 or errno.
int apus_socket_peer(int connection, pid_t *process, uid_t *user);

/// Sends one message, and `descriptor` with it unless that is negative. Raises no SIGPIPE. 0 or errno.
int apus_socket_send(int connection, const void *bytes, size_t count, int descriptor);

/// The same with several descriptors, 16 at most.
int apus_socket_send_all(int connection, const void *bytes, size_t count, const int *descriptors, size_t number);

/// Two connected sockets of that kind, blocking and close-on-exec. 0 or errno.
int apus_socket_seqpacket_pair(int sockets[2]);

/// Receives one message of at most `count` bytes, and at most one descriptor (close-on-exec; -1 if there is none):
/// more of them are closed. Returns the length, 0 at the end, or -errno; -EMSGSIZE if the message was longer.
ssize_t apus_socket_receive(int connection, void *bytes, size_t count, int *descriptor);

#endif
