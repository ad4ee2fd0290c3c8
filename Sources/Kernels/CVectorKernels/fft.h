// Fast Fourier transforms, for T = float or double. S(name) is name_f32 or name_f64.
//
// One transform sits in each lane of a vector, so that butterflies of any radix are plain vector arithmetic without
// shuffles: a block of transforms is an array of elements, each a vector of real and one of imaginary parts. Passes are
// Stockham's: they sort while they go, from one buffer to another. Rows of memory become lanes by transposing tiles in
// registers; neighbouring columns are lanes already.
#include "CVectorKernels.h"
#include "dispatch.h"

enum { lanes = 64 / sizeof(T), element = 2 * lanes, largest_radix = 61 };

typedef T V __attribute__((vector_size(64), aligned(sizeof(T)), may_alias));

// Macros, because a function that passes vectors by value has another calling convention in each clone.
#define LOAD(a) (*(const V *)(a))
#define STORE(a, x) (*(V *)(a) = (x))

#define UNROLL _Pragma("unroll")

// MARK: Butterflies: x[j] <- sum over k of x[k] exp(-2 pi i j k / r)

APUS_INLINE void butterfly_2(V *re, V *im) {
  V a = re[0], b = im[0];
  re[0] = a + re[1], im[0] = b + im[1];
  re[1] = a - re[1], im[1] = b - im[1];
}

APUS_INLINE void butterfly_4(V *re, V *im) {
  V sum02_re = re[0] + re[2], sum02_im = im[0] + im[2], sum13_re = re[1] + re[3], sum13_im = im[1] + im[3];
  V difference02_re = re[0] - re[2], difference02_im = im[0] - im[2];
  V difference13_re = re[1] - re[3], difference13_im = im[1] - im[3];
  re[0] = sum02_re + sum13_re, im[0] = sum02_im + sum13_im;
  re[2] = sum02_re - sum13_re, im[2] = sum02_im - sum13_im;
  re[1] = difference02_re + difference13_im, im[1] = difference02_im - difference13_re;
  re[3] = difference02_re - difference13_im, im[3] = difference02_im + difference13_re;
}

APUS_INLINE void butterfly_8(V *re, V *im) {
  const T half_root = (T)0.70710678118654752440;
  V even_re[4] = {re[0], re[2], re[4], re[6]}, even_im[4] = {im[0], im[2], im[4], im[6]};
  V odd_re[4] = {re[1], re[3], re[5], re[7]}, odd_im[4] = {im[1], im[3], im[5], im[7]};
  butterfly_4(even_re, even_im);
  butterfly_4(odd_re, odd_im);
  V turned_re[4] = {odd_re[0], (odd_re[1] + odd_im[1]) * half_root, odd_im[2], (odd_im[3] - odd_re[3]) * half_root};
  V turned_im[4] = {odd_im[0], (odd_im[1] - odd_re[1]) * half_root, -odd_re[2], (odd_re[3] + odd_im[3]) * -half_root};
  UNROLL for (int j = 0; j < 4; j++) {
    re[j] = even_re[j] + turned_re[j], im[j] = even_im[j] + turned_im[j];
    re[j + 4] = even_re[j] - turned_re[j], im[j + 4] = even_im[j] - turned_im[j];
  }
}

// An odd radix: sums and differences of elements k and r - k meet cosines and sines apart. Inlined for a constant r,
// the loops unroll.
APUS_INLINE void butterfly_odd(V *re, V *im, int r, const T *cosines, const T *sines) {
  V sum_re[largest_radix / 2], sum_im[largest_radix / 2], difference_re[largest_radix / 2],
      difference_im[largest_radix / 2];
  V first_re = re[0], first_im = im[0];
  UNROLL for (int k = 1; k <= r / 2; k++) {
    sum_re[k - 1] = re[k] + re[r - k], sum_im[k - 1] = im[k] + im[r - k];
    difference_re[k - 1] = re[k] - re[r - k], difference_im[k - 1] = im[k] - im[r - k];
    re[0] += sum_re[k - 1], im[0] += sum_im[k - 1];
  }
  UNROLL for (int j = 1; j <= r / 2; j++) {
    V even_re = first_re, even_im = first_im, odd_re = {0}, odd_im = {0};
    UNROLL for (int k = 1, turn = j; k <= r / 2; k++, turn = turn + j < r ? turn + j : turn + j - r) {
      even_re += sum_re[k - 1] * cosines[turn], even_im += sum_im[k - 1] * cosines[turn];
      odd_re += difference_im[k - 1] * sines[turn], odd_im -= difference_re[k - 1] * sines[turn];
    }
    re[j] = even_re + odd_re, im[j] = even_im + odd_im;
    re[r - j] = even_re - odd_re, im[r - j] = even_im - odd_im;
  }
}

APUS_INLINE void butterfly_3(V *re, V *im) {
  const T sine = (T)0.86602540378443864676;
  V sum_re = re[1] + re[2], sum_im = im[1] + im[2];
  V turned_re = (im[1] - im[2]) * sine, turned_im = (re[2] - re[1]) * sine;
  V middle_re = re[0] - sum_re * (T)0.5, middle_im = im[0] - sum_im * (T)0.5;
  re[0] += sum_re, im[0] += sum_im;
  re[1] = middle_re + turned_re, im[1] = middle_im + turned_im;
  re[2] = middle_re - turned_re, im[2] = middle_im - turned_im;
}

static const T cosines_5[] = {1, (T)0.30901699437494742410, (T)-0.80901699437494742410, (T)-0.80901699437494742410,
                              (T)0.30901699437494742410};
static const T sines_5[] = {0, (T)0.95105651629515357212, (T)0.58778525229247312917, (T)-0.58778525229247312917,
                            (T)-0.95105651629515357212};
APUS_INLINE void butterfly_5(V *re, V *im) { butterfly_odd(re, im, 5, cosines_5, sines_5); }

static const T cosines_7[] = {1,
                              (T)0.62348980185873353053,
                              (T)-0.22252093395631440429,
                              (T)-0.90096886790241912624,
                              (T)-0.90096886790241912624,
                              (T)-0.22252093395631440429,
                              (T)0.62348980185873353053};
static const T sines_7[] = {0,
                            (T)0.78183148246802980871,
                            (T)0.97492791218182360702,
                            (T)0.43388373911755812048,
                            (T)-0.43388373911755812048,
                            (T)-0.97492791218182360702,
                            (T)-0.78183148246802980871};
APUS_INLINE void butterfly_7(V *re, V *im) { butterfly_odd(re, im, 7, cosines_7, sines_7); }

// MARK: Passes

// Planes of real and imaginary parts whose elements, vectors of lanes, are `stride` apart.
typedef struct {
  T *re, *im;
  ptrdiff_t stride;
} planes;

APUS_INLINE planes exchanged(planes a) { return (planes){a.im, a.re, a.stride}; }
APUS_INLINE planes block_at(T *buffer) { return (planes){buffer, buffer + lanes, element}; }

// Of r * m sub-sequences, each `s` long and already transformed, every r become one r times as long. With m = 1 it is
// the last pass: no twiddles, and the result is scaled. Written over x only if m = s = 1.
#define PASS_LOOPS(r, butterfly)                                                                                      \
  const ptrdiff_t leap = (ptrdiff_t)(s * m) * x.stride;                                                               \
  if (m == 1) {                                                                                                       \
    for (size_t q = 0; q < s; q++) {                                                                                  \
      const T *x_re = x.re + (ptrdiff_t)q * x.stride, *x_im = x.im + (ptrdiff_t)q * x.stride;                         \
      UNROLL for (int k = 0; k < r; k++) re[k] = LOAD(x_re + k * leap), im[k] = LOAD(x_im + k * leap);                \
      butterfly;                                                                                                      \
      UNROLL for (int j = 0; j < r; j++) {                                                                            \
        ptrdiff_t to = (ptrdiff_t)(q + s * (size_t)j) * y.stride;                                                     \
        STORE(y.re + to, re[j] * scale), STORE(y.im + to, im[j] * scale);                                             \
      }                                                                                                               \
    }                                                                                                                 \
    return;                                                                                                           \
  }                                                                                                                   \
  for (size_t p = 0; p < m; p++, w += 2 * (r - 1)) {                                                                  \
    for (size_t q = 0; q < s; q++) {                                                                                  \
      const ptrdiff_t from = (ptrdiff_t)(q + s * p) * x.stride;                                                       \
      const T *x_re = x.re + from, *x_im = x.im + from;                                                               \
      UNROLL for (int k = 0; k < r; k++) re[k] = LOAD(x_re + k * leap), im[k] = LOAD(x_im + k * leap);                \
      butterfly;                                                                                                      \
      ptrdiff_t to = (ptrdiff_t)(q + s * (size_t)r * p) * y.stride;                                                   \
      STORE(y.re + to, re[0]), STORE(y.im + to, im[0]);                                                               \
      UNROLL for (int j = 1; j < r; j++) {                                                                            \
        const T w_re = w[2 * j - 2], w_im = w[2 * j - 1];                                                             \
        to += (ptrdiff_t)s * y.stride;                                                                                \
        STORE(y.re + to, re[j] * w_re - im[j] * w_im), STORE(y.im + to, re[j] * w_im + im[j] * w_re);                 \
      }                                                                                                               \
    }                                                                                                                 \
  }

#define PASS(r)                                                                                                       \
  APUS_CLONES static void pass_##r(planes x, planes y, size_t m, size_t s, const T *w, T scale) {                     \
    V re[r], im[r];                                                                                                   \
    PASS_LOOPS(r, butterfly_##r(re, im))                                                                              \
  }

PASS(2)
PASS(3)
PASS(4)
PASS(5)
PASS(7)
PASS(8)

APUS_CLONES static void pass_odd(int r, planes x, planes y, size_t m, size_t s, const T *w, T scale) {
  V re[largest_radix], im[largest_radix];
  const T *cosines = w, *sines = w + r;
  w += 2 * r;
  PASS_LOOPS(r, butterfly_odd(re, im, r, cosines, sines))
}

// A transform of length one.
static void pass_none(planes x, planes y, T scale) {
  for (int l = 0; l < lanes; l++) {
    T re = x.re[l], im = x.im[l];
    y.re[l] = re * scale, y.im[l] = im * scale;
  }
}

// Transforms the lanes of x into y by way of the buffers, of which x may be the second, and y either: the one that
// `last_buffer` names. Written over x only through the buffers or in one pass.
static void transform_lanes(const apus_fft *fft, planes x, planes y, T *buffers[2], T scale) {
  if (fft->passes == 0) return pass_none(x, y, scale);
  const T *w = fft->twiddles;
  size_t m = fft->length, s = 1;
  for (size_t pass = 0; pass < fft->passes; pass++) {
    const size_t r = fft->radices[pass];
    m /= r;
    planes to = pass + 1 == fft->passes ? y : block_at(buffers[pass % 2]);
    switch (r) {
      case 2: pass_2(x, to, m, s, w, scale); break;
      case 3: pass_3(x, to, m, s, w, scale); break;
      case 4: pass_4(x, to, m, s, w, scale); break;
      case 5: pass_5(x, to, m, s, w, scale); break;
      case 7: pass_7(x, to, m, s, w, scale); break;
      case 8: pass_8(x, to, m, s, w, scale); break;
      default:
        pass_odd((int)r, x, to, m, s, w, scale);
        w += 2 * r;
    }
    w += m == 1 ? 0 : 2 * (r - 1) * m;
    s *= r;
    x = to;
  }
}

// The buffer that the last pass does not read.
static T *last_buffer(const apus_fft *fft, T *buffers[2]) {
  return buffers[fft->passes == 0 ? 0 : (fft->passes - 1) % 2];
}

// MARK: Rows and columns of memory as lanes

APUS_INLINE void transpose_tile(V *x) {
  V y[lanes];
  UNROLL for (int round = 0; round < TILE_ROUNDS; round++) {
    UNROLL for (int i = 0; i < lanes / 2; i++) {
      y[2 * i] = __builtin_shufflevector(x[i], x[i + lanes / 2], INTERLEAVED_LOW);
      y[2 * i + 1] = __builtin_shufflevector(x[i], x[i + lanes / 2], INTERLEAVED_HIGH);
    }
    UNROLL for (int i = 0; i < lanes; i++) x[i] = y[i];
  }
}

// Row l of `rows` <= lanes, its elements one behind the other, becomes lane l; the last row fills the lanes left over.
APUS_CLONES static void load_rows(const T *a, ptrdiff_t row_stride, size_t rows, size_t count, T *block,
                                  ptrdiff_t block_stride) {
  const T *row[lanes];
  for (size_t l = 0; l < lanes; l++) row[l] = a + (ptrdiff_t)(l < rows ? l : rows - 1) * row_stride;
  size_t e = 0;
  for (; e + lanes <= count; e += lanes) {
    V x[lanes];
    UNROLL for (int l = 0; l < lanes; l++) x[l] = LOAD(row[l] + e);
    transpose_tile(x);
    UNROLL for (int i = 0; i < lanes; i++) STORE(block + ((ptrdiff_t)e + i) * block_stride, x[i]);
  }
  for (; e < count; e++) {
    for (int l = 0; l < lanes; l++) block[(ptrdiff_t)e * block_stride + l] = row[l][e];
  }
}

APUS_CLONES static void store_rows(const T *block, ptrdiff_t block_stride, size_t rows, size_t count, T *a,
                                   ptrdiff_t row_stride) {
  size_t e = 0;
  for (; e + lanes <= count; e += lanes) {
    V x[lanes];
    UNROLL for (int i = 0; i < lanes; i++) x[i] = LOAD(block + ((ptrdiff_t)e + i) * block_stride);
    transpose_tile(x);
    for (size_t l = 0; l < rows; l++) STORE(a + (ptrdiff_t)l * row_stride + e, x[l]);
  }
  for (; e < count; e++) {
    const T *from = block + (ptrdiff_t)e * block_stride;
    for (size_t l = 0; l < rows; l++) a[(ptrdiff_t)l * row_stride + (ptrdiff_t)e] = from[l];
  }
}

// Fewer columns than lanes; the last one fills the rest.
static void load_columns(const T *a, ptrdiff_t stride, size_t columns, size_t count, T *block,
                         ptrdiff_t block_stride) {
  for (size_t e = 0; e < count; e++, a += stride, block += block_stride) {
    for (size_t l = 0; l < lanes; l++) block[l] = a[l < columns ? l : columns - 1];
  }
}

static void store_columns(const T *block, ptrdiff_t block_stride, size_t columns, size_t count, T *a,
                          ptrdiff_t stride) {
  for (size_t e = 0; e < count; e++, a += stride, block += block_stride) {
    for (size_t l = 0; l < columns; l++) a[l] = block[l];
  }
}

// Where lanes come from and go to: rows where elements are neighbours, columns where transforms are.
typedef struct {
  planes at;               // the first element of the first lane; stride between elements
  ptrdiff_t row_stride;    // stride between transforms
} place;

APUS_INLINE place place_at(const T *re, const T *im, ptrdiff_t elements, ptrdiff_t transforms, size_t first) {
  const ptrdiff_t shift = (ptrdiff_t)first * transforms;
  return (place){{(T *)re + shift, (T *)im + shift, elements}, transforms};
}

// Full columns are used where they lie; everything else is copied into the block.
static planes take(place from, size_t transforms, size_t count, T *block) {
  const planes to = block_at(block);
  if (from.row_stride == 1 && transforms == lanes) return from.at;
  if (from.at.stride == 1) {
    load_rows(from.at.re, from.row_stride, transforms, count, to.re, to.stride);
    load_rows(from.at.im, from.row_stride, transforms, count, to.im, to.stride);
  } else {
    load_columns(from.at.re, from.at.stride, transforms, count, to.re, to.stride);
    load_columns(from.at.im, from.at.stride, transforms, count, to.im, to.stride);
  }
  return to;
}

// Where a last pass may write: the place itself, or a block that `put` then copies there.
static planes target(place to, size_t transforms, T *block) {
  return to.row_stride == 1 && transforms == lanes ? to.at : block_at(block);
}

static void put(planes from, place to, size_t transforms, size_t count) {
  if (from.re == to.at.re) return;
  if (to.at.stride == 1) {
    store_rows(from.re, from.stride, transforms, count, to.at.re, to.row_stride);
    store_rows(from.im, from.stride, transforms, count, to.at.im, to.row_stride);
  } else {
    store_columns(from.re, from.stride, transforms, count, to.at.re, to.at.stride);
    store_columns(from.im, from.stride, transforms, count, to.at.im, to.at.stride);
  }
}

// MARK: Many transforms

void S(apus_fft_transforms)(const apus_fft *fft, const T *in_re, const T *in_im, ptrdiff_t in_element,
                            ptrdiff_t in_transform, T *out_re, T *out_im, ptrdiff_t out_element,
                            ptrdiff_t out_transform, size_t count, T scale, T *scratch) {
  T *buffers[2] = {scratch, scratch + element * fft->length};
  for (size_t first = 0; first < count; first += lanes) {
    const size_t group = count - first < lanes ? count - first : lanes;
    const place to = place_at(out_re, out_im, out_element, out_transform, first);
    const planes x = take(place_at(in_re, in_im, in_element, in_transform, first), group, fft->length, buffers[1]);
    const planes y = target(to, group, last_buffer(fft, buffers));
    transform_lanes(fft, x, y, buffers, scale);
    put(y, to, group, fft->length);
  }
}

// MARK: Real transforms: pairs of neighbours are the complex elements of a transform half as long

// X[k] and X[h - k] from Z[k] and Z[h - k]: Z = E + i O mixes the spectra of even and odd elements.
#define UNTANGLE(TYPE, z_re, z_im, c_re, c_im, w_re, w_im)                                                            \
  const TYPE even_re = (z_re + c_re) * half_scale, even_im = (z_im - c_im) * half_scale;                              \
  const TYPE odd_re = (z_im + c_im) * half_scale, odd_im = (c_re - z_re) * half_scale;                                \
  const TYPE turned_re = odd_re * w_re - odd_im * w_im, turned_im = odd_re * w_im + odd_im * w_re;

APUS_CLONES static void untangle_lanes(const T *roots, size_t half, const T *z, planes x, T scale) {
  const T half_scale = scale * (T)0.5;
  for (size_t k = 0; k <= half / 2; k++) {
    const T *a = z + k * element, *b = z + (k == 0 ? 0 : half - k) * element;
    const V z_re = LOAD(a), z_im = LOAD(a + lanes), c_re = LOAD(b), c_im = LOAD(b + lanes);
    UNTANGLE(V, z_re, z_im, c_re, c_im, roots[2 * k], roots[2 * k + 1])
    const ptrdiff_t low = (ptrdiff_t)k * x.stride, high = (ptrdiff_t)(half - k) * x.stride;
    STORE(x.re + low, even_re + turned_re), STORE(x.im + low, even_im + turned_im);
    STORE(x.re + high, even_re - turned_re), STORE(x.im + high, turned_im - even_im);
  }
}

#define TANGLE(TYPE, x_re, x_im, c_re, c_im, w_re, w_im)                                                              \
  const TYPE even_re = x_re + c_re, even_im = x_im - c_im;                                                            \
  const TYPE turned_re = x_re - c_re, turned_im = x_im + c_im;                                                        \
  const TYPE odd_re = turned_re * w_re + turned_im * w_im, odd_im = turned_im * w_re - turned_re * w_im;

APUS_CLONES static void tangle_lanes(const T *roots, size_t half, planes x, T *z) {
  for (size_t k = 0; k <= half / 2; k++) {
    const ptrdiff_t low = (ptrdiff_t)k * x.stride, high = (ptrdiff_t)(half - k) * x.stride;
    V x_re = LOAD(x.re + low), x_im = LOAD(x.im + low), c_re = LOAD(x.re + high), c_im = LOAD(x.im + high);
    if (k == 0) x_im = c_im = (V){0};
    TANGLE(V, x_re, x_im, c_re, c_im, roots[2 * k], roots[2 * k + 1])
    T *a = z + k * element;
    STORE(a, even_re - odd_im), STORE(a + lanes, even_im + odd_re);
    if (k == 0) continue;
    T *b = z + (half - k) * element;
    STORE(b, even_re + odd_im), STORE(b + lanes, odd_re - even_im);
  }
}

void S(apus_fft_real_transforms)(const apus_fft *fft, const T *roots, const T *in, ptrdiff_t in_element,
                                 ptrdiff_t in_transform, T *out_re, T *out_im, ptrdiff_t out_element,
                                 ptrdiff_t out_transform, size_t count, T scale, T *scratch) {
  const size_t half = fft->length;
  T *buffers[2] = {scratch, scratch + element * (half + 1)};
  T *z = last_buffer(fft, buffers), *spectrum = z == buffers[0] ? buffers[1] : buffers[0];
  for (size_t first = 0; first < count; first += lanes) {
    const size_t group = count - first < lanes ? count - first : lanes;
    const T *from = in + (ptrdiff_t)first * in_transform;
    planes x = block_at(buffers[1]);
    if (in_element == 1) {
      load_rows(from, in_transform, group, 2 * half, buffers[1], lanes);
    } else if (group < lanes) {
      load_columns(from, in_element, group, 2 * half, buffers[1], lanes);
    } else {
      x = (planes){(T *)from, (T *)from + in_element, 2 * in_element};
    }
    transform_lanes(fft, x, block_at(z), buffers, 1);
    const place to = place_at(out_re, out_im, out_element, out_transform, first);
    const planes y = target(to, group, spectrum);
    untangle_lanes(roots, half, z, y, scale);
    put(y, to, group, half + 1);
  }
}

void S(apus_fft_real_inverses)(const apus_fft *fft, const T *roots, const T *in_re, const T *in_im,
                               ptrdiff_t in_element, ptrdiff_t in_transform, T *out, ptrdiff_t out_element,
                               ptrdiff_t out_transform, size_t count, T scale, T *scratch) {
  const size_t half = fft->length;
  T *buffers[2] = {scratch, scratch + element * (half + 1)};
  for (size_t first = 0; first < count; first += lanes) {
    const size_t group = count - first < lanes ? count - first : lanes;
    const planes x = take(place_at(in_re, in_im, in_element, in_transform, first), group, half + 1, buffers[0]);
    tangle_lanes(roots, half, x, buffers[1]);
    T *to = out + (ptrdiff_t)first * out_transform;
    const int direct = out_transform == 1 && group == lanes;
    T *block = last_buffer(fft, buffers);
    const planes y = direct ? (planes){to, to + out_element, 2 * out_element} : block_at(block);
    transform_lanes(fft, exchanged(block_at(buffers[1])), exchanged(y), buffers, scale);
    if (direct) continue;
    if (out_element == 1) store_rows(block, lanes, group, 2 * half, to, out_transform);
    else store_columns(block, lanes, group, 2 * half, to, out_element);
  }
}

// MARK: Long transforms

APUS_CLONES static void turn_columns(const T *block, const T *lane_roots, const T *group_roots, size_t rows, T *re,
                                     T *im, ptrdiff_t stride) {
  for (size_t k = 0; k < rows; k++, block += element, lane_roots += element, re += stride, im += stride) {
    const T g_re = group_roots[2 * k], g_im = group_roots[2 * k + 1];
    const V l_re = LOAD(lane_roots), l_im = LOAD(lane_roots + lanes), x_re = LOAD(block), x_im = LOAD(block + lanes);
    const V w_re = l_re * g_re - l_im * g_im, w_im = l_re * g_im + l_im * g_re;
    STORE(re, x_re * w_re - x_im * w_im);
    STORE(im, x_re * w_im + x_im * w_re);
  }
}

void S(apus_fft_columns)(const apus_fft *fft, const T *lane_roots, const T *group_roots, size_t columns,
                         size_t first, size_t last, const T *in_re, const T *in_im, T *out_re, T *out_im,
                         ptrdiff_t stride, T *scratch) {
  const size_t rows = fft->length;
  T *buffers[2] = {scratch, scratch + element * rows};
  T *block = last_buffer(fft, buffers);
  for (size_t group = first; group < last; group++) {
    const size_t left = group * lanes, width = columns - left < lanes ? columns - left : lanes;
    const planes x = take(place_at(in_re, in_im, (ptrdiff_t)columns, 1, left), width, rows, buffers[1]);
    transform_lanes(fft, x, block_at(block), buffers, 1);
    turn_columns(block, lane_roots, group_roots + 2 * rows * group, rows, out_re + left, out_im + left, stride);
  }
}

void S(apus_fft_rows)(const apus_fft *fft, size_t rows, size_t first, size_t last, const T *in_re, const T *in_im,
                      ptrdiff_t stride, T *out_re, T *out_im, T scale, T *scratch) {
  const size_t columns = fft->length;
  T *buffers[2] = {scratch, scratch + element * columns};
  for (size_t group = first; group < last; group++) {
    const size_t top = group * lanes, height = rows - top < lanes ? rows - top : lanes;
    const planes x = take(place_at(in_re, in_im, 1, stride, top), height, columns, buffers[1]);
    const place to = place_at(out_re, out_im, (ptrdiff_t)rows, 1, top);
    const planes y = target(to, height, last_buffer(fft, buffers));
    transform_lanes(fft, x, y, buffers, scale);
    put(y, to, height, columns);
  }
}
