import CatalogueCore
import Foundation
import Tensors
import Testing

@Suite struct PlotTests {
  static let hasGnuplot = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    .contains { FileManager.default.isExecutableFile(atPath: "\($0)/gnuplot") }

  private func page(_ plots: [Plot]) -> String {
    Report(title: "Plots", sections: [.init(id: "p", title: "Plots", blocks: plots.map { .plot($0) })]).html()
  }

  private func count(_ part: String, in text: String) -> Int { text.components(separatedBy: part).count - 1 }

  @Test(.enabled(if: hasGnuplot)) func everyPlotWithPointsIsDrawn() {
    let page = page(Gallery.plots)
    #expect(count("<svg", in: page) == Gallery.plots.count - 1)
    #expect(count("there is no finite point to show", in: page) == 1)
    #expect(count("role=\"img\" aria-label=\"", in: page) == Gallery.plots.count - 1)
  }

  @Test(.enabled(if: hasGnuplot)) func identifiersAreDifferent() {
    let ids = page(Gallery.plots).matches(of: /\bid=["']([^"']+)["']/).map { String($0.1) }
    #expect(ids.count > 100)
    #expect(Set(ids).count == ids.count)
  }

  @Test(.enabled(if: hasGnuplot)) func textFromPeopleRunsNothing() throws {
    let folder = try ScratchFiles()
    let target = folder.path("made")
    let attacks = [
      "`touch \(target)`", "'; system('touch \(target)'); '", "\"; !touch \(target)\n", "\n!touch \(target)\n",
    ]
    let plots = attacks.map {
      Plot($0, caption: $0, x: .init($0), y: .init($0), [Series($0, [1, 2])], marks: [.vertical(at: 1, $0)])
    }
    #expect(count("<svg", in: page(plots)) == attacks.count)
    #expect(folder.names == [])
  }

  @Test(.enabled(if: hasGnuplot)) func coloursComeFromTheStyleSheet() {
    let page = page([Gallery.plots[0]])
    let svg = page.components(separatedBy: "<svg")[1].components(separatedBy: "</svg>")[0]
    #expect(svg.contains("var(--series-1)") && svg.contains("var(--series-2)") && svg.contains("var(--grid)"))
    #expect(!svg.contains("rgb(") && !svg.contains("\"black\"") && !svg.contains("'black'"))
  }

  @Test(.enabled(if: hasGnuplot)) func longSeriesStaySmallAndKeepTheirPeaks() {
    var values = [Double](repeating: 0, count: 1_000_000)
    values[777_777] = 1000
    let page = page([Plot("Long", x: "x", y: "y", [Series("long", values)])])
    #expect(page.utf8.count < 200_000)
    #expect(page.contains(">1000<") || page.contains("> 1000<"), "the axis reaches the peak")
  }

  @Test func withoutGnuplotThePageSaysSo() {
    let page = Gallery.report.html(searchPath: "/nowhere")
    #expect(count("gnuplot is not installed", in: page) == Gallery.plots.count)
    #expect(!page.contains("<svg") && page.contains("Two coordinates"))
  }

  @Test func histogramsIntegrateToOne() {
    var random = RandomStream(seed: 3)
    let values = random.normal([10_000], of: Double.self).scalars + [.nan, .infinity]
    let bars = Series.histogram("h", of: values, bins: 37)
    let width = bars.x[1] - bars.x[0]
    #expect(abs(bars.y.reduce(0, +) * width - 1) < 1e-12)
    #expect(Series.histogram("none", of: [.nan]).x.isEmpty)
    #expect(Series.histogram("constant", of: [2, 2, 2]).y.reduce(0, +) > 0)
    #expect(Series.histogram("part", of: [0, 1, 2, 3], bins: 2, in: 0...1).y.count == 2)
  }
}
