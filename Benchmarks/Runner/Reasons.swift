// Why a target is missed, by row. Printed only where it is.

let reasons: [String: String] = [
  "gemm f64 1024": "The same BLAS kernels on both sides, at the machine's rate: the difference is noise.",
  "gemm f64 2048": "The same BLAS kernels on both sides, at the machine's rate: the difference is noise.",
  "gemm f64 256":
    "The rows are cut in two at a multiple of the kernel's tiles, which keeps the bits of one thread; the peer's own "
    + "threads cut evenly.",
  "gram f64 1024":
    "Row blocks of 256 whose cut does not depend on the number of threads; the peer's threads share the triangle evenly.",
  "sum f32 2000": "Ours sums in f64 and keeps the rounding errors of block totals; the peer adds in f32.",
  "sum-rows f32 2000": "Ours sums in f64; the peer adds in f32.",
  "sum-rows f64 2000": "Both read at the speed of the cache; ours starts a fixed tree of lanes for each row.",
  "pow f32 10000":
    "Ours is within half a unit in the last place (the logarithm in f64); the peer's is allowed four units.",
  "eig f64 32": "The peer's Hessenberg QR iteration (MKL) is twice as fast as LAPACK's for small matrices.",
  "eig f64 512": "The QR iteration is LAPACK's on one thread, so that results do not depend on the number of threads.",
  "eig f64 1024": "The QR iteration is LAPACK's on one thread, so that results do not depend on the number of threads.",
  "eigh f64 512":
    "The reduction and divide and conquer run on one thread, so that results do not depend on the number of threads; "
    + "only the back-transformation is spread.",
  "eigh f64 1024":
    "The reduction and divide and conquer run on one thread, so that results do not depend on the number of threads; "
    + "only the back-transformation is spread.",
  "svd f64 512":
    "The reduction to bidiagonal form, half of it products of matrix and vector, runs on one thread, so that results "
    + "do not depend on the number of threads.",
  "svd f64 1024":
    "The reduction to bidiagonal form, half of it products of matrix and vector, runs on one thread, so that results "
    + "do not depend on the number of threads.",
  "qr f64 32":
    "A checked copy and the signs of the diagonal, which the peer leaves to chance, are a tenth of the time.",
  "csr f32 1000 1": "Both stream the matrix once, at the speed of memory.",
  "csr f64 1000 1": "Both stream the matrix once, at the speed of memory.",
  "fft f64 64 4096":
    "The deinterleaving of real and imaginary parts, which the peer keeps together, shows at this length.",
  "concat-svd 400 256 16":
    "The same number of small decompositions on both sides; ours pivots the QR factors and checks orthogonality.",
]
