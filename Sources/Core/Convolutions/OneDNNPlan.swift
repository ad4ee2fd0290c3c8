// One product of one shape, prepared: the library's primitive, the orders it wants its tensors in, and the copies
// between those and ours.

#if canImport(COneDNN)
  import COneDNN
  import OneDNN

  enum ConvolutionProduct: Hashable, Sendable { case output, inputGradient, filterGradient }

  final class OneDNNPlan: @unchecked Sendable {
    /// A tensor as it is given, as the primitive wants it, and the copy from one to the other where they differ: towards
    /// the primitive for operands, from it for the result.
    struct Operand {
      let plain, wanted: dnnl_memory_desc_t
      let reorder: dnnl_primitive_t?
      /// Bytes for the primitive's order, a multiple of 64; none when the tensor is taken as it is.
      var spareBytes: Int { reorder == nil ? 0 : (wanted.byteCount + 63) & ~63 }
    }

    let primitive: dnnl_primitive_t
    let input, filters, output: Operand
    let bias: dnnl_memory_desc_t?
    let scratch: dnnl_memory_desc_t
    var scratchBytes: Int { (scratch.byteCount + 63) & ~63 }

    /// Nil where the library has no fast way.
    init?(_ product: ConvolutionProduct, _ shape: ConvolutionShape, hasBias: Bool, library: OneDNNLibrary) {
      let windows = shape.windows
      let groups = shape.groups == 1 ? [] : [shape.groups]
      let filterShape =
        groups + [shape.outputChannels / shape.groups, shape.inputChannels / shape.groups] + windows.window
      let isChannelsLast = shape.prefersChannelsLast(for: product)
      guard let plainInput = dnnl_memory_desc_t(rowMajor: shape.inputShape),
        let plainOutput = dnnl_memory_desc_t(rowMajor: shape.outputShape),
        let plainFilters = dnnl_memory_desc_t(rowMajor: filterShape),
        let anyFilters = dnnl_memory_desc_t(anyOrder: filterShape),
        let bias = dnnl_memory_desc_t(rowMajor: [shape.outputChannels]),
        let input = isChannelsLast
          ? dnnl_memory_desc_t(channelsLast: shape.inputShape) : dnnl_memory_desc_t(anyOrder: shape.inputShape),
        let output = isChannelsLast
          ? dnnl_memory_desc_t(channelsLast: shape.outputShape) : dnnl_memory_desc_t(anyOrder: shape.outputShape)
      else { return nil }
      let description = Description(
        windows: windows, algorithm: shape.isWinograd ? dnnl_convolution_winograd : dnnl_convolution_direct,
        input: input, filters: anyFilters, output: output, bias: hasBias ? bias : nil)
      guard let chosen = description.chosen(for: product, library) else { return nil }
      defer { dnnl_primitive_desc_destroy(chosen) }
      var primitive: dnnl_primitive_t?
      guard dnnl_primitive_create(&primitive, chosen) == dnnl_success, let primitive else { return nil }
      func wanted(_ query: dnnl_query_t) -> dnnl_memory_desc_t {
        dnnl_primitive_desc_query_md(chosen, query, 0)?.pointee ?? dnnl_memory_desc_t()
      }
      let wantedInput = wanted(product == .inputGradient ? dnnl_query_diff_src_md : dnnl_query_src_md)
      let wantedOutput = wanted(product == .output ? dnnl_query_dst_md : dnnl_query_diff_dst_md)
      let wantedFilters = wanted(product == .filterGradient ? dnnl_query_diff_weights_md : dnnl_query_weights_md)
      self.primitive = primitive
      self.bias = hasBias ? bias : nil
      scratch = wanted(dnnl_query_scratchpad_md)
      let operands = [
        Operand(plainInput, wantedInput, isResult: product == .inputGradient, library),
        Operand(plainOutput, wantedOutput, isResult: product == .output, library),
        Operand(plainFilters, wantedFilters, isResult: product == .filterGradient, library),
      ]
      let made = operands.compactMap(\.self)
      guard made.count == operands.count else {
        for operand in made { if let reorder = operand.reorder { dnnl_primitive_destroy(reorder) } }
        dnnl_primitive_destroy(primitive)
        return nil
      }
      (self.input, self.output, self.filters) = (made[0], made[1], made[2])
    }

    deinit {
      for reorder in [input.reorder, filters.reorder, output.reorder] {
        if let reorder { dnnl_primitive_destroy(reorder) }
      }
      dnnl_primitive_destroy(primitive)
    }
  }

  extension OneDNNPlan.Operand {
    fileprivate init?(
      _ plain: dnnl_memory_desc_t, _ wanted: dnnl_memory_desc_t, isResult: Bool, _ library: OneDNNLibrary
    ) {
      self.plain = plain
      self.wanted = wanted
      if plain.isSame(as: wanted) {
        reorder = nil
        return
      }
      var from = isResult ? wanted : plain
      var to = isResult ? plain : wanted
      var chosen: dnnl_primitive_desc_t?
      var primitive: dnnl_primitive_t?
      guard
        dnnl_reorder_primitive_desc_create(&chosen, &from, library.engine, &to, library.engine, library.attributes)
          == dnnl_success, let chosen
      else { return nil }
      defer { dnnl_primitive_desc_destroy(chosen) }
      guard dnnl_primitive_create(&primitive, chosen) == dnnl_success, let primitive else { return nil }
      reorder = primitive
    }
  }

  /// What the library is asked for.
  private struct Description {
    let windows: Windows
    let algorithm: dnnl_alg_kind_t
    var input, filters, output: dnnl_memory_desc_t
    var bias: dnnl_memory_desc_t?

    /// The implementation that the library chooses; nil where it has none but its reference loops.
    func chosen(for product: ConvolutionProduct, _ library: OneDNNLibrary) -> dnnl_primitive_desc_t? {
      let forward = product == .output ? bias : nil
      guard let hint = implementation(.output, bias: forward, library, hint: nil) else { return nil }
      if product == .output { return accepted(hint) }
      defer { dnnl_primitive_desc_destroy(hint) }
      return implementation(product, bias: bias, library, hint: hint).flatMap(accepted)
    }

    private func accepted(_ chosen: dnnl_primitive_desc_t) -> dnnl_primitive_desc_t? {
      var name: UnsafePointer<CChar>?
      let status = dnnl_primitive_desc_query(chosen, dnnl_query_impl_info_str, 0, &name)
      if status == dnnl_success, let name, !String(cString: name).hasPrefix("ref") { return chosen }
      dnnl_primitive_desc_destroy(chosen)
      return nil
    }

    private func implementation(
      _ product: ConvolutionProduct, bias: dnnl_memory_desc_t?, _ library: OneDNNLibrary, hint: dnnl_primitive_desc_t?
    ) -> dnnl_primitive_desc_t? {
      let stride = windows.stride.map { Int64($0) }
      // The library counts the places skipped between taps.
      let dilation = windows.dilation.map { Int64($0 - 1) }
      let before = windows.padding.map { Int64($0) }
      let behind = windows.input.indices.map { axis in
        let covered = (windows.output[axis] - 1) * windows.stride[axis] + windows.spans[axis]
        return Int64(covered - windows.input[axis] - windows.padding[axis])
      }
      var (input, filters, output) = (self.input, self.filters, self.output)
      var none = dnnl_memory_desc_t()
      var operation = dnnl_convolution_desc_t()
      var chosen: dnnl_primitive_desc_t?
      let status = withUnsafeMutablePointer(to: &none) { none in
        var given = bias ?? none.pointee
        switch product {
        case .output:
          return dnnl_dilated_convolution_forward_desc_init(
            &operation, dnnl_forward_training, algorithm, &input, &filters, &given, &output, stride, dilation, before,
            behind)
        case .inputGradient:
          return dnnl_dilated_convolution_backward_data_desc_init(
            &operation, algorithm, &input, &filters, &output, stride, dilation, before, behind)
        case .filterGradient:
          return dnnl_dilated_convolution_backward_weights_desc_init(
            &operation, algorithm, &input, &filters, &given, &output, stride, dilation, before, behind)
        }
      }
      guard status == dnnl_success,
        dnnl_primitive_desc_create(&chosen, &operation, library.attributes, library.engine, hint) == dnnl_success
      else { return nil }
      return chosen
    }
  }

  // MARK: Which way

  extension ConvolutionShape {
    /// Few channels leave the blocks of sixteen that the library prefers half empty.
    fileprivate func prefersChannelsLast(for product: ConvolutionProduct) -> Bool {
      let channels = inputChannels / groups
      return channels <= 16 && (product != .output || channels >= 8) && !isWinograd
    }

    /// The tiles of four by four outputs in one image.
    private var winogradTiles: Int { windows.output.reduce(1) { $0 * (($1 + 3) / 4) } }

    /// Whether the library has Winograd's method, with less than half of the multiplications, for these windows.
    private var isWinogradPossible: Bool {
      groups == 1 && windows.window == [3, 3] && windows.stride == [1, 1] && windows.dilation == [1, 1]
        && min(inputChannels, outputChannels) >= 32
    }

    /// Whether Winograd's method is allowed and pays.
    private var usesWinograd: Bool { !isExact && isWinogradPossible && batch * winogradTiles >= 32 }

    /// The way of a part of a batch for which the way has been decided.
    fileprivate var isWinograd: Bool { !isExact && isWinogradPossible }

    /// Images that one call of the library is given. It depends on the shape alone, and so do the results.
    func imagesAtATime(for product: ConvolutionProduct) -> Int {
      let work = max(1, outputChannels * windows.outputCount * terms)
      let worthwhile = ((1 << 21) + work - 1) / work
      var images = max((batch + 15) / 16, worthwhile)
      if usesWinograd { images = max(1, min(256 / winogradTiles, (batch + 3) / 4)) }
      if product == .filterGradient {
        // Every piece has a sum of its own, of the filters' size.
        let pieces = min(8, max(2, (1 << 22) / (outputChannels * terms)))
        images = max(images, (batch + pieces - 1) / pieces)
      }
      return min(images, max(1, (batch + 1) / 2))
    }

    /// The same for a part of the batch, which goes the way of the whole.
    func part(images: Int) -> ConvolutionShape {
      ConvolutionShape(
        batch: images, groups: groups, inputChannels: inputChannels, outputChannels: outputChannels, windows: windows,
        isExact: !usesWinograd)
    }
  }

  // MARK: Plans that were made before

  /// What a plan is made for.
  struct OneDNNPlanKey: Hashable {
    let product: ConvolutionProduct
    let shape: ConvolutionShape
    let hasBias: Bool

    private static let plans = PreparedPrimitives<OneDNNPlanKey, OneDNNPlan>()

    func plan(_ library: OneDNNLibrary) -> OneDNNPlan? {
      Self.plans.prepared(self, library) { OneDNNPlan(product, shape, hasBias: hasBias, library: library) }
    }
  }
#endif
