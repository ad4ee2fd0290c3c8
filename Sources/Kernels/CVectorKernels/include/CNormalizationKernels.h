// Batch, group and instance normalisation of channels that lie in planes, with what often follows in the same pass.
//
// A group is what shares a mean and a variance: one channel of all examples, or some channels of one example. It
// consists of `planes` runs of `size` elements, `stride` apart, each with its weight and bias, `affine` apart.
#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef struct {
  size_t planes, size;
  ptrdiff_t stride, affine;
} apus_norm_group;

/// What is applied to the normalised values.
typedef enum { APUS_NORM_IDENTITY, APUS_NORM_RELU, APUS_NORM_SILU } apus_norm_activation;

/// Pointers are to elements of the table's scalar type, those of x, y and their cotangents to the group's first one.
typedef struct {
  /// The mean, and the mean squared distance from it.
  void (*statistics)(const apus_norm_group *group, const void *x, double *mean, double *variance);
  /// y = activation((x - mean) factor weight + bias + residual), factor being the inverse standard deviation.
  void (*apply)(const apus_norm_group *group, apus_norm_activation activation, double mean, double factor,
                const void *weight, const void *bias, const void *_Nullable residual, const void *x, void *y);
  /// The way back: from the cotangent g of y that of x, and for each plane of its weight and bias. After a rectified sum
  /// y is given, and the cotangent of the residual is written; without an activation that is g itself. The mean and the
  /// variance count as functions of x.
  void (*backward)(const apus_norm_group *group, apus_norm_activation activation, double mean, double factor,
                   const void *weight, const void *bias, const void *x, const void *_Nullable y, const void *g,
                   void *dx, void *_Nullable dresidual, double *dweight, double *dbias);
} apus_norm_kernels;

const apus_norm_kernels *apus_norm_f32(void);
const apus_norm_kernels *apus_norm_f64(void);

#pragma clang assume_nonnull end
