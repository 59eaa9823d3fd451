/* Rows in, rows out: a ring of the last rows (or sums, when an output has very many), the
 * vertical pass as soon as an output's last row is there, the horizontal one behind it.
 */
#include "image/resample_inside.h"

#include <string.h>

extern const resample_kernels resample_kernels_c;
#ifdef __x86_64__
extern const resample_kernels resample_kernels_avx2, resample_kernels_avx512v;
#endif

enum { OPEN_OUTPUTS = 8 }; /* an input counts for fewer outputs when an axis shrinks */

struct resampler {
    assay_ctx *ctx;
    const resample_kernels *kernels;
    resample_job job;
    resample_axis down, over;
    resample_across across;
    int next;      /* the output row that is due */
    int ring_mask; /* slots - 1 */
    size_t stride; /* of planes, in elements */
    uint8_t *ring; /* [slots][3][stride] */
    void *mid;     /* [3][stride] bytes or words: the row between the passes */
    int32_t *sums; /* [OPEN_OUTPUTS][3][stride], for many inputs only */
    uint8_t *line; /* a row of R, G, B and a row of luma, for one channel */
    size_t ring_cap, mid_cap, sums_cap, line_cap;
    int offset[RESAMPLE_NARROW]; /* of the first pixel, by slot */
};

const char *resample_filter_name(resample_filter f) {
    static const char *const names[RESAMPLE_FILTERS] = {"area", "triangle", "cubic",
                                                        "bilinear", "nearest"};
    return f < RESAMPLE_FILTERS ? names[f] : "unknown";
}

const resample_kernels *resample_kernels_for(cpu_isa isa) {
    switch (isa) {
#ifdef __x86_64__
    case CPU_AVX512V:
        return &resample_kernels_avx512v;
    case CPU_AVX512:
    case CPU_AVX2:
        return &resample_kernels_avx2;
#endif
    default:
        return &resample_kernels_c;
    }
}

assay_status resampler_create_for(resampler **out, assay_ctx *ctx, cpu_isa isa) {
    assay_status status = ASSAY_OK;
    resampler *r = NULL;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &r, 1, sizeof *r));
    r->ctx = ctx;
    r->kernels = resample_kernels_for(isa);
    *out = r;
done:
    return status;
}

assay_status resampler_create(resampler **out, assay_ctx *ctx) {
    return resampler_create_for(out, ctx, cpu_isa_used());
}

void resampler_destroy(resampler *r) {
    if (!r)
        return;
    resample_axis_free(&r->down, r->ctx);
    resample_axis_free(&r->over, r->ctx);
    resample_across_free(&r->across, r->ctx);
    mem_free(r->ctx, r->ring);
    mem_free(r->ctx, r->mid);
    mem_free(r->ctx, r->sums);
    mem_free(r->ctx, r->line);
    mem_free(r->ctx, r);
}

static assay_status check(const resample_job *job) {
    assay_status status = ASSAY_OK;
    const image_output *o = &job->output;
    if (job->in_width < 1 || job->in_height < 1 || job->in_width > 65535 ||
        job->in_height > 65535 || job->out_width < 1 || job->out_height < 1 ||
        job->out_width > 65535 || job->out_height > 65535)
        ASSAY_FAIL(ASSAY_E_SHAPE, "can't resample %d x %d pixels to %d x %d",
                   job->in_width, job->in_height, job->out_width, job->out_height);
    if ((unsigned)job->filter >= RESAMPLE_FILTERS || !job->out ||
        (o->channels != 1 && o->channels != 3) || (unsigned)o->type > OUTPUT_BF16)
        ASSAY_FAIL(ASSAY_E_INVALID, "no such filter or output of a resampler");
done:
    return status;
}

static bool wide(const resampler *r) {
    return r->down.bits == RESAMPLE_WIDE_BITS;
}

static assay_status make_buffers(resampler *r) {
    assay_status status = ASSAY_OK;
    const size_t width = (size_t)r->job.in_width;
    int slots = 1;
    r->stride = (width + 2 + 63) / 64 * 64 + ROWS_SLACK;
    while (!wide(r) && slots < r->down.taps)
        slots *= 2;
    r->ring_mask = slots - 1;
    size_t row = 3 * r->stride;
    /* slack before the first plane, and the kernels' reach behind the last */
    ASSAY_TRY(mem_grow(r->ctx, &r->ring, 0, &r->ring_cap,
                       (size_t)slots * row + 2 * ROWS_SLACK + RESAMPLE_PAD, 1));
    ASSAY_TRY(mem_grow(r->ctx, &r->mid, 0, &r->mid_cap, 2 * (row + RESAMPLE_PAD), 1));
    if (wide(r))
        ASSAY_TRY(mem_grow(r->ctx, &r->sums, 0, &r->sums_cap, OPEN_OUTPUTS * row,
                           sizeof *r->sums));
    if (r->job.output.channels == 1)
        ASSAY_TRY(
            mem_grow(r->ctx, &r->line, 0, &r->line_cap, 4 * (size_t)r->job.out_width, 1));
done:
    return status;
}

/* What becomes of a horizontal sum. One channel is made of rounded R, G, B. */
static void set_output(resampler *r) {
    resample_across *a = &r->across;
    a->bits = RESAMPLE_ACROSS_BITS + (a->words ? RESAMPLE_WORD_BITS : 0);
    a->output = r->job.output;
    if (a->output.channels == 1)
        a->output = (image_output){.type = OUTPUT_U8, .channels = 3};
    for (int c = 0; c < 3; c++)
        a->output.scale[c] /= (float)(1 << a->bits);
    a->out_plane = (size_t)r->job.out_width * (size_t)r->job.out_height;
    a->plane = r->stride;
}

assay_status resampler_begin(resampler *r, const resample_job *job) {
    assay_status status = ASSAY_OK;
    resample_across *a = &r->across;
    bool changed, words = job->filter == RESAMPLE_CUBIC;
    ASSAY_TRY(check(job));
    /* OpenCV's rule: one side that grows makes both sides linear */
    bool linear = job->filter == RESAMPLE_AREA &&
                  (job->in_width < job->out_width || job->in_height < job->out_height);
    r->job = *job;
    r->next = 0;
    ASSAY_TRY(resample_axis_make(&r->down, r->ctx, &changed, job->filter, linear,
                                 job->in_height, job->out_height, words ? 14 : 15));
    ASSAY_TRY(resample_axis_make(&r->over, r->ctx, &changed, job->filter, linear,
                                 job->in_width, job->out_width, RESAMPLE_ACROSS_BITS));
    if (changed || a->mirror != job->mirror_x || a->words != words) {
        a->axis = &r->over;
        a->mirror = job->mirror_x;
        a->words = words;
        r->over.in = 0; /* unless the tables are made, too */
        ASSAY_TRY(resample_across_make(a, r->ctx, r->kernels));
        r->over.in = job->in_width;
    }
    ASSAY_TRY(make_buffers(r));
    set_output(r);
done:
    return status;
}

static uint8_t *slot(const resampler *r, int y) {
    return r->ring + ROWS_SLACK + (size_t)(y & r->ring_mask) * 3 * r->stride;
}

/* The finished row between the passes, to the output. */
static void write_row(resampler *r, const void *row) {
    const resample_job *job = &r->job;
    const image_output *o = &job->output;
    int y = job->mirror_y ? job->out_height - 1 - r->next : r->next;
    size_t pixels = (size_t)job->out_width, at = (size_t)y * pixels,
           each = output_type_bytes(o->type);
    if (o->channels == 3) {
        at *= o->planar ? 1 : 3;
        r->kernels->across(&r->across, row, (char *)job->out + at * each);
        return;
    }
    uint8_t *luma = r->line + 3 * pixels;
    image_output one = *o;
    one.stream = false; /* rows are short */
    r->kernels->across(&r->across, row, r->line);
    output_luma(luma, r->line, pixels);
    output_write(&one, luma, 1, job->out_width, (char *)job->out + at * each);
}

/* The row between the passes from rows of the ring. */
static const void *blend_rows(resampler *r) {
    const resample_span span = r->down.span[r->next];
    const int32_t *weight = r->down.weight + (size_t)r->next * (size_t)r->down.stride;
    const size_t width = (size_t)r->job.in_width;
    const uint8_t *row[RESAMPLE_NARROW];
    if (span.count == 1 && !r->across.words)
        return slot(r, span.begin) + r->offset[span.begin & r->ring_mask];
    for (size_t c = 0; c < 3; c++) {
        for (int t = 0; t < span.count; t++) {
            int y = span.begin + t;
            row[t] = slot(r, y) + c * r->stride + r->offset[y & r->ring_mask];
        }
        if (r->across.words)
            r->kernels->blend_words((int16_t *)r->mid + c * r->stride, row, weight,
                                    span.count, width);
        else
            r->kernels->blend((uint8_t *)r->mid + c * r->stride, row, weight, span.count,
                              width);
    }
    return r->mid;
}

static int32_t *open_sums(resampler *r, int output) {
    return r->sums + (size_t)(output % OPEN_OUTPUTS) * 3 * r->stride;
}

/* Sums that are complete, to the row between the passes. */
static const void *settle(resampler *r) {
    const int32_t *sums = open_sums(r, r->next);
    const size_t n = 3 * r->stride;
    if (r->across.words) {
        const int drop = RESAMPLE_WIDE_BITS - RESAMPLE_WORD_BITS;
        for (size_t i = 0; i < n; i++)
            ((int16_t *)r->mid)[i] = (int16_t)((sums[i] + (1 << (drop - 1))) >> drop);
        return r->mid;
    }
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)r->mid)[i] =
            (uint8_t)((sums[i] + (1 << (RESAMPLE_WIDE_BITS - 1))) >> RESAMPLE_WIDE_BITS);
    return r->mid;
}

/* Adds row y, in the only slot, to every output that it counts for. */
static void add_row(resampler *r, int y) {
    for (int o = r->next; o < r->down.out && r->down.span[o].begin <= y; o++) {
        const resample_span span = r->down.span[o];
        int32_t *sums = open_sums(r, o);
        if (y >= span.begin + span.count)
            continue;
        if (y == span.begin)
            memset(sums, 0, 3 * r->stride * sizeof *sums);
        int32_t weight =
            r->down.weight[(size_t)o * (size_t)r->down.stride + (size_t)(y - span.begin)];
        for (size_t c = 0; c < 3; c++)
            r->kernels->add(sums + c * r->stride,
                            slot(r, 0) + c * r->stride + r->offset[0], weight,
                            (size_t)r->job.in_width);
    }
}

static uint8_t *sink_get(void *to, int y, size_t *stride) {
    const resampler *r = to;
    *stride = r->stride;
    return slot(r, y);
}

static void sink_put(void *to, int y, int offset) {
    resampler *r = to;
    r->offset[y & r->ring_mask] = offset;
    if (wide(r))
        add_row(r, y);
    while (r->next < r->down.out &&
           r->down.span[r->next].begin + r->down.span[r->next].count - 1 <= y) {
        write_row(r, wide(r) ? settle(r) : blend_rows(r));
        r->next++;
        if (r->next == r->down.out && r->kernels->finish)
            r->kernels->finish();
    }
}

static void sink_restart(void *to) {
    ((resampler *)to)->next = 0;
}

row_sink resampler_sink(resampler *r) {
    return (row_sink){r, sink_get, sink_put, sink_restart};
}
