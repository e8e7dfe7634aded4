import Glibc

// What the workers run.

@inline(never) func noop(_ x: Int) -> Int { x &+ 1 }

func echo(_ numbers: [Double]) -> [Double] { numbers }

func fib(_ n: Int) -> Int { n <= 2 ? 1 : fib(n - 1) + fib(n - 2) }

func fiveMilliseconds(_ x: Int) -> Int {
  func time() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
  let end = time() + 5_000_000
  while time() < end {}
  return x
}

func processIdentifierAfterAMoment(_: Int) -> Int {
  usleep(1000)
  return Int(getpid())
}
