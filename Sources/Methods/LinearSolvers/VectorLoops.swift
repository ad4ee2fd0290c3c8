// Loops over vectors in raw memory, for work vectors that live as long as a solve.

import Tensors

/// Σ x_i y_i, in eight partial sums.
func dot(_ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, _ count: Int) -> Double {
  var sums = SIMD8<Double>.zero
  let (rawX, rawY) = (UnsafeRawPointer(x), UnsafeRawPointer(y))
  let whole = count & ~7
  var i = 0
  while i < whole {
    let a = rawX.loadUnaligned(fromByteOffset: 8 &* i, as: SIMD8<Double>.self)
    let b = rawY.loadUnaligned(fromByteOffset: 8 &* i, as: SIMD8<Double>.self)
    sums += a * b
    i &+= 8
  }
  var sum = sums.sum()
  while i < count {
    sum += x[i] * y[i]
    i &+= 1
  }
  return sum
}

/// y += factor x.
func add(_ factor: Double, _ x: UnsafePointer<Double>, to y: UnsafeMutablePointer<Double>, _ count: Int) {
  for i in 0..<count { y[i] += factor * x[i] }
}

/// y = x + factor y.
func scale(_ factor: Double, _ y: UnsafeMutablePointer<Double>, adding x: UnsafePointer<Double>, _ count: Int) {
  for i in 0..<count { y[i] = x[i] + factor * y[i] }
}

/// Memory of numbers that a work space owns.
final class WorkVector {
  let count: Int
  let start: UnsafeMutablePointer<Double>

  init(_ count: Int) {
    self.count = count
    start = .allocate(capacity: max(count, 1))
    start.initialize(repeating: 0, count: count)
  }

  deinit { start.deallocate() }

  func clear() { start.update(repeating: 0, count: count) }
}
