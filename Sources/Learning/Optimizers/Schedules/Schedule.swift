// How the learning rate goes over the steps, as a value that can be saved.

import RealModule

/// The factor of the learning rate as a function of the step, counted from zero.
///
/// ```swift
/// let schedule = Schedule.cosine(steps: 10_000, floor: 0.1).warmedUp(over: 500)
/// optimizer.update(&model, along: gradient, rateFactor: schedule(step))
/// ```
public indirect enum Schedule: Sendable, Codable, Hashable {
  case constant
  /// Half a cosine from one down to `floor` in `steps` steps, then `floor`.
  ///
  /// Source: Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without restarts.
  case cosine(steps: Int, floor: Double = 0)
  /// A straight line from one down to `floor` in `steps` steps, then `floor`.
  case linear(steps: Int, floor: Double = 0)
  /// Multiplied by `factor` after every `every` steps.
  case step(every: Int, factor: Double)
  /// Multiplied by `factor` after every step.
  case exponential(factor: Double)
  /// Falling from one as √(timescale / (timescale + step)).
  ///
  /// Source: after a warm-up over as many steps as the timescale it is that of Vaswani et al., "Attention is all you
  /// need", 2017, equation 3, with the peak as the learning rate.
  case inverseSquareRoot(timescale: Int)
  /// One for `stable` steps, then in `decay` steps down to `floor`, as one minus the root of the part done or in a
  /// straight line; with a warm-up before it: warmup-stable-decay.
  ///
  /// Source: Hu et al., "MiniCPM", 2024, section 4; the root is of Hägele et al., "Scaling laws and compute-optimal
  /// training beyond fixed training durations", 2024.
  case stableDecay(stable: Int, decay: Int, floor: Double = 0, shape: DecayShape = .squareRoot)
  /// Up from 1 / `divisor` to one in the first `rise` of the steps, then down to 1 / (divisor · finalDivisor), both by
  /// half a cosine.
  ///
  /// Source: Smith and Topin, "Super-convergence", 2018, in the two phases of PyTorch.
  case oneCycle(steps: Int, rise: Double = 0.3, divisor: Double = 25, finalDivisor: Double = 10_000)
  /// From `start` in a straight line to the first factor of `then` in `steps` steps; `then` begins there.
  case warmUp(steps: Int, start: Double, then: Schedule)

  public enum DecayShape: String, Sendable, Codable, Hashable { case linear, squareRoot }

  /// This schedule after a straight rise over `steps` steps.
  ///
  /// - Parameter start: the factor of the first step, as a part of this schedule's first; by default 1 / (steps + 1), so
  ///   that no step is spent on a rate of zero.
  public func warmedUp(over steps: Int, from start: Double? = nil) -> Schedule {
    .warmUp(steps: steps, start: start ?? 1 / Double(steps + 1), then: self)
  }

  /// The factor in step number `step`, counted from zero.
  public func callAsFunction(_ step: Int) -> Double {
    precondition(step >= 0, "steps are counted from zero, but this is step \(step)")
    switch self {
    case .constant: return 1
    case .cosine(let steps, let floor): return Self.cosine(from: 1, to: floor, Self.part(step, of: steps))
    case .linear(let steps, let floor): return 1 + (floor - 1) * Self.part(step, of: steps)
    case .step(let every, let factor): return .pow(factor, step / max(every, 1))
    case .exponential(let factor): return .pow(factor, step)
    case .inverseSquareRoot(let timescale):
      let timescale = Double(max(timescale, 1))
      return (timescale / (timescale + Double(step))).squareRoot()
    case .stableDecay(let stable, let decay, let floor, let shape):
      let part = step < stable ? 0 : Self.part(step - stable, of: decay)
      return 1 + (floor - 1) * (shape == .linear ? part : part.squareRoot())
    case .oneCycle(let steps, let rise, let divisor, let finalDivisor):
      let top = rise * Double(steps) - 1
      let end = Double(steps - 1)
      let step = min(Double(step), end)
      if step <= top { return Self.cosine(from: 1 / divisor, to: 1, step / top) }
      return Self.cosine(
        from: 1, to: 1 / (divisor * finalDivisor), (step - top) / max(end - top, .leastNonzeroMagnitude))
    case .warmUp(let steps, let start, let then):
      guard step < steps else { return then(step - steps) }
      return then(0) * (start + (1 - start) * Double(step) / Double(steps))
    }
  }

  private static func part(_ step: Int, of steps: Int) -> Double {
    steps > 0 ? min(Double(step) / Double(steps), 1) : 1
  }

  private static func cosine(from start: Double, to end: Double, _ part: Double) -> Double {
    end + (start - end) * (1 + .cos(.pi * part)) / 2
  }
}
