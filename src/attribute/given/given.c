/* Arrays of features, checked against each other when they are added and turned into f32
 * when they are read. */
#include "attribute/given/given.h"

#include "base/pool.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static assay_status not_this(const char *path, const char *fmt, size_t a, size_t b) {
    (void)err_set(ASSAY_E_SHAPE, fmt, a, b);
    err_where("%s", path);
    return ASSAY_E_SHAPE;
}

static assay_status check_part(const npy_array *a, given_part part, const char *path) {
    if (a->dtype != ASSAY_F16 && a->dtype != ASSAY_F32 && a->dtype != ASSAY_F64) {
        (void)err_set(ASSAY_E_DTYPE, "features are floats, of 2, 4 or 8 bytes, not %s",
                      assay_dtype_name(a->dtype));
        err_where("%s", path);
        err_help("store them as float32");
        return ASSAY_E_DTYPE;
    }
    bool column = part == GIVEN_WEIGHT && a->ndim == 2 && a->dim[1] == 1;
    if (a->ndim != (part == GIVEN_WEIGHT ? 1 : 2) && !column) {
        (void)err_set(ASSAY_E_SHAPE, "the array has %d dimensions", a->ndim);
        err_where("%s", path);
        err_help(part == GIVEN_WEIGHT ? "weights are one number a row"
                                      : "features are [examples, dimensions]");
        return ASSAY_E_SHAPE;
    }
    if (a->dim[0] == 0 || (a->ndim > 1 && a->dim[1] == 0))
        return not_this(path, "the array is empty: %zu by %zu", (size_t)a->dim[0],
                        a->ndim > 1 ? (size_t)a->dim[1] : 1);
    return ASSAY_OK;
}

static assay_status
open_part(given *g, given_member *m, given_part part, const char *path) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_strdup(g->ctx, &m->path[part], path));
    ASSAY_TRY(npy_open(&m->array[part], g->ctx, path, false));
    ASSAY_TRY(check_part(&m->array[part], part, path));
done:
    return status;
}

/* An array in memory, as if it had been mapped; nothing is behind the map. */
static assay_status
look_part(given *g, given_member *m, given_part part, const assay_tensor *t) {
    static const char *const say[] = {"features", "targets", "weights"};
    assay_status status = ASSAY_OK;
    npy_array *a = &m->array[part];
    char name[64];
    (void)snprintf(name, sizeof name, "%s of model %zu", say[part], g->members);
    ASSAY_TRY(mem_strdup(g->ctx, &m->path[part], name));
    a->dtype = assay_tensor_dtype(t);
    a->ndim = assay_tensor_ndim(t);
    for (int i = 0; i < a->ndim; i++)
        a->dim[i] = assay_tensor_dims(t)[i];
    a->data = assay_tensor_data(t);
    a->bytes = (size_t)assay_tensor_count(t) * assay_dtype_size(a->dtype);
    ASSAY_TRY(check_part(a, part, name));
    if (!assay_tensor_is_dense(t, ASSAY_ROW_MAJOR)) {
        (void)err_set(ASSAY_E_INVALID, "the array's elements do not follow each other");
        err_where("%s", name);
        err_help("copy it to one that is row-major and without gaps");
        return ASSAY_E_INVALID;
    }
done:
    return status;
}

static assay_status check(const given *g, const given_member *m) {
    const npy_array *rows = &m->array[GIVEN_ROWS], *targets = &m->array[GIVEN_TARGETS];
    const npy_array *weight = &m->array[GIVEN_WEIGHT];
    if (rows->dim[1] != targets->dim[1])
        return not_this(m->path[GIVEN_TARGETS],
                        "targets have %zu dimensions, the rows' features %zu",
                        (size_t)targets->dim[1], (size_t)rows->dim[1]);
    if (weight->data && weight->dim[0] != rows->dim[0])
        return not_this(m->path[GIVEN_WEIGHT], "there are %zu weights for %zu rows",
                        (size_t)weight->dim[0], (size_t)rows->dim[0]);
    if (g->members == 0)
        return ASSAY_OK;
    if (g->rows != (size_t)rows->dim[0])
        return not_this(m->path[GIVEN_ROWS], "%zu rows; the first model's are %zu",
                        (size_t)rows->dim[0], g->rows);
    if (g->targets != (size_t)targets->dim[0])
        return not_this(m->path[GIVEN_TARGETS], "%zu targets; the first model's are %zu",
                        (size_t)targets->dim[0], g->targets);
    if (g->dim != (size_t)rows->dim[1])
        return not_this(m->path[GIVEN_ROWS], "%zu dimensions; the first model's are %zu",
                        (size_t)rows->dim[1], g->dim);
    return ASSAY_OK;
}

static void member_free(given *g, given_member *m) {
    for (int p = 0; p < GIVEN_PARTS; p++) {
        if (m->array[p].map.data)
            npy_close(&m->array[p]);
        mem_free(g->ctx, m->path[p]);
    }
    *m = (given_member){0};
}

/* Room for one more, which counts once it is checked. */
static assay_status begin(given *g, given_member **out) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_grow(g->ctx, &g->member, g->members, &g->room, g->members + 1,
                       sizeof *g->member));
    *out = &g->member[g->members];
    **out = (given_member){0};
    for (int p = 0; p < GIVEN_PARTS; p++)
        (*out)->array[p].map.fd = -1;
done:
    return status;
}

static assay_status end(given *g, given_member *m, assay_status status) {
    if (status == ASSAY_OK)
        status = check(g, m);
    if (status != ASSAY_OK) {
        member_free(g, m);
        return status;
    }
    g->rows = (size_t)m->array[GIVEN_ROWS].dim[0];
    g->dim = (size_t)m->array[GIVEN_ROWS].dim[1];
    g->targets = (size_t)m->array[GIVEN_TARGETS].dim[0];
    g->members++;
    return ASSAY_OK;
}

assay_status
given_add(given *g, const char *rows, const char *targets, const char *weight) {
    const char *path[] = {rows, targets, weight};
    given_member *m;
    assay_status status = begin(g, &m);
    if (status != ASSAY_OK)
        return status;
    for (int p = 0; p < GIVEN_PARTS && status == ASSAY_OK; p++)
        if (path[p])
            status = open_part(g, m, (given_part)p, path[p]);
    return end(g, m, status);
}

assay_status given_add_arrays(given *g,
                              const assay_tensor *rows,
                              const assay_tensor *targets,
                              const assay_tensor *weight) {
    const assay_tensor *array[] = {rows, targets, weight};
    given_member *m;
    assay_status status = begin(g, &m);
    if (status != ASSAY_OK)
        return status;
    for (int p = 0; p < GIVEN_PARTS && status == ASSAY_OK; p++)
        if (array[p])
            status = look_part(g, m, (given_part)p, array[p]);
    return end(g, m, status);
}

void given_free(given *g) {
    for (size_t m = 0; m < g->members; m++)
        member_free(g, &g->member[m]);
    mem_free(g->ctx, g->member);
    *g = (given){.ctx = g->ctx};
}

/* ---- reading ---- */

typedef struct read_job {
    const given_member *m;
    given_part part;
    size_t first, columns;
    float *out;
} read_job;

/* Arrays in memory may lie at any address. */
static void convert(float *out, const npy_array *a, size_t at, size_t n) {
    const uint8_t *from = a->data + at * assay_dtype_size(a->dtype);
    if (a->dtype == ASSAY_F32)
        memcpy(out, from, n * sizeof *out);
    for (size_t i = 0; a->dtype == ASSAY_F16 && i < n; i++) {
        uint16_t half;
        memcpy(&half, from + i * sizeof half, sizeof half);
        out[i] = ten_from_f16(half);
    }
    for (size_t i = 0; a->dtype == ASSAY_F64 && i < n; i++) {
        double wide;
        memcpy(&wide, from + i * sizeof wide, sizeof wide);
        out[i] = (float)wide;
    }
}

static assay_status read_rows(void *arg, int worker, size_t begin, size_t end) {
    const read_job *job = arg;
    size_t columns = job->columns;
    (void)worker;
    convert(job->out + begin * columns, &job->m->array[job->part],
            (job->first + begin) * columns, (end - begin) * columns);
    for (size_t i = begin * columns; i < end * columns; i++)
        if (!isfinite(job->out[i])) {
            (void)err_set(ASSAY_E_NUMERIC, "a number is not finite");
            err_where("%s, row %zu", job->m->path[job->part], job->first + i / columns);
            err_help("f16 overflows at 65504: store features as float32");
            return ASSAY_E_NUMERIC;
        }
    return ASSAY_OK;
}

assay_status given_read(
    float *out, const given *g, size_t member, given_part part, size_t first, size_t n) {
    const given_member *m = &g->member[member];
    read_job job = {m, part, first, part == GIVEN_WEIGHT ? 1 : g->dim, out};
    assay_status status = assay_parallel_for(g->ctx, n, 64, read_rows, &job);
    size_t row = m->array[part].bytes / (size_t)m->array[part].dim[0];
    const os_map *map = &m->array[part].map;
    if (map->data) /* else nobody's file */
        os_map_forget((os_map *)(uintptr_t)map,
                      (size_t)(m->array[part].data - map->data) + first * row, n * row);
    return status;
}
