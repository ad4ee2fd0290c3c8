import CVectorKernels
import LinearAlgebra
import Tensors

/// Codes of signals while they change: room for the same number of entries in each row.
struct CodeTable<Scalar: LinearScalar> {
  /// Shape [signals, sparsity]: the atoms, increasing as far as the row's count goes.
  var indices: Tensor<Int32>
  /// Shape [signals, sparsity].
  var values: Tensor<Scalar>
  /// Shape [signals].
  var counts: Tensor<Int32>
  let sparsity: Int

  init(signals: Int, sparsity: Int) {
    indices = .zeros([signals, sparsity])
    values = .zeros([signals, sparsity])
    counts = .zeros([signals])
    self.sparsity = sparsity
  }

  var signals: Int { counts.count }

  /// The tensors as the kernels see them.
  mutating func withKernelView<Result>(_ body: (apus_codes) throws -> Result) rethrows -> Result {
    try indices.withUnsafeMutableBuffer { indices in
      try values.withUnsafeMutableBuffer { values in
        try counts.withUnsafeMutableBuffer { counts in
          try body(
            apus_codes(
              indices: indices.baseAddress!, values: UnsafeMutableRawPointer(values.baseAddress!),
              counts: counts.baseAddress!))
        }
      }
    }
  }

  /// The codes as a matrix of shape [signals, atoms].
  func matrix(atoms: Int) -> SparseMatrix<Scalar> {
    let counts = counts.scalars
    let total = counts.reduce(0) { $0 + Int($1) }
    var starts: [Int32] = [0]
    for count in counts { starts.append(starts[starts.count - 1] + count) }
    let columns = Tensor<Int32>(uninitializedShape: [total]) { columns in
      indices.withUnsafeBuffer { indices in
        for row in counts.indices {
          for e in 0..<Int(counts[row]) { columns[Int(starts[row]) + e] = indices[row * sparsity + e] }
        }
      }
    }
    let entries = Tensor<Scalar>(uninitializedShape: [total]) { entries in
      guard let to = entries.baseAddress else { return }
      values.withUnsafeBuffer { values in
        guard let from = values.baseAddress else { return }
        for row in counts.indices {
          (to + Int(starts[row])).update(from: from + row * sparsity, count: Int(counts[row]))
        }
      }
    }
    do {
      return try SparseMatrix(
        rows: signals, columns: atoms, starts: Tensor(starts), indices: columns, values: entries)
    } catch {
      preconditionFailure("codes have increasing atoms in every row: \(error)")
    }
  }

  /// For each atom, the signals that use it and where their coefficients are.
  func users(atoms: Int) -> AtomUsers {
    let counts = counts.scalars
    var users = AtomUsers(atoms: atoms, entries: counts.reduce(0) { $0 + Int($1) })
    indices.withUnsafeBuffer { indices in
      for row in counts.indices {
        for e in 0..<Int(counts[row]) { users.starts[Int(indices[row * sparsity + e]) + 1] += 1 }
      }
      for atom in 0..<atoms { users.starts[atom + 1] += users.starts[atom] }
      var next = users.starts
      for row in counts.indices {
        for e in 0..<Int(counts[row]) {
          let atom = Int(indices[row * sparsity + e])
          users.rows[next[atom]] = Int32(row)
          users.places[next[atom]] = Int32(row * sparsity + e)
          next[atom] += 1
        }
      }
    }
    return users
  }
}

/// Atom j is used by entries starts[j] ..< starts[j + 1] of `rows` (signals) and `places` (of their coefficients).
struct AtomUsers {
  var starts: [Int]
  var rows: [Int32]
  var places: [Int32]

  init(atoms: Int, entries: Int) {
    starts = [Int](repeating: 0, count: atoms + 1)
    rows = [Int32](repeating: 0, count: entries)
    places = [Int32](repeating: 0, count: entries)
  }

  func count(of atom: Int) -> Int { starts[atom + 1] - starts[atom] }
}
