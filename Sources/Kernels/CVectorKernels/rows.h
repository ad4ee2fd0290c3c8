// Products with rows of T = float or double, in double precision: four rows at a time, whose streams come from memory
// side by side while x or the result stays in the cache.

typedef T S(eight) __attribute__((vector_size(8 * sizeof(T)), aligned(sizeof(T))));

// Not a function: one that returns so wide a vector would need an instruction set of its own.
#undef WIDENED
#define WIDENED(a) __builtin_convertvector(*(const S(eight) *)(a), octet)

static APUS_CLONES void S(row_dots)(const T *a, ptrdiff_t stride, size_t rows, size_t columns, const double *x,
                                    double *sums) {
  for (size_t r = 0; r < rows; r += 4) {
    // Past the last row the last one is read again.
    const T *row[4];
    for (size_t k = 0; k < 4; k++) row[k] = a + (ptrdiff_t)(r + k < rows ? r + k : rows - 1) * stride;
    octet sum[4] = {{0}, {0}, {0}, {0}}, other[4] = {{0}, {0}, {0}, {0}};
    size_t i = 0;
    for (; i + 16 <= columns; i += 16) {
      octet x0 = *(const octet *)(x + i), x1 = *(const octet *)(x + i + 8);
      for (size_t k = 0; k < 4; k++) sum[k] += WIDENED(row[k] + i) * x0;
      for (size_t k = 0; k < 4; k++) other[k] += WIDENED(row[k] + i + 8) * x1;
    }
    for (size_t k = 0; k < 4 && r + k < rows; k++) {
      octet s = sum[k] + other[k];
      double total = ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
      for (size_t j = i; j < columns; j++) total += (double)row[k][j] * x[j];
      sums[r + k] = total;
    }
  }
}

static APUS_CLONES void S(add_rows)(const T *a, ptrdiff_t stride, size_t rows, size_t columns,
                                    const double *coefficients, double *result) {
  for (size_t r = 0; r < rows; r += 4) {
    const T *row[4];
    double factor[4];
    for (size_t k = 0; k < 4; k++) {
      bool isRow = r + k < rows;
      row[k] = a + (ptrdiff_t)(isRow ? r + k : rows - 1) * stride;
      factor[k] = isRow ? coefficients[r + k] : 0;
    }
    size_t i = 0;
    for (; i + 16 <= columns; i += 16) {
      octet y0 = *(octet *)(result + i), y1 = *(octet *)(result + i + 8);
      for (size_t k = 0; k < 4; k++) y0 += factor[k] * WIDENED(row[k] + i);
      for (size_t k = 0; k < 4; k++) y1 += factor[k] * WIDENED(row[k] + i + 8);
      *(octet *)(result + i) = y0;
      *(octet *)(result + i + 8) = y1;
    }
    for (; i < columns; i++)
      for (size_t k = 0; k < 4; k++) result[i] += factor[k] * (double)row[k][i];
  }
}
