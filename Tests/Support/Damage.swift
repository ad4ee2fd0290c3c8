/// Bytes with a few random faults: cut off, flipped, doubled, taken out, or exchanged for signs that text formats care about.
public func damaged(_ bytes: [UInt8], using generator: inout TestGenerator) -> [UInt8] {
  var bytes = bytes
  let signs = Array("{}[]\",:-0123456789eE.\\n\u{FFFD}".utf8)
  for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
    let place = Int.random(in: bytes.indices, using: &generator)
    let end = min(place + Int.random(in: 1...12, using: &generator), bytes.count)
    switch Int.random(in: 0..<7, using: &generator) {
    case 0: bytes.removeSubrange(place...)
    case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 2: bytes[place] = UInt8.random(in: 0...255, using: &generator)
    case 3: bytes.insert(contentsOf: Array(bytes[place..<end]), at: place)
    case 4: bytes.removeSubrange(place..<end)
    default: bytes[place] = signs[Int.random(in: signs.indices, using: &generator)]
    }
  }
  return bytes
}
