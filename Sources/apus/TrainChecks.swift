// What is said about a run before it begins: settings that cannot be, and options that would change nothing.

import CatalogueCore

extension TrainSettings {
  /// Throws for settings with which nothing can be trained.
  func check() throws {
    func require(_ isRight: Bool, _ message: @autoclosure () -> String) throws {
      if !isRight { throw UsageError(message()) }
    }
    func require(_ option: String, _ value: Int, in range: ClosedRange<Int>) throws {
      try require(
        range.contains(value), "\(option) \(value) must be in \(range.lowerBound)...\(range.upperBound)")
    }
    try require(learningRate > 0 && learningRate.isFinite, "--learning-rate \(learningRate) must be a positive number")
    try require(weightDecay >= 0 && weightDecay.isFinite, "--weight-decay \(weightDecay) must not be negative")
    try require((0..<1).contains(smoothing), "--smoothing \(smoothing) must be in [0, 1)")
    try require((0...1).contains(floor), "--floor \(floor) must be in [0, 1]")
    try require(clip.map { $0 > 0 } ?? true, "--clip \(clip ?? 0) must be a positive norm")
    try require(averageDecay.map { (0..<1).contains($0) } ?? true, "--average \(averageDecay ?? 0) must be in [0, 1)")
    try require(
      validation >= 0 && test >= 0 && validation + test < 1,
      "--validation \(validation) and --test \(test) must be fractions with a sum below one")
    try require("--warmup", warmUp, in: 0...1_000_000_000)
    try require("--shift", shift, in: 0...99)
    try require("--batch", batch, in: 1...1 << 20)
    try require("--accumulate", accumulation, in: 1...1 << 20)
    try require("--patience", patience ?? 1, in: 1...1_000_000_000)
    try require("--evaluate-every", evaluationInterval, in: 0...1_000_000_000)
    try require("--checkpoint-every", checkpointInterval, in: 0...1_000_000_000)
    try require("--log-every", logInterval, in: 1...1_000_000_000)
    try require("--layers", layers, in: 1...1_024)
    try require("--width", width, in: 1...1 << 16)
    try require("--context", context, in: 1...1 << 16)
    try require("--heads", heads, in: 1...1_024)
    // These two can be out of range only in a damaged configuration.
    try require("the width of feed-forward layers", feedForward, in: 1...1 << 20)
    try require(
      hidden.allSatisfy { (1..<1 << 20).contains($0) }, "--hidden \(hidden) must be widths such as 256,256, or none")
    if model == "gpt" {
      try require(
        width % (2 * heads) == 0,
        "--width \(width) must be a multiple of twice --heads \(heads): heads of an even width")
    }
  }

  /// Throws when this model does not learn from this data.
  func check(against data: TrainData) throws {
    switch (data, model) {
    case (.text, "gpt"), (.labelled, "mlp"), (.regression, "mlp"): return
    case (.text, _): throw UsageError("--model \(model) does not learn texts; take gpt")
    case (_, "gpt"): throw UsageError("--model gpt learns texts; give --data shakespeare-plays or a .txt file")
    case (.regression, _): throw UsageError("--model \(model) finds classes; take mlp for targets")
    case (.labelled, _): break
    }
    guard let shape = data.imageShape else {
      throw UsageError("--model \(model) needs images, [count, channels, height, width]; take mlp")
    }
    let (height, width) = (shape[1], shape[2])
    if model == "lenet" {
      guard height == width, height >= 12 else {
        throw UsageError(
          "--model lenet needs square images of at least 12 pixels, these are \(height)x\(width); take resnet8")
      }
    } else if height < 4 || width < 4 {
      throw UsageError("--model resnet8 needs images of at least 4x4 pixels, these are \(height)x\(width); take mlp")
    }
  }
}

extension TrainOptions {
  /// Throws for an option that would change nothing about a run with these settings.
  func requireEffect(on settings: TrainSettings, _ data: TrainData) throws {
    func require(_ option: String, _ isGiven: Bool, _ hasEffect: Bool, _ reason: @autoclosure () -> String) throws {
      if isGiven && !hasEffect { throw UsageError("\(option) has no effect: \(reason()); leave it out") }
    }
    let model = settings.model
    try require("--hidden", hidden != nil, model == "mlp", "it is for --model mlp, and this is \(model)")
    let ofText = [
      ("--layers", layers != nil), ("--width", width != nil), ("--heads", heads != nil), ("--context", context != nil),
      ("--tokenizer", tokenizer != nil),
    ]
    for (option, isGiven) in ofText {
      try require(option, isGiven, model == "gpt", "it is for --model gpt, and this is \(model)")
    }
    try require("--shift", shift != nil, data.imageShape != nil, "\(settings.data) has no images")
    try require(
      "--smoothing", smoothing != nil, data.hasClasses || data.isText,
      "\(settings.data) has numbers to predict, no classes")
    let isOfFile = !TrainData.names.contains(settings.data) && !data.isText
    let isNamed = "it says what the labels in a file are, and \(settings.data) has none"
    try require("--regression", regression, isOfFile, isNamed)
    try require("--classes", classes, isOfFile, isNamed)
    try require(
      "--floor", floor != nil, ["cosine", "linear", "wsd"].contains(settings.schedule),
      "the schedule is \(settings.schedule); it is for cosine, linear and wsd")
    for (option, isGiven) in [("--patience", patience != nil), ("--evaluate-every", evaluateEvery != nil)] {
      try require(option, isGiven, settings.validation > 0, "with --validation 0 nothing is evaluated")
    }
  }
}
