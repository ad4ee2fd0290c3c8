import Foundation
import Synchronization

/// The two streams that a person reads.
enum Console {
  private static let lostOutput = Atomic(false)

  /// Whether everything printed has reached its destination. A reader who has gone away, as in `apus methods | head`,
  /// does not count as loss.
  static var isOutputComplete: Bool { !lostOutput.load(ordering: .relaxed) }

  /// Prints text, and a line feed if it does not end in one.
  static func print(_ text: String) {
    ProgressLine.shared.clear()
    let text = visible(text, keepingLines: true)
    let code = write(text.hasSuffix("\n") ? text : text + "\n", to: STDOUT_FILENO)
    guard code != 0, code != EPIPE, !lostOutput.exchange(true, ordering: .relaxed) else { return }
    complain("cannot write to the standard output: \(String(cString: strerror(code)))")
  }

  /// One sentence on the standard error stream.
  static func complain(_ sentence: String) {
    ProgressLine.shared.clear()
    _ = write("apus: \(visible(sentence, keepingLines: false))\n", to: STDERR_FILENO)
  }

  /// Text in which names from a person's files cannot steer the terminal.
  private static func visible(_ text: String, keepingLines: Bool) -> String {
    let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
      if scalar.properties.generalCategory != .control || (keepingLines && scalar == "\n") { return scalar }
      return scalar == "\n" || scalar == "\t" ? " " : "\u{FFFD}"
    }
    return String(String.UnicodeScalarView(scalars))
  }

  /// An error as one sentence.
  static func sentence(for error: any Error) -> String {
    (error as? CocoaError)?.localizedDescription ?? "\(error)"
  }

  /// Where to find the figures that a terminal cannot show.
  static func hint(figures: Int) -> String? {
    figures == 0 ? nil : "\n\(figures) \(figures == 1 ? "figure" : "figures"): add --report DIR for a page with plots"
  }

  /// Whether a person reads the output, rather than a program.
  static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// The width of the terminal that `descriptor` shows, or a comfortable one.
  static func width(of descriptor: Int32 = STDOUT_FILENO) -> Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 40 else { return 110 }
    return Int(size.ws_col)
  }

  /// Writes all of the text; the error number if that fails, and otherwise 0.
  static func write(_ text: String, to descriptor: Int32) -> Int32 {
    var text = text
    return text.withUTF8 { bytes in
      var done = 0
      while done < bytes.count {
        let written = Foundation.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if written < 0, errno == EINTR { continue }
        if written < 0 { return errno }
        done += written
      }
      return 0
    }
  }
}
