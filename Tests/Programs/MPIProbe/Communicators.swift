import ApusMessages
import CApus

func checkEnvironment(_ library: MPILibrary, _ checks: inout Checks) throws(MPIFailure) {
  checks.expect(!library.version.isEmpty, "a version")
  checks.expect(library.path.contains("libmp"), "path \(library.path)")
  checks.expect(library.threadLevel >= .single, "a thread level")
  let again = try MPILibrary.start()
  checks.expect(again === library, "one library a process")

  let before = apus_mpi_wtime()
  checks.expect(apus_mpi_wtime() >= before, "time goes on")
  var name = [CChar](repeating: 0, count: 300)
  checks.expect(apus_mpi_processor_name(&name, name.count), 0, "MPI_Get_processor_name")
  checks.expect(name[0] != 0, "a processor's name")
  var flag = false
  checks.expect(apus_mpi_initialized(&flag) == 0 && flag, "MPI_Initialized")
  checks.expect(apus_mpi_finalized(&flag) == 0 && !flag, "MPI_Finalized")
  let greatest = try library.world.greatestTag()
  checks.expect(greatest >= 32767, "tags up to \(greatest)")
}

func checkCommunicators(_ world: MPICommunicator, _ checks: inout Checks) throws(MPIFailure) {
  checks.expect((0..<world.size).contains(world.rank), "a rank")
  let own = try MPICommunicator(handle: apus_mpi_self())
  checks.expect(own.size, 1, "the size of MPI_COMM_SELF")

  let copy = try world.duplicate()
  checks.expect(copy.rank == world.rank && copy.size == world.size, "a duplicate is alike")
  checks.expect(copy.handle != world.handle, "a duplicate is another")

  // The order of keys is the reverse of the ranks.
  let halves = try world.split(color: Int32(world.rank % 2), key: -Int32(world.rank))
  let members = (0..<world.size).filter { $0 % 2 == world.rank % 2 }.reversed()
  checks.expect(halves?.size, members.count, "the size of a half")
  checks.expect(halves?.rank, Array(members).firstIndex(of: world.rank), "the rank in a half")
  let sum = try halves?.sum([Int64(world.rank)])
  checks.expect(sum, [Int64(members.reduce(0, +))], "a sum in a half")
  try halves?.free()

  let first = try world.split(color: world.rank == 0 ? 1 : nil, key: 0)
  checks.expect((first != nil) == (world.rank == 0), "no colour, no communicator")
  try first?.free()

  let local = try world.splitShared()
  checks.expect(local.size, world.size, "all share this machine's memory")
  try local.free()

  // A message in one is not seen in the other.
  let next = (world.rank + 1) % world.size
  let previous = (world.rank + world.size - 1) % world.size
  var mine = [Int32(world.rank)]
  var request = try with(mine) { bytes throws(MPIFailure) in try copy.startSend(bytes, to: next, tag: 3) }
  let seen = try world.immediateProbe(from: MPICommunicator.anyone, tag: 3)
  checks.expect(seen, nil, "the world sees nothing of the duplicate's messages")
  let (values, _) = try copy.receive(capacity: 1, from: previous, tag: 3)
  checks.expect(values, [Int32(previous)], "the duplicate has its message")
  try request.wait()
  mine = []
  try copy.free()
}
