/* Products of the patches' pixels added up, their eigenvectors, and the filters. */
#include "zoo/whiten.h"

#include <math.h>
#include <string.h>

enum { MOST_IMAGES = 5000, MOST_SWEEPS = 50 };

/* Turns rows and columns p and q so that what connects them becomes zero. */
static void rotate(double *a, double *v, int n, int p, int q) {
    double off = a[p * n + q];
    if (off == 0)
        return;
    double tau = (a[q * n + q] - a[p * n + p]) / (2 * off);
    double t = (tau >= 0 ? 1 : -1) / (fabs(tau) + sqrt(1 + tau * tau));
    double c = 1 / sqrt(1 + t * t), s = t * c;
    for (int k = 0; k < n; k++) {
        double x = a[k * n + p], y = a[k * n + q];
        a[k * n + p] = c * x - s * y;
        a[k * n + q] = s * x + c * y;
    }
    for (int k = 0; k < n; k++) {
        double x = a[p * n + k], y = a[q * n + k];
        a[p * n + k] = c * x - s * y;
        a[q * n + k] = s * x + c * y;
        x = v[p * n + k];
        y = v[q * n + k];
        v[p * n + k] = c * x - s * y;
        v[q * n + k] = s * x + c * y;
    }
}

/* Whether all that is off the diagonal is lost in the rounding of what is on it. */
static bool is_diagonal(const double *a, int n) {
    double off = 0, on = 0;
    for (int i = 0; i < n * n; i++)
        *(i / n == i % n ? &on : &off) += a[i] * a[i];
    return off <= 1e-30 * on;
}

static void exchange(double *a, double *b, int n) {
    for (int k = 0; k < n; k++) {
        double x = a[k];
        a[k] = b[k];
        b[k] = x;
    }
}

static void set_sign(double *row, int n) {
    int most = 0;
    for (int k = 1; k < n; k++)
        most = fabs(row[k]) > fabs(row[most]) ? k : most;
    for (int k = 0; k < n && row[most] < 0; k++)
        row[k] = k == most ? row[k] : -row[k];
    row[most] = fabs(row[most]);
}

void zoo_eigen(double *a, double *v, double *values, int n) {
    for (int i = 0; i < n * n; i++)
        v[i] = i / n == i % n;
    for (int sweep = 0; sweep < MOST_SWEEPS && !is_diagonal(a, n); sweep++)
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++)
                rotate(a, v, n, p, q);
    for (int i = 0; i < n; i++)
        values[i] = a[i * n + i];
    for (int i = 0; i < n; i++) {
        int most = i;
        for (int k = i + 1; k < n; k++)
            most = values[k] > values[most] ? k : most;
        exchange(&values[i], &values[most], 1);
        if (most != i)
            exchange(v + i * n, v + most * n, n);
        set_sign(v + i * n, n);
    }
}

/* The patches' geometry, and where a patch's numbers come from. */
typedef struct patches {
    int channels, side, height, width, n;
    float scale[3], shift[3]; /* of a byte, by channel */
} patches;

/* One patch as a convolution reads it: channel, row, column. */
static void patch_get(double *to, const patches *p, const uint8_t *image, int y, int x) {
    for (int c = 0; c < p->channels; c++)
        for (int dy = 0; dy < p->side; dy++)
            for (int dx = 0; dx < p->side; dx++) {
                int at = ((y + dy) * p->width + x + dx) * p->channels + c;
                *to++ = (double)((float)image[at] * p->scale[c] + p->shift[c]);
            }
}

/* Adds the products of every two numbers of every patch of an image: the upper half. */
static void
image_add(double *sum, double *patch, const patches *p, const uint8_t *image) {
    for (int y = 0; y + p->side <= p->height; y++)
        for (int x = 0; x + p->side <= p->width; x++) {
            patch_get(patch, p, image, y, x);
            for (int i = 0; i < p->n; i++)
                for (int j = i; j < p->n; j++)
                    sum[i * p->n + j] += patch[i] * patch[j];
        }
}

static void moments(double *sum, double *patch, const patches *p, const zoo_sample *s) {
    const size_t images = s->n < MOST_IMAGES ? s->n : MOST_IMAGES;
    const size_t each = (size_t)p->height * (size_t)p->width * (size_t)p->channels;
    const double count =
        (double)images * (p->height - p->side + 1) * (p->width - p->side + 1);
    for (size_t i = 0; i < images; i++)
        image_add(sum, patch, p, s->pixels + (s->rows ? s->rows[i] : i) * each);
    for (int i = 0; i < p->n; i++)
        for (int j = i; j < p->n; j++)
            sum[j * p->n + i] = sum[i * p->n + j] /= count;
}

static assay_status find_buffer(
    float **out, const nn_weights *w, const zoo_model *m, const char *name, int *side) {
    const nn_graph *g = m->graph;
    for (size_t i = 0; i < nn_graph_buffer_count(g); i++) {
        const nn_param_info b = nn_graph_buffer_at(g, i);
        const int64_t *d = b.shape.dim;
        if (strcmp(b.name, name) != 0)
            continue;
        if (b.shape.ndim != 4 || d[2] != d[3] || d[1] != m->config.channels ||
            d[0] != 2 * d[1] * d[2] * d[3])
            break;
        *out = w->buffers + b.offset;
        *side = (int)d[2];
        return ASSAY_OK;
    }
    return err_set(ASSAY_E_SHAPE, "%s has no filters '%s' that could whiten", m->name,
                   name);
}

assay_status zoo_whiten(nn_weights *w,
                        assay_ctx *ctx,
                        const zoo_model *m,
                        const char *name,
                        const zoo_sample *sample,
                        double eps) {
    assay_status status = ASSAY_OK;
    patches p = {.channels = m->config.channels,
                 .height = m->config.height,
                 .width = m->config.width};
    double *memory = NULL;
    float *filters = NULL;
    ASSAY_TRY(find_buffer(&filters, w, m, name, &p.side));
    if (p.channels > 3 || sample->n == 0)
        ASSAY_FAIL(ASSAY_E_SHAPE, "%zu images of %d channels can't be whitened",
                   sample->n, p.channels);
    p.n = p.channels * p.side * p.side;
    for (int c = 0; c < p.channels; c++) {
        p.scale[c] = 1 / (255 * sample->std[c]);
        p.shift[c] = -sample->mean[c] / sample->std[c];
    }
    const size_t n = (size_t)p.n;
    ASSAY_TRY(mem_new(ctx, &memory, 2 * n * n + 2 * n, sizeof *memory));
    double *sum = memory, *vectors = sum + n * n, *values = vectors + n * n;
    moments(sum, values + n, &p, sample);
    zoo_eigen(sum, vectors, values, p.n);
    for (size_t i = 0; i < n * n; i++) {
        double v = vectors[i] / sqrt(fmax(values[i / n], 0) + eps);
        filters[i] = (float)v;
        filters[n * n + i] = (float)-v;
    }
done:
    mem_free(ctx, memory);
    return status;
}
