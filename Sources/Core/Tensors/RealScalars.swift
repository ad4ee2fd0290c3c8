// Float and Double: every kernel is the C loop of the same name.

import BLAS
import CVectorKernels
import Foundation
public import Numerics

/// A fraction with at most `digits` significant digits, without trailing zeros: 0.5, 1.25e-07, nan, -inf.
func formattedReal(_ value: Double, digits: Int) -> String {
  if value.isNaN { return "nan" }
  if value.isInfinite { return value < 0 ? "-inf" : "inf" }
  return String(format: "%.*g", digits, value)
}

extension Float: RealScalar {
  public static var name: String { "Float" }
  public var asDouble: Double { Double(self) }
  public init(clamping value: Double) { self.init(value) }
  public func formatted(digits: Int) -> String { formattedReal(Double(self), digits: Swift.min(digits, 9)) }

  public static func apply(
    _ operation: BinaryOperation, _ a: UnsafePointer<Float>, strideA: Int, _ b: UnsafePointer<Float>, strideB: Int,
    _ result: UnsafeMutablePointer<Float>, count: Int
  ) {
    apus_binary_f32(apus_binary(operation.rawValue), a, strideA, b, strideB, result, count)
  }

  public static func apply(
    _ operation: UnaryOperation, _ a: UnsafePointer<Float>, strideA: Int, _ result: UnsafeMutablePointer<Float>,
    count: Int
  ) {
    apus_unary_f32(apus_unary(operation.rawValue), a, strideA, result, count)
  }

  public static func compare(
    _ comparison: Comparison, _ a: UnsafePointer<Float>, strideA: Int, _ b: UnsafePointer<Float>, strideB: Int,
    _ result: UnsafeMutablePointer<Bool>, count: Int
  ) {
    apus_compare_f32(apus_comparison(comparison.rawValue), a, strideA, b, strideB, result, count)
  }

  public static func select(
    _ mask: UnsafePointer<Bool>, strideMask: Int, _ a: UnsafePointer<Float>, strideA: Int, _ b: UnsafePointer<Float>,
    strideB: Int, _ result: UnsafeMutablePointer<Float>, count: Int
  ) {
    apus_select_f32(mask, strideMask, a, strideA, b, strideB, result, count)
  }

  public static func multiplyAdd(
    _ a: UnsafePointer<Float>, strideA: Int, _ b: UnsafePointer<Float>, strideB: Int, _ c: UnsafePointer<Float>,
    strideC: Int, _ result: UnsafeMutablePointer<Float>, count: Int
  ) {
    apus_multiply_add_f32(a, strideA, b, strideB, c, strideC, result, count)
  }

  public static func reduce(_ reduction: Reduction, _ a: UnsafePointer<Float>, stride: Int, count: Int) -> Float {
    apus_reduce_f32(apus_reduction(reduction.rawValue), a, stride, count)
  }

  public static func cumulate(
    _ reduction: Reduction, _ a: UnsafePointer<Float>, stride: Int, _ result: UnsafeMutablePointer<Float>, count: Int
  ) {
    apus_cumulative_f32(apus_reduction(reduction.rawValue), a, stride, result, count)
  }

  public static func indexOfExtreme(largest: Bool, _ a: UnsafePointer<Float>, stride: Int, count: Int) -> Int {
    largest ? apus_index_of_largest_f32(a, stride, count) : apus_index_of_smallest_f32(a, stride, count)
  }

  public static func foldRows(
    _ reduction: Reduction, _ a: UnsafePointer<Float>, rowStride: Int, rows: Int, columns: Int,
    _ result: UnsafeMutablePointer<Float>
  ) {
    apus_fold_rows_f32(apus_reduction(reduction.rawValue), a, rowStride, rows, columns, result)
  }

  public static func squaredDeviations(_ a: UnsafePointer<Float>, from mean: Double, count: Int) -> Double {
    apus_squared_deviations_f32(a, mean, count)
  }

  public static func dot(
    _ a: UnsafePointer<Float>, strideA: Int, _ b: UnsafePointer<Float>, strideB: Int, count: Int
  ) -> Float {
    apus_dot_f32(a, strideA, b, strideB, count)
  }

  public static func logSumExp(_ a: UnsafePointer<Float>, stride: Int, count: Int) -> Float {
    apus_log_sum_exp_f32(a, stride, count)
  }

  public static func softmax(
    _ a: UnsafePointer<Float>, stride: Int, _ result: UnsafeMutablePointer<Float>, count: Int
  ) {
    apus_softmax_f32(a, stride, result, count)
  }

  public static func logSoftmax(
    _ a: UnsafePointer<Float>, stride: Int, _ result: UnsafeMutablePointer<Float>, count: Int
  ) {
    apus_log_softmax_f32(a, stride, result, count)
  }

  public static func areAllFinite(_ a: UnsafePointer<Float>, stride: Int, count: Int) -> Bool {
    apus_all_finite_f32(a, stride, count)
  }

  public static func fillUniform(
    key: UInt64, stream: UInt64, first: UInt64, open: Bool, _ result: UnsafeMutablePointer<Float>, count: Int
  ) {
    apus_random_uniform_f32(key, stream, first, open, result, count)
  }

  public static func fillNormal(
    key: UInt64, stream: UInt64, first: UInt64, _ result: UnsafeMutablePointer<Float>, count: Int
  ) {
    apus_random_normal_f32(key, stream, first, result, count)
  }

  public static func convert(from a: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>, count: Int) {
    result.update(from: a, count: count)
  }

  public static func convert(from a: UnsafePointer<Double>, _ result: UnsafeMutablePointer<Float>, count: Int) {
    apus_f32_from_f64(a, result, count)
  }
}

extension Double: RealScalar {
  public static var name: String { "Double" }
  public var asDouble: Double { Double(self) }
  public init(clamping value: Double) { self.init(value) }
  public func formatted(digits: Int) -> String { formattedReal(Double(self), digits: Swift.min(digits, 17)) }

  public static func apply(
    _ operation: BinaryOperation, _ a: UnsafePointer<Double>, strideA: Int, _ b: UnsafePointer<Double>, strideB: Int,
    _ result: UnsafeMutablePointer<Double>, count: Int
  ) {
    apus_binary_f64(apus_binary(operation.rawValue), a, strideA, b, strideB, result, count)
  }

  public static func apply(
    _ operation: UnaryOperation, _ a: UnsafePointer<Double>, strideA: Int, _ result: UnsafeMutablePointer<Double>,
    count: Int
  ) {
    apus_unary_f64(apus_unary(operation.rawValue), a, strideA, result, count)
  }

  public static func compare(
    _ comparison: Comparison, _ a: UnsafePointer<Double>, strideA: Int, _ b: UnsafePointer<Double>, strideB: Int,
    _ result: UnsafeMutablePointer<Bool>, count: Int
  ) {
    apus_compare_f64(apus_comparison(comparison.rawValue), a, strideA, b, strideB, result, count)
  }

  public static func select(
    _ mask: UnsafePointer<Bool>, strideMask: Int, _ a: UnsafePointer<Double>, strideA: Int, _ b: UnsafePointer<Double>,
    strideB: Int, _ result: UnsafeMutablePointer<Double>, count: Int
  ) {
    apus_select_f64(mask, strideMask, a, strideA, b, strideB, result, count)
  }

  public static func multiplyAdd(
    _ a: UnsafePointer<Double>, strideA: Int, _ b: UnsafePointer<Double>, strideB: Int, _ c: UnsafePointer<Double>,
    strideC: Int, _ result: UnsafeMutablePointer<Double>, count: Int
  ) {
    apus_multiply_add_f64(a, strideA, b, strideB, c, strideC, result, count)
  }

  public static func reduce(_ reduction: Reduction, _ a: UnsafePointer<Double>, stride: Int, count: Int) -> Double {
    apus_reduce_f64(apus_reduction(reduction.rawValue), a, stride, count)
  }

  public static func cumulate(
    _ reduction: Reduction, _ a: UnsafePointer<Double>, stride: Int, _ result: UnsafeMutablePointer<Double>, count: Int
  ) {
    apus_cumulative_f64(apus_reduction(reduction.rawValue), a, stride, result, count)
  }

  public static func indexOfExtreme(largest: Bool, _ a: UnsafePointer<Double>, stride: Int, count: Int) -> Int {
    largest ? apus_index_of_largest_f64(a, stride, count) : apus_index_of_smallest_f64(a, stride, count)
  }

  public static func foldRows(
    _ reduction: Reduction, _ a: UnsafePointer<Double>, rowStride: Int, rows: Int, columns: Int,
    _ result: UnsafeMutablePointer<Double>
  ) {
    apus_fold_rows_f64(apus_reduction(reduction.rawValue), a, rowStride, rows, columns, result)
  }

  public static func squaredDeviations(_ a: UnsafePointer<Double>, from mean: Double, count: Int) -> Double {
    apus_squared_deviations_f64(a, mean, count)
  }

  public static func dot(
    _ a: UnsafePointer<Double>, strideA: Int, _ b: UnsafePointer<Double>, strideB: Int, count: Int
  ) -> Double {
    apus_dot_f64(a, strideA, b, strideB, count)
  }

  public static func logSumExp(_ a: UnsafePointer<Double>, stride: Int, count: Int) -> Double {
    apus_log_sum_exp_f64(a, stride, count)
  }

  public static func softmax(
    _ a: UnsafePointer<Double>, stride: Int, _ result: UnsafeMutablePointer<Double>, count: Int
  ) {
    apus_softmax_f64(a, stride, result, count)
  }

  public static func logSoftmax(
    _ a: UnsafePointer<Double>, stride: Int, _ result: UnsafeMutablePointer<Double>, count: Int
  ) {
    apus_log_softmax_f64(a, stride, result, count)
  }

  public static func areAllFinite(_ a: UnsafePointer<Double>, stride: Int, count: Int) -> Bool {
    apus_all_finite_f64(a, stride, count)
  }

  public static func fillUniform(
    key: UInt64, stream: UInt64, first: UInt64, open: Bool, _ result: UnsafeMutablePointer<Double>, count: Int
  ) {
    apus_random_uniform_f64(key, stream, first, open, result, count)
  }

  public static func fillNormal(
    key: UInt64, stream: UInt64, first: UInt64, _ result: UnsafeMutablePointer<Double>, count: Int
  ) {
    apus_random_normal_f64(key, stream, first, result, count)
  }

  public static func convert(from a: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Double>, count: Int) {
    apus_f64_from_f32(a, result, count)
  }

  public static func convert(from a: UnsafePointer<Double>, _ result: UnsafeMutablePointer<Double>, count: Int) {
    result.update(from: a, count: count)
  }
}
