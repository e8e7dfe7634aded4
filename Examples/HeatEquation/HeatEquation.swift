// Heat spreading in a plate: each rank has a band of rows, and in each step neighbours exchange the rows at the edges
// of their bands (a halo). Rank 0 writes a picture at the end.
//
//     .build/release/apus launch -n 4 .build/release/HeatEquation plate.pgm
import Apus
import Glibc

@main
struct HeatEquation {
  static let width = 256
  static let height = 256
  static let steps = 2000

  static func main() throws {
    let world = try Communicator.world()
    let first = height * world.rank / world.size
    let rows = height * (world.rank + 1) / world.size - first
    // With a row of the neighbour's above and below.
    var plate = [Double](repeating: 0, count: (rows + 2) * width)
    keepWarm(&plate, first, rows)

    for _ in 0..<steps {
      try exchangeEdges(&plate, rows, world)
      var next = plate
      for row in 1...rows {
        for column in 1..<width - 1 {
          let at = row * width + column
          next[at] =
            plate[at] + 0.2
            * (plate[at - 1] + plate[at + 1] + plate[at - width] + plate[at + width] - 4 * plate[at])
        }
      }
      keepWarm(&next, first, rows)
      plate = next
    }

    let band = Array(plate[width..<(rows + 1) * width])
    let heat = try world.allReduce(band.reduce(0, +), .sum)
    if let picture = try world.gather(concatenating: band) {
      let path = CommandLine.arguments.dropFirst().first ?? "plate.pgm"
      try write(picture, to: path)
      print("after \(steps) steps on \(world.size) ranks: mean temperature \(mean(heat)); \(path) shows it")
    }
  }

  /// The first row of the plate is hot, its last row cold.
  static func keepWarm(_ plate: inout [Double], _ first: Int, _ rows: Int) {
    if first == 0 { for column in 0..<width { plate[width + column] = 100 } }
    if first + rows == height { for column in 0..<width { plate[rows * width + column] = 0 } }
  }

  static func exchangeEdges(_ plate: inout [Double], _ rows: Int, _ world: Communicator) throws {
    let (above, below) = (world.rank - 1, world.rank + 1)
    if above >= 0 {
      let halo: [Double] = try world.sendReceive(Array(plate[width..<2 * width]), to: above, from: above)
      plate.replaceSubrange(0..<width, with: halo)
    }
    if below < world.size {
      let halo: [Double] = try world.sendReceive(
        Array(plate[rows * width..<(rows + 1) * width]), to: below, from: below)
      plate.replaceSubrange((rows + 1) * width..<(rows + 2) * width, with: halo)
    }
  }

  static func mean(_ heat: Double) -> String {
    let hundredths = Int((heat / Double(width * height) * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
  }

  /// As a grey picture, binary PGM.
  static func write(_ plate: [Double], to path: String) throws {
    guard let file = fopen(path, "w") else { throw CannotWrite(path: path, errno: errno) }
    let bytes = Array("P5 \(width) \(height) 255\n".utf8) + plate.map { UInt8(max(0, min(255, $0 * 2.55))) }
    let written = fwrite(bytes, 1, bytes.count, file)
    guard fclose(file) == 0, written == bytes.count else { throw CannotWrite(path: path, errno: errno) }
  }

  struct CannotWrite: Error, CustomStringConvertible {
    var path: String
    var errno: Int32
    var description: String { "\(path) can't be written: \(String(cString: strerror(errno)))" }
  }
}
