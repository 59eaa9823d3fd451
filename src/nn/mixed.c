/* Where all operands are of one type its kernel runs; else short stretches go through f32
 * in the first-level cache. */
#include "nn/mixed.h"

#include <string.h>

enum { STRETCH = 512 };

static const void *at(const void *values, size_t i, bool half) {
    return (const uint8_t *)values + i * (half ? 2 : 4);
}

/* The stretch in f32: where it lies, or in `room`. */
static const float *
as_f32(float *room, const void *values, bool half, size_t i, size_t n) {
    if (!half)
        return (const float *)values + i;
    nn_kernels_get()->widen(room, at(values, i, true), n);
    return room;
}

static void put(void *values, bool half, size_t i, const float *from, size_t n) {
    if (half)
        nn_kernels_get()->narrow((uint16_t *)values + i, from, n);
    else
        memcpy((float *)values + i, from, n * sizeof *from);
}

static size_t length(size_t i, size_t n) {
    return n - i < STRETCH ? n - i : STRETCH;
}

void mixed_copy(void *y, bool y_half, const void *x, bool x_half, size_t n) {
    if (y_half == x_half)
        memcpy(y, x, n * (y_half ? 2 : 4));
    else if (y_half)
        nn_kernels_get()->narrow(y, x, n);
    else
        nn_kernels_get()->widen(y, x, n);
}

void mixed_relu(void *y, bool y_half, const void *x, bool x_half, size_t n) {
    const nn_kernels *k = nn_kernels_get();
    if (y_half && x_half) {
        k->relu_half(y, x, n);
        return;
    }
    for (size_t i = 0; i < n; i += STRETCH) {
        float a[STRETCH], to[STRETCH];
        size_t m = length(i, n);
        const float *from = as_f32(a, x, x_half, i, m);
        k->relu(y_half ? to : (float *)y + i, from, m);
        if (y_half)
            put(y, true, i, to, m);
    }
}

void mixed_relu_back(
    void *d_x, bool x_half, const void *d_y, const void *y, bool y_half, size_t n) {
    const nn_kernels *k = nn_kernels_get();
    if (y_half && x_half) {
        k->relu_back_half(d_x, d_y, y, n);
        return;
    }
    for (size_t i = 0; i < n; i += STRETCH) {
        float a[STRETCH], b[STRETCH], to[STRETCH];
        size_t m = length(i, n);
        const float *d = as_f32(a, d_y, y_half, i, m), *v = as_f32(b, y, y_half, i, m);
        k->relu_back(x_half ? to : (float *)d_x + i, d, v, m);
        if (x_half)
            put(d_x, true, i, to, m);
    }
}

void mixed_add(void *y,
               bool y_half,
               const void *a,
               bool a_half,
               const void *b,
               bool b_half,
               size_t n) {
    const nn_kernels *k = nn_kernels_get();
    if (y_half && a_half && b_half) {
        k->add_half(y, a, b, n);
        return;
    }
    for (size_t i = 0; i < n; i += STRETCH) {
        float s[STRETCH], t[STRETCH], to[STRETCH];
        size_t m = length(i, n);
        const float *u = as_f32(s, a, a_half, i, m), *v = as_f32(t, b, b_half, i, m);
        k->add(y_half ? to : (float *)y + i, u, v, m);
        if (y_half)
            put(y, true, i, to, m);
    }
}
