// swift-format-ignore-file: AlwaysUseLowerCamelCase

// Apple's LAPACK is C, without the lengths of letters that Fortran passes last. These overloads take and drop them, so
// that the calls read the same on every system. Accelerate's interface before macOS 13.3 is meant: 32-bit integers.

#if canImport(Accelerate)
  import Accelerate

  typealias Integer = UnsafeMutablePointer<Int32>
  typealias Letter = UnsafeMutablePointer<CChar>
  typealias Doubles = UnsafeMutablePointer<Double>
  typealias Floats = UnsafeMutablePointer<Float>

  func dpotrf_(_ u: Letter, _ n: Integer, _ a: Doubles, _ l: Integer, _ i: Integer, _: Int) { dpotrf_(u, n, a, l, i) }
  func spotrf_(_ u: Letter, _ n: Integer, _ a: Floats, _ l: Integer, _ i: Integer, _: Int) { spotrf_(u, n, a, l, i) }

  func dgecon_(
    _ k: Letter, _ n: Integer, _ a: Doubles, _ l: Integer, _ m: Doubles, _ r: Doubles, _ w: Doubles, _ j: Integer,
    _ i: Integer, _: Int
  ) { dgecon_(k, n, a, l, m, r, w, j, i) }
  func sgecon_(
    _ k: Letter, _ n: Integer, _ a: Floats, _ l: Integer, _ m: Floats, _ r: Floats, _ w: Floats, _ j: Integer,
    _ i: Integer, _: Int
  ) { sgecon_(k, n, a, l, m, r, w, j, i) }

  func dpocon_(
    _ u: Letter, _ n: Integer, _ a: Doubles, _ l: Integer, _ m: Doubles, _ r: Doubles, _ w: Doubles, _ j: Integer,
    _ i: Integer, _: Int
  ) { dpocon_(u, n, a, l, m, r, w, j, i) }
  func spocon_(
    _ u: Letter, _ n: Integer, _ a: Floats, _ l: Integer, _ m: Floats, _ r: Floats, _ w: Floats, _ j: Integer,
    _ i: Integer, _: Int
  ) { spocon_(u, n, a, l, m, r, w, j, i) }

  func dlarft_(
    _ d: Letter, _ s: Letter, _ n: Integer, _ k: Integer, _ v: Doubles, _ lv: Integer, _ tau: Doubles, _ t: Doubles,
    _ lt: Integer, _: Int, _: Int
  ) { dlarft_(d, s, n, k, v, lv, tau, t, lt) }
  func slarft_(
    _ d: Letter, _ s: Letter, _ n: Integer, _ k: Integer, _ v: Floats, _ lv: Integer, _ tau: Floats, _ t: Floats,
    _ lt: Integer, _: Int, _: Int
  ) { slarft_(d, s, n, k, v, lv, tau, t, lt) }

  func dgesdd_(
    _ z: Letter, _ m: Integer, _ n: Integer, _ a: Doubles, _ la: Integer, _ s: Doubles, _ u: Doubles, _ lu: Integer,
    _ v: Doubles, _ lv: Integer, _ w: Doubles, _ lw: Integer, _ j: Integer, _ i: Integer, _: Int
  ) { dgesdd_(z, m, n, a, la, s, u, lu, v, lv, w, lw, j, i) }
  func sgesdd_(
    _ z: Letter, _ m: Integer, _ n: Integer, _ a: Floats, _ la: Integer, _ s: Floats, _ u: Floats, _ lu: Integer,
    _ v: Floats, _ lv: Integer, _ w: Floats, _ lw: Integer, _ j: Integer, _ i: Integer, _: Int
  ) { sgesdd_(z, m, n, a, la, s, u, lu, v, lv, w, lw, j, i) }

  func dsyevd_(
    _ z: Letter, _ u: Letter, _ n: Integer, _ a: Doubles, _ l: Integer, _ s: Doubles, _ w: Doubles, _ lw: Integer,
    _ j: Integer, _ lj: Integer, _ i: Integer, _: Int, _: Int
  ) { dsyevd_(z, u, n, a, l, s, w, lw, j, lj, i) }
  func ssyevd_(
    _ z: Letter, _ u: Letter, _ n: Integer, _ a: Floats, _ l: Integer, _ s: Floats, _ w: Floats, _ lw: Integer,
    _ j: Integer, _ lj: Integer, _ i: Integer, _: Int, _: Int
  ) { ssyevd_(z, u, n, a, l, s, w, lw, j, lj, i) }

  func dgeev_(
    _ z: Letter, _ y: Letter, _ n: Integer, _ a: Doubles, _ la: Integer, _ r: Doubles, _ m: Doubles, _ u: Doubles,
    _ lu: Integer, _ v: Doubles, _ lv: Integer, _ w: Doubles, _ lw: Integer, _ i: Integer, _: Int, _: Int
  ) { dgeev_(z, y, n, a, la, r, m, u, lu, v, lv, w, lw, i) }
  func sgeev_(
    _ z: Letter, _ y: Letter, _ n: Integer, _ a: Floats, _ la: Integer, _ r: Floats, _ m: Floats, _ u: Floats,
    _ lu: Integer, _ v: Floats, _ lv: Integer, _ w: Floats, _ lw: Integer, _ i: Integer, _: Int, _: Int
  ) { sgeev_(z, y, n, a, la, r, m, u, lu, v, lv, w, lw, i) }
#endif
