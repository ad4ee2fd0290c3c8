import CatalogueCore
import TestSupport
import Testing

@Suite struct NearestTests {
  @Test(arguments: 0..<50) func oneSlipIsRecognised(seed: UInt64) {
    var random = TestGenerator(seed: seed)
    let ids = ["weibull", "welore", "concat-svd", "sinkhorn-newton", "light-sb", "fedsvd", "mode-connectivity"]
    let id = ids.randomElement(using: &random)!
    var letters = Array(id)
    let place = Int.random(in: 0..<letters.count - 1, using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: letters.remove(at: place)
    case 1: letters.insert("q", at: place)
    case 2: letters[place] = "q"
    default: letters.swapAt(place, place + 1)
    }
    #expect(nearest(to: String(letters), among: ids) == id, "seed \(seed), '\(String(letters))'")
  }

  @Test func beginningsAndCapitalsAreRecognised() {
    #expect(nearest(to: "sinkhorn", among: ["weibull", "sinkhorn-newton"]) == "sinkhorn-newton")
    #expect(nearest(to: "WEIBULL", among: ["weibull"]) == "weibull")
  }

  @Test func whatIsFarIsNotSuggested() {
    #expect(nearest(to: "xylophone", among: ["weibull", "eva", "qera"]) == nil)
    #expect(nearest(to: "anything", among: []) == nil)
  }
}
