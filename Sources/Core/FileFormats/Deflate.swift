// Checksums, inflation and deflation by zlib.

import CZlib

/// The CRC-32 of bytes that arrive in pieces.
struct Checksum {
  private(set) var value: UInt32 = 0

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    value = UInt32(truncatingIfNeeded: crc32_z(UInt(value), start.assumingMemoryBound(to: UInt8.self), bytes.count))
  }
}

/// Inflates raw deflated bytes, as much at a time as the caller has room for.
final class Inflater {
  private var stream = z_stream()
  private var rest: UnsafeRawBufferPointer
  private(set) var isAtEnd = false
  private let path: String

  /// Begins to inflate `bytes`, which must outlive this object.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(FileError) {
    rest = bytes
    self.path = path
    guard inflateInit2_(&stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw FileError(.unreadable, path, "cannot be inflated: there is no memory for it")
    }
  }

  deinit { inflateEnd(&stream) }

  /// Whether all bytes were used.
  var isExhausted: Bool { rest.isEmpty && stream.avail_in == 0 }

  /// Fills `result` from the front; returns how many bytes there were, fewer only at the end.
  func inflate(into result: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
    var done = 0
    while !isAtEnd {
      if stream.avail_in == 0, !rest.isEmpty {
        let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
        stream.next_in = UnsafeMutablePointer(mutating: piece.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(piece.count)
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
      }
      let room = min(result.count - done, 1 << 30)
      // With no room left, one more call finds out whether the stream ends here.
      var spare: UInt8 = 0
      let status = withUnsafeMutablePointer(to: &spare) { spare in
        let start = result.baseAddress.map { ($0 + done).assumingMemoryBound(to: UInt8.self) }
        stream.next_out = room > 0 ? start : spare
        stream.avail_out = UInt32(room)
        return CZlib.inflate(&stream, Z_NO_FLUSH)
      }
      done += room - Int(stream.avail_out)
      switch status {
      case Z_STREAM_END: isAtEnd = true
      case Z_OK: continue
      case Z_BUF_ERROR where done == result.count: return done
      case Z_BUF_ERROR: throw FileError(.truncated, path, "compressed numbers end too early")
      case Z_MEM_ERROR: throw FileError(.unreadable, path, "cannot be inflated: there is no memory for it")
      default: throw FileError(.malformed, path, "compressed numbers are damaged")
      }
    }
    return done
  }
}

/// Deflates bytes that arrive in pieces.
final class Deflater {
  private var stream = z_stream()
  private let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 1 << 18)
  private let path: String

  init(path: String) throws(FileError) {
    self.path = path
    let size = Int32(MemoryLayout<z_stream>.size)
    guard deflateInit2_(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK else {
      throw FileError(.unwritable, path, "cannot be deflated: there is no memory for it")
    }
  }

  deinit {
    deflateEnd(&stream)
    buffer.deallocate()
  }

  func add(_ bytes: UnsafeRawBufferPointer, _ write: (UnsafeRawBufferPointer) throws -> Void) throws {
    var rest = bytes
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
      stream.next_in = UnsafeMutablePointer(mutating: piece.baseAddress?.assumingMemoryBound(to: UInt8.self))
      stream.avail_in = UInt32(piece.count)
      try drain(Z_NO_FLUSH, write)
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
    }
  }

  func finish(_ write: (UnsafeRawBufferPointer) throws -> Void) throws { try drain(Z_FINISH, write) }

  /// Runs zlib until it has no more output for the input it was given.
  private func drain(_ flush: Int32, _ write: (UnsafeRawBufferPointer) throws -> Void) throws {
    repeat {
      stream.next_out = buffer.baseAddress
      stream.avail_out = UInt32(buffer.count)
      guard deflate(&stream, flush) != Z_STREAM_ERROR else {
        throw FileError(.unwritable, path, "cannot be deflated")
      }
      let count = buffer.count - Int(stream.avail_out)
      try write(UnsafeRawBufferPointer(start: buffer.baseAddress, count: count))
    } while stream.avail_out == 0
  }
}
