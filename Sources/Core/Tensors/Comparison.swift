// Masks: comparisons, logic, and choice between two tensors. The operators carry a dot, as those of SIMD vectors do.

extension Tensor where Scalar: NumericScalar {
  static func compare(_ comparison: Comparison, _ a: Tensor, _ b: Tensor) -> Tensor<Bool> {
    combine(a.withoutDerivative, b.withoutDerivative, name: "\(comparison)") { a, strideA, b, strideB, result, count in
      Scalar.compare(comparison, a, strideA: strideA, b, strideB: strideB, result, count: count)
    }
  }

  public static func .== (a: Tensor, b: Tensor) -> Tensor<Bool> { compare(.equal, a, b) }
  public static func .!= (a: Tensor, b: Tensor) -> Tensor<Bool> { compare(.notEqual, a, b) }
  public static func .< (a: Tensor, b: Tensor) -> Tensor<Bool> { compare(.less, a, b) }
  public static func .<= (a: Tensor, b: Tensor) -> Tensor<Bool> { compare(.lessEqual, a, b) }
  public static func .> (a: Tensor, b: Tensor) -> Tensor<Bool> { compare(.greater, a, b) }
  public static func .>= (a: Tensor, b: Tensor) -> Tensor<Bool> { compare(.greaterEqual, a, b) }

  public static func .== (a: Tensor, b: Scalar) -> Tensor<Bool> { compare(.equal, a, Tensor(b)) }
  public static func .!= (a: Tensor, b: Scalar) -> Tensor<Bool> { compare(.notEqual, a, Tensor(b)) }
  public static func .< (a: Tensor, b: Scalar) -> Tensor<Bool> { compare(.less, a, Tensor(b)) }
  public static func .<= (a: Tensor, b: Scalar) -> Tensor<Bool> { compare(.lessEqual, a, Tensor(b)) }
  public static func .> (a: Tensor, b: Scalar) -> Tensor<Bool> { compare(.greater, a, Tensor(b)) }
  public static func .>= (a: Tensor, b: Scalar) -> Tensor<Bool> { compare(.greaterEqual, a, Tensor(b)) }

  /// Whether every element lies within `tolerance` of the other's, relative to the larger magnitude where it exceeds one.
  public func isClose(to other: Tensor, tolerance: Double) -> Bool {
    guard shape == other.shape else { return false }
    return withUnsafeBuffer { a in
      other.withUnsafeBuffer { b in
        a.indices.allSatisfy { i in
          let x = a[i].asDouble
          let y = b[i].asDouble
          return x == y || abs(x - y) <= tolerance * max(1, abs(x), abs(y))
        }
      }
    }
  }
}

extension Tensor where Scalar == Bool {
  private static func logic(_ a: Tensor, _ b: Tensor, _ body: (Bool, Bool) -> Bool) -> Tensor {
    combine(a, b, name: "logic") { a, strideA, b, strideB, result, count in
      for i in 0..<count { result[i] = body(a[i * strideA], b[i * strideB]) }
    }
  }

  public static func .& (a: Tensor, b: Tensor) -> Tensor { logic(a, b) { $0 && $1 } }
  public static func .| (a: Tensor, b: Tensor) -> Tensor { logic(a, b) { $0 || $1 } }
  public static func .^ (a: Tensor, b: Tensor) -> Tensor { logic(a, b) { $0 != $1 } }
  public static prefix func .! (a: Tensor) -> Tensor { logic(a, a) { x, _ in !x } }

  public var any: Bool { withUnsafeBuffer { $0.contains(true) } }
  public var all: Bool { withUnsafeBuffer { !$0.contains(false) } }
  /// How many elements hold.
  public var trueCount: Int { withUnsafeBuffer { $0.reduce(0) { $0 + ($1 ? 1 : 0) } } }

  /// Positions that hold, in row-major order.
  public var trueIndices: Tensor<Int> { withUnsafeBuffer { mask in Tensor<Int>(mask.indices.filter { mask[$0] }) } }

  /// `a` where the mask holds, `b` elsewhere; the three shapes broadcast.
  public func select<Element: TensorScalar>(_ a: Tensor<Element>, _ b: Tensor<Element>) -> Tensor<Element> {
    if let tape = innermostTape(a.trace, b.trace) {
      let mask = self
      return recordElementwise(tape, a, b) { a, b in
        let blank = Tensor<Element>(Element.blank)
        return (mask.select(a, b), { mask.select($0, blank) }, { mask.select(blank, $0) })
      }
    }
    let shape = Shape.broadcast(
      Shape.broadcast(a.shape, b.shape, for: "select"), self.shape, for: "select")
    let mask = broadcast(to: shape)
    let x = a.broadcast(to: shape)
    let y = b.broadcast(to: shape)
    let walk = StridedWalk(shape: shape, strides: [mask.strides, x.strides, y.strides])
    let result = Tensor<Element>(uninitializedShape: shape)
    guard result.count > 0 else { return result }
    withExtendedLifetime((mask.storage, x.storage, y.storage, result.storage)) {
      let m = Foreign(mask.base)
      let p = Foreign(x.base)
      let q = Foreign(y.base)
      let to = Foreign(result.base)
      let inner = walk.innerCount
      parallelRanges(walk.outerCount, grain: max(1, (1 << 14) / inner)) { rows in
        walk.forEachRow(in: rows) { row, offsets in
          Element.select(
            m.pointer + offsets[0], strideMask: walk.innerStride(0), p.pointer + offsets[1],
            strideA: walk.innerStride(1), q.pointer + offsets[2], strideB: walk.innerStride(2),
            to.mutable + row * inner, count: inner)
        }
      }
    }
    return result
  }
}

infix operator .& : LogicalConjunctionPrecedence
infix operator .| : LogicalDisjunctionPrecedence
infix operator .^ : LogicalDisjunctionPrecedence
prefix operator .!
