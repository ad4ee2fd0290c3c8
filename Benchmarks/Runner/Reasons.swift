// Why a target is missed, by row. Printed only where it is, and also by the fastest rounds.

let reasons: [String: String] = [
  "gemm f64 256":
    "The rows are cut in two at a multiple of the kernel's tiles, which keeps the bits of one thread; the peer's own "
    + "threads cut evenly.",
  "gram f64 1024":
    "Row blocks of 256 whose cut does not depend on the number of threads; the peer's threads share the triangle evenly.",
  "sum f32 2000": "Ours sums in f64 and keeps the rounding errors of block totals; the peer adds in f32.",
  "sum-rows f32 2000": "Ours sums in f64; the peer adds in f32.",
  "sum-rows f64 2000":
    "Both read at the speed of the cache; ours adds in a fixed tree of lanes, which costs a little for each row.",
  "pow f32 10000":
    "Ours is within 1e-7 relative, with logarithm and exponential in f64; the peer's is allowed four units in the last place.",
  "eig f64 32":
    "Nearly all of it is LAPACK's QR iteration for small matrices, which takes as long as the peer's (MKL) whole call.",
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
    "The input is checked for finite numbers and the signs of R are fixed, which the peer does not do.",
  "csr f32 1000 1": "Both stream the matrix once, at the speed of memory.",
  "csr f64 1000 1": "Both stream the matrix once, at the speed of memory.",
  "fft f64 64 4096":
    "Bringing rows into the lanes of vectors and back costs more than the two passes of so short a transform.",
  "concat-svd 400 256 16":
    "Hundreds of updates that wait for each other: a pivoted QR of 256 x 16 and an eigenproblem of order 37 each, too "
    + "small for two cores, and the same on both sides.",
  "batched-gemm f32 512 32":
    "Products of 32 x 32 one after the other through BLAS's interface, whose fixed cost the peer's batched "
    + "kernel does not have.",
  "sigmoid f32 1000000":
    "Both are bound by the exponential and the reciprocal; ours spends the difference on staying within 1e-7 relative.",
  "scatter-add f32 1000000":
    "One addition after the other in the order of the indices on one thread, on both sides.",
  "eigh f64 32":
    "The peers' LAPACK is newer than Debian's OpenBLAS 0.3.21; the call itself is nearly all of the time.",
  "eigh f64 128":
    "The peer's LAPACK (MKL) reduces small symmetric matrices faster than OpenBLAS 0.3.21.",
  "expm f64 256":
    "Six products and one solve on both sides; the peer's solve uses both cores at this size, ours cuts where "
    + "the bits do not depend on their number.",
  "train-resnet8 64":
    "The interface keeps images with channels first: each convolution of few channels copies its operands to channels "
    + "last and back, a few images at a time, which is a tenth of the step; the peer's channels-last run does it once.",
  "compress-checkpoint .cache/minilm/model.safetensors":
    "The decompositions are LAPACK's on both sides, one on each core here; what is saved is reading and "
    + "writing.",
  "m-fac-product 256 1000000":
    "Both sides read the gradients twice, which is all that a product is, at the rate of memory.",
  "quantize-mxint4 1024":
    "Ours finds codes, packs them and reads them back, as a file needs it; the peer rounds the numbers and packs nothing.",
  "distillation 20":
    "Nearly all of it are products of matrices, at more than half of the rate of the largest ones on either side.",
  "fwsvd 1024 128":
    "All eigenvectors of a Gram matrix in f64, for reproducible factors; the peer decomposes in f32.",
  "subgm 20 1200 100":
    "Each step reads the measurements once from the cache, and so does the peer's, twice; the median is by sorting.",
  "matrix-sensing 20 1500 4 1000": "Both sides read the measurements from the cache, which is all that a step is.",
  "unmixing 200 16384 5":
    "Ours weighs the channels by their residuals, which it computes in every iteration; the peer's NMF has no weights.",
  "projection-dpp 20000 50":
    "A chain of fifty draws that wait for each other; the peer is a chain rule in NumPy, as DPPy has it for finite sets only.",
  "graph-fixed-point 64":
    "The sums over edges, with weights of their own for each head, run on one thread in instructions that every processor has.",
  "graph-solver-step 64":
    "The fixed points within it: sums over edges on one thread in instructions that every processor has.",
  "add f64 1000000": "Both read and write at the speed of the cache.",
  "stencil-cg 512": "One pass of the stencil and two of vectors an iteration, at the rate of memory.",
]

/// The same for memory.
let memoryReasons: [String: String] = [:]
