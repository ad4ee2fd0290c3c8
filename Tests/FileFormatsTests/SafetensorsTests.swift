import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct SafetensorsTests {
  let folder = TemporaryFolder()

  @Test func everyTypeAndShapeSurvivesARoundTrip() throws {
    var generator = TestGenerator(seed: 2)
    var tensors: [(name: String, tensor: AnyTensor)] = []
    for shape in [[], [0], [1], [7], [3, 0, 2], [4, 5], [2, 3, 4, 5]] as [[Int]] {
      for tensor in generator.tensorsOfAllTypes(shape) {
        tensors.append(("\(tensor.typeName) \(shape) \u{1F426} \"quoted\"\\\n", tensor))
      }
    }
    let path = folder.file("all.safetensors")
    let metadata = ["format": "pt", "größe": "a \"b\"\n\u{1}"]
    try writeSafetensors(tensors, to: path, metadata: metadata)
    let file = try SafetensorsFile(path)
    #expect(file.metadata == metadata)
    #expect(file.entries.count == tensors.count)
    for (name, tensor) in tensors { #expect(try file.tensor(named: name) == tensor, "\(name)") }
  }

  @Test func viewsAreWrittenAsTheyRead() throws {
    var generator = TestGenerator(seed: 4)
    let matrix: Tensor<Float> = generator.tensor([5, 7])
    let views = [matrix.transposed, matrix[1..<4, .all], matrix[.all, 2].broadcast(to: [3, 5])]
    let path = folder.file("views.safetensors")
    try writeSafetensors(views.enumerated().map { ("\($0)", .float($1)) }, to: path)
    let file = try SafetensorsFile(path)
    for (i, view) in views.enumerated() { #expect(try file.tensor(named: "\(i)", as: Float.self) == view) }
  }

  // MARK: Files written by the reference implementation

  @Test func everyTypeOfTheReferenceIsRead() throws {
    let file = try SafetensorsFile(fixture("types.safetensors"))
    #expect(file.metadata == ["format": "np", "größe": "a \"quoted\"\nline"])
    for (code, type) in numpyTypes { #expect(try file.tensor(named: code) == pattern(type, [2, 3]), "\(code)") }
    let small = [
      "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu",
    ]
    for name in small {
      let read = try file.tensor(named: name, as: Float.self).scalars
      let expected = try file.tensor(named: name + ".expected", as: Float.self).scalars
      for (i, (a, b)) in zip(read, expected).enumerated() {
        #expect(a.bitPattern == b.bitPattern || (a.isNaN && b.isNaN), "\(name), number \(i)")
      }
      #expect(read.count == expected.count && read.count >= 64)
    }
    for (name, type) in [("complex64", StoredType.complex64), ("float4", .float4)] {
      #expect(file.entry(named: name)?.type == type)
      #expect(fileError { _ = try file.tensor(named: name) }?.kind == .unsupportedType)
      #expect(try file.withBytes(of: name) { $0.count } == file.entry(named: name)?.byteCount)
    }
  }

  @Test(arguments: [
    ("float16", StoredType.float16), ("bfloat16", .bfloat16), ("float8_e4m3fn", .float8E4M3),
    ("float8_e5m2", .float8E5M2), ("float8_e4m3fnuz", .float8E4M3FNUZ), ("float8_e5m2fnuz", .float8E5M2FNUZ),
  ])
  func numbersAreRoundedAsByTheReference(name: String, type: StoredType) throws {
    let file = try SafetensorsFile(fixture("types.safetensors"))
    let source = try file.tensor(named: "rounding.source", as: Float.self)
    let path = folder.file("rounded.safetensors")
    try writeSafetensors([("x", .float(source))], to: path, as: type)
    let written = try SafetensorsFile(path)
    #expect(written.entry(named: "x")?.type == type)
    let codes = try written.withBytes(of: "x") { Array($0) }
    let expected = try file.withBytes(of: "rounding.\(name)") { Array($0) }
    let values = try written.tensor(named: "x", as: Float.self).scalars
    let expectedValues = try file.tensor(named: "rounding.\(name)", as: Float.self).scalars
    #expect(codes.count == expected.count)
    for i in source.scalars.indices {
      let isSame = values[i].bitPattern == expectedValues[i].bitPattern || (values[i].isNaN && expectedValues[i].isNaN)
      #expect(isSame, "\(source.scalars[i]) became \(values[i]), not \(expectedValues[i])")
    }
  }

  // MARK: Writing

  @Test func tensorsAreWrittenInAnyOrderAndBytesPassThrough() throws {
    let path = folder.file("passed.safetensors")
    let source = try SafetensorsFile(fixture("types.safetensors"))
    var writer = try SafetensorsWriter(path, declaring: source.entries.map { .init($0) }, metadata: source.metadata)
    for entry in source.entries.reversed() {
      try source.withBytes(of: entry.name) { try writer.write(bytes: $0, named: entry.name) }
    }
    #expect(folder.names.contains { $0.hasSuffix(".partial") } && !folder.names.contains("passed.safetensors"))
    try writer.finish()
    #expect(folder.names == ["passed.safetensors"])
    let copy = try SafetensorsFile(path)
    #expect(copy.metadata == source.metadata)
    #expect(Set(copy.entries.map(\.name)) == Set(source.entries.map(\.name)))
    for entry in source.entries {
      let same = try copy.withBytes(of: entry.name) { a in
        try source.withBytes(of: entry.name) { Array(a) == Array($0) }
      }
      #expect(same && copy.entry(named: entry.name)?.shape == entry.shape, "\(entry.name)")
    }
  }

  @Test func tensorsAreAligned() throws {
    let path = folder.file("aligned.safetensors")
    try writeSafetensors(
      [
        ("a", .uint8(Tensor([1, 2, 3]))), ("b", .double(Tensor([1]))), ("c", .float(Tensor([1]))),
        ("d", .double(Tensor([2]))),
      ],
      to: path)
    let file = try SafetensorsFile(path)
    #expect(file.entries.map(\.name) == ["b", "d", "c", "a"])
    for entry in file.entries { #expect(entry.byteRange.lowerBound % (entry.type.bitsPerElement / 8) == 0) }
  }

  @Test func misalignedTensorsAreReadAllTheSame() throws {
    for (type, bytes) in [
      ("F32", [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]), ("BF16", [0x80, 0x3F, 0, 0xC0]), ("F16", [0, 0x3C, 0, 0xC0]),
    ]
      as [(String, [UInt8])]
    {
      let end = 1 + bytes.count
      let header =
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"x\":{\"dtype\":\"\(type)\",\"shape\":[2],\"data_offsets\":[1,\(end)]}}"
      let file = try SafetensorsFile(made(header, [7] + bytes))
      #expect(try file.tensor(named: "x", as: Float.self) == Tensor([1, -2]), "\(type)")
      #expect(try file.tensor(named: "x", as: Double.self) == Tensor([1, -2]), "\(type)")
    }
  }

  @Test func mistakesInWritingAreRefusedAndLeaveNothing() throws {
    let path = folder.file("never.safetensors")
    func writer() throws -> SafetensorsWriter {
      try SafetensorsWriter(path, declaring: [.init("a", .float32, [2]), .init("b", .int8, [1])])
    }
    let two = Tensor<Float>([1, 2])
    #expect(throws: InvalidArgument.self) {
      var writer = try writer()
      try writer.write(two, named: "c")
    }
    #expect(throws: InvalidArgument.self) {
      var writer = try writer()
      try writer.write(two.reshaped([1, 2]), named: "a")
    }
    #expect(throws: InvalidArgument.self) {
      var writer = try writer()
      try writer.write(two, named: "a")
      try writer.write(two, named: "a")
    }
    #expect(throws: InvalidArgument.self) {
      var writer = try writer()
      try writer.write(two, named: "a")
      try writer.finish()
    }
    #expect(throws: FileError.self) {
      var writer = try writer()
      try writer.write(Tensor<Float>([1]), named: "b")
    }
    #expect(throws: InvalidArgument.self) {
      _ = try SafetensorsWriter(path, declaring: [.init("a", .int8, [1]), .init("a", .int8, [2])])
    }
    #expect(throws: InvalidArgument.self) {
      _ = try SafetensorsWriter(path, declaring: [.init("__metadata__", .int8, [1])])
    }
    #expect(throws: InvalidArgument.self) {
      _ = try SafetensorsWriter(path, declaring: [.init("a", .int8, [1 << 40, 1 << 40])])
    }
    #expect(folder.names.isEmpty)
  }

  // MARK: Lies

  private func made(_ header: String, _ numbers: [UInt8] = []) -> String {
    let path = folder.file("made.safetensors")
    let text = Array(header.utf8)
    writeBytes(withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text + numbers, to: path)
    return path
  }

  private func tensor(_ name: String, _ type: String, _ shape: String, _ start: String, _ end: String) -> String {
    "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(start),\(end)]}"
  }

  @Test func headersThatKeepTheRulesAreRead() throws {
    let one = [UInt8](repeating: 0, count: 4)
    #expect(try SafetensorsFile(made("{}")).entries.isEmpty)
    #expect(try SafetensorsFile(made("{\"__metadata__\":{}}   ")).entries.isEmpty)
    #expect(try SafetensorsFile(made("{\(tensor("a", "F32", "", "0", "4"))}", one)).entries[0].shape == [])
    #expect(
      try SafetensorsFile(made("{\(tensor("\\u00e9\\ud83d\\udc26", "F32", "1", "0", "4"))}", one)).entries[0].name
        == "é🐦")
    let empties =
      "{\(tensor("b", "F32", "1", "0", "4")),\(tensor("a", "F32", "0", "0", "0")),\(tensor("c", "I8", "3,0", "4", "4"))}"
    #expect(try SafetensorsFile(made(empties, one)).entries.map(\.name) == ["a", "b", "c"])
  }

  @Test func lyingHeadersAreRefused() {
    let good = tensor("a", "F32", "2", "0", "8")
    let lies = [
      "", "[]", "{", "{}x", "nonsense", "{\"a\":1}", "{\"a\":{}}", "{\"__metadata__\":1}",
      "{\"__metadata__\":{\"a\":1}}",
      "{\(good),\(good)}", "{\(good),}", "{\(good)", "{'a':1}",
      "{\(tensor("a", "F32", "3", "0", "8"))}", "{\(tensor("a", "F32", "2", "0", "4"))}",
      "{\(tensor("a", "F32", "2", "4", "12"))}", "{\(tensor("a", "F32", "1", "0", "4"))}",
      "{\(tensor("a", "F32", "1", "4", "8"))}", "{\(tensor("a", "F32", "2", "8", "0"))}",
      "{\(tensor("a", "F32", "2", "-1", "7"))}", "{\(tensor("a", "F32", "2", "0", "1e1"))}",
      "{\(tensor("a", "F32", "2.0", "0", "8"))}", "{\(tensor("a", "F32", "-2", "0", "8"))}",
      "{\(tensor("a", "F31", "2", "0", "8"))}", "{\(tensor("a", "F32", "1152921504606846976", "0", "8"))}",
      "{\(tensor("a", "F32", "4294967296,4294967296", "0", "8"))}",
      "{\(tensor("a", "F32", "0,4294967296,4294967296", "0", "0")),\(tensor("b", "F32", "2", "0", "8"))}",
      "{\(tensor("a", "F32", "99999999999999999999", "0", "8"))}",
      "{\(tensor("a", "F32", "2", "0", "9223372036854775807"))}",
      "{\(tensor("a", "F32", "2", "0", "18446744073709551616"))}",
      "{\(tensor("a", "F32", "1", "0", "4")),\(tensor("b", "F32", "2", "0", "8"))}",
      "{\(tensor("a", "I8", "5", "0", "5")),\(tensor("b", "I8", "5", "3", "8"))}",
      "{\(tensor("a", "I8", "3", "0", "3")),\(tensor("b", "I8", "3", "5", "8"))}",
      "{\(tensor("a", "F4", "1", "0", "0")),\(good)}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"more\":1}}",
      "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}",
      "{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      "{\"a\":" + String(repeating: "[", count: 100_000),
      "{\"a\":[" + Array(repeating: "0", count: 100_000).joined(separator: ",") + "]}",
    ]
    for lie in lies {
      let error = fileError { _ = try SafetensorsFile(made(lie, Array(repeating: 0, count: 8))) }
      #expect(error != nil, "\(lie.prefix(200))")
    }
    #expect(fileError { _ = try SafetensorsFile(made("{\(good)}", Array(repeating: 0, count: 8))) } == nil)
  }

  @Test func lengthsOfHeadersAreNotBelieved() {
    let path = folder.file("length.safetensors")
    for length in [0, 3, 100, 1 << 27, 1 << 40, 1 << 62, Int.max, -1] {
      writeBytes(withUnsafeBytes(of: length) { Array($0) } + Array("{} ".utf8), to: path)
      #expect((fileError { _ = try SafetensorsFile(path) } == nil) == (length == 3), "length \(length)")
    }
  }

  @Test func everyTruncationIsNoticed() {
    let bytes = readBytes(fixture("types.safetensors"))
    let path = folder.file("cut.safetensors")
    for count in stride(from: 0, to: bytes.count, by: 7) {
      writeBytes(Array(bytes[..<count]), to: path)
      #expect(fileError { _ = try SafetensorsFile(path) } != nil, "\(count) bytes")
    }
  }

  // MARK: Checkpoints

  private func writeShards(index: String) throws {
    try writeSafetensors([("b", .float(Tensor([1]))), ("x", .float(Tensor([5])))], to: folder.file("m-1.safetensors"))
    try writeSafetensors(
      [("a", .double(Tensor([2]))), ("x", .float(Tensor([6])))], to: folder.file("m-2.safetensors"),
      metadata: ["k": "v"])
    writeText(index, to: folder.file("model.safetensors.index.json"))
  }

  @Test func shardsAreOneCheckpoint() throws {
    try writeShards(
      index: """
        {"metadata": {"total_size": 16}, "weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors", "x": "m-2.safetensors"}}
        """)
    for path in [folder.path, folder.file("model.safetensors.index.json")] {
      let checkpoint = try Checkpoint(path)
      #expect(checkpoint.entries.map(\.name) == ["b", "a", "x"])
      #expect(checkpoint.metadata == ["k": "v"])
      #expect(checkpoint.parameterCount == 3 && checkpoint.byteCount == 16)
      #expect(try checkpoint.tensor(named: "a", as: Double.self) == Tensor([2]))
      #expect(try checkpoint.tensor(named: "x", as: Float.self) == Tensor([6]))
      #expect(try checkpoint.tensor(named: "b") == .float(Tensor([1])))
      #expect(fileError { _ = try checkpoint.tensor(named: "c") }?.kind == .noSuchArray)
    }
  }

  @Test(arguments: [
    "", "{}", "[1]", "{\"weight_map\": 3}", "{\"weight_map\": {\"a\": 3}}",
    "{\"weight_map\": {\"a\": \"missing.safetensors\"}}",
    "{\"weight_map\": {\"c\": \"m-1.safetensors\"}}",
    "{\"weight_map\": {\"a\": \"../m-2.safetensors\"}}",
    "{\"weight_map\": {\"a\": \"/etc/passwd\"}}",
    "{\"weight_map\": {\"a\": \"..\"}}",
    "{\"weight_map\": {\"a\": \"m-2.safetensors\", \"a\": \"m-1.safetensors\"}}",
  ])
  func indicesThatLieAreRefused(index: String) throws {
    try writeShards(index: index)
    #expect(fileError { _ = try Checkpoint(folder.path) } != nil)
  }

  @Test func aFolderMustBeClear() throws {
    #expect(fileError { _ = try Checkpoint(folder.path) }?.kind == .missing)
    #expect(fileError { _ = try Checkpoint(folder.file("nowhere")) }?.kind == .missing)
    try writeSafetensors([("a", .float(Tensor([1])))], to: folder.file("one.safetensors"))
    #expect(try Checkpoint(folder.path).entries.map(\.name) == ["a"])
    try writeSafetensors([("b", .float(Tensor([1])))], to: folder.file("two.safetensors"))
    #expect(fileError { _ = try Checkpoint(folder.path) }?.kind == .noSuchArray)
    try writeSafetensors([("c", .float(Tensor([1])))], to: folder.file("model.safetensors"))
    #expect(try Checkpoint(folder.path).entries.map(\.name) == ["c"])
  }
}
