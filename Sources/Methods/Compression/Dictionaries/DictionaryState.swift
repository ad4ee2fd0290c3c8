import CVectorKernels
import LinearAlgebra
import Tensors

/// The dictionary, the codes and the residuals of K-SVD between its steps.
struct DictionaryState<Scalar: LinearScalar> {
  let signals: Tensor<Scalar>
  /// Shape [k, d]: unit vectors.
  var dictionary: Tensor<Scalar>
  var codes: CodeTable<Scalar>
  /// Signals less their reconstruction, shape [n, d].
  var residuals: Tensor<Scalar>
  let powerIterations: Int?
  private let squaredNorms: Tensor<Scalar>
  private var width: Int { signals.columns }

  init(signals: Tensor<Scalar>, dictionary: Tensor<Scalar>, sparsity: Int, powerIterations: Int?) {
    self.signals = signals.dense
    (self.dictionary, self.powerIterations) = (dictionary, powerIterations)
    codes = CodeTable(signals: signals.rows, sparsity: sparsity)
    residuals = signals.copied()
    squaredNorms = signals.sumOfSquares(axes: [1])
  }

  var squaredError: Double { Double(residuals.sumOfSquares().scalar) }

  /// New codes for the dictionary as it is, where they are no worse.
  mutating func encode() {
    let pursuit = Pursuit(
      gram: dictionary.multipliedByOwnTranspose(), sparsity: codes.sparsity, tolerance: 0)
    var candidates = pursuit.encode(
      correlations: signals.matmul(dictionary, transposingB: true), squares: squaredNorms
    ).codes
    let (count, width, sparsity) = (signals.rows, width, codes.sparsity)
    let tasks = count * width < 1 << 15 ? 1 : min(count, 2 * threadCount)
    let length = (count + tasks - 1) / tasks
    var squares = squaredNorms.copied()
    let (signals, dictionary) = (signals, dictionary)
    residuals.withUnsafeMutableBuffer { residuals in
      squares.withUnsafeMutableBuffer { squares in
        let (residuals, squares) = (UncheckedPointer(residuals.baseAddress), UncheckedPointer(squares.baseAddress))
        candidates.withKernelView { candidates in
          codes.withKernelView { codes in
            signals.withUnsafeBuffer { signals in
              dictionary.withUnsafeBuffer { dictionary in
                parallelTasks((count + length - 1) / length) { task in
                  withUnsafeTemporaryAllocation(of: Scalar.self, capacity: width) { scratch in
                    withUnsafePointer(to: candidates) { candidates in
                      withUnsafePointer(to: codes) { codes in
                        pursuitKernels(Scalar.self).adopt(
                          task * length, min((task + 1) * length, count), width, sparsity, signals.baseAddress!,
                          dictionary.baseAddress!, candidates, codes, residuals.base.unsafelyUnwrapped,
                          squares.base.unsafelyUnwrapped, scratch.baseAddress!)
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  /// Each atom in turn, with the coefficients of the signals that use it.
  mutating func updateAtoms(order: [Int]) throws {
    let users = codes.users(atoms: dictionary.rows)
    var unused: [Int] = []
    for atom in order {
      if users.count(of: atom) == 0 { unused.append(atom) } else { try update(atom, users) }
    }
    guard !unused.isEmpty else { return }
    // The signals that are represented worst become atoms, each at most once.
    let squares = residuals.sumOfSquares(axes: [1])
    let worst = squares.argsort(descending: true).scalars.prefix(unused.count)
    for (atom, signal) in zip(unused, worst) where squares[at: signal] > 0 {
      let residual = residuals[signal]
      dictionary[atom] = residual / residual.norm()
    }
  }

  private mutating func update(_ atom: Int, _ users: AtomUsers) throws {
    let count = users.count(of: atom)
    let start = users.starts[atom]
    let previous = dictionary[atom].copied()
    var current = previous.copied()
    var coefficients = Tensor<Scalar>.zeros([count])
    let kernels = pursuitKernels(Scalar.self)
    let width = width
    codes.values.withUnsafeBuffer { values in
      coefficients.withUnsafeMutableBuffer { coefficients in
        users.places.withUnsafeBufferPointer {
          kernels.gather(values.baseAddress!, $0.baseAddress! + start, count, coefficients.baseAddress!)
        }
      }
    }
    var updated = coefficients.copied()
    if powerIterations == nil {
      (current, updated) = try leadingPair(previous, coefficients, rows: users.rows[start..<start + count])
    }
    let isLarge = count * width > 1 << 15
    residuals.withUnsafeMutableBuffer { residuals in
      codes.values.withUnsafeMutableBuffer { values in
        current.withUnsafeMutableBuffer { current in
          updated.withUnsafeMutableBuffer { updated in
            previous.withUnsafeBuffer { previous in
              coefficients.withUnsafeBuffer { coefficients in
                users.rows.withUnsafeBufferPointer { rows in
                  users.places.withUnsafeBufferPointer { places in
                    let view = apus_atom(
                      width: width, residuals: residuals.baseAddress!, rows: rows.baseAddress! + start,
                      places: places.baseAddress! + start, count: count, previous: previous.baseAddress!,
                      atom: current.baseAddress!, coefficients: coefficients.baseAddress!,
                      updated: updated.baseAddress!)
                    let work = AtomWork(
                      view: view, isLarge: isLarge, kernels: kernels, scalarSize: MemoryLayout<Scalar>.size)
                    for _ in 0..<(powerIterations ?? 0) { work.iterate() }
                    work.replace()
                    kernels.scatter(updated.baseAddress!, places.baseAddress! + start, count, values.baseAddress!)
                  }
                }
              }
            }
          }
        }
      }
    }
    dictionary[atom] = current
  }

  /// The exact leading singular pair of the residuals of an atom's users without it.
  private func leadingPair(
    _ previous: Tensor<Scalar>, _ coefficients: Tensor<Scalar>, rows: ArraySlice<Int32>
  ) throws -> (atom: Tensor<Scalar>, coefficients: Tensor<Scalar>) {
    let own = residuals.gathered(Tensor(rows.map { Int($0) }))
    let svd = try SingularValueDecomposition(of: own + coefficients.outer(previous))
    guard svd.values[at: 0] > 0 else { return (previous, coefficients) }
    return (svd.right[.all, 0].copied(), svd.left[.all, 0].copied() * svd.values[at: 0])
  }

  /// Fits the dictionary to all codes at once by least squares, where that is no worse; atoms are unit vectors again,
  /// their lengths with the codes.
  mutating func polish() throws {
    let matrix = codes.matrix(atoms: dictionary.rows)
    let gram = Tensor<Double>(try matrix.transposed.matmul(matrix).dense).symmetrized
    let eigen = try SymmetricEigendecomposition(of: gram)
    let least = max(eigen.values.maximum().scalar, 0) * 1e-12
    let inverse = (eigen.values .> least).select(1 / eigen.values, .zeros(eigen.values.shape))
    let sides = Tensor<Double>(matrix.matmul(signals, transposing: true))
    let projected = eigen.vectors.matmul(sides, transposingA: true) * inverse.expanded(axis: 1)
    let fitted = eigen.vectors.matmul(projected)
    let norms = fitted.norm(axis: 1)
    // Atoms without users, or that no code needs, stay as they are.
    let isUsed = norms .> 0
    let scales = isUsed.select(norms, .ones(norms.shape))
    let unit = Tensor<Scalar>(fitted / scales.expanded(axis: 1))
    let next = isUsed.expanded(axis: 1).broadcast(to: dictionary.shape).select(unit, dictionary)
    let lengths = Tensor<Scalar>(isUsed.select(norms, .zeros(norms.shape)))
    var scaled = codes
    scaled.values = codes.values * lengths.gathered(Tensor<Int>(codes.indices))
    let rest = signals - scaled.matrix(atoms: next.rows).matmul(next)
    guard Double(rest.sumOfSquares().scalar) <= squaredError else { return }
    (dictionary, codes, residuals) = (next.dense, scaled, rest.dense)
  }
}

/// The steps of one atom's update, on two or more threads where there is enough to do.
private struct AtomWork: @unchecked Sendable {
  let view: apus_atom
  let isLarge: Bool
  let kernels: apus_pursuit_kernels
  let scalarSize: Int

  /// One power iteration: the atom from its coefficients, the coefficients from the atom.
  func iterate() {
    spread(view.width) { kernels.combine($0, $1.lowerBound, $1.upperBound) }
    if kernels.normalize(view.atom, view.width) == 0 {
      // Nothing to represent: the atom stays.
      view.atom.copyMemory(from: view.previous, byteCount: view.width * scalarSize)
    }
    spread(view.count) { kernels.project($0, $1.lowerBound, $1.upperBound) }
  }

  func replace() { spread(view.count) { kernels.replace($0, $1.lowerBound, $1.upperBound) } }

  private func spread(_ count: Int, _ body: (UnsafePointer<apus_atom>, Range<Int>) -> Void) {
    parallelRanges(count, grain: isLarge ? max(1, count / threadCount) : count) { range in
      withUnsafePointer(to: view) { body($0, range) }
    }
  }
}
