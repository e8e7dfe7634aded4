/// A communicator as the MPI library of this process knows it: for calls of MPI beside those of Apus.
public struct MPIHandle: Sendable, Hashable {
  /// How the library lays out its handles.
  public enum ABI: Sendable, Hashable {
    /// Open MPI: an `MPI_Comm` is a pointer.
    case openMPI
    /// MPICH and what is compatible with it: an `MPI_Comm` is an `int`.
    case mpich
    /// The standard of MPI 5: an `MPI_Comm` is a pointer.
    case standard
  }

  /// The `MPI_Comm`: a pointer, or in MPICH a number, whose 4 bytes are the low ones.
  public let communicator: UInt
  /// How to read it.
  public let abi: ABI
  /// The file that the library was loaded from, for `dlopen`.
  public let libraryPath: String
}

extension Communicator {
  /// Lends the MPI library's own communicator with these ranks, for calls of MPI that Apus does not make.
  ///
  /// ```swift
  /// try world.withMPIHandle { mpi in
  ///   var limit: Int32 = 0
  ///   MPI_Comm_get_attr(MPI_Comm(bitPattern: mpi.communicator), …)
  /// }
  /// ```
  ///
  /// For the world that is `MPI_COMM_WORLD`; what Apus sends travels on duplicates of it and meets no message of yours.
  /// Errors come back as codes. Nobody else calls the library meanwhile, and no message of Apus moves: don't wait in
  /// `body` for a rank that waits for one.
  ///
  /// - Returns: What `body` returns; nil if these ranks don't talk through MPI, or if the library has no communicator of
  ///   them: it has none of those that were split off where several threads share the library (`threads: .multiple`,
  ///   `await`).
  /// - Throws: `MessageError` (`concurrentUse`, `finalized`), and what `body` throws.
  public func withMPIHandle<R>(_ body: (MPIHandle) throws -> R) throws -> R? {
    try collectives.native?.inside { ranks, transport in
      let library = transport.library
      let isWorld = members == nil
      let abi: MPIHandle.ABI =
        switch library.abi {
        case .openMPI: .openMPI
        case .mpich: .mpich
        case .standard: .standard
        }
      return try body(
        MPIHandle(
          communicator: isWorld ? library.world.handle : ranks.handle, abi: abi, libraryPath: library.path))
    }
  }
}
