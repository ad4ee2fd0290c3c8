import FileFormats
import Tensors
import TestSupport
import Testing

@Suite struct NumPyTests {
  let folder = TemporaryFolder()

  @Test(arguments: [[], [0], [1], [7], [3, 0, 2], [4, 5], [2, 3, 4, 5], [1, 1, 1]] as [[Int]])
  func everyTypeSurvivesARoundTrip(shape: [Int]) throws {
    var generator = TestGenerator(seed: 1)
    for tensor in generator.tensorsOfAllTypes(shape) {
      let path = folder.file("\(tensor.typeName).npy")
      try writeNPY(tensor, to: path)
      #expect(try readNPY(path) == tensor, "\(tensor.typeName) of shape \(shape)")
    }
  }

  @Test func viewsAreWrittenAsTheyRead() throws {
    let matrix = Tensor<Double>([[1, 2, 3], [4, 5, 6]])
    let path = folder.file("view.npy")
    for view in [matrix.transposed, matrix[.all, 1..<3], matrix[0].broadcast(to: [2, 3]), matrix.reversed(axis: 1)] {
      try writeNPY(view, to: path)
      #expect(try readNPY(path) == .double(view))
    }
  }

  @Test func specialNumbersKeepTheirBits() throws {
    let numbers = Tensor<Double>([.nan, .infinity, -.infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude])
    let path = folder.file("special.npy")
    try writeNPY(numbers, to: path)
    let read = try readNPY(path).asDouble()
    #expect(read.scalars.map(\.bitPattern) == numbers.scalars.map(\.bitPattern))
  }

  @Test func aTensorOfAFileIsIndependentOfIt() throws {
    let path = folder.file("large.npy")
    let numbers = Tensor<Double>(from: 0, through: 1, count: MappedFile.mappingThreshold / 8 + 100)
    try writeNPY(numbers, to: path)
    guard case .double(var read) = try readNPY(path) else { throw FileError(.unsuitable, path, "not of Double") }
    let copy = read
    read[at: 0] = 42
    #expect(copy[at: 0] == 0)
    #expect(try readNPY(path) == .double(numbers))
    // The mapping outlives the name of the file.
    try writeNPY(Tensor<Double>([1]), to: path)
    #expect(copy == numbers)
  }

  // MARK: Files written by NumPy

  @Test func bigEndianNumbersAreReversed() throws {
    #expect(try readNPY(fixture("big_endian.npy")) == pattern(.float64, [3, 2]))
    #expect(try readNPY(fixture("big_endian_integers.npy")) == pattern(.int16, [5]))
  }

  @Test func fortranOrderIsTurnedRound() throws {
    #expect(try readNPY(fixture("fortran.npy")) == pattern(.float32, [3, 4, 2]))
  }

  @Test func halvesBecomeFloat() throws {
    let read = try readNPY(fixture("half.npy")).asFloat().scalars
    let expected: [Float] = [0.5, -2, 65_504, 0x1p-24, .infinity, -.infinity, .nan, -0.0]
    #expect(read.map(\.bitPattern) == expected.map(\.bitPattern))
  }

  @Test func scalarsEmptyArraysAndLaterVersionsAreRead() throws {
    #expect(try readNPY(fixture("scalar.npy")) == .double(Tensor(2.5)))
    #expect(try readNPY(fixture("empty.npy")) == .float(Tensor(shape: [0, 3], scalars: [])))
    #expect(try readNPY(fixture("version2.npy")) == pattern(.int32, [2, 2]))
    #expect(try readNPY(fixture("version3.npy")) == pattern(.int32, [2, 2]))
  }

  @Test(arguments: ["complex", "text", "objects", "records", "dates"])
  func arraysOfOtherThingsAreRefused(name: String) {
    let error = fileError { _ = try readNPY(fixture("\(name).npy")) }
    #expect(error?.kind == .unsupportedType)
  }

  // MARK: Damaged files

  /// An array of two `u1` whose header is `dictionary`.
  private func read(header dictionary: String, version: UInt8 = 1, numbers: [UInt8] = [1, 2]) throws -> AnyTensor {
    let path = folder.file("made.npy")
    let text = Array(dictionary.utf8)
    let length = [UInt8(text.count & 0xFF), UInt8(text.count >> 8)]
    writeBytes([0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + numbers, to: path)
    return try readNPY(path)
  }

  @Test func headersMayBeSpelledDifferently() throws {
    let expected = AnyTensor.uint8(Tensor([1, 2]))
    #expect(try read(header: "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n") == expected)
    #expect(try read(header: "{\"shape\":(2),\"fortran_order\":True,\"descr\":\"u1\"}") == expected)
    #expect(try read(header: " { 'shape' : ( 2L , ) , 'descr' : '<u1' , 'fortran_order' : False } ") == expected)
  }

  @Test(arguments: [
    "", "{", "{}", "()", "{'descr': '|u1', 'fortran_order': False}",
    "{'descr': '|u1', 'fortran_order': 0, 'shape': (2,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': [2]}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-2,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (2.0,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'shape': (2,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'extra': 1}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} x",
    "{'descr': '|u1, 'fortran_order': False, 'shape': (2,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1152921504606846976,)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
    "{'descr': '|u9', 'fortran_order': False, 'shape': (2,)}",
    "{'descr': '', 'fortran_order': False, 'shape': (2,)}",
    "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (2,)}",
  ])
  func lyingHeadersAreRefused(header: String) {
    #expect(fileError { _ = try read(header: header) } != nil)
  }

  @Test func aShapeOfManyAxesIsRefused() {
    let axes = Array(repeating: "1", count: 200).joined(separator: ",")
    let error = fileError { _ = try read(header: "{'descr': '|u1', 'fortran_order': False, 'shape': (\(axes))}") }
    #expect(error?.kind == .malformed)
  }

  @Test func otherVersionsAreRefused() {
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}"
    #expect(fileError { _ = try read(header: header, version: 4) }?.kind == .unsupported)
    #expect(fileError { _ = try read(header: header, version: 0) }?.kind == .unsupported)
  }

  @Test func bytesThatAreNoBooleansCountAsTrue() throws {
    let header = "{'descr': '|b1', 'fortran_order': False, 'shape': (4,)}"
    #expect(try read(header: header, numbers: [0, 1, 2, 255]) == .bool(Tensor([false, true, true, true])))
  }

  @Test func everyTruncationIsNoticed() throws {
    let bytes = readBytes(fixture("big_endian.npy"))
    let path = folder.file("cut.npy")
    for count in bytes.indices {
      writeBytes(Array(bytes[..<count]), to: path)
      let kind = fileError { _ = try readNPY(path) }?.kind
      #expect(kind == (count == 0 ? .empty : .truncated), "\(count) bytes")
    }
  }

  // MARK: Archives

  @Test(arguments: [false, true]) func archivesSurviveARoundTrip(compressing: Bool) throws {
    var generator = TestGenerator(seed: 3)
    var arrays: [(name: String, array: AnyTensor)] = [("empty", .double(.zeros([0, 3])))]
    for array in generator.tensorsOfAllTypes([3, 4]) { arrays.append((array.typeName, array)) }
    arrays.append(("größe/1", .float(generator.tensor([200, 300]))))
    arrays.append(("zeros", .double(.zeros([1_000, 300]))))
    let path = folder.file("all.npz")
    try writeNPZ(arrays, to: path, compressing: compressing)
    let archive = try NumPyArchive(path)
    #expect(archive.names == arrays.map(\.name))
    for (name, array) in arrays { #expect(try archive.array(named: name) == array, "\(name)") }
    let missing = fileError { _ = try archive.array(named: "nothing") }
    #expect(missing?.kind == .noSuchArray)
    #expect(missing?.description.contains("'empty', 'Float'") == true)
  }

  @Test(arguments: ["types.npz", "types_deflated.npz"]) func archivesOfNumPyAreRead(name: String) throws {
    let archive = try NumPyArchive(fixture(name))
    for (code, type) in numpyTypes { #expect(try archive.array(named: code) == pattern(type, [2, 3]), "\(code)") }
    if name == "types_deflated.npz" { #expect(try archive.array(named: "large") == pattern(.float64, [100, 50])) }
  }

  @Test func damagedNumbersInAnArchiveAreNoticed() throws {
    let path = folder.file("damaged.npz")
    let zeros = AnyTensor.double(.zeros([100]))
    for compressing in [false, true] {
      try writeNPZ([("a", zeros)], to: path, compressing: compressing)
      var bytes = readBytes(path)
      // The local header has 30 bytes, a name of 5 and an extra field of 20; the array's own header 128.
      bytes[compressing ? 55 + 20 : 55 + 128 + 17] ^= 4
      writeBytes(bytes, to: path)
      let error = fileError { _ = try NumPyArchive(path).array(named: "a") }
      #expect(error != nil && error?.path == "\(path)#a", "compressing: \(compressing)")
    }
  }

  @Test func anArchiveThatPretendsToBeHugeCostsNothing() throws {
    let path = folder.file("bomb.npz")
    try writeNPZ([("a", .double(.zeros([10])))], to: path, compressing: true)
    let bytes = readBytes(path)
    // The sizes in the directory's 64-bit field, which follows the entry's 46 bytes and its name.
    let directory = try #require((0..<bytes.count - 4).last { Array(bytes[$0..<$0 + 4]) == [0x50, 0x4B, 1, 2] })
    for size in [1 << 40, 1 << 61, -1] {
      var lie = bytes
      withUnsafeBytes(of: size) { lie.replaceSubrange(directory + 55..<directory + 63, with: $0) }
      writeBytes(lie, to: path)
      #expect(fileError { _ = try NumPyArchive(path).array(named: "a") }?.kind == .malformed, "size \(size)")
    }
  }

  @Test func otherArchivesAreRefused() throws {
    let path = folder.file("other.npz")
    #expect(throws: InvalidArgument.self) {
      try writeNPZ([("a", .float(Tensor(1))), ("a", .float(Tensor(1)))], to: path)
    }
    writeText("PK\u{3}\u{4} and nothing else", to: path)
    #expect(fileError { _ = try NumPyArchive(path) }?.kind == .truncated)
    writeText("no archive at all", to: path)
    #expect(fileError { _ = try NumPyArchive(path) }?.kind == .foreign)
  }
}
