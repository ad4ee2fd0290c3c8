// oneDNN, the library of convolutions in single precision and of products in bfloat16, and how Apus keeps it to one
// thread.

#if canImport(COneDNN)
  public import COneDNN
  import Glibc

  /// The library's engine and stream, and the descriptions that Apus gives it of plain tensors.
  ///
  /// The library would split each operation over OpenMP's threads. Those spin beside Apus's own pool after every call,
  /// on cores that the element-wise operations in between want, and the sums of the filters' gradient would depend on
  /// how many they are. So Apus splits the work over its own pool, and each piece runs in the library on one thread;
  /// reordered pieces also stay in the caches. Measured on two cores, that is as fast as the library's own splitting.
  public struct OneDNNLibrary: @unchecked Sendable {
    /// Nil where the library cannot be started.
    public static let shared: OneDNNLibrary? = OneDNNLibrary()

    public let engine: dnnl_engine_t
    public let stream: dnnl_stream_t
    public let attributes: dnnl_primitive_attr_t
    /// OpenMP's count of threads for the calling thread; looked up, for the library brings OpenMP along.
    private let currentThreads: (@convention(c) () -> Int32)?
    private let setThreads: (@convention(c) (Int32) -> Void)?

    private init?() {
      var engine: dnnl_engine_t?
      var stream: dnnl_stream_t?
      var attributes: dnnl_primitive_attr_t?
      guard dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success, let engine,
        dnnl_stream_create(&stream, engine, UInt32(dnnl_stream_default_flags.rawValue)) == dnnl_success, let stream,
        dnnl_primitive_attr_create(&attributes) == dnnl_success, let attributes,
        dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) == dnnl_success
      else { return nil }
      self.engine = engine
      self.stream = stream
      self.attributes = attributes
      currentThreads = dlsym(nil, "omp_get_max_threads").map {
        unsafeBitCast($0, to: (@convention(c) () -> Int32).self)
      }
      setThreads = dlsym(nil, "omp_set_num_threads").map {
        unsafeBitCast($0, to: (@convention(c) (Int32) -> Void).self)
      }
    }

    /// Runs `body` with a library that uses the calling thread alone.
    public func onOneThread<Result>(_ body: () -> Result) -> Result {
      guard let currentThreads, let setThreads else { return body() }
      let before = currentThreads()
      if before == 1 { return body() }
      setThreads(1)
      defer { setThreads(before) }
      return body()
    }

    /// Runs a primitive on memory described for each argument.
    public func execute(
      _ primitive: dnnl_primitive_t, _ arguments: [(Int32, dnnl_memory_desc_t, UnsafeMutableRawPointer?)]
    ) {
      var list: [dnnl_exec_arg_t] = []
      list.reserveCapacity(arguments.count)
      for (name, description, pointer) in arguments {
        var memory: dnnl_memory_t?
        withUnsafePointer(to: description) { require(dnnl_memory_create(&memory, $0, engine, pointer)) }
        list.append(dnnl_exec_arg_t(arg: name, memory: memory))
      }
      require(dnnl_primitive_execute(primitive, stream, Int32(list.count), list))
      for argument in list { dnnl_memory_destroy(argument.memory) }
    }

    /// Whether products of bfloat16 numbers have instructions of their own: they are then faster than those of f32.
    ///
    /// Without them the library would widen the numbers, at the cost of a product in f32 and more.
    public var multipliesBFloat16: Bool {
      let wanted = dnnl_cpu_isa_avx512_core_bf16.rawValue
      return dnnl_get_effective_cpu_isa().rawValue & wanted == wanted
    }

    private func require(_ status: dnnl_status_t) {
      precondition(status == dnnl_success, "oneDNN failed with status \(status.rawValue): out of memory")
    }
  }

  extension dnnl_memory_desc_t {
    /// Numbers of `shape` with these strides.
    public init?(_ shape: [Int], strides: [Int], type: dnnl_data_type_t = dnnl_f32) {
      self.init()
      let status = dnnl_memory_desc_init_by_strides(
        &self, Int32(shape.count), shape.map { Int64($0) }, type, strides.map { Int64($0) })
      guard status == dnnl_success else { return nil }
    }

    /// f32 numbers of `shape` in row-major order.
    public init?(rowMajor shape: [Int]) { self.init(shape, strides: Self.rowMajorStrides(shape)) }

    /// f32 images with the channels innermost.
    public init?(channelsLast shape: [Int]) {
      let order = [shape[0]] + shape[2...] + [shape[1]]
      let strides = Self.rowMajorStrides(order)
      self.init(shape, strides: [strides[0], 1] + strides[1..<order.count - 1])
    }

    /// f32 numbers of `shape` in whatever order suits the primitive.
    public init?(anyOrder shape: [Int]) {
      self.init()
      let status = dnnl_memory_desc_init_by_tag(
        &self, Int32(shape.count), shape.map { Int64($0) }, dnnl_f32, dnnl_format_tag_any)
      guard status == dnnl_success else { return nil }
    }

    private static func rowMajorStrides(_ shape: [Int]) -> [Int] {
      var strides = shape.map { _ in 1 }
      for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
      return strides
    }

    /// What it takes in memory.
    public var byteCount: Int { withUnsafePointer(to: self) { Int(dnnl_memory_desc_get_size($0)) } }

    /// Whether both describe the same numbers at the same places.
    public func isSame(as other: dnnl_memory_desc_t) -> Bool {
      withUnsafePointer(to: self) { a in withUnsafePointer(to: other) { b in dnnl_memory_desc_equal(a, b) != 0 } }
    }
  }
#endif
