/* One loop per pair of types, written by macros: the loops differ in nothing else. */
#include "nn/numbers.h"

bool num_is_float(assay_dtype dtype) {
    return dtype == ASSAY_F32 || dtype == ASSAY_F64 || dtype == ASSAY_BF16 ||
           dtype == ASSAY_F16;
}

bool num_is_unsigned(assay_dtype dtype) {
    return dtype == ASSAY_U8 || dtype == ASSAY_U16 || dtype == ASSAY_U32 ||
           dtype == ASSAY_U64 || dtype == ASSAY_BOOL;
}

/* The nearest integer of 64 bits in the direction of 0. */
static int64_t whole(double v) {
    if (!(v > -9223372036854775808.0))
        return v == v ? INT64_MIN : 0;
    return v < 9223372036854775808.0 ? (int64_t)v : INT64_MAX;
}

static uint64_t whole_u64(double v) {
    if (!(v > 0))
        return 0;
    return v < 18446744073709551616.0 ? (uint64_t)v : UINT64_MAX;
}

static int64_t within(double v, int64_t low, int64_t high) {
    int64_t w = whole(v);
    return w < low ? low : w > high ? high : w;
}

#define READ(type, value)                                                                \
    for (size_t i = 0; i < n; i++) {                                                     \
        type v = ((const type *)from)[(int64_t)i * stride];                              \
        to[i] = value;                                                                   \
    }                                                                                    \
    break

/* Floats pass through of_float, integers are converted. */
#define READ_ANY(to_type, of_float)                                                      \
    switch (dtype) {                                                                     \
    case ASSAY_F32:                                                                      \
        READ(float, of_float(v));                                                        \
    case ASSAY_F64:                                                                      \
        READ(double, of_float(v));                                                       \
    case ASSAY_BF16:                                                                     \
        READ(uint16_t, of_float(ten_from_bf16(v)));                                      \
    case ASSAY_F16:                                                                      \
        READ(uint16_t, of_float(ten_from_f16(v)));                                       \
    case ASSAY_I8:                                                                       \
        READ(int8_t, (to_type)v);                                                        \
    case ASSAY_U8:                                                                       \
    case ASSAY_BOOL:                                                                     \
        READ(uint8_t, (to_type)v);                                                       \
    case ASSAY_I16:                                                                      \
        READ(int16_t, (to_type)v);                                                       \
    case ASSAY_U16:                                                                      \
        READ(uint16_t, (to_type)v);                                                      \
    case ASSAY_I32:                                                                      \
        READ(int32_t, (to_type)v);                                                       \
    case ASSAY_U32:                                                                      \
        READ(uint32_t, (to_type)v);                                                      \
    case ASSAY_I64:                                                                      \
        READ(int64_t, (to_type)v);                                                       \
    case ASSAY_U64:                                                                      \
        READ(uint64_t, (to_type)v);                                                      \
    }

void num_to_f32(
    float *to, const void *from, assay_dtype dtype, int64_t stride, size_t n) {
    READ_ANY(float, (float))
}

void num_to_f64(
    double *to, const void *from, assay_dtype dtype, int64_t stride, size_t n) {
    READ_ANY(double, (double))
}

void num_to_i64(
    int64_t *to, const void *from, assay_dtype dtype, int64_t stride, size_t n) {
    READ_ANY(int64_t, whole)
}

#define WRITE(type, value)                                                               \
    for (size_t i = 0; i < n; i++)                                                       \
        ((type *)to)[i] = (type)(value);                                                 \
    break

/* From floats. */
#define WRITE_REAL                                                                       \
    switch (dtype) {                                                                     \
    case ASSAY_F32:                                                                      \
        WRITE(float, from[i]);                                                           \
    case ASSAY_F64:                                                                      \
        WRITE(double, from[i]);                                                          \
    case ASSAY_BF16:                                                                     \
        WRITE(uint16_t, ten_bf16((float)from[i]));                                       \
    case ASSAY_F16:                                                                      \
        WRITE(uint16_t, ten_f16((float)from[i]));                                        \
    case ASSAY_I8:                                                                       \
        WRITE(int8_t, within(from[i], INT8_MIN, INT8_MAX));                              \
    case ASSAY_U8:                                                                       \
        WRITE(uint8_t, within(from[i], 0, UINT8_MAX));                                   \
    case ASSAY_BOOL:                                                                     \
        WRITE(uint8_t, from[i] != 0);                                                    \
    case ASSAY_I16:                                                                      \
        WRITE(int16_t, within(from[i], INT16_MIN, INT16_MAX));                           \
    case ASSAY_U16:                                                                      \
        WRITE(uint16_t, within(from[i], 0, UINT16_MAX));                                 \
    case ASSAY_I32:                                                                      \
        WRITE(int32_t, within(from[i], INT32_MIN, INT32_MAX));                           \
    case ASSAY_U32:                                                                      \
        WRITE(uint32_t, within(from[i], 0, UINT32_MAX));                                 \
    case ASSAY_I64:                                                                      \
        WRITE(int64_t, whole(from[i]));                                                  \
    case ASSAY_U64:                                                                      \
        WRITE(uint64_t, whole_u64(from[i]));                                             \
    }

void num_from_f32(void *to, assay_dtype dtype, const float *from, size_t n) {
    WRITE_REAL
}

void num_from_f64(void *to, assay_dtype dtype, const double *from, size_t n) {
    WRITE_REAL
}

void num_from_i64(void *to, assay_dtype dtype, const int64_t *from, size_t n) {
    switch (dtype) {
    case ASSAY_F32:
        WRITE(float, from[i]);
    case ASSAY_F64:
        WRITE(double, from[i]);
    case ASSAY_BF16:
        WRITE(uint16_t, ten_bf16((float)from[i]));
    case ASSAY_F16:
        WRITE(uint16_t, ten_f16((float)from[i]));
    case ASSAY_I8:
    case ASSAY_U8:
        WRITE(uint8_t, from[i]);
    case ASSAY_BOOL:
        WRITE(uint8_t, from[i] != 0);
    case ASSAY_I16:
    case ASSAY_U16:
        WRITE(uint16_t, from[i]);
    case ASSAY_I32:
    case ASSAY_U32:
        WRITE(uint32_t, from[i]);
    case ASSAY_I64:
    case ASSAY_U64:
        WRITE(int64_t, from[i]);
    }
}
