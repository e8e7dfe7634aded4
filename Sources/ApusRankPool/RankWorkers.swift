import ApusEngine
import ApusMessages
import ApusSystem
import ApusWire

/// The other ranks' workers, as rank 0 has them for its engine.
final class RankWorkers: DistantWorkers, @unchecked Sendable {
  // Sound: everything mutable is used under the engine's lock; the link and the bell see to themselves.

  private let link: FrameLink
  private let bell: Bell
  /// Which worker of which rank each place is.
  private let places: [(rank: Int, worker: Int)]
  private var placeOf: [Int: Int] = [:]
  private var workers: [DistantWorker?]
  private var generation: UInt32 = 0
  private var corruption: MessageError?

  /// - Parameter processes: How many worker processes each rank has; 0: it runs tasks itself.
  init(_ communicator: Communicator, processes: [Int]) throws {
    var places: [(rank: Int, worker: Int)] = []
    for rank in 1..<communicator.size {
      placeOf[rank] = places.count
      for worker in 0..<max(1, processes[rank]) { places.append((rank, worker)) }
    }
    self.places = places
    workers = Array(repeating: nil, count: places.count)
    bell = try Bell()
    link = try FrameLink(communicator, peers: 1..<communicator.size, bell: bell)
  }

  var count: Int { places.count }
  let name = "ranks"
  let adviceOnEndless = "`workersPerRank: 1` lets it be"
  var notice: Int32 { bell.descriptor.number }
  var problem: (any Error)? { corruption ?? link.failure }

  func start(_ place: Int) throws(ProcessError) -> (process: any WorkerProcess, channel: Channel) {
    let (rank, worker) = places[place]
    generation += 1
    let made = try DistantWorker(
      number: worker, generation: generation, place: "rank \(rank)",
      send: { [link] in link.send($0, to: rank) })
    workers[place] = made
    return (made, made.channel)
  }

  func deliver(ended: (Int) -> Void) -> Bool {
    guard link.hasNews else { return false }
    let frames = link.take().frames
    for (rank, buffer) in frames {
      do { try accept(buffer, from: rank, ended) } catch {
        corruption = MessageError(
          .transport, "rank \(rank) sent what no rank of a pool sends: \(error)", rank: rank)
      }
    }
    if let problem { for worker in workers { worker?.lose("\(problem)") } }
    return true
  }

  private func accept(_ buffer: ByteBuffer, from rank: Int, _ ended: (Int) -> Void) throws {
    guard let (frame, bytes) = ChannelFrame.read(buffer),
      frame.kind == ChannelFrame.Kind.moved || frame.kind == ChannelFrame.Kind.ended
    else { throw ChannelCorruption("a frame of unknown kind") }
    guard let first = placeOf[rank], frame.worker < UInt32(places.count - first),
      places[first + Int(frame.worker)].rank == rank
    else { throw ChannelCorruption("a frame of a worker that it does not have") }
    let place = first + Int(frame.worker)
    // A word from one that was replaced meanwhile.
    guard let worker = workers[place], worker.generation == frame.generation else { return }
    try worker.accept(frame, bytes)
    if frame.kind == ChannelFrame.Kind.ended { ended(place) }
  }

  /// Lets the other ranks go, once the engine has ended.
  func finish() {
    // Asked once, before any is told: one that was let go may have ended before the next is told. And when one had failed
    // before, none is let go as if all were well: they throw that failure.
    if link.failure == nil {
      for rank in 1..<link.communicator.size {
        link.send(ChannelFrame(ChannelFrame.Kind.finish, worker: 0, generation: 0).buffer(), to: rank)
      }
    }
    link.finish()
  }
}
