import Tensors

/// Where the numbers of a sparse matrix stand, row by row, as files keep it: in as few bytes as do.
///
/// That is a bit for every place of the matrix (`mask`), or the column of each number and how many each row has (`columns`
/// and `counts`, in bytes or 16 bits where those suffice), whichever is less.
public struct SparsePlaces: Sendable, Hashable {
  /// Row i has the entries starts[i] ..< starts[i + 1].
  public var starts: [Int32]
  /// The column of each entry, increasing within a row.
  public var columns: [Int32]
  /// The number of columns that there are.
  public var width: Int

  public init(starts: [Int32], columns: [Int32], width: Int) {
    (self.starts, self.columns, self.width) = (starts, columns, width)
  }

  public var rows: Int { max(starts.count - 1, 0) }

  /// The row of each entry.
  var rowOfEntry: [Int] {
    (0..<rows).flatMap { repeatElement($0, count: Int(starts[$0 + 1] - starts[$0])) }
  }

  private var counts: [Int32] { zip(starts.dropFirst(), starts).map { $0 - $1 } }

  // MARK: Writing

  private var maskRowBytes: Int { Self.maskRowBytes(width) }
  static func maskRowBytes(_ width: Int) -> Int { (width + 7) / 8 }

  /// The bytes of a whole number up to `largest`.
  private static func bytes(upTo largest: Int) -> Int { largest < 1 << 8 ? 1 : largest < 1 << 16 ? 2 : 4 }

  private var listBytes: Int {
    columns.count * Self.bytes(upTo: width - 1) + rows * Self.bytes(upTo: Int(counts.max() ?? 0))
  }

  /// What ``stored`` takes.
  public var byteCount: Int { min(rows * maskRowBytes, listBytes) }

  /// The tensors to write, by the name of the part: `mask`, or `columns` and `counts`.
  public var stored: [(part: String, tensor: AnyTensor)] {
    guard rows * maskRowBytes > listBytes else { return [("mask", AnyTensor(mask))] }
    return [
      ("columns", Self.tensor(columns, upTo: width - 1)), ("counts", Self.tensor(counts, upTo: Int(counts.max() ?? 0))),
    ]
  }

  private var mask: Tensor<UInt8> {
    var bytes = [UInt8](repeating: 0, count: rows * maskRowBytes)
    for (row, column) in zip(rowOfEntry, columns) {
      bytes[row * maskRowBytes + Int(column) / 8] |= 1 << UInt8(column % 8)
    }
    return Tensor(shape: [rows, maskRowBytes], scalars: bytes)
  }

  private static func tensor(_ numbers: [Int32], upTo largest: Int) -> AnyTensor {
    switch bytes(upTo: largest) {
    case 1: AnyTensor(Tensor(numbers.map(UInt8.init)))
    case 2: AnyTensor(Tensor(numbers.map(UInt16.init)))
    default: AnyTensor(Tensor(numbers))
    }
  }

  // MARK: Reading

  /// From a bit for every place; nothing when a bit is set that stands for none.
  init?(mask: Tensor<UInt8>, width: Int) {
    guard mask.rank == 2, mask.columns == Self.maskRowBytes(width) else { return nil }
    self.init(starts: [0], columns: [], width: width)
    let bytes = mask.scalars
    for row in 0..<mask.rows {
      for place in 0..<mask.columns {
        var byte = bytes[row * mask.columns + place]
        while byte != 0 {
          columns.append(Int32(8 * place + byte.trailingZeroBitCount))
          byte &= byte - 1
        }
      }
      guard columns.last.map({ Int($0) < width }) ?? true else { return nil }
      starts.append(Int32(columns.count))
    }
  }

  /// From lists; nothing unless columns increase within a row and are in range, and counts add up.
  init?(columns: [Int], counts: [Int], width: Int) {
    guard columns.count <= Int32.max, width <= Int32.max else { return nil }
    self.init(starts: [0], columns: [], width: width)
    var place = 0
    for count in counts {
      guard count >= 0, count <= columns.count - place else { return nil }
      for i in place..<place + count {
        guard (0..<width).contains(columns[i]), i == place || columns[i - 1] < columns[i] else { return nil }
        self.columns.append(Int32(columns[i]))
      }
      place += count
      starts.append(Int32(place))
    }
    guard place == columns.count else { return nil }
  }
}
