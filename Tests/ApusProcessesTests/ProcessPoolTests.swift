import ApusSystem
import Testing

/// Swift Testing has a type of this name too; a declaration in this module comes first.
typealias ExitStatus = ApusSystem.ExitStatus

/// The tests of the pool, one after the other: each starts processes of its own, and a few of them at a time are
/// what a small machine can run. The limit is for ever: a call that hangs is to fail, not to hold up the rest.
@Suite(.serialized, .timeLimit(.minutes(10))) enum ProcessPoolTests {}
