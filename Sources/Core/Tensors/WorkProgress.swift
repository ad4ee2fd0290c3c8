/// The handle through which long work says how far it is, and learns that nobody wants it any more.
///
/// Libraries only report; the command line draws. The default handle ignores everything and never cancels.
public struct WorkProgress: Sendable {
  private let onReport: @Sendable (_ completed: Int, _ total: Int, _ label: String) -> Void

  public init(_ onReport: @escaping @Sendable (_ completed: Int, _ total: Int, _ label: String) -> Void) {
    self.onReport = onReport
  }

  /// Reports nothing.
  public static let silent = WorkProgress { _, _, _ in }

  /// Notes that `completed` of `total` steps are done, and throws `CancellationError` when the task was cancelled.
  public func report(_ completed: Int, of total: Int, _ label: String = "") throws {
    onReport(completed, total, label)
    try Task.checkCancellation()
  }

  /// The handle for one of several stages that take about as long as each other.
  public func part(_ index: Int, of count: Int) -> WorkProgress {
    let whole = onReport
    return WorkProgress { completed, total, label in
      // In thousandths, which leave room for any number of steps inside a stage.
      let steps = 1_000
      let done = total > 0 ? Int(Double(steps) * Double(completed) / Double(total)) : 0
      whole(index * steps + done, count * steps, label)
    }
  }
}
