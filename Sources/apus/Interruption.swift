import CatalogueCore
@preconcurrency import Dispatch
import FileFormats
import Foundation
import Synchronization

/// What happens on Ctrl-C and on a request to end.
///
/// The first signal cancels the work, which then cleans up and stops at its next report of progress. The second one ends
/// the process at once, after removing what is half-written.
final class Interruption: Sendable {
  private struct State {
    var signal: Int32 = 0
    var sources: [any DispatchSourceSignal] = []
    var cancel: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  init() {
    // A reader that goes away must not end us half-way through a file.
    signal(SIGPIPE, SIG_IGN)
    let queue = DispatchQueue(label: "apus.signals")
    for number in [SIGINT, SIGTERM, SIGHUP] {
      // A signal that was ignored before we started (nohup) stays ignored.
      let former = unsafeBitCast(signal(number, SIG_IGN), to: Int.self)
      if former == unsafeBitCast(SIG_IGN, to: Int.self) { continue }
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { [unowned self] in receive(number) }
      source.resume()
      state.withLock { $0.sources.append(source) }
    }
  }

  /// What cancels the work; called at once if a signal has come already.
  func onFirstSignal(_ cancel: @escaping @Sendable () -> Void) {
    let hasCome = state.withLock { state in
      state.cancel = cancel
      return state.signal != 0
    }
    if hasCome { cancel() }
  }

  private func receive(_ number: Int32) {
    let (isFirst, cancel) = state.withLock { state in
      let isFirst = state.signal == 0
      state.signal = number
      return (isFirst, state.cancel)
    }
    if isFirst {
      cancel?()
    } else {
      ProgressLine.shared.clear()
      AtomicFile.removeAllPartials()
      ScratchFolder.removeAll()
      _exit(128 + number)
    }
  }

  /// Ends the process by the signal that interrupted it, so that a shell's loop stops too; returns if there was none.
  func endIfInterrupted() {
    let number = state.withLock { $0.signal }
    guard number != 0 else { return }
    signal(number, SIG_DFL)
    // Dispatch has blocked the signal in order to wait for it.
    var only = sigset_t()
    sigemptyset(&only)
    sigaddset(&only, number)
    pthread_sigmask(SIG_UNBLOCK, &only, nil)
    raise(number)
    _exit(128 + number)
  }
}
