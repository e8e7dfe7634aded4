#include "apus_poll.h"

#include "apus_descriptor.h"

#include <errno.h>
#include <sys/epoll.h>


int apus_poll_create(void) {
  apus_reserve_standard_streams();
  int poller = epoll_create1(EPOLL_CLOEXEC);
  return poller < 0 ? -errno : apus_move_high(poller);
}

static int add(int poller, int descriptor, uint64_t tag, uint32_t events) {
  struct epoll_event event = {.events = events, .data.u64 = tag};
  return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno;
}

int apus_poll_add(int poller, int descriptor, uint64_t tag) { return add(poller, descriptor, tag, EPOLLIN); }

int apus_poll_add_writable(int poller, int descriptor, uint64_t tag) {
  return add(poller, descriptor, tag, EPOLLOUT);
}

bool apus_poll_has(int poller, int descriptor, uint64_t tag) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
  // ENOENT, EPERM: the number is another file's by now.
  return epoll_ctl(poller, EPOLL_CTL_MOD, descriptor, &event) == 0;
}

void apus_poll_remove(int poller, int descriptor) { epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, 0); }

int apus_poll_wait(int poller, uint64_t *tags, int count, int milliseconds) {
  struct epoll_event events[APUS_POLL_MOST];
  int ready = epoll_wait(poller, events, count < APUS_POLL_MOST ? count : APUS_POLL_MOST, milliseconds);
  for (int i = 0; i < ready; i++) tags[i] = events[i].data.u64;
  return ready >= 0 ? ready : errno == EINTR ? 0 : -errno;
}
