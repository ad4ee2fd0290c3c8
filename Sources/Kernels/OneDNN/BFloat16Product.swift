// Products of matrices in bfloat16, with sums in f32.

/// What a product in bfloat16 is prepared for: c = alpha a b + beta c (or a bᵀ) of row-major matrices.
public struct BFloat16ProductForm: Hashable, Sendable {
  /// The extents of c, and the terms of its sums.
  public var rows: Int, columns: Int, inner: Int
  /// Whether b is given with its columns as rows.
  public var transposingB: Bool
  /// From one row to the next, in elements.
  public var leadingA: Int, leadingB: Int, leadingC: Int
  public var alpha: Float = 1, beta: Float = 0
  /// Whether c is in f32; in bfloat16 otherwise.
  public var resultIsSingle = false

  /// Matrices whose rows follow each other without a gap.
  public init(rows: Int, columns: Int, inner: Int, transposingB: Bool = false) {
    (self.rows, self.columns, self.inner) = (rows, columns, inner)
    self.transposingB = transposingB
    leadingA = inner
    leadingB = transposingB ? inner : columns
    leadingC = columns
  }
}

#if canImport(COneDNN)
  import COneDNN

  /// One product of a form, on the calling thread.
  ///
  /// Every element is one sum in f32, which is rounded once.
  public final class BFloat16Product: @unchecked Sendable {
    private let library: OneDNNLibrary
    private let primitive: dnnl_primitive_t
    private let a, b, c, scratch: dnnl_memory_desc_t

    private static let products = PreparedPrimitives<BFloat16ProductForm, BFloat16Product>()

    /// Nil where a product in f32 is the faster one: on processors without such instructions.
    public static func prepared(_ form: BFloat16ProductForm) -> BFloat16Product? {
      guard let library = OneDNNLibrary.shared, library.multipliesBFloat16 else { return nil }
      return products.prepared(form, library) { BFloat16Product(form, library) }
    }

    private init?(_ form: BFloat16ProductForm, _ library: OneDNNLibrary) {
      let stridesB = form.transposingB ? [1, form.leadingB] : [form.leadingB, 1]
      guard
        let a = dnnl_memory_desc_t([form.rows, form.inner], strides: [form.leadingA, 1], type: dnnl_bf16),
        let b = dnnl_memory_desc_t([form.inner, form.columns], strides: stridesB, type: dnnl_bf16),
        let c = dnnl_memory_desc_t(
          [form.rows, form.columns], strides: [form.leadingC, 1], type: form.resultIsSingle ? dnnl_f32 : dnnl_bf16),
        let attributes = Self.attributes(form)
      else { return nil }
      defer { dnnl_primitive_attr_destroy(attributes) }
      (self.a, self.b, self.c) = (a, b, c)
      self.library = library
      var (left, right, result) = (a, b, c)
      var operation = dnnl_matmul_desc_t()
      var chosen: dnnl_primitive_desc_t?
      var primitive: dnnl_primitive_t?
      guard dnnl_matmul_desc_init(&operation, &left, &right, nil, &result) == dnnl_success,
        dnnl_primitive_desc_create(&chosen, &operation, attributes, library.engine, nil) == dnnl_success, let chosen
      else { return nil }
      defer { dnnl_primitive_desc_destroy(chosen) }
      scratch = dnnl_primitive_desc_query_md(chosen, dnnl_query_scratchpad_md, 0)?.pointee ?? dnnl_memory_desc_t()
      guard dnnl_primitive_create(&primitive, chosen) == dnnl_success, let primitive else { return nil }
      self.primitive = primitive
    }

    deinit { dnnl_primitive_destroy(primitive) }

    /// alpha, beta, and scratch memory from the caller.
    private static func attributes(_ form: BFloat16ProductForm) -> dnnl_primitive_attr_t? {
      var attributes: dnnl_primitive_attr_t?
      var additions: dnnl_post_ops_t?
      guard dnnl_primitive_attr_create(&attributes) == dnnl_success, let attributes else { return nil }
      defer { dnnl_post_ops_destroy(additions) }
      let isSet =
        dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) == dnnl_success
        && (form.alpha == 1
          || withUnsafePointer(to: form.alpha) { dnnl_primitive_attr_set_output_scales(attributes, 1, 0, $0) }
            == dnnl_success)
        && (form.beta == 0
          || dnnl_post_ops_create(&additions) == dnnl_success
            && dnnl_post_ops_append_sum(additions, form.beta) == dnnl_success
            && dnnl_primitive_attr_set_post_ops(attributes, additions) == dnnl_success)
      if isSet { return attributes }
      dnnl_primitive_attr_destroy(attributes)
      return nil
    }

    /// Computes c; it may not overlap a or b.
    public func callAsFunction(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, into c: UnsafeMutableRawPointer) {
      let bytes = max(scratch.byteCount, 1)
      withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 64) { room in
        library.onOneThread {
          library.execute(
            primitive,
            [
              (DNNL_ARG_SRC, self.a, UnsafeMutableRawPointer(mutating: a)),
              (DNNL_ARG_WEIGHTS, self.b, UnsafeMutableRawPointer(mutating: b)), (DNNL_ARG_DST, self.c, c),
              (DNNL_ARG_SCRATCHPAD, scratch, room.baseAddress),
            ])
        }
      }
    }
  }
#else
  /// Without oneDNN there is none.
  public final class BFloat16Product: Sendable {
    public static func prepared(_ form: BFloat16ProductForm) -> BFloat16Product? { nil }

    public func callAsFunction(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, into c: UnsafeMutableRawPointer) {}
  }
#endif
