/* Floats of 16 bits (IEEE 754 binary16), as files and arrays have them. */
#ifndef NN_ONNX_HALF_H
#define NN_ONNX_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float half_to_float(uint16_t h) {
    int exponent = h >> 10 & 31, mantissa = h & 1023;
    float v = exponent == 31 ? (mantissa ? NAN : INFINITY)
              : exponent     ? ldexpf((float)(mantissa + 1024), exponent - 25)
                             : ldexpf((float)mantissa, -24);
    return h & 0x8000 ? -v : v;
}

/* To the nearest, ties to even. */
static inline uint16_t half_from_float(float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (bits >= 0x477ff000) /* 65520 and more */
        return (uint16_t)(sign | 0x7c00);
    if (bits < 0x38800000) { /* below 2^-14: in steps of 2^-24 */
        float steps = ldexpf(fabsf(v), 24), whole = floorf(steps);
        uint16_t n = (uint16_t)whole;
        float rest = steps - whole;
        n = (uint16_t)(n + (rest > 0.5f || (rest == 0.5f && (n & 1))));
        return (uint16_t)(sign | n);
    }
    uint32_t rounded = bits + 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | ((rounded - 0x38000000) >> 13));
}

#endif
