import Foundation
import Synchronization
import Tensors

/// A line on the terminal that says how far long work is, and about how long it will take.
///
/// It is drawn only on a terminal, first after two seconds, at most ten times a second, and is gone when something else
/// is printed.
final class ProgressLine: Sendable {
  static let shared = ProgressLine()

  private struct State {
    var title = ""
    var start = ContinuousClock.now
    var lastDrawn: ContinuousClock.Instant?
    var isVisible = false
  }

  private let state = Mutex(State())
  private let isOnTerminal = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  /// The handle for work called `title`; its time starts now.
  func start(_ title: String) -> WorkProgress {
    guard isOnTerminal else { return .silent }
    state.withLock {
      $0.title = title
      $0.start = .now
    }
    return WorkProgress { completed, total, label in self.update(completed, of: total, label) }
  }

  /// Removes the line from the terminal.
  func clear() {
    guard isOnTerminal else { return }
    state.withLock { state in
      if state.isVisible { _ = Console.write("\r\u{1B}[K", to: STDERR_FILENO) }
      state.isVisible = false
    }
  }

  private func update(_ completed: Int, of total: Int, _ label: String) {
    let now = ContinuousClock.now
    state.withLock { state in
      let elapsed = now - state.start
      if elapsed < .seconds(2) { return }
      if let last = state.lastDrawn, now - last < .milliseconds(100) { return }
      state.lastDrawn = now
      state.isVisible = true
      var line = "\(state.title)  \(total > 0 ? 100 * completed / total : 0)%"
      if !label.isEmpty { line += "  \(label)" }
      if completed > 0, completed < total {
        let left = elapsed / .seconds(1) * Double(total - completed) / Double(completed)
        line += "  \(Self.duration(left)) left"
      }
      let visible = line.prefix(Console.width(of: STDERR_FILENO) - 1)
      _ = Console.write("\r\u{1B}[K" + visible, to: STDERR_FILENO)
    }
  }

  /// "9 s", "2:05 min", "1:02:03 h".
  private static func duration(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 1e6).rounded())
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60):\(two(whole % 60)) min" }
    return "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60)) h"
  }
}
