import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

/// The inputs that fuzzing found worth keeping: one for each way through the readers, and every one that broke a law.
@Suite struct FuzzCorpusTests {
  let folder = TemporaryFolder()

  @Test(arguments: FuzzedFormat.allCases)
  func everyInputIsReadOrRefused(format: FuzzedFormat) throws {
    let corpus = corpusFolder(format.rawValue)
    let names = try FileManager.default.contentsOfDirectory(atPath: corpus).sorted()
    try format.prepare(folder.path)
    let path = folder.file(format.fileName)
    var refused = 0
    var read = 0
    for name in names {
      writeBytes(readBytes("\(corpus)/\(name)"), to: path)
      do {
        try format.check(path, scratch: folder.file("scratch"))
        read += 1
      } catch let error as FileError {
        #expect(!error.reason.isEmpty && error.path.hasPrefix(folder.path), "input \(name): \(error)")
        refused += 1
      } catch {
        Issue.record("input \(name): \(error)")
      }
    }
    // A corpus of one kind only shows nothing.
    #expect(refused >= 3 && read >= 3, "\(refused) refused, \(read) read")
  }

  // MARK: What was found, one by one

  @Test func twentyDigitsThatWrapAroundToZeroAreNotZero() throws {
    // Multiples of 2^64, with a fraction and without.
    let path = folder.file("wrapped.csv")
    writeText("18446744073709551616,184467440737095516160\n1844674407370.9551616,-3.6893488147419103232\n", to: path)
    let values = try readCSV(path).values.scalars
    #expect(values == [0x1p64, 10 * 0x1p64, 1_844_674_407_370.955, -3.6893488147419102])
  }

  @Test func numbersOfAMatrixMarketFileStandApart() throws {
    let banner = "%%MatrixMarket matrix coordinate real general\n"
    let path = folder.file("glued.mtx")
    for text in ["2 2 1\n1 1.5\n", "2 2 1\n1 1-5\n", "2 2 1\n1 1nan\n", "2 2 1%\n1 1 5\n"] {
      writeText(banner + text, to: path)
      let error = fileError { _ = try readMatrixMarket(path) }
      #expect(error?.kind == .malformed && error?.reason.contains("is not a whole number") == true, "\(text)")
    }
  }

  /// Names that a reader takes for something else unless they stand in quotes, with and without telling it the separator.
  @Test(arguments: CellSeparator.allCases)
  func namesOfColumnsReadBack(separator: CellSeparator) throws {
    let names = [
      "\u{FEFF}mark", "a;b", "a,b", "\t", "\u{B}", "\"\u{301}accent", "x\"y", ",\u{301}", " before", "behind ", "#", "",
      "two\nlines", "plain", "é", "two words", "\r", "\r\n",
    ]
    let path = folder.file("names.csv")
    for first in names.indices {
      let rotated = Array(names[first...] + names[..<first])
      let values = Tensor(repeating: 1.5, shape: [2, names.count])
      try writeCSV(values, to: path, columnNames: rotated, separator: separator)
      for given in [separator, nil] {
        let table = try readCSV(path, separator: given)
        #expect(table.columnNames == rotated && table.values == values, "\(rotated[0].debugDescription) first")
      }
    }
  }

  @Test func numbersInQuotesMayHaveBlanksAroundThem() throws {
    let path = folder.file("quoted.csv")
    writeText("\"4 \",\" 5\"\n6,7\n", to: path)
    let table = try readCSV(path)
    #expect(table.columnNames == nil && table.values.scalars == [4, 5, 6, 7])
  }

  private func corpusFolder(_ name: String, from here: String = #filePath) -> String {
    let tests = here.split(separator: "/").dropLast(2).joined(separator: "/")
    return "/\(tests)/Fuzzing/Corpus/\(name)"
  }
}
