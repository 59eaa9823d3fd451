/* What a fleet's folder holds beside the outputs, and gathering its parts. */
#include "train/fleet_run.h"

#include "train/run_dir.h"

#include "base/json.h"
#include "file/atomic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- rows of outputs ---- */

static assay_status rows_take(fleet_run *r, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(r->ctx, &r->row, end - begin + 1, sizeof *r->row));
    for (size_t i = begin; i < end; i++)
        r->row[r->n_rows++] = (uint32_t)i;
done:
    return status;
}

static int64_t whole_number(const npy_array *a, size_t i) {
    switch (a->dtype) {
    case ASSAY_I64:
        return ((const int64_t *)(const void *)a->data)[i];
    case ASSAY_U32:
        return ((const uint32_t *)(const void *)a->data)[i];
    case ASSAY_I32:
        return ((const int32_t *)(const void *)a->data)[i];
    default:
        return -1;
    }
}

static assay_status rows_read(fleet_run *r, size_t rows) {
    assay_status status = ASSAY_OK;
    npy_array a = {0};
    ASSAY_TRY(npy_open(&a, r->ctx, r->o.rows, false));
    if (a.ndim != 1 || a.dim[0] < 1)
        ASSAY_FAIL(ASSAY_E_SHAPE, "rows are a list of numbers");
    if (a.dtype != ASSAY_I64 && a.dtype != ASSAY_U32 && a.dtype != ASSAY_I32)
        ASSAY_FAIL(ASSAY_E_DTYPE, "rows are whole numbers of 4 or 8 bytes");
    ASSAY_TRY(mem_new(r->ctx, &r->row, (size_t)a.dim[0], sizeof *r->row));
    for (size_t i = 0; i < (size_t)a.dim[0]; i++) {
        int64_t row = whole_number(&a, i);
        if (row < 0 || (size_t)row >= rows)
            ASSAY_FAIL(ASSAY_E_FORMAT, "row %" PRId64 " of %zu", row, rows);
        r->row[r->n_rows++] = (uint32_t)row;
    }
done:
    npy_close(&a);
    if (status != ASSAY_OK)
        err_where("%s", r->o.rows);
    return status;
}

assay_status fleet_rows_choose(fleet_run *r) {
    assay_status status = ASSAY_OK;
    const char *which = r->o.rows ? r->o.rows : "test";
    size_t all = (size_t)dataset_rows(r->data);
    size_t train = (size_t)dataset_train_rows(r->data), test = all - train;
    size_t limit = r->t.limit ? (size_t)r->t.limit : all;
    size_t tests = test < limit ? test : limit;
    if (strcmp(which, "test") == 0)
        ASSAY_TRY(rows_take(r, train, train + tests));
    else if (strcmp(which, "train") == 0)
        ASSAY_TRY(rows_take(r, 0, r->train_rows));
    else if (strcmp(which, "all") != 0)
        ASSAY_TRY(rows_read(r, all));
    else {
        ASSAY_TRY(rows_take(r, 0, all));
        r->n_rows = r->train_rows;
        for (size_t i = 0; i < tests; i++)
            r->row[r->n_rows++] = (uint32_t)(train + i);
    }
    if (r->n_rows == 0) {
        (void)err_set(ASSAY_E_INVALID, "there are no %s rows", which);
        err_help("choose the rows of the outputs: test, train, all, or a .npy");
        return ASSAY_E_INVALID;
    }
    ASSAY_TRY(mem_new(r->ctx, &r->row_label, r->n_rows, sizeof *r->row_label));
    for (size_t i = 0; i < r->n_rows; i++)
        r->row_label[i] = r->labels[r->row[i]];
done:
    return status;
}

/* ---- arrays ---- */

static assay_status put(const fleet_run *r,
                        const char *name,
                        assay_dtype dtype,
                        int ndim,
                        const int64_t *dim,
                        const void *data) {
    char *path;
    assay_status status = dir_path(&path, r->ctx, r->out, name);
    if (status != ASSAY_OK)
        return status;
    status = npy_put(r->ctx, path, dtype, ndim, dim, data);
    mem_free(r->ctx, path);
    return status;
}

assay_status fleet_arrays_write(const fleet_run *r) {
    assay_status status = ASSAY_OK;
    const fleet_plan *p = &r->plan;
    int64_t *row = NULL;
    const int64_t models = (int64_t)p->models, rows = (int64_t)r->n_rows;
    ASSAY_TRY(mem_new(r->ctx, &row, r->n_rows, sizeof *row));
    for (size_t i = 0; i < r->n_rows; i++)
        row[i] = r->row[i];
    ASSAY_TRY(put(r, "masks.npy", ASSAY_U8, 2,
                  (const int64_t[]){(int64_t)p->subsets, (int64_t)p->rows}, p->mask));
    ASSAY_TRY(put(r, "seeds.npy", ASSAY_U64, 1, &models, p->seed));
    ASSAY_TRY(put(r, "rows.npy", ASSAY_I64, 1, &rows, row));
done:
    mem_free(r->ctx, row);
    return status;
}

/* ---- documents ---- */

bool fleet_begun(const fleet_run *r) {
    static const char *const files[] = {"masks.npy", "seeds.npy", "rows.npy"};
    enum { LARGEST = 1 << 26 };
    char *path = NULL;
    uint8_t *text = NULL;
    size_t n;
    json_doc *doc = NULL;
    bool same = dir_path(&path, r->ctx, r->out, FLEET_FILE) == ASSAY_OK &&
                os_read_file(r->ctx, path, LARGEST, &text, &n) == ASSAY_OK &&
                json_parse(&doc, r->ctx, (const char *)text, n) == ASSAY_OK &&
                strcmp(json_get_str(json_get(json_root(doc), "key"), ""), r->key) == 0;
    mem_free(r->ctx, path);
    for (size_t i = 0; same && i < sizeof files / sizeof *files; i++) {
        same = dir_path(&path, r->ctx, r->out, files[i]) == ASSAY_OK && os_exists(path);
        mem_free(r->ctx, path);
    }
    json_doc_destroy(doc);
    mem_free(r->ctx, text);
    return same;
}

static void put_failed(json_out *j, const fleet_run *r) {
    json_key(j, "failed");
    json_arr(j);
    for (size_t i = 0; i < r->n_mine; i++)
        if (fleet_outputs_failed(&r->outputs, i))
            json_int(j, (int64_t)r->mine[i]);
    json_arr_end(j);
}

static void put_settings(json_out *j, const fleet_plan *p) {
    char recipe[RECIPE_LINE];
    json_key(j, "settings");
    json_arr(j);
    for (size_t i = 0; i < p->settings; i++) {
        train_recipe_text(&p->recipe[i], recipe);
        json_obj(j);
        json_kstr(j, "varied", p->varied[i]);
        json_kstr(j, "recipe", recipe);
        json_obj_end(j);
    }
    json_arr_end(j);
}

assay_status fleet_file_write(const fleet_run *r) {
    assay_status status = ASSAY_OK;
    const fleet_plan *p = &r->plan;
    buf text = buf_make(r->ctx);
    char *path = NULL, seed[24];
    json_out j = json_out_make(&text, 2);
    (void)snprintf(seed, sizeof seed, "%" PRIu64, r->t.seed);
    json_obj(&j);
    json_kstr(&j, "schema", FLEET_SCHEMA);
    json_kstr(&j, "key", r->key);
    json_kstr(&j, "version", assay_version());
    json_kstr(&j, "isa", assay_isa_name());
    json_kbool(&j, "finished", r->finished);
    json_kint(&j, "models", (int64_t)p->models);
    json_kint(&j, "subsets", (int64_t)p->subsets);
    json_kint(&j, "seeds", (int64_t)p->seeds);
    json_kstr(&j, "outputs", r->outputs.shape.names);
    json_kstr(&j, "seed", seed);
    put_settings(&j, p);
    json_key(&j, "dataset");
    json_obj(&j);
    json_kstr(&j, "sha256", r->card.dataset_sha256);
    json_kint(&j, "train_rows", (int64_t)r->train_rows);
    json_kint(&j, "excluded", (int64_t)(r->train_rows - r->n_active));
    json_kint(&j, "rows", (int64_t)r->n_rows);
    json_kint(&j, "classes", r->card.classes);
    json_kint(&j, "size", r->card.size);
    json_kint(&j, "channels", r->card.channels);
    json_obj_end(&j);
    if (r->finished)
        put_failed(&j, r);
    json_obj_end(&j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(dir_path(&path, r->ctx, r->out, FLEET_FILE));
    ASSAY_TRY(atomic_put(r->ctx, path, text.data, text.len));
done:
    mem_free(r->ctx, path);
    buf_free(&text);
    return status;
}

assay_status fleet_timing_write(const fleet_run *r) {
    assay_status status = ASSAY_OK;
    buf text = buf_make(r->ctx);
    char *path = NULL;
    json_out j = json_out_make(&text, 2);
    json_obj(&j);
    json_kint(&j, "trained", (int64_t)r->result.trained);
    json_knum(&j, "seconds", r->result.seconds);
    json_knum(&j, "cpu_seconds", r->result.cpu_seconds);
    json_knum(&j, "gflop", r->result.gflop);
    json_kint(&j, "threads", assay_ctx_threads(r->ctx));
    json_key(&j, "peak_bytes");
    json_u64(&j, assay_peak_bytes());
    json_obj_end(&j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(dir_path(&path, r->ctx, r->work, "timing.json"));
    ASSAY_TRY(atomic_put(r->ctx, path, text.data, text.len));
done:
    mem_free(r->ctx, path);
    buf_free(&text);
    return status;
}

/* ---- parts ---- */

size_t fleet_part(size_t *out, const fleet_plan *p, int shard, int shards) {
    size_t n = 0;
    for (size_t m = 0; m < p->models; m++)
        if (shards == 0 || m / p->settings % (size_t)shards == (size_t)shard - 1)
            out[n++] = m;
    return n;
}

void fleet_part_key(char out[80], const char *key, int shard, int shards) {
    if (shards)
        (void)snprintf(out, 80, "%.64s %d/%d", key, shard, shards);
    else
        (void)snprintf(out, 80, "%.64s", key);
}

/* "shard-3-of-8" */
static bool part_name(const char *name, int *shard, int *shards) {
    char back[48];
    if (sscanf(name, "shard-%9d-of-%9d", shard, shards) != 2 || *shard < 1 ||
        *shard > *shards)
        return false;
    (void)snprintf(back, sizeof back, "shard-%d-of-%d", *shard, *shards);
    return strcmp(back, name) == 0;
}

/* One part; other fleets' are passed over. */
static assay_status
part_take(fleet_run *r, const char *dir, int shard, int shards, bool *ours) {
    assay_status status = ASSAY_OK;
    fleet_outputs from = {0};
    size_t *model = NULL;
    char key[80];
    *ours = false;
    fleet_part_key(key, r->key, shard, shards);
    ASSAY_TRY(mem_new(r->ctx, &model, r->plan.models, sizeof *model));
    fleet_shape shape = r->outputs.shape;
    shape.key = key;
    shape.models = fleet_part(model, &r->plan, shard, shards);
    status = fleet_outputs_look(&from, r->ctx, dir, &shape);
    if (status != ASSAY_OK) {
        status = status == ASSAY_E_NOMEM ? status : ASSAY_OK;
        goto done;
    }
    *ours = true;
    for (size_t j = 0; j < shape.models; j++)
        if (fleet_outputs_done(&from, j))
            fleet_outputs_copy(&r->outputs, model[j], &from, j);
done:
    fleet_outputs_free(&from);
    mem_free(r->ctx, model);
    return status;
}

assay_status fleet_leftovers_remove(const fleet_run *r) {
    char *models;
    assay_status status = dir_path(&models, r->ctx, r->out, "models");
    if (status != ASSAY_OK)
        return status;
    status = atomic_sweep(r->ctx, r->out);
    if (status == ASSAY_OK)
        status = atomic_sweep(r->ctx, models);
    mem_free(r->ctx, models);
    return status;
}

assay_status fleet_gather(fleet_run *r, os_names *parts) {
    assay_status status = ASSAY_OK;
    size_t kept = 0;
    ASSAY_TRY(os_list_dir(r->ctx, r->out, parts));
    for (size_t i = 0; i < parts->count; i++) {
        int shard, shards;
        bool ours = false;
        if (part_name(parts->name[i], &shard, &shards)) {
            char *dir;
            ASSAY_TRY(dir_path(&dir, r->ctx, r->out, parts->name[i]));
            status = part_take(r, dir, shard, shards, &ours);
            mem_free(r->ctx, dir);
            ASSAY_TRY(status);
        }
        if (ours) { /* names that are no parts go to the back */
            char *name = parts->name[kept];
            parts->name[kept++] = parts->name[i];
            parts->name[i] = name;
        }
    }
    for (size_t i = kept; i < parts->count; i++)
        mem_free(r->ctx, parts->name[i]);
    parts->count = kept;
done:
    return status;
}
