import Glibc

// What the workers run.

@inline(never) func noop(_ x: Int) -> Int { x &+ 1 }

func echo(_ numbers: [Double]) -> [Double] { numbers }

func fib(_ n: Int) -> Int { n <= 2 ? 1 : fib(n - 1) + fib(n - 2) }

func processIdentifierAfterAMoment(_: Int) -> Int {
  usleep(1000)
  return Int(getpid())
}
