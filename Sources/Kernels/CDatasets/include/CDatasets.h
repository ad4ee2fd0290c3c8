// The files of Data/ as bytes in the program: they are there wherever the program runs.

#ifndef APUS_DATASETS_H
#define APUS_DATASETS_H

#include <stddef.h>

typedef enum {
  APUS_DATA_DIGITS,
  APUS_DATA_MNIST,
  APUS_DATA_IRIS,
  APUS_DATA_WINE,
  APUS_DATA_BREAST_CANCER,
  APUS_DATA_DIABETES_FEATURES,
  APUS_DATA_DIABETES_TARGETS,
  APUS_DATA_SHAKESPEARE,
  APUS_DATA_SHAKESPEARE_MODEL,
  APUS_DATA_DIRECTION_MODEL,
  APUS_DATA_VALUE_MODEL,
} apus_data;

/// The bytes of a file as it lies in Data/, and how many there are.
const unsigned char *apus_data_bytes(apus_data file, size_t *count);

#endif
