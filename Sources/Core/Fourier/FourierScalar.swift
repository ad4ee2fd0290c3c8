import CVectorKernels
public import Tensors

/// A scalar whose sequences can be transformed: `Float` or `Double`.
public protocol FourierScalar: RealScalar {
  /// The scalar's kernels and its kept plans.
  static var fourier: FourierEngine<Self> { get }
}

extension Float: FourierScalar {
  public static let fourier = FourierEngine<Float>(
    kernels: FourierKernels(
      lanes: Int(APUS_FFT_LANES_F32), transforms: apus_fft_transforms_f32,
      realTransforms: apus_fft_real_transforms_f32, realInverses: apus_fft_real_inverses_f32,
      columns: apus_fft_columns_f32, rows: apus_fft_rows_f32, gatherColumns: apus_fft_gather_columns_f32,
      scatterColumns: apus_fft_scatter_columns_f32, multiply: apus_complex_multiply_f32,
      gather: apus_fft_gather_f32, scatter: apus_fft_scatter_f32, split: apus_fft_split_f32,
      join: apus_fft_join_f32, untangle: apus_fft_untangle_f32, tangle: apus_fft_tangle_f32,
      order: apus_dct_order_f32, restore: apus_dct_restore_f32, turn: apus_dct_turn_f32,
      turnBack: apus_dct_turn_back_f32, beforeTypeIV: apus_dct4_before_f32, afterTypeIV: apus_dct4_after_f32))
}

extension Double: FourierScalar {
  public static let fourier = FourierEngine<Double>(
    kernels: FourierKernels(
      lanes: Int(APUS_FFT_LANES_F64), transforms: apus_fft_transforms_f64,
      realTransforms: apus_fft_real_transforms_f64, realInverses: apus_fft_real_inverses_f64,
      columns: apus_fft_columns_f64, rows: apus_fft_rows_f64, gatherColumns: apus_fft_gather_columns_f64,
      scatterColumns: apus_fft_scatter_columns_f64, multiply: apus_complex_multiply_f64,
      gather: apus_fft_gather_f64, scatter: apus_fft_scatter_f64, split: apus_fft_split_f64,
      join: apus_fft_join_f64, untangle: apus_fft_untangle_f64, tangle: apus_fft_tangle_f64,
      order: apus_dct_order_f64, restore: apus_dct_restore_f64, turn: apus_dct_turn_f64,
      turnBack: apus_dct_turn_back_f64, beforeTypeIV: apus_dct4_before_f64, afterTypeIV: apus_dct4_after_f64))
}

/// The C kernels for one scalar type; what each does stands in CFourierKernels.h.
struct FourierKernels<Scalar: TensorScalar>: Sendable {
  typealias Input = UnsafePointer<Scalar>?
  typealias Output = UnsafeMutablePointer<Scalar>?
  typealias Passes = UnsafePointer<apus_fft>?

  let lanes: Int
  let transforms: @Sendable (Passes, Input, Input, Int, Int, Output, Output, Int, Int, Int, Scalar, Output) -> Void
  let realTransforms: @Sendable (Passes, Input, Input, Int, Int, Output, Output, Int, Int, Int, Scalar, Output) -> Void
  let realInverses: @Sendable (Passes, Input, Input, Input, Int, Int, Output, Int, Int, Int, Scalar, Output) -> Void
  let columns: @Sendable (Passes, Input, Input, Int, Int, Int, Input, Input, Output, Output, Int, Output) -> Void
  let rows: @Sendable (Passes, Int, Int, Int, Input, Input, Int, Output, Output, Scalar, Output) -> Void
  let gatherColumns: @Sendable (Input, Int, Int, Int, Output, Int) -> Void
  let scatterColumns: @Sendable (Input, Int, Int, Int, Output, Int) -> Void
  let multiply: @Sendable (Input, Input, Input, Input, Scalar, Output, Output, Int) -> Void
  let gather: @Sendable (Input, UnsafePointer<Int32>?, Output, Int) -> Void
  let scatter: @Sendable (Input, UnsafePointer<Int32>?, Scalar, Output, Int) -> Void
  let split: @Sendable (Input, Output, Output, Int) -> Void
  let join: @Sendable (Input, Input, Output, Int) -> Void
  let untangle: @Sendable (Input, Int, Input, Input, Scalar, Output, Output) -> Void
  let tangle: @Sendable (Input, Int, Input, Input, Output, Output) -> Void
  let order: @Sendable (Input, Scalar, Output, Int) -> Void
  let restore: @Sendable (Input, Scalar, Output, Int) -> Void
  let turn: @Sendable (Input, Input, Input, Input, Scalar, CInt, Output, Int) -> Void
  let turnBack: @Sendable (Input, Input, Input, CInt, Output, Output, Int) -> Void
  let beforeTypeIV: @Sendable (Input, Input, Input, CInt, Output, Output, Int) -> Void
  let afterTypeIV: @Sendable (Input, Input, Input, Input, Scalar, CInt, Output, Int) -> Void
}
