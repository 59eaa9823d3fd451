/* Convolutions element by element. */
#include "nn/amx/reference.h"

#include "tensor/tensor.h"

/* Of one group only: what the tile kernels do. */
static float product(float a, float b) {
    return ten_from_bf16(ten_bf16(a)) * ten_from_bf16(ten_bf16(b));
}

static bool inside(int64_t at, int64_t size) {
    return at >= 0 && at < size;
}

static int64_t weight_at(const dn_conv_geometry *g, int64_t o, int64_t c, int64_t tap) {
    return (o * g->c + c) * g->kh * g->kw + tap;
}

float conv_reference_y(const dn_conv_geometry *g,
                       const float *x,
                       const float *weight,
                       const float *bias,
                       int64_t at) {
    const int64_t o = at % g->o, q = at / g->o % g->ow, p = at / g->o / g->ow % g->oh;
    const int64_t image = at / g->o / g->ow / g->oh;
    float sum = 0;
    for (int64_t tap = 0; tap < g->kh * g->kw; tap++) {
        const int64_t h = p * g->stride[0] - g->pad[0] + tap / g->kw * g->dilation[0];
        const int64_t w = q * g->stride[1] - g->pad[1] + tap % g->kw * g->dilation[1];
        for (int64_t c = 0; c < g->c && inside(h, g->h) && inside(w, g->w); c++)
            sum += product(x[((image * g->h + h) * g->w + w) * g->c + c],
                           weight[weight_at(g, o, c, tap)]);
    }
    return sum + (bias ? bias[o] : 0);
}

float conv_reference_dx(const dn_conv_geometry *g,
                        const float *d_y,
                        const float *weight,
                        int64_t at) {
    const int64_t c = at % g->c, w = at / g->c % g->w, h = at / g->c / g->w % g->h;
    const int64_t image = at / g->c / g->w / g->h;
    float sum = 0;
    for (int64_t tap = 0; tap < g->kh * g->kw; tap++) {
        const int64_t p = h + g->pad[0] - tap / g->kw * g->dilation[0];
        const int64_t q = w + g->pad[1] - tap % g->kw * g->dilation[1];
        if (p % g->stride[0] || q % g->stride[1] || !inside(p / g->stride[0], g->oh) ||
            !inside(q / g->stride[1], g->ow) || p < 0 || q < 0)
            continue;
        const int64_t row = image * g->oh + p / g->stride[0];
        const float *from = d_y + (row * g->ow + q / g->stride[1]) * g->o;
        for (int64_t o = 0; o < g->o; o++)
            sum += product(from[o], weight[weight_at(g, o, c, tap)]);
    }
    return sum;
}

float conv_reference_dw(
    const dn_conv_geometry *g, int64_t n, const float *x, const float *d_y, int64_t at) {
    const int64_t taps = g->kh * g->kw, tap = at % taps, c = at / taps % g->c;
    const int64_t o = at / taps / g->c;
    float sum = 0;
    for (int64_t i = 0; i < n * g->oh * g->ow; i++) {
        const int64_t q = i % g->ow, p = i / g->ow % g->oh, image = i / g->ow / g->oh;
        const int64_t h = p * g->stride[0] - g->pad[0] + tap / g->kw * g->dilation[0];
        const int64_t w = q * g->stride[1] - g->pad[1] + tap % g->kw * g->dilation[1];
        if (inside(h, g->h) && inside(w, g->w))
            sum +=
                product(x[((image * g->h + h) * g->w + w) * g->c + c], d_y[i * g->o + o]);
    }
    return sum;
}

void conv_reference_forward(const dn_conv_geometry *g,
                            int64_t n,
                            const float *x,
                            const float *weight,
                            const float *bias,
                            float *y) {
    for (int64_t at = 0; at < n * g->oh * g->ow * g->o; at++)
        y[at] = conv_reference_y(g, x, weight, bias, at);
}

void conv_reference_data(const dn_conv_geometry *g,
                         int64_t n,
                         const float *d_y,
                         const float *weight,
                         float *d_x) {
    for (int64_t at = 0; at < n * g->h * g->w * g->c; at++)
        d_x[at] = conv_reference_dx(g, d_y, weight, at);
}

void conv_reference_weights(const dn_conv_geometry *g,
                            int64_t n,
                            const float *x,
                            const float *d_y,
                            float *d_weight) {
    for (int64_t at = 0; at < g->o * g->c * g->kh * g->kw; at++)
        d_weight[at] = conv_reference_dw(g, n, x, d_y, at);
}
