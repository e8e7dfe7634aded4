package import ApusSystem
public import Synchronization

/// A run of elements whose inputs and outputs are plain memory: what the innermost loop of a worker needs.
///
/// Public only because that loop is compiled, specialised, into the program that names the function. Not
/// part of the interface.
@_documentation(visibility: internal)
public struct _RawRun {
  @usableFromInline let inputs: UnsafeRawPointer
  @usableFromInline let outputs: UnsafeMutableRawPointer
  @usableFromInline let count: Int
  /// The sequence number of the first element.
  @usableFromInline let first: UInt64
  @usableFromInline let progress: UnsafeMutablePointer<Atomic<UInt64>>
  @usableFromInline let gate: UnsafeMutablePointer<Atomic<UInt64>>
  /// Asked at a shut gate. Not counted: it is what runs the run.
  @usableFromInline unowned(unsafe) let gatekeeper: any RunGatekeeper

  /// How the memory of inputs and outputs is aligned at least, in bytes.
  package static let alignment = 32

  package init(
    inputs: UnsafeRawPointer, outputs: UnsafeMutableRawPointer, count: Int, first: UInt64,
    progress: SharedWord, gate: SharedWord, gatekeeper: __shared any RunGatekeeper
  ) {
    (self.inputs, self.outputs, self.count, self.first) = (inputs, outputs, count, first)
    (self.progress, self.gate, self.gatekeeper) = (progress, gate, gatekeeper)
  }

  /// Calls `function` on each element until the parent takes the rest back or an element throws; `progress`
  /// says how far it came.
  @inlinable
  @inline(__always)
  public func forEach<Input, Output>(_ function: (Input) throws -> Output) rethrows {
    let inputs = inputs.assumingMemoryBound(to: Input.self)
    let outputs = outputs.assumingMemoryBound(to: Output.self)
    for index in 0..<count {
      let sequence = first &+ UInt64(truncatingIfNeeded: index)
      progress.pointee.store(sequence &* 2 &+ 1, ordering: .relaxed)
      // The claim above must be made before the look below. The processor may swap them: the parent's
      // membarrier between its two halves undoes that. The compiler may not swap them: hence the ordering,
      // which costs nothing on x86-64.
      if gate.pointee.load(ordering: .sequentiallyConsistent) <= sequence, !_mayStart(self, sequence) {
        return
      }
      (outputs + index).initialize(to: try function(inputs[index]))
      // Release: whoever sees the element done sees its result.
      progress.pointee.store(sequence &* 2 &+ 2, ordering: .releasing)
    }
  }
}

/// What runs elements, as far as a run needs it.
@usableFromInline
package protocol RunGatekeeper: AnyObject {
  /// Asked by a worker that finds its gate shut: false if the parent has taken the element back.
  func mayStart(_ sequence: UInt64) -> Bool
}

// Apart from the loop, so that the loop stays small.
@usableFromInline
func _mayStart(_ run: _RawRun, _ sequence: UInt64) -> Bool { run.gatekeeper.mayStart(sequence) }
