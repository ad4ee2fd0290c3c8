import FileFormats
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct TextTableTests {
  let folder = TemporaryFolder()

  private func read(_ text: String, separator: CellSeparator? = nil, hasHeader: Bool? = nil) throws -> TextTable {
    let path = folder.file("made.csv")
    writeText(text, to: path)
    return try readCSV(path, separator: separator, hasHeader: hasHeader)
  }

  @Test(arguments: [
    "1,2.5\n-3,4e2\n", "1;2.5\r\n-3;4e2\r\n", "1\t2.5\n-3\t4e2", "  1   2.5\n -3 \t 4e2  \n", "1,2.5\r-3,4e2\r",
    "\u{FEFF}1,2.5\n-3,4e2\n", "# numbers\n\n1 , 2.5\n   \n-3 ,4e2 # last\n#\n", "\"1\",\"2.5\"\n\" -3 \",4e2\n",
    "+1,2.5\n-3.,+.4e+3\n", "1.0000000000000000000000,2.5\n-3,400\n",
  ])
  func oneTableInManySpellings(text: String) throws {
    let table = try read(text)
    #expect(table.columnNames == nil)
    #expect(table.values == Tensor([[1, 2.5], [-3, 400]]))
  }

  @Test func aFirstRowOfWordsNamesTheColumns() throws {
    #expect(try read("a,b\n1,2\n").columnNames == ["a", "b"])
    #expect(try read("\"x, \"\"y\"\"\", b \n1,2\n").columnNames == ["x, \"y\"", "b"])
    #expect(try read(",b\n1,2\n").columnNames == ["", "b"])
    #expect(try read("\"two\nlines\",b\n1,2\n").columnNames == ["two\nlines", "b"])
    #expect(try read("year\t2020\n1\t2\n").columnNames == ["year", "2020"])
    #expect(try read("width height\n1 2\n").columnNames == ["width", "height"])
    #expect(try read("1,2\n3,4\n", hasHeader: true).columnNames == ["1", "2"])
    #expect(try read("1,2\n3,4\n", hasHeader: true).values == Tensor([[3, 4]]))
    let header = try read("a,b,c")
    #expect(header.columnNames == ["a", "b", "c"] && header.values.shape == [0, 3])
  }

  @Test func notANumberAndInfinityAreNumbers() throws {
    let values = try read("nan,inf\n-Infinity,NaN\n").values
    #expect(values.shape == [2, 2])
    #expect(values[at: 0, 0].isNaN && values[at: 1, 1].isNaN)
    #expect(values[at: 0, 1] == .infinity && values[at: 1, 0] == -.infinity)
  }

  @Test(arguments: [
    ("1,2\n3\n", "line 2, column 2: the row has 1 cells, the first row has 2"),
    ("1,2\n\n# x\n3,4,5\n", "line 4, column 3: the row has more than 2 cells, the first row has 2"),
    ("a,b\n1,x1\n", "line 2, column 2: 'x1' is not a number"),
    ("a,b\n1,2x\n", "line 2, column 2: '2x' is not a number"),
    ("1,2\n3,\n", "line 2, column 2: an empty cell, a number (or nan) was expected"),
    ("1,2\n,4\n", "line 2, column 1: an empty cell, a number (or nan) was expected"),
    ("1;2\n3;1,5\n", "line 2, column 2: '1,5' is not a number"),
    ("\"a\nb\",c\n1,2\n3,-\n", "line 4, column 2: '-' is not a number"),
    ("1 2\n3 4e\n", "line 2, column 2: '4e' is not a number"),
    ("1,2\n3,0x10\n", "line 2, column 2: '0x10' is not a number"),
    ("a,\"b\n1,2\n", "line 1, column 2: a quote is not closed"),
    ("1,2\n3,\"4\n", "line 2, column 2: '\"4' is not a number"),
  ])
  func theFirstBadCellIsNamed(text: String, message: String) {
    let error = fileError { _ = try read(text) }
    #expect(error?.kind == .malformed)
    #expect(error?.reason == message)
  }

  @Test func linesAreCountedAcrossParts() {
    let good = String(repeating: "0.25,1234567890.5,3\n", count: 200_000)
    let error = fileError { _ = try read("a,b,c\n" + good + "1,2\n" + good) }
    #expect(error?.reason == "line 200002, column 3: the row has 2 cells, the first row has 3")
  }

  @Test func filesWithoutNumbersAreRefused() {
    #expect(fileError { _ = try read("") }?.kind == .empty)
    #expect(fileError { _ = try read("\n # nothing\n\n") }?.kind == .empty)
    #expect(fileError { _ = try read("1,2\u{0}\n") }?.kind == .foreign)
    let path = folder.file("utf16.csv")
    writeBytes([0xFF, 0xFE, 0x31, 0, 0x2C, 0, 0x32, 0], to: path)
    #expect(fileError { _ = try readCSV(path) }?.reason == "this is text in UTF-16, save it as UTF-8")
  }

  /// Every way of reading a number must give what the standard library gives, which rounds correctly.
  @Test(arguments: 0..<4) func numbersAreRoundedCorrectly(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var texts: [String] = []
    for _ in 0..<20_000 {
      let digitCount = Int.random(in: 1...22, using: &generator)
      var digits = (0..<digitCount).map { _ in String(Int.random(in: 0...9, using: &generator)) }.joined()
      if Bool.random(using: &generator) {
        // Halfway between two neighbours, or one unit of the nineteenth digit beside it.
        let odd = UInt64.random(in: 1 << 53..<1 << 54, using: &generator) | 1
        digits = String(odd * 2 + UInt64(Int.random(in: 0...2, using: &generator)))
      }
      let point = Int.random(in: 0...digits.count, using: &generator)
      var text = digits.prefix(point) + "." + digits.dropFirst(point)
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: text += "e\(Int.random(in: -30...30, using: &generator))"
      case 1: text += "E\(Int.random(in: -340...320, using: &generator))"
      default: break
      }
      texts.append((Bool.random(using: &generator) ? "-" : "") + text)
      let bits = Double(bitPattern: generator.next())
      if bits.isFinite { texts.append(bits.description) }
    }
    let read = try read(texts.joined(separator: "\n"), separator: .comma, hasHeader: false).values.scalars
    #expect(read.count == texts.count)
    for (text, value) in zip(texts, read) {
      let expected = strtod(text, nil)
      #expect(value.bitPattern == expected.bitPattern, "\(text) became \(value)")
    }
  }

  @Test(arguments: CellSeparator.allCases) func numbersSurviveARoundTrip(separator: CellSeparator) throws {
    var generator = TestGenerator(seed: 5)
    var numbers = (0..<3_000).map { _ in Double(bitPattern: generator.next()) }
    numbers.append(contentsOf: [.infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude])
    numbers = numbers.map { $0.isNaN ? .nan : $0 }
    let path = folder.file("numbers.csv")
    let matrix = Tensor(shape: [numbers.count / 6, 6], scalars: numbers)
    let names = ["a", "b, c", "d\"e\"", "", "#f", "g h"]
    try writeCSV(matrix, to: path, columnNames: names, separator: separator)
    let table = try readCSV(path, separator: separator)
    #expect(table.columnNames == names)
    #expect(table.values.scalars.map(\.bitPattern) == numbers.map(\.bitPattern))
  }

  @Test func vectorsScalarsAndOtherTypesAreWritten() throws {
    let path = folder.file("other.csv")
    try writeCSV(Tensor<Float>([0.1, 2]), to: path)
    #expect(readBytes(path) == Array("0.1\n2.0\n".utf8))
    try writeCSV(Tensor<Int>([[1, -2], [3, Int.max]]), to: path)
    #expect(readBytes(path) == Array("1,-2\n3,9223372036854775807\n".utf8))
    try writeCSV(Tensor<Bool>([[true, false]]), to: path, separator: .tab)
    #expect(readBytes(path) == Array("1\t0\n".utf8))
    try writeCSV(Tensor<Double>(7), to: path)
    #expect(try readCSV(path).values == Tensor([[7]]))
    #expect(throws: InvalidArgument.self) { try writeCSV(Tensor<Double>.zeros([1, 1, 1]), to: path) }
    #expect(throws: InvalidArgument.self) { try writeCSV(Tensor<Double>([1]), to: path, columnNames: ["a", "b"]) }
  }

  @Test func tablesOfNumPyAreRead() throws {
    let expected = pattern(.float64, [4, 3]).asDouble() / 3
    #expect(try readCSV(fixture("savetxt.txt")).values == expected)
  }
}
