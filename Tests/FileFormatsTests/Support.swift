// What the tests of this module share.

import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

func writeBytes(_ bytes: [UInt8], to path: String) {
  // Foundation's own way, and emptying an old file, wait for the disk: slow for thousands of files.
  unlink(path)
  guard let file = fopen(path, "wb") else {
    Issue.record("\(path) cannot be written")
    return
  }
  #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
  fclose(file)
}

func writeText(_ text: String, to path: String) { writeBytes(Array(text.utf8), to: path) }

func readBytes(_ path: String) -> [UInt8] { Array(FileManager.default.contents(atPath: path) ?? Data()) }

/// A file of Tests/Reference/Files.
func fixture(_ name: String, from here: String = #filePath) -> String {
  let tests = here.split(separator: "/").dropLast(2).joined(separator: "/")
  return "/\(tests)/Reference/Files/\(name)"
}

/// The error that `body` throws when it is a `FileError`; any other outcome fails the caller's expectation on it.
func fileError(_ body: () throws -> Void) -> FileError? {
  do {
    try body()
    return nil
  } catch { return error as? FileError }
}

extension TestGenerator {
  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) } }

  /// A tensor of every storable type, of the given shape, with random contents.
  mutating func tensorsOfAllTypes(_ shape: [Int]) -> [AnyTensor] {
    let count = shape.reduce(1, *)
    func whole<Scalar: StorableScalar & FixedWidthInteger>(_: Scalar.Type, _ generator: inout TestGenerator)
      -> AnyTensor
    {
      AnyTensor(
        Tensor(shape: shape, scalars: (0..<count).map { _ in Scalar.random(in: .min ... .max, using: &generator) }))
    }
    return [
      AnyTensor(tensor(shape, of: Float.self)), AnyTensor(tensor(shape, of: Double.self)),
      whole(Int.self, &self), whole(Int32.self, &self), whole(Int16.self, &self), whole(Int8.self, &self),
      whole(UInt64.self, &self), whole(UInt32.self, &self), whole(UInt16.self, &self), whole(UInt8.self, &self),
      AnyTensor(Tensor(shape: shape, scalars: (0..<count).map { _ in Bool.random(using: &self) })),
    ]
  }
}
