import CatalogueCore
import Foundation
import TestSupport
import Testing

@Suite struct JSONTests {
  private func parsed(_ value: JSONValue) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(value.text.utf8), options: .fragmentsAllowed)
  }

  @Test func anyTextSurvives() throws {
    let texts = [Gallery.nastyText, "", "\u{1F}\u{7F}\u{2028}\r\n\t\\\"/", "😀 é \u{10FFFF}"]
    for text in texts {
      let object = try #require(try parsed([.init(stringLiteral: text)] as JSONValue) as? [String])
      #expect(object == [text])
      let member = try #require(try parsed(.object([.init(text, 1)])) as? [String: Int])
      #expect(member == [text: 1])
    }
  }

  @Test func numbersSurviveAndTheRestIsNull() throws {
    let numbers = [0.1, -0.0, 1e-300, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1e22, 123456789.125, 1 / 3]
    let back = try #require(try parsed(.array(numbers.map { .number($0) })) as? [Double])
    #expect(back == numbers)
    let others = try #require(try parsed([.number(.nan), .number(.infinity), .number(-.infinity), .null]) as? [Any])
    #expect(others.allSatisfy { $0 is NSNull })
  }

  @Test func membersKeepTheirOrder() {
    let value: JSONValue = ["zebra": 1, "apple": [["x": true], []], "mango": [:]]
    let names = ["zebra", "apple", "mango"].map { value.text.range(of: $0)!.lowerBound }
    #expect(names == names.sorted())
  }

  @Test(arguments: 0..<40) func randomDocumentsParse(seed: UInt64) throws {
    var random = TestGenerator(seed: seed)
    func value(depth: Int) -> JSONValue {
      switch Int.random(in: 0..<(depth > 3 ? 5 : 7), using: &random) {
      case 0: .null
      case 1: .boolean(Bool.random(using: &random))
      case 2: .integer(Int.random(in: .min ... .max, using: &random))
      case 3: .number(Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &random)))
      case 4: .string(String((0..<5).map { _ in Character(UnicodeScalar(UInt8.random(in: 0..<128, using: &random))) }))
      case 5: .array((0..<3).map { _ in value(depth: depth + 1) })
      default: .object((0..<3).map { .init("\($0)", value(depth: depth + 1)) })
      }
    }
    let document = value(depth: 0)
    #expect(throws: Never.self, "seed \(seed): \(document.text)") { _ = try parsed(document) }
  }
}
