import CatalogueCore
import Testing

struct ExtremeTests {
  /// Where a NaN stands among the measurements makes no difference.
  @Test func noNumberIsForgotten() {
    for values in [[1, 3, 2], [3, 1], [-1], [.infinity, 2], [-.infinity]] as [[Double]] {
      var (largest, smallest) = (-Double.infinity, Double.infinity)
      for value in values {
        largest.keepMaximum(of: value)
        smallest.keepMinimum(of: value)
      }
      #expect(largest == values.max() && smallest == values.min())
      for place in 0...values.count {
        var (largest, smallest) = (0.0, Double.infinity)
        var measured = values
        measured.insert(.nan, at: place)
        for value in measured {
          largest.keepMaximum(of: value)
          smallest.keepMinimum(of: value)
        }
        #expect(largest.isNaN && smallest.isNaN, "\(measured)")
        #expect(!Check("", claimed: "", measured: largest, .atMost(1)).passed)
        #expect(!Check("", claimed: "", measured: smallest, .atLeast(0)).passed)
      }
    }
  }
}
