/* resize: the images' height and width changed by interpolation, with ONNX's choices
 * (Resize, opset 13; PyTorch's interpolate and upsample are cases of them).
 *
 * mode          0 nearest, 1 linear, 2 cubic (Keys 1981, eq. 4, with cubic_a, -0.75)
 * coordinates   where output place o lies in the input: 0 half_pixel, 1 asymmetric,
 *               2 align_corners, 3 pytorch_half_pixel
 * rounding      of nearest: 0 round_prefer_floor, 1 round_prefer_ceil, 2 floor, 3 ceil
 * exclude_outside 1: cubic's weights outside the image are zero and the others made up
 * sizes         height and width; or scale_h and scale_w: sizes are then rounded down,
 * and the coordinates go by the scales as given */
#include "nn/op.h"

#include <math.h>
#include <string.h>

static const char *const resize_attrs[] = {"mode",    "coordinates",     "rounding",
                                           "cubic_a", "exclude_outside", "sizes",
                                           "scale_h", "scale_w",         NULL};

enum { NEAREST, LINEAR, CUBIC };
enum { HALF_PIXEL, ASYMMETRIC, ALIGN_CORNERS, PYTORCH_HALF_PIXEL };
enum { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL };
enum { MOST_TAPS = 4 };

/* What one output place is made of, along one side. */
typedef struct resize_taps {
    int64_t at[MOST_TAPS];
    double weight[MOST_TAPS];
} resize_taps;

static double scale_of(const nn_node *node, int side) {
    const nn_attr *sizes = nn_attr_get(node, "sizes");
    double in = (double)node->in_shape[0].dim[2 + side];
    return sizes ? (double)sizes->i[side] / in
                 : nn_attr_f(node, side ? "scale_w" : "scale_h", 1);
}

static bool in_range(const nn_node *node, const char *name, int64_t most) {
    int64_t v = nn_attr_i(node, name, 0);
    return v >= 0 && v <= most;
}

static assay_status resize_infer(nn_node *node) {
    const nn_shape *x = &node->in_shape[0];
    const nn_attr *sizes = nn_attr_get(node, "sizes");
    if (x->ndim != 4)
        return nn_op_bad_shape(node, 0, "images [N,C,H,W] are needed");
    if (!in_range(node, "mode", CUBIC) ||
        !in_range(node, "coordinates", PYTORCH_HALF_PIXEL) ||
        !in_range(node, "rounding", CEIL))
        return err_set(ASSAY_E_INVALID, "resize: an unknown mode");
    if (sizes ? sizes->count != 2
              : !nn_attr_get(node, "scale_h") || !nn_attr_get(node, "scale_w"))
        return err_set(ASSAY_E_INVALID, "resize needs two sizes, or two scales");
    node->out_shape = *x;
    for (int side = 0; side < 2; side++) {
        double scale = scale_of(node, side);
        double out = floor((double)x->dim[2 + side] * scale);
        if (sizes)
            out = (double)sizes->i[side];
        if (!(out >= 1 && out <= 1 << 20))
            return err_set(ASSAY_E_SHAPE, "resize: %s of %lld pixels by %g",
                           side ? "a width" : "a height", (long long)x->dim[2 + side],
                           scale);
        node->out_shape.dim[2 + side] = (int64_t)out;
    }
    return ASSAY_OK;
}

static int taps_count(const nn_node *node) {
    static const int count[] = {1, 2, 4};
    return count[nn_attr_i(node, "mode", NEAREST)];
}

/* Where output place o lies in the input. */
static double place_of(const nn_node *node, int side, int64_t o) {
    double scale = scale_of(node, side), in = (double)node->in_shape[0].dim[2 + side];
    double outs = scale * in; /* not rounded: so ONNX has it */
    switch (nn_attr_i(node, "coordinates", HALF_PIXEL)) {
    case ASYMMETRIC:
        return (double)o / scale;
    case ALIGN_CORNERS:
        return outs == 1 ? 0 : (double)o * (in - 1) / (outs - 1);
    case PYTORCH_HALF_PIXEL:
        return outs == 1 ? 0 : ((double)o + 0.5) / scale - 0.5;
    default:
        return ((double)o + 0.5) / scale - 0.5;
    }
}

static double rounded(const nn_node *node, double x) {
    switch (nn_attr_i(node, "rounding", PREFER_FLOOR)) {
    case PREFER_CEIL:
        return floor(x + 0.5);
    case FLOOR:
        return floor(x);
    case CEIL:
        return ceil(x);
    default:
        return ceil(x - 0.5);
    }
}

/* Keys' kernel at distance d from a tap. */
static double cubic(double d, double a) {
    d = fabs(d);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static resize_taps taps_of(const nn_node *node, int side, int64_t o) {
    int64_t size = node->in_shape[0].dim[2 + side],
            mode = nn_attr_i(node, "mode", NEAREST);
    resize_taps t;
    memset(&t, 0, sizeof t);
    double x = place_of(node, side, o), sum = 0, a = nn_attr_f(node, "cubic_a", -0.75);
    bool outside_too = nn_attr_i(node, "exclude_outside", 0) == 0;
    double first = mode == NEAREST ? rounded(node, x) : floor(x) - (mode == CUBIC);
    for (int k = 0; k < taps_count(node); k++) {
        double at = first + k;
        double w = mode == NEAREST  ? 1
                   : mode == LINEAR ? 1 - fabs(x - at)
                                    : cubic(x - at, a);
        if (mode == CUBIC && !outside_too && (at < 0 || at > (double)(size - 1)))
            w = 0;
        t.weight[k] = w;
        t.at[k] = (int64_t)fmin(fmax(at, 0), (double)(size - 1));
        sum += w;
    }
    for (int k = 0; mode == CUBIC && !outside_too && k < MOST_TAPS; k++)
        t.weight[k] /= sum;
    return t;
}

typedef struct resize_state {
    assay_ctx *ctx;
    resize_taps *row, *column;
} resize_state;

static void resize_unplan(nn_plan *p) {
    resize_state *s = p->state;
    if (!s)
        return;
    mem_free(s->ctx, s->row);
    mem_free(s->ctx, s->column);
    mem_free(s->ctx, s);
}

static assay_status resize_plan(nn_plan *p) {
    assay_status status = ASSAY_OK;
    const nn_shape *y = &p->node->out_shape;
    resize_state *s = NULL;
    ASSAY_TRY(mem_new(p->ctx, &s, 1, sizeof *s));
    p->state = s;
    s->ctx = p->ctx;
    ASSAY_TRY(mem_new(p->ctx, &s->row, (size_t)y->dim[2], sizeof *s->row));
    ASSAY_TRY(mem_new(p->ctx, &s->column, (size_t)y->dim[3], sizeof *s->column));
    for (int64_t o = 0; o < y->dim[2]; o++)
        s->row[o] = taps_of(p->node, 0, o);
    for (int64_t o = 0; o < y->dim[3]; o++)
        s->column[o] = taps_of(p->node, 1, o);
done:
    return status;
}

/* A pixel of the output: the sum of its taps. */
static void gather(float *y,
                   const float *image,
                   const resize_taps *r,
                   const resize_taps *s,
                   int taps,
                   int64_t w,
                   size_t c) {
    if (taps == 1) {
        memcpy(y, image + (size_t)(r->at[0] * w + s->at[0]) * c, c * sizeof *y);
        return;
    }
    memset(y, 0, c * sizeof *y);
    for (int u = 0; u < taps; u++)
        for (int v = 0; v < taps; v++) {
            const float *x = image + (size_t)(r->at[u] * w + s->at[v]) * c;
            float share = (float)(r->weight[u] * s->weight[v]);
            for (size_t k = 0; k < c; k++)
                y[k] += share * x[k];
        }
}

static void scatter(float *image,
                    const float *d_y,
                    const resize_taps *r,
                    const resize_taps *s,
                    int taps,
                    int64_t w,
                    size_t c) {
    for (int u = 0; u < taps; u++)
        for (int v = 0; v < taps; v++) {
            float *d_x = image + (size_t)(r->at[u] * w + s->at[v]) * c;
            float share = (float)(r->weight[u] * s->weight[v]);
            for (size_t k = 0; k < c; k++)
                d_x[k] += share * d_y[k];
        }
}

static assay_status resize_forward(nn_io *io) {
    const resize_state *s = io->state;
    const nn_shape *in = &io->node->in_shape[0], *out = &io->node->out_shape;
    size_t c = (size_t)in->dim[1];
    int taps = taps_count(io->node);
    float *y = io->out;
    for (int i = 0; i < io->n; i++) {
        const float *image = (const float *)io->in[0] + i * nn_shape_each(in);
        for (int64_t p = 0; p < out->dim[2]; p++)
            for (int64_t q = 0; q < out->dim[3]; q++, y += c)
                gather(y, image, &s->row[p], &s->column[q], taps, in->dim[3], c);
    }
    return ASSAY_OK;
}

static assay_status resize_backward(nn_io *io) {
    const resize_state *s = io->state;
    const nn_shape *in = &io->node->in_shape[0], *out = &io->node->out_shape;
    size_t c = (size_t)in->dim[1], each = (size_t)nn_shape_each(in);
    int taps = taps_count(io->node);
    const float *d_y = io->d_out;
    for (int i = 0; i < io->n; i++) {
        float *image = (float *)io->d_in[0] + (size_t)i * each;
        memset(image, 0, each * sizeof *image);
        for (int64_t p = 0; p < out->dim[2]; p++)
            for (int64_t q = 0; q < out->dim[3]; q++, d_y += c)
                scatter(image, d_y, &s->row[p], &s->column[q], taps, in->dim[3], c);
    }
    return ASSAY_OK;
}

static void resize_reference(const nn_node *node,
                             int n,
                             bool training,
                             const double *const *in,
                             double *out,
                             const double *d_out,
                             double *const *d_in) {
    (void)training;
    const nn_shape *x = &node->in_shape[0], *y = &node->out_shape;
    int64_t c = x->dim[1], taps = taps_count(node), outs = nn_shape_each(y);
    for (int64_t at = 0; at < n * outs; at++) {
        int64_t o = at / c % (outs / c), from = at / outs * nn_shape_each(x) + at % c;
        resize_taps r = taps_of(node, 0, o / y->dim[3]);
        resize_taps s = taps_of(node, 1, o % y->dim[3]);
        out[at] = 0;
        for (int64_t k = 0; k < taps * taps; k++) {
            int64_t u = k / taps, v = k % taps;
            int64_t pixel = from + (r.at[u] * x->dim[3] + s.at[v]) * c;
            out[at] += r.weight[u] * s.weight[v] * in[0][pixel];
            if (d_out && d_in[0])
                d_in[0][pixel] += r.weight[u] * s.weight[v] * d_out[at];
        }
    }
}

#define NUMBER(n, v)                                                                     \
    { .name = n, .i = {v}, .count = 1 }
#define SIZES(h, w)                                                                      \
    { .name = "sizes", .i = {h, w}, .count = 2 }
#define IMAGE(...) .n_inputs = 1, .in = {{NN_CASE_VALUE, {4, {0, __VA_ARGS__}}}}

static const nn_op_case resize_cases[] = {
    {.name = "nearest, twice",
     .batch = 3,
     .n = 2,
     IMAGE(5, 3, 4),
     .attr = {{.name = "scale_h", .f = 2},
              {.name = "scale_w", .f = 2},
              NUMBER("coordinates", ASYMMETRIC),
              NUMBER("rounding", FLOOR)},
     .n_attrs = 4},
    {.name = "nearest, smaller",
     .batch = 2,
     .n = 2,
     IMAGE(17, 7, 9),
     .attr = {SIZES(3, 5)},
     .n_attrs = 1},
    {.name = "linear, half pixel",
     .batch = 2,
     .n = 2,
     IMAGE(16, 5, 4),
     .attr = {NUMBER("mode", LINEAR), SIZES(8, 3)},
     .n_attrs = 2},
    {.name = "linear, corners aligned, scales",
     .batch = 2,
     .n = 1,
     IMAGE(3, 4, 5),
     .attr = {NUMBER("mode", LINEAR),
              NUMBER("coordinates", ALIGN_CORNERS),
              {.name = "scale_h", .f = 1.7},
              {.name = "scale_w", .f = 0.6}},
     .n_attrs = 4},
    {.name = "linear, PyTorch's half pixel, one row",
     .batch = 2,
     .n = 2,
     IMAGE(3, 4, 5),
     .attr = {NUMBER("mode", LINEAR), NUMBER("coordinates", PYTORCH_HALF_PIXEL),
              SIZES(1, 9)},
     .n_attrs = 3},
    {.name = "cubic",
     .batch = 2,
     .n = 2,
     IMAGE(4, 5, 6),
     .attr = {NUMBER("mode", CUBIC), SIZES(9, 4)},
     .n_attrs = 2},
    {.name = "cubic, outside excluded",
     .batch = 2,
     .n = 2,
     IMAGE(3, 4, 4),
     .attr = {NUMBER("mode", CUBIC),
              NUMBER("exclude_outside", 1),
              {.name = "cubic_a", .f = -0.5},
              SIZES(7, 3)},
     .n_attrs = 4},
    {0}};

const nn_op_def assay_op_resize = {
    .name = "resize",
    .summary = "images of another size by interpolation",
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs = resize_attrs,
    .infer = resize_infer,
    .plan = resize_plan,
    .unplan = resize_unplan,
    .forward = resize_forward,
    .backward = resize_backward,
    .reference = resize_reference,
    .cases = resize_cases,
};
