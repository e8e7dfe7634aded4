// Messages with descriptors: the macros behind SCM_RIGHTS are out of Swift's reach.

#if defined(__linux__)

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "apus_socket.h"

#include "apus_descriptor.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/// Fills in an abstract address: its first byte is NUL, and its length says where it ends. 0 if it is too long.
static socklen_t make_address(const char *name, struct sockaddr_un *address) {
  size_t length = strlen(name);
  if (length == 0 || length >= sizeof address->sun_path) return 0;
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path + 1, name, length);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

static int close_with(int descriptor, int error) {
  if (descriptor >= 0) close(descriptor);
  return -error;
}

int apus_socket_listen(const char *name) {
  struct sockaddr_un address;
  socklen_t length = make_address(name, &address);
  if (length == 0) return -EINVAL;
  apus_reserve_standard_streams();
  int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return -errno;
  if (bind(listener, (struct sockaddr *)&address, length) != 0) return close_with(listener, errno);
  if (listen(listener, SOMAXCONN) != 0) return close_with(listener, errno);
  return listener;
}

int apus_socket_connect(const char *name) {
  struct sockaddr_un address;
  socklen_t length = make_address(name, &address);
  if (length == 0) return -EINVAL;
  apus_reserve_standard_streams();
  int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (connection < 0) return -errno;
  // Interrupted while the queue is full, a Unix socket has not begun to connect: it is simply done again.
  while (connect(connection, (struct sockaddr *)&address, length) != 0) {
    if (errno != EINTR) return close_with(connection, errno);
  }
  return connection;
}

int apus_socket_accept(int listener) {
  int connection;
  apus_reserve_standard_streams();
  do connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  while (connection < 0 && (errno == EINTR || errno == ECONNABORTED));
  return connection < 0 ? -errno : connection;
}

int apus_socket_seqpacket_pair(int sockets[2]) {
  apus_reserve_standard_streams();
  return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0 ? 0 : errno;
}

int apus_socket_peer(int connection, pid_t *process, uid_t *user) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return errno;
  *process = peer.pid;
  *user = peer.uid;
  return 0;
}

int apus_socket_send(int connection, const void *bytes, size_t count, int descriptor) {
  return apus_socket_send_all(connection, bytes, count, &descriptor, descriptor >= 0 ? 1 : 0);
}

int apus_socket_send_all(int connection, const void *bytes, size_t count, const int *descriptors, size_t number) {
  struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
  union {
    char bytes[CMSG_SPACE(16 * sizeof(int))];
    struct cmsghdr alignment;
  } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (number > 16) return EINVAL;
  if (number > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(number * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(number * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, number * sizeof(int));
  }
  while (sendmsg(connection, &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

ssize_t apus_socket_receive(int connection, void *bytes, size_t count, int *descriptor) {
  *descriptor = -1;
  struct iovec part = {.iov_base = bytes, .iov_len = count};
  // Room for as many as the kernel takes in one message: what has no room is lost to us but counts as sent.
  union {
    char bytes[CMSG_SPACE(253 * sizeof(int))];
    struct cmsghdr alignment;
  } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  ssize_t length;
  apus_reserve_standard_streams();  // for one that is handed over
  do {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    length = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return -errno;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t numbers = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < numbers; index++) {
      int number;
      memcpy(&number, CMSG_DATA(header) + index * sizeof(int), sizeof(int));
      if (*descriptor < 0) {
        *descriptor = number;
      } else {
        close(number);
      }
    }
  }
  if (!(message.msg_flags & MSG_TRUNC)) return length;
  if (*descriptor >= 0) close(*descriptor);
  *descriptor = -1;
  return -EMSGSIZE;
}

#endif
