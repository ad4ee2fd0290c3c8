import CatalogueCore
import Foundation
import Tensors

/// A report with every kind of block and plot, easy and hard, for tests of the page.
enum Gallery {
  static let nastyText = "it's \"quoted\" `date` $(id) @macro {/*2 x}_i^2 \\n <b>&amp;</b>\nsecond line \u{0}\u{7}σ é"

  static var plots: [Plot] {
    let steps = (0..<200).map(Double.init)
    let sinkhorn = steps.map { 0.3 * exp(-0.02 * $0) }
    let newton = steps.map { $0 < 20 ? 0.3 * exp(-0.02 * $0) : max(1e-14, 0.2 * exp(-0.9 * ($0 - 20))) }
    var random = RandomStream(seed: 7)
    let normal = random.normal([4000], of: Double.self)
    let cloud = random.normal([5000, 2], of: Double.self)
    let wave = Tensor<Double>(
      shape: [300, 40], scalars: (0..<12000).map { sin(Double($0 / 40) / 30) * cos(Double($0 % 40) / 6) })
    return [
      Plot(
        "Convergence", caption: "Newton steps start after twenty sweeps and reach machine precision in a few more.",
        x: "iteration", y: .logarithmic("residual"),
        [Series("Sinkhorn", sinkhorn), Series("Sinkhorn, then Newton", newton)],
        marks: [.vertical(at: 20, "switch"), .horizontal(at: 1e-12, "tolerance")]),
      Plot(
        "Distribution of the weights", caption: "The shares of the values in each bin, against the fitted density.",
        x: "weight", y: "density",
        [
          .histogram("weights", of: normal.scalars, .bars),
          Series("normal", x: steps.map { $0 / 25 - 4 }, y: steps.map { exp(-0.5 * pow($0 / 25 - 4, 2)) / 2.5066 }),
        ]),
      Plot(
        "Two coordinates", caption: "Five thousand points, thinned.", x: "first", y: "second",
        [Series("points", x: cloud[.all, 0].scalars, y: cloud[.all, 1].scalars, .points)]),
      Plot("A wave", caption: "A matrix as colours.", x: "column", y: "row", heatMap: wave),
      Plot(
        "Rank of each layer", x: "layer", y: "rank",
        (1...7).map { k in Series("matrix \(k)", (0..<12).map { 20 + Double(k * 3) + sin(Double($0)) }, .lineAndPoints)
        }),
      Plot(
        "Within a decade", x: .logarithmic("kept"), y: .logarithmic("error"),
        [Series("rule", x: [0.4, 0.5, 0.6, 0.7, 0.8], y: [1.99, 1.73, 1.66, 1.64, 1.63], .lineAndPoints)]),
      Plot(
        nastyText, caption: nastyText, x: Plot.Axis(nastyText), y: Plot.Axis(nastyText), [Series(nastyText, [1, 2, 3])]),
      Plot("Gaps", x: "x", y: "y", [Series("a", [1, 2, .nan, 3, .infinity, 1]), Series("empty", [])]),
      Plot("Constant", x: "x", y: "y", [Series("flat", [2, 2, 2])]),
      Plot("One point", x: .logarithmic("x"), y: .logarithmic("y"), [Series("single", [5], .points)]),
      Plot("Enormous", x: "x", y: "y", [Series("large", [1e300, -1e300, 1e-300])]),
      Plot("Nothing to see", x: "x", y: .logarithmic("y"), [Series("negative", [-1, -2])]),
      Plot("Constant colours", x: "x", y: "y", heatMap: Tensor(repeating: 3, shape: [4, 4])),
    ]
  }

  static var report: Report {
    var long = Table("Per matrix", columns: ["name", "rows", "columns", "shape k", "relative error"])
    for i in 0..<48 {
      long.add([
        "encoder.layer.\(i).attention.self.query.weight", 384, 1536, 1.2054 - 0.001 * Double(i), 0.1 / Double(i + 1),
      ])
    }
    let short = Table(
      "By role", columns: ["role", "matrices", "k, median"],
      rows: [["query", 6, 1.156], ["feed-forward", 12, 1.2], ["pooler", 1, Double?.none]],
      caption: "Medians over the matrices of one role.")
    let checks = [
      Check("largest |k − 1.2054| over five scales", claimed: "1.2054", measured: 0.0031, .atMost(0.005)),
      Check("iterations to a marginal error of 1e-12", claimed: "29", measured: 33, .atMost(40)),
      Check("speed against plain sweeps", claimed: "685 times", measured: 7.1, .atLeast(10)),
      Check(nastyText, claimed: nastyText, measured: nastyText, holds: true),
    ]
    return Report(
      title: "Claims of three methods, reproduced",
      subtitle: "What each paper says against what was measured here, at laptop scale.",
      sections: [
        .init(
          id: "sinkhorn-newton", title: "Accelerating Sinkhorn Algorithm with Sparse Newton Iterations", passed: false,
          blocks: [
            .text(
              "Newton steps on the dual with a sparsified Hessian reach machine precision in tens of iterations, where Sinkhorn's sweeps need thousands."
            ),
            .link("Tang et al., 2024, ICLR 2024, arXiv 2401.12253", to: "https://arxiv.org/abs/2401.12253"),
            .checks(checks),
            .note("At this size the plain sweeps are capped at 3,000, so their time is a lower bound."),
          ] + plots.map { .plot($0) } + [
            .table(short), .table(long), .command("apus reproduce sinkhorn-newton --seed 4"),
            .facts([Fact("Seconds", 3.21), Fact("Seed", 4), Fact("Size", "quick")]),
          ]),
        .init(id: "weibull", title: "A Two-Parameter Weibull Framework", passed: true, blocks: [.checks([checks[0]])]),
        .init(id: "plain", title: "A section without checks <&>", blocks: [.text(nastyText)]),
      ],
      provenance: [Fact("Apus", "0.1.0"), Fact("Threads", 2), Fact("gnuplot", "5.4")])
  }
}
