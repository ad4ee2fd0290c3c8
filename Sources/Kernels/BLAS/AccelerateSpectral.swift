// swift-format-ignore-file: AlwaysUseLowerCamelCase

// The overloads of AccelerateLAPACK.swift for the routines around the Schur form and for structured matrices.

#if canImport(Accelerate)
  import Accelerate

  func dgees_(
    _ a0: Letter, _ a1: Letter, _ a2: OpaquePointer?, _ a3: Integer, _ a4: Doubles, _ a5: Integer, _ a6: Integer,
    _ a7: Doubles, _ a8: Doubles, _ a9: Doubles, _ a10: Integer, _ a11: Doubles, _ a12: Integer, _ a13: Integer,
    _ a14: Integer, _: Int, _: Int
  ) { dgees_(a0, a1, nil, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14) }

  func sgees_(
    _ a0: Letter, _ a1: Letter, _ a2: OpaquePointer?, _ a3: Integer, _ a4: Floats, _ a5: Integer, _ a6: Integer,
    _ a7: Floats, _ a8: Floats, _ a9: Floats, _ a10: Integer, _ a11: Floats, _ a12: Integer, _ a13: Integer,
    _ a14: Integer, _: Int, _: Int
  ) { sgees_(a0, a1, nil, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14) }

  func dtrsen_(
    _ a0: Letter, _ a1: Letter, _ a2: Integer, _ a3: Integer, _ a4: Doubles, _ a5: Integer, _ a6: Doubles,
    _ a7: Integer, _ a8: Doubles, _ a9: Doubles, _ a10: Integer, _ a11: Doubles, _ a12: Doubles, _ a13: Doubles,
    _ a14: Integer, _ a15: Integer, _ a16: Integer, _ a17: Integer, _: Int, _: Int
  ) { dtrsen_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17) }

  func strsen_(
    _ a0: Letter, _ a1: Letter, _ a2: Integer, _ a3: Integer, _ a4: Floats, _ a5: Integer, _ a6: Floats, _ a7: Integer,
    _ a8: Floats, _ a9: Floats, _ a10: Integer, _ a11: Floats, _ a12: Floats, _ a13: Floats, _ a14: Integer,
    _ a15: Integer, _ a16: Integer, _ a17: Integer, _: Int, _: Int
  ) { strsen_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17) }

  func dtrsyl_(
    _ a0: Letter, _ a1: Letter, _ a2: Integer, _ a3: Integer, _ a4: Integer, _ a5: Doubles, _ a6: Integer,
    _ a7: Doubles, _ a8: Integer, _ a9: Doubles, _ a10: Integer, _ a11: Doubles, _ a12: Integer, _: Int, _: Int
  ) { dtrsyl_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12) }

  func strsyl_(
    _ a0: Letter, _ a1: Letter, _ a2: Integer, _ a3: Integer, _ a4: Integer, _ a5: Floats, _ a6: Integer, _ a7: Floats,
    _ a8: Integer, _ a9: Floats, _ a10: Integer, _ a11: Floats, _ a12: Integer, _: Int, _: Int
  ) { strsyl_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12) }

  func dggev_(
    _ a0: Letter, _ a1: Letter, _ a2: Integer, _ a3: Doubles, _ a4: Integer, _ a5: Doubles, _ a6: Integer,
    _ a7: Doubles, _ a8: Doubles, _ a9: Doubles, _ a10: Doubles, _ a11: Integer, _ a12: Doubles, _ a13: Integer,
    _ a14: Doubles, _ a15: Integer, _ a16: Integer, _: Int, _: Int
  ) { dggev_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16) }

  func sggev_(
    _ a0: Letter, _ a1: Letter, _ a2: Integer, _ a3: Floats, _ a4: Integer, _ a5: Floats, _ a6: Integer, _ a7: Floats,
    _ a8: Floats, _ a9: Floats, _ a10: Floats, _ a11: Integer, _ a12: Floats, _ a13: Integer, _ a14: Floats,
    _ a15: Integer, _ a16: Integer, _: Int, _: Int
  ) { sggev_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16) }

  func dsytrf_(
    _ a0: Letter, _ a1: Integer, _ a2: Doubles, _ a3: Integer, _ a4: Integer, _ a5: Doubles, _ a6: Integer,
    _ a7: Integer, _: Int
  ) { dsytrf_(a0, a1, a2, a3, a4, a5, a6, a7) }

  func ssytrf_(
    _ a0: Letter, _ a1: Integer, _ a2: Floats, _ a3: Integer, _ a4: Integer, _ a5: Floats, _ a6: Integer, _ a7: Integer,
    _: Int
  ) { ssytrf_(a0, a1, a2, a3, a4, a5, a6, a7) }

  func dsytrs_(
    _ a0: Letter, _ a1: Integer, _ a2: Integer, _ a3: Doubles, _ a4: Integer, _ a5: Integer, _ a6: Doubles,
    _ a7: Integer, _ a8: Integer, _: Int
  ) { dsytrs_(a0, a1, a2, a3, a4, a5, a6, a7, a8) }

  func ssytrs_(
    _ a0: Letter, _ a1: Integer, _ a2: Integer, _ a3: Floats, _ a4: Integer, _ a5: Integer, _ a6: Floats, _ a7: Integer,
    _ a8: Integer, _: Int
  ) { ssytrs_(a0, a1, a2, a3, a4, a5, a6, a7, a8) }

  func dsycon_(
    _ a0: Letter, _ a1: Integer, _ a2: Doubles, _ a3: Integer, _ a4: Integer, _ a5: Doubles, _ a6: Doubles,
    _ a7: Doubles, _ a8: Integer, _ a9: Integer, _: Int
  ) { dsycon_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9) }

  func ssycon_(
    _ a0: Letter, _ a1: Integer, _ a2: Floats, _ a3: Integer, _ a4: Integer, _ a5: Floats, _ a6: Floats, _ a7: Floats,
    _ a8: Integer, _ a9: Integer, _: Int
  ) { ssycon_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9) }

  func dgttrs_(
    _ a0: Letter, _ a1: Integer, _ a2: Integer, _ a3: Doubles, _ a4: Doubles, _ a5: Doubles, _ a6: Doubles,
    _ a7: Integer, _ a8: Doubles, _ a9: Integer, _ a10: Integer, _: Int
  ) { dgttrs_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10) }

  func sgttrs_(
    _ a0: Letter, _ a1: Integer, _ a2: Integer, _ a3: Floats, _ a4: Floats, _ a5: Floats, _ a6: Floats, _ a7: Integer,
    _ a8: Floats, _ a9: Integer, _ a10: Integer, _: Int
  ) { sgttrs_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10) }

  func dgbtrs_(
    _ a0: Letter, _ a1: Integer, _ a2: Integer, _ a3: Integer, _ a4: Integer, _ a5: Doubles, _ a6: Integer,
    _ a7: Integer, _ a8: Doubles, _ a9: Integer, _ a10: Integer, _: Int
  ) { dgbtrs_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10) }

  func sgbtrs_(
    _ a0: Letter, _ a1: Integer, _ a2: Integer, _ a3: Integer, _ a4: Integer, _ a5: Floats, _ a6: Integer,
    _ a7: Integer, _ a8: Floats, _ a9: Integer, _ a10: Integer, _: Int
  ) { sgbtrs_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10) }

  func dpbtrf_(_ a0: Letter, _ a1: Integer, _ a2: Integer, _ a3: Doubles, _ a4: Integer, _ a5: Integer, _: Int) {
    dpbtrf_(a0, a1, a2, a3, a4, a5)
  }

  func spbtrf_(_ a0: Letter, _ a1: Integer, _ a2: Integer, _ a3: Floats, _ a4: Integer, _ a5: Integer, _: Int) {
    spbtrf_(a0, a1, a2, a3, a4, a5)
  }

  func dpbtrs_(
    _ a0: Letter, _ a1: Integer, _ a2: Integer, _ a3: Integer, _ a4: Doubles, _ a5: Integer, _ a6: Doubles,
    _ a7: Integer, _ a8: Integer, _: Int
  ) { dpbtrs_(a0, a1, a2, a3, a4, a5, a6, a7, a8) }

  func spbtrs_(
    _ a0: Letter, _ a1: Integer, _ a2: Integer, _ a3: Integer, _ a4: Floats, _ a5: Integer, _ a6: Floats, _ a7: Integer,
    _ a8: Integer, _: Int
  ) { spbtrs_(a0, a1, a2, a3, a4, a5, a6, a7, a8) }
#endif
