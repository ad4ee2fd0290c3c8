// The arrays stay inside a function: Swift would import a visible one as a tuple of all its bytes.

#include "CDatasets.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

#define FILE_CASE(name) \
  *count = sizeof name; \
  return name

const unsigned char *apus_data_bytes(apus_data file, size_t *count) {
  static const unsigned char digits[] = {
#embed "../../../Data/digits.csv.gz"
  };
  static const unsigned char mnist[] = {
#embed "../../../Data/mnist_5k.csv.gz"
  };
  static const unsigned char iris[] = {
#embed "../../../Data/iris.csv"
  };
  static const unsigned char wine[] = {
#embed "../../../Data/wine.csv"
  };
  static const unsigned char breast_cancer[] = {
#embed "../../../Data/breast_cancer.csv"
  };
  static const unsigned char diabetes_features[] = {
#embed "../../../Data/diabetes_features.csv.gz"
  };
  static const unsigned char diabetes_targets[] = {
#embed "../../../Data/diabetes_targets.csv.gz"
  };
  static const unsigned char shakespeare[] = {
#embed "../../../Data/shakespeare.txt.gz"
  };
  static const unsigned char shakespeare_model[] = {
#embed "../../../Data/Models/shakespeare-characters/model.safetensors"
  };
  static const unsigned char direction_model[] = {
#embed "../../../Data/Models/conjugate-directions/model.safetensors"
  };
  static const unsigned char value_model[] = {
#embed "../../../Data/Models/graph-values/model.safetensors"
  };
  switch (file) {
    case APUS_DATA_DIGITS: FILE_CASE(digits);
    case APUS_DATA_MNIST: FILE_CASE(mnist);
    case APUS_DATA_IRIS: FILE_CASE(iris);
    case APUS_DATA_WINE: FILE_CASE(wine);
    case APUS_DATA_BREAST_CANCER: FILE_CASE(breast_cancer);
    case APUS_DATA_DIABETES_FEATURES: FILE_CASE(diabetes_features);
    case APUS_DATA_DIABETES_TARGETS: FILE_CASE(diabetes_targets);
    case APUS_DATA_SHAKESPEARE: FILE_CASE(shakespeare);
    case APUS_DATA_SHAKESPEARE_MODEL: FILE_CASE(shakespeare_model);
    case APUS_DATA_DIRECTION_MODEL: FILE_CASE(direction_model);
    case APUS_DATA_VALUE_MODEL: FILE_CASE(value_model);
  }
  *count = 0;
  return NULL;
}
