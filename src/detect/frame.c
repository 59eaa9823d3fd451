/* Making of frames: shrinking, norms, the vectors, the sketches. */
#include "detect/frame.h"

#include "attribute/algebra/linalg.h"
#include "base/pool.h"
#include "simd/simd.h"

#include <math.h>
#include <string.h>

enum {
    SAMPLE = 768, /* pictures that the vectors are made from */
    BLOCK = 256   /* pictures in one job */
};

/* Below this deviation, in levels, a picture is flat: what correlates is rounding. */
static const double flat_below = 1.5;

/* ---- shrinking and norms ---- */

typedef struct shrink_job {
    frame *f;
    const uint8_t *from;
    int size;
} shrink_job;

static assay_status shrink(void *arg, int worker, size_t begin, size_t end) {
    const shrink_job *job = arg;
    frame *f = job->f;
    assay_status status = ASSAY_OK;
    size_t from = (size_t)job->size * (size_t)job->size * (size_t)f->channels;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        ASSAY_TRY(image_resize(f->ctx, job->from + i * from, job->size, job->size,
                               f->channels, f->shrunk + i * f->bytes, f->side, f->side));
done:
    return status;
}

static assay_status norms(void *arg, int worker, size_t begin, size_t end) {
    frame *f = arg;
    double n = (double)f->bytes;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const uint8_t *x = frame_row(f, i);
        uint32_t sum = 0;
        for (size_t j = 0; j < f->bytes; j++)
            sum += x[j];
        double mean = (double)sum / n;
        double square = (double)simd()->u8_dot(x, x, f->bytes) - mean * (double)sum;
        f->mean[i] = mean;
        f->inverse[i] = square > n * flat_below * flat_below ? 1 / sqrt(square) : 0;
    }
    return ASSAY_OK;
}

void frame_mirror(const frame *f, const uint8_t *from, uint8_t *out) {
    int side = f->side, ch = f->channels;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            for (int c = 0; c < ch; c++)
                out[(y * side + x) * ch + c] = from[(y * side + side - 1 - x) * ch + c];
}

/* The unit vector of a row, or one part of it: way 1 the even one, -1 the odd one, 0 all.
 */
static void unit(const frame *f, uint64_t row, int way, float *out) {
    const uint8_t *x = frame_row(f, row);
    int side = f->side, ch = f->channels;
    double mean = f->mean[row], inverse = f->inverse[row];
    for (size_t j = 0; j < f->bytes; j++)
        out[j] = (float)(((double)x[j] - mean) * inverse);
    for (int y = 0; way && y < side; y++)
        for (int u = 0; u < (side + 1) / 2; u++)
            for (int c = 0; c < ch; c++) {
                float *a = out + (y * side + u) * ch + c;
                float *b = out + (y * side + side - 1 - u) * ch + c;
                float half = 0.5f * (*a + (float)way * *b);
                *a = half;
                *b = (float)way * half;
            }
}

/* ---- the vectors ---- */

/* Leading directions of one part of the sample: of its Gram matrix, carried over. value
 * [want], vector [want, bytes]; fewer directions than asked for leave zeros. */
static assay_status leading(const frame *f,
                            const uint64_t *sample,
                            int64_t n,
                            int way,
                            int64_t want,
                            double *value,
                            float *vector) {
    assay_status status = ASSAY_OK;
    int64_t d = (int64_t)f->bytes;
    float *part = NULL, *gram = NULL, *mix = NULL;
    double *a = NULL, *u = NULL;
    ASSAY_TRY(mem_new(f->ctx, &part, (size_t)(n * d), sizeof *part));
    ASSAY_TRY(mem_new(f->ctx, &gram, (size_t)(n * n), sizeof *gram));
    ASSAY_TRY(mem_new(f->ctx, &mix, (size_t)(want * n), sizeof *mix));
    ASSAY_TRY(mem_new(f->ctx, &a, (size_t)(n * n), sizeof *a));
    ASSAY_TRY(mem_new(f->ctx, &u, (size_t)(want * n), sizeof *u));
    for (int64_t i = 0; i < n; i++)
        unit(f, sample[i], way, part + i * d);
    la_gemm(false, true, n, n, d, 1, part, d, part, d, 0, gram, n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++)
            a[i * n + j] = a[j * n + i] = (double)gram[i * n + j];
    ASSAY_TRY(la_eigen(f->ctx, n, a, want, value, u));
    for (int64_t i = 0; i < want; i++)
        for (int64_t j = 0; j < n; j++)
            mix[i * n + j] = value[i] > 1e-4 * value[0] && value[i] > 0
                                 ? (float)(u[i * n + j] / sqrt(value[i]))
                                 : 0.0f;
    la_gemm(false, false, want, d, n, 1, mix, n, part, d, 0, vector, d);
    for (int64_t i = 0; i < want; i++)
        if (!(value[i] > 1e-4 * value[0]))
            value[i] = 0;
done:
    mem_free(f->ctx, part);
    mem_free(f->ctx, gram);
    mem_free(f->ctx, mix);
    mem_free(f->ctx, a);
    mem_free(f->ctx, u);
    return status;
}

/* Makes the rows of v orthonormal in f64 (twice is enough); vectors that vanish become
 * zero. */
static void orthonormalise(float *v, int64_t n, int64_t d) {
    for (int64_t i = 0; i < n; i++)
        for (int pass = 0; pass < 2; pass++) {
            float *x = v + i * d;
            for (int64_t j = 0; j < i; j++) {
                double dot = simd()->f32_dot64(x, v + j * d, (size_t)d);
                simd()->f32_axpy(x, (float)-dot, v + j * d, (size_t)d);
            }
            double norm = simd()->f32_dot64(x, x, (size_t)d);
            float scale = norm > 1e-6 ? (float)(1 / sqrt(norm)) : 0.0f;
            for (int64_t j = 0; j < d; j++)
                x[j] *= scale;
        }
}

/* FRAME_DIMS vectors for both parts together, as many of each as their weights ask for.
 */
static assay_status choose(frame *f, const uint64_t *sample, int64_t n, float **vectors) {
    assay_status status = ASSAY_OK;
    int64_t d = (int64_t)f->bytes, want = n < FRAME_DIMS ? n : FRAME_DIMS;
    double value[2][FRAME_DIMS] = {{0}};
    float *part[2] = {NULL, NULL};
    int64_t taken[2] = {0, 0};
    *vectors = NULL;
    for (int p = 0; p < 2; p++) {
        ASSAY_TRY(mem_new(f->ctx, &part[p], (size_t)(want * d) + 1, sizeof(float)));
        if (want)
            ASSAY_TRY(leading(f, sample, n, p ? -1 : 1, want, value[p], part[p]));
    }
    while (taken[0] + taken[1] < FRAME_DIMS) {
        double a = taken[0] < want ? value[0][taken[0]] : 0;
        double b = taken[1] < want ? value[1][taken[1]] : 0;
        if (a <= 0 && b <= 0)
            break;
        taken[a < b]++;
    }
    f->even = (int)taken[0];
    f->odd = (int)taken[1];
    ASSAY_TRY(
        mem_new(f->ctx, vectors, (size_t)((taken[0] + taken[1]) * d) + 1, sizeof(float)));
    for (int p = 0; p < 2; p++) {
        orthonormalise(part[p], taken[p], d);
        memcpy(*vectors + (p ? taken[0] * d : 0), part[p],
               (size_t)(taken[p] * d) * sizeof(float));
    }
done:
    mem_free(f->ctx, part[0]);
    mem_free(f->ctx, part[1]);
    return status;
}

/* ---- sketches ---- */

typedef struct sketch_job {
    frame *f;
    const float *vectors; /* even ones, then odd ones */
} sketch_job;

static assay_status sketch(void *arg, int worker, size_t begin, size_t end) {
    const sketch_job *job = arg;
    frame *f = job->f;
    assay_status status = ASSAY_OK;
    size_t n = end - begin, d = f->bytes;
    int64_t width = (int64_t)f->width;
    float *x = NULL;
    (void)worker;
    ASSAY_TRY(mem_new(f->ctx, &x, n * d, sizeof *x));
    for (size_t i = 0; i < n; i++)
        unit(f, begin + i, 0, x + i * d);
    float *to = f->sketch + begin * f->width;
    la_gemm(false, true, (int64_t)n, f->even, (int64_t)d, 1, x, (int64_t)d, job->vectors,
            (int64_t)d, 0, to, width);
    la_gemm(false, true, (int64_t)n, f->odd, (int64_t)d, 1, x, (int64_t)d,
            job->vectors + (size_t)f->even * d, (int64_t)d, 0, to + f->even + 1, width);
    for (size_t i = 0; i < n; i++, to += f->width) {
        to[f->even] = 0;
        double left = 1 - simd()->f32_dot64(to, to, f->width);
        if (f->inverse[begin + i] > 0 && left > 0)
            to[f->even] = (float)sqrt(left);
    }
done:
    mem_free(f->ctx, x);
    return status;
}

assay_status frame_make(frame *out, const detect_input *in) {
    assay_status status = ASSAY_OK;
    frame f = {.ctx = in->ctx, .channels = in->channels, .rows = in->rows};
    uint64_t *sample = NULL;
    float *vectors = NULL;
    int64_t n = 0;
    *out = (frame){0};
    ASSAY_TRY(la_self_check());
    const npy_array *p = in->pixels;
    if (p->dtype != ASSAY_U8 || p->ndim != 4 || (uint64_t)p->dim[0] < in->rows ||
        p->dim[1] != in->size || p->dim[2] != in->size || p->dim[3] != in->channels)
        ASSAY_FAIL(ASSAY_E_SHAPE, "pixels must be u8 [rows, %d, %d, %d]", in->size,
                   in->size, in->channels);
    f.side = in->size < FRAME_SIDE ? in->size : FRAME_SIDE;
    f.bytes = (size_t)f.side * (size_t)f.side * (size_t)f.channels;
    f.pixels = p->data;
    if (f.side < in->size) {
        ASSAY_TRY(mem_new(f.ctx, &f.shrunk, f.rows * f.bytes + 1, 1));
        f.pixels = f.shrunk;
        shrink_job job = {&f, p->data, in->size};
        ASSAY_TRY(assay_parallel_for(f.ctx, f.rows, BLOCK, shrink, &job));
    }
    ASSAY_TRY(mem_new(f.ctx, &f.mean, f.rows + 1, sizeof *f.mean));
    ASSAY_TRY(mem_new(f.ctx, &f.inverse, f.rows + 1, sizeof *f.inverse));
    ASSAY_TRY(assay_parallel_for(f.ctx, f.rows, BLOCK, norms, &f));

    ASSAY_TRY(mem_new(f.ctx, &sample, SAMPLE, sizeof *sample));
    uint64_t step = f.rows / SAMPLE + 1;
    for (uint64_t i = 0; i < f.rows && n < SAMPLE; i += step)
        if (f.inverse[i] > 0)
            sample[n++] = i;
    ASSAY_TRY(choose(&f, sample, n, &vectors));
    f.width = (size_t)(f.even + 1 + f.odd);
    ASSAY_TRY(mem_new(f.ctx, &f.sketch, f.rows * f.width + 1, sizeof *f.sketch));
    sketch_job job = {&f, vectors};
    ASSAY_TRY(assay_parallel_for(f.ctx, f.rows, BLOCK, sketch, &job));
    *out = f;
    f = (frame){.ctx = in->ctx};
done:
    mem_free(in->ctx, sample);
    mem_free(in->ctx, vectors);
    frame_free(&f);
    return status;
}

void frame_free(frame *f) {
    if (!f->ctx)
        return;
    mem_free(f->ctx, f->shrunk);
    mem_free(f->ctx, f->mean);
    mem_free(f->ctx, f->inverse);
    mem_free(f->ctx, f->sketch);
    *f = (frame){0};
}
