import CatalogueCore
import Diagnostics
import Numerics
import Tensors

extension MagnitudeTrim: ParameterChoice {}

/// `weibull` in the catalogue: the shape and scale of the weights of matrices and checkpoints.
struct Weibull: CataloguedMethod {
  let weights = MethodInput(
    tensors: "weights", "A checkpoint or single arrays; those with one axis and whole numbers are skipped.")
  let trim = MethodParameter(
    "trim", "The middle part of the distribution that is fitted.", default: MagnitudeTrim.middle80)
  let initial = MethodParameter("initial", "The weights have not been trained yet.", default: false)
  let fits = MethodOutput(
    "fits", "For each matrix k, its standard error, lambda, its standard error, R2, KS, Q90/Q10 and Gini.",
    shape: "[matrices, 8]")

  var card: MethodCard {
    MethodCard(
      id: "weibull", module: "Diagnostics",
      title: "A Two-Parameter Weibull Framework for Diagnosing Transformer Weight Distributions",
      paper: Paper("Ding", 2026, arXiv: "2605.18898"),
      summary: """
        Two numbers for each weight matrix of a model. The shape k says how far the magnitudes have moved from Gaussian \
        initialization, where k is 1.2054 whatever the variance; the scale lambda says how much the weights have grown. \
        Both come from a line through the middle of the Weibull plot of a histogram, so a few outliers do not matter. \
        Takes about as long as reading the file.
        """,
      inputs: [weights], parameters: [trim, initial], outputs: [fits],
      example: "apus run weibull weights=model.safetensors --trim middle80 -o fits.csv",
      claim: """
        A million Gaussian weights at each of five scales give k = 1.2054 and lambda = 0.8875 standard deviations, as \
        the paper says, and known laws give their exact values. In a character model that is trained, lambda grows \
        while k stays near, and query and key matrices end below the others.
        """)
  }

  // MARK: Run

  func run(_ request: RunRequest) throws -> RunOutcome {
    let collection = request.tensors(weights)
    let diagnosis = WeightDiagnosis(
      fitting: WeibullFitting(trim: request[trim]), atInitialization: request[initial])
    var histograms: [(name: String, histogram: MagnitudeHistogram)] = []
    let report = try diagnosis.diagnose(names: collection.names, progress: request.progress) { i -> Tensor<Float> in
      let tensor = try collection.tensor(collection.entries[i], as: Float.self)
      if tensor.rank > 1 {
        if isWhole(tensor) {
          throw InvalidArgument(collection.names[i], found: "whole numbers only", wanted: "weights")
        }
        if histograms.count < 6 { histograms.append((collection.names[i], try MagnitudeHistogram(tensor))) }
      }
      return tensor
    }
    guard !report.rows.isEmpty else { throw nothingToFit(report) }
    return RunOutcome(
      summary: summary(of: report), tables: tables(of: report), plots: plots(of: report, histograms),
      notes: notes(on: report), outputs: [OutputArray(fits, array(of: report))])
  }

  /// Positions and masks that checkpoints hold beside the weights.
  private func isWhole(_ tensor: Tensor<Float>) -> Bool {
    tensor.withUnsafeBuffer { buffer in buffer.allSatisfy { $0.rounded() == $0 } }
  }

  private func nothingToFit(_ report: WeightReport) -> InvalidArgument {
    for tensor in report.skipped {
      if case .unusable(let error) = tensor.reason { return error }
    }
    return InvalidArgument("weights", found: "no array with two axes", wanted: "at least one matrix")
  }

  private func summary(of report: WeightReport) -> [Fact] {
    let regimes = WeibullRegime.allCases.compactMap { regime -> String? in
      let count = report.rows.filter { $0.regime == regime }.count
      return count == 0 ? nil : "\(count) \(regime.title)"
    }
    var facts = [
      Fact("Matrices", report.rows.count), Fact("Regimes", regimes.joined(separator: ", ")),
      Fact("Outliers of their role", report.outliers.count), Fact("Skipped", report.skipped.count),
    ]
    if let attention = report.attention { facts.append(Fact("Attention", attention.description)) }
    return facts
  }

  private func tables(of report: WeightReport) -> [Table] {
    var matrices = Table(
      "Matrices", columns: ["matrix", "role", "k", "se of k", "lambda", "R2", "KS", "Q90/Q10", "Gini", "regime"],
      caption: "Where R2 is below 0.95, read Q90/Q10 and Gini instead of k. A star marks outliers of their role.")
    for row in report.rows {
      matrices.add([
        row.name, row.role.title, row.fit.shape, row.fit.shapeStandardError, row.fit.scale, row.fit.rSquared,
        row.fit.kolmogorovSmirnov, row.metrics.interdecileRatio, row.metrics.gini,
        row.regime.title + (row.isOutlier ? " *" : ""),
      ])
    }
    var roles = Table(
      "Roles", columns: ["role", "matrices", "median k", "least k", "greatest k", "median lambda", "median R2"])
    for role in report.roles {
      roles.add([
        role.role.title, role.count, role.medianShape, role.shapeRange.lowerBound, role.shapeRange.upperBound,
        role.medianScale, role.medianRSquared,
      ])
    }
    return [roles, matrices]
  }

  private func plots(
    of report: WeightReport, _ histograms: [(name: String, histogram: MagnitudeHistogram)]
  ) -> [Plot] {
    let weibullPlot = Plot(
      "Weibull plot", caption: "Straight where two parameters describe the weights; the slope is k.",
      x: "ln |w|", y: "ln(-ln(1 - F))",
      histograms.map { name, histogram in Series(name, points: histogram.weibullPlot()) })
    var byLayer: [Series] = []
    for role in report.roles {
      let rows = report.rows.filter { $0.role == role.role && $0.layer != nil }
      if rows.count > 1 {
        byLayer.append(
          Series(
            role.role.title, x: rows.map { Double($0.layer ?? 0) }, y: rows.map(\.fit.shape), .lineAndPoints))
      }
    }
    guard !byLayer.isEmpty else { return [weibullPlot] }
    let anchor = WeibullAnchor.gaussian(report.rows[0].fit.trim).shape
    let shapes = Plot(
      "Shape by layer", caption: "The dashed line is the shape of Gaussian weights.", x: "layer", y: "k", byLayer,
      marks: [.horizontal(at: anchor, "Gaussian")])
    return [weibullPlot, shapes]
  }

  private func notes(on report: WeightReport) -> [String] {
    var notes: [String] = []
    let poor = report.rows.filter { $0.fit.rSquared < WeibullFit.leastStraightness }.count
    if poor > 0 { notes.append("\(poor) of \(report.rows.count) matrices are not described by two parameters.") }
    for tensor in report.skipped {
      if case .unusable(let error) = tensor.reason { notes.append("Skipped \(tensor.name): \(error.found).") }
    }
    return notes
  }

  private func array(of report: WeightReport) -> Tensor<Double> {
    let rows = report.rows.map { row in
      [
        row.fit.shape, row.fit.shapeStandardError ?? .nan, row.fit.scale, row.fit.scaleStandardError ?? .nan,
        row.fit.rSquared, row.fit.kolmogorovSmirnov, row.metrics.interdecileRatio, row.metrics.gini,
      ]
    }
    return Tensor(rows)
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try WeibullClaim(settings: settings).evidence() }
}

extension Series {
  /// The points of a Weibull plot.
  init(_ label: String, points: [(logMagnitude: Double, plotted: Double)]) {
    self.init(label, x: points.map(\.logMagnitude), y: points.map(\.plotted), .line)
  }
}
