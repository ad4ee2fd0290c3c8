// swift-format-ignore-file: AlwaysUseLowerCamelCase

// As in AccelerateLAPACK.swift: calls that drop the lengths of letters.

#if canImport(Accelerate)
  import Accelerate

  func dsytrd_(
    _ u: Letter, _ n: Integer, _ a: Doubles, _ l: Integer, _ d: Doubles, _ e: Doubles, _ t: Doubles, _ w: Doubles,
    _ lw: Integer,
    _ i: Integer, _: Int
  ) { dsytrd_(u, n, a, l, d, e, t, w, lw, i) }
  func dstedc_(
    _ z: Letter, _ n: Integer, _ d: Doubles, _ e: Doubles, _ v: Doubles, _ l: Integer, _ w: Doubles, _ lw: Integer,
    _ j: Integer,
    _ lj: Integer, _ i: Integer, _: Int
  ) { dstedc_(z, n, d, e, v, l, w, lw, j, lj, i) }
  func dbdsdc_(
    _ u: Letter, _ z: Letter, _ n: Integer, _ d: Doubles, _ e: Doubles, _ x: Doubles, _ lx: Integer, _ y: Doubles,
    _ ly: Integer,
    _ q: Doubles?, _ iq: Integer?, _ w: Doubles, _ j: Integer, _ i: Integer, _: Int, _: Int
  ) { dbdsdc_(u, z, n, d, e, x, lx, y, ly, q, iq, w, j, i) }

  func ssytrd_(
    _ u: Letter, _ n: Integer, _ a: Floats, _ l: Integer, _ d: Floats, _ e: Floats, _ t: Floats, _ w: Floats,
    _ lw: Integer,
    _ i: Integer, _: Int
  ) { ssytrd_(u, n, a, l, d, e, t, w, lw, i) }
  func sstedc_(
    _ z: Letter, _ n: Integer, _ d: Floats, _ e: Floats, _ v: Floats, _ l: Integer, _ w: Floats, _ lw: Integer,
    _ j: Integer,
    _ lj: Integer, _ i: Integer, _: Int
  ) { sstedc_(z, n, d, e, v, l, w, lw, j, lj, i) }
  func sbdsdc_(
    _ u: Letter, _ z: Letter, _ n: Integer, _ d: Floats, _ e: Floats, _ x: Floats, _ lx: Integer, _ y: Floats,
    _ ly: Integer,
    _ q: Floats?, _ iq: Integer?, _ w: Floats, _ j: Integer, _ i: Integer, _: Int, _: Int
  ) { sbdsdc_(u, z, n, d, e, x, lx, y, ly, q, iq, w, j, i) }
#endif
