/* Element types: sizes, names, NumPy's type strings, bf16 and f16. */
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name, *typestr;
    size_t size;
} dtypes[DTYPE_COUNT] = {
    [ASSAY_F32] = {"f32", "<f4", 4},   [ASSAY_F64] = {"f64", "<f8", 8},
    [ASSAY_BF16] = {"bf16", NULL, 2},  [ASSAY_F16] = {"f16", "<f2", 2},
    [ASSAY_I8] = {"i8", "|i1", 1},     [ASSAY_U8] = {"u8", "|u1", 1},
    [ASSAY_I16] = {"i16", "<i2", 2},   [ASSAY_U16] = {"u16", "<u2", 2},
    [ASSAY_I32] = {"i32", "<i4", 4},   [ASSAY_U32] = {"u32", "<u4", 4},
    [ASSAY_I64] = {"i64", "<i8", 8},   [ASSAY_U64] = {"u64", "<u8", 8},
    [ASSAY_BOOL] = {"bool", "|b1", 1},
};

static bool known(assay_dtype dtype) {
    return (unsigned)dtype < DTYPE_COUNT;
}

size_t assay_dtype_size(assay_dtype dtype) {
    return known(dtype) ? dtypes[dtype].size : 0;
}

const char *assay_dtype_name(assay_dtype dtype) {
    return known(dtype) ? dtypes[dtype].name : "unknown";
}

const char *dtype_typestr(assay_dtype dtype) {
    return known(dtype) ? dtypes[dtype].typestr : NULL;
}

assay_status dtype_from_typestr(assay_dtype *out, const char *typestr) {
    for (int i = 0; i < DTYPE_COUNT; i++) {
        const char *t = dtypes[i].typestr;
        if (!t)
            continue;
        /* One-byte types have no order: "<u1" and "|u1" are the same. */
        bool order = typestr[0] == t[0] ||
                     (t[0] == '|' && typestr[0] && strchr("<>=", typestr[0]));
        if (order && strcmp(typestr + 1, t + 1) == 0) {
            *out = (assay_dtype)i;
            return ASSAY_OK;
        }
    }
    err_set(ASSAY_E_DTYPE, "element type \"%.16s\" is not known here", typestr);
    if (typestr[0] == '>')
        err_help("it is big-endian: convert it with a.astype(a.dtype.newbyteorder('<'))");
    return ASSAY_E_DTYPE;
}

assay_status dtype_from_name(assay_dtype *out, const char *name) {
    for (int i = 0; i < DTYPE_COUNT; i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            *out = (assay_dtype)i;
            return ASSAY_OK;
        }
    }
    return err_set(ASSAY_E_DTYPE, "element type \"%.16s\" is not known here", name);
}

uint16_t ten_bf16(float v) {
    uint32_t u;
    memcpy(&u, &v, 4);
    if ((u & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(u >> 16 | 0x40); /* a quiet NaN */
    return (uint16_t)((u + 0x7FFFu + (u >> 16 & 1)) >> 16);
}

float ten_from_bf16(uint16_t v) {
    uint32_t u = (uint32_t)v << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

uint16_t ten_f16(float v) {
    uint32_t u;
    memcpy(&u, &v, 4);
    uint16_t sign = (uint16_t)(u >> 16 & 0x8000);
    u &= 0x7FFFFFFFu;
    if (u > 0x7F800000u)
        return (uint16_t)(sign | 0x7E00); /* a quiet NaN */
    if (u >= 0x477FF000u)
        return (uint16_t)(sign | 0x7C00);
    if (u < 0x38800000u) /* below 2^-14: a multiple of 2^-24 */
        return (uint16_t)(sign | (uint16_t)nearbyintf(ldexpf(fabsf(v), 24)));
    u += 0xFFFu + (u >> 13 & 1);
    return (uint16_t)(sign | (u - 0x38000000u) >> 13);
}

float ten_from_f16(uint16_t v) {
    int exponent = v >> 10 & 31, fraction = v & 1023;
    float size = exponent == 31 ? (fraction ? NAN : INFINITY)
                 : exponent     ? ldexpf((float)(fraction + 1024), exponent - 25)
                                : ldexpf((float)fraction, -24);
    return v & 0x8000 ? -size : size;
}
