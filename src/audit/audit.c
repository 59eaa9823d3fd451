/* The audit: its phases in order, each keyed by what it depends on, so that the same call
 * continues after a kill and a changed option redoes only what hangs on it. */
#include "audit/run.h"

#include "base/os.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_ROWS_PER_CLASS = 24, MIN_TRAIN_ROWS = 60 };

static void title_of(const char *source, char out[128]) {
    size_t n = strlen(source);
    while (n > 1 && source[n - 1] == '/')
        n--;
    size_t begin = n;
    while (begin > 0 && source[begin - 1] != '/')
        begin--;
    size_t len = n - begin < 127 ? n - begin : 127;
    memcpy(out, source + begin, len);
    out[len] = '\0';
}

static assay_status refuse_foreign_folder(const audit_run *r) {
    options_saved saved;
    if (r->opt.force || options_load(&saved, r->ctx, r->out) != ASSAY_OK)
        return ASSAY_OK;
    assay_status status = ASSAY_OK;
    if (strcmp(saved.title, r->a->title) != 0) {
        status =
            err_set(ASSAY_E_INVALID,
                    "the folder holds the audit of another dataset, '%s'", saved.title);
        err_where("%s", r->out);
        err_help("choose another folder with -o, or pass --force to use this one");
    }
    options_free(&saved);
    return status;
}

/* Removes the work of an earlier audit; only a folder that is known to hold one is
 * touched. */
static assay_status start_over(const audit_run *r) {
    options_saved saved;
    char path[AUDIT_PATH];
    if (options_load(&saved, r->ctx, r->out) != ASSAY_OK)
        return ASSAY_OK;
    options_free(&saved);
    audit_file(r, path, "run");
    return os_remove_tree(path);
}

/* ---- import ---- */

static assay_status decide_label_check(audit_run *r) {
    struct assay_audit *a = r->a;
    assay_status status = ASSAY_OK;
    uint64_t *per_class = NULL;
    int small = 0, first = -1;
    a->min_rows_per_class = MIN_ROWS_PER_CLASS;
    ASSAY_TRY(mem_new(r->ctx, &per_class, (size_t)a->classes, sizeof *per_class));
    for (uint64_t i = 0; i < a->train_rows; i++)
        per_class[dataset_label(a->data, i)]++;
    for (int c = 0; c < a->classes; c++)
        if (per_class[c] < MIN_ROWS_PER_CLASS) {
            first = first < 0 ? c : first;
            small++;
        }
    a->label_check = small < a->classes - 1;
    if (small)
        snprintf(a->label_note, sizeof a->label_note,
                 "%d of %d classes have fewer than %d training rows (for example "
                 "'%.40s': %llu); "
                 "labels %s not judged",
                 small, a->classes, MIN_ROWS_PER_CLASS,
                 dataset_class_name(a->data, first), (unsigned long long)per_class[first],
                 a->label_check ? "given so are" : "are");
done:
    mem_free(r->ctx, per_class);
    return status;
}

static assay_status run_import(audit_run *r) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    char path[AUDIT_PATH];
    assay_pack_options pack = ASSAY_PACK_OPTIONS_INIT;
    pack.from = r->opt.from;
    pack.limit = r->opt.limit;
    audit_file(r, path, "run");
    ASSAY_TRY(os_mkdirs(path));
    ASSAY_TRY(atomic_sweep(r->ctx, path));
    audit_file(r, path, "data.beton");
    ASSAY_TRY(dataset_open_any(&a->data, r->ctx, r->source, path, &pack));
    snprintf(a->sha256, sizeof a->sha256, "%s", dataset_sha256(a->data));
    a->classes = dataset_classes(a->data);
    a->train_rows = dataset_train_rows(a->data);
    a->channels = dataset_channels(a->data);
    a->members = r->opt.members;
    a->seed = r->opt.seed;
    if (a->classes < 2) {
        err_help("an audit compares classes; a folder per class, two at least");
        ASSAY_FAIL(ASSAY_E_FORMAT, "the dataset has one class only");
    }
    if (a->train_rows < MIN_TRAIN_ROWS || dataset_rows(a->data) == a->train_rows) {
        err_set(ASSAY_E_FORMAT, "%llu training and %llu test rows are too few to audit",
                (unsigned long long)a->train_rows,
                (unsigned long long)(dataset_rows(a->data) - a->train_rows));
        err_help("%d training rows and one test row are needed", MIN_TRAIN_ROWS);
        return ASSAY_E_FORMAT;
    }
    a->size = r->opt.train_size ? r->opt.train_size : train_size_for(a->data);
    ASSAY_TRY(decide_label_check(r));
    ASSAY_TRY(mem_new(r->ctx, &r->active, a->train_rows, 1));
    memset(r->active, 1, a->train_rows);
    if (r->opt.exclude)
        ASSAY_TRY(train_exclude_load(r->ctx, r->opt.exclude, a->data, r->active));
    ASSAY_TRY(plant_rows(r));
    ASSAY_TRY(mem_new(r->ctx, &a->confusion, (size_t)a->classes * (size_t)a->classes,
                      sizeof *a->confusion));
done:
    return status;
}

/* ---- pixels ---- */

static assay_status run_pixels(audit_run *r) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    char path[AUDIT_PATH];
    npy_array base = {0};
    audit_file(r, path, "run/pixels.npy");
    ASSAY_TRY(dataset_pixels(a->data, r->ctx, a->size, a->channels, path, &base));
    if (r->total_rows == r->base_rows) {
        r->pixels = base;
        memset(&base, 0, sizeof base);
    } else {
        const int64_t dim[4] = {(int64_t)r->total_rows, a->size, a->size, a->channels};
        audit_file(r, path, "run/pixels-with-copies.npy");
        ASSAY_TRY(npy_create(&r->pixels, r->ctx, path, ASSAY_U8, 4, dim));
        memcpy(r->pixels.data, base.data, base.bytes);
        ASSAY_TRY(plant_pixels(r));
        ASSAY_TRY(npy_sync(&r->pixels, path));
    }
    ASSAY_TRY(plant_write(r));
    assay_train_options t = ASSAY_TRAIN_OPTIONS_INIT;
    t.model = r->opt.model;
    t.epochs = r->opt.epochs;
    t.batch = r->opt.batch;
    t.lr = r->opt.lr;
    t.flip = r->opt.flip;
    t.translate = r->opt.translate;
    if (r->opt.flip < 0)
        ASSAY_TRY(data_bears_flip(r->ctx, &r->pixels, r->labels, a->train_rows,
                                  a->classes, a->seed, &a->flip));
    else
        a->flip = r->opt.flip > 0;
    ASSAY_TRY(train_recipe_make(&r->recipe, &t, a->train_rows, a->size, a->flip));
    train_recipe_text(&r->recipe, a->recipe);
done:
    npy_close(&base);
    return status;
}

/* ---- keys ---- */

/* Each phase's key covers the version, the instruction set, its own options and the key
 * before it. */
static assay_status make_keys(audit_run *r) {
    assay_status status = ASSAY_OK;
    const struct assay_audit *a = r->a;
    char(*key)[65] = r->key;
    hash_sha256 h = phase_key_begin(phase_name(PHASE_IMPORT), a->sha256);
    hash_sha256_u64(&h, a->seed);
    hash_sha256_u64(&h, (uint64_t)r->opt.no_self_test);
    hash_sha256_add(&h, r->active, a->train_rows);
    for (int i = 0; i < r->n_plant; i++) {
        hash_sha256_str(&h, r->plant[i].kind);
        hash_sha256_u64(&h, r->plant[i].count);
    }
    phase_key_end(&h, key[PHASE_IMPORT]);
    h = phase_key_begin(phase_name(PHASE_PIXELS), key[PHASE_IMPORT]);
    hash_sha256_u64(&h, (uint64_t)a->size);
    phase_key_end(&h, key[PHASE_PIXELS]);
    h = phase_key_begin(phase_name(PHASE_TRAINING), key[PHASE_PIXELS]);
    hash_sha256_str(&h, a->recipe);
    hash_sha256_u64(&h, (uint64_t)a->members);
    phase_key_end(&h, key[PHASE_TRAINING]);
    h = phase_key_begin(phase_name(PHASE_PREDICTING), key[PHASE_TRAINING]);
    phase_key_end(&h, key[PHASE_PREDICTING]);
    h = phase_key_begin(phase_name(PHASE_GRADIENTS), key[PHASE_TRAINING]);
    hash_sha256_u64(&h, (uint64_t)r->opt.sketch);
    phase_key_end(&h, key[PHASE_GRADIENTS]);
    h = phase_key_begin(phase_name(PHASE_ATTRIBUTION), key[PHASE_GRADIENTS]);
    hash_sha256_add(&h, &r->opt.ridge, sizeof r->opt.ridge);
    phase_key_end(&h, key[PHASE_ATTRIBUTION]);
    h = phase_key_begin(phase_name(PHASE_CHECKS), key[PHASE_ATTRIBUTION]);
    if (r->opt.pred_probs) {
        os_map map = {0};
        ASSAY_TRY(os_map_file(&map, r->opt.pred_probs, false));
        hash_sha256_add(&h, map.data, map.bytes);
        os_unmap(&map);
    }
    phase_key_end(&h, key[PHASE_CHECKS]);
    snprintf(r->a->key, sizeof r->a->key, "%s", key[PHASE_CHECKS]);
done:
    return status;
}

static assay_status run_checks(audit_run *r) {
    return checks_run(r);
}

assay_status audit_phases(audit_run *r, enum audit_phase last) {
    assay_status status = ASSAY_OK;
    assay_status (*const step[PHASE_COUNT])(audit_run *) = {
        [PHASE_IMPORT] = run_import,
        [PHASE_PIXELS] = run_pixels,
        [PHASE_TRAINING] = members_train,
        [PHASE_PREDICTING] = members_predict,
        [PHASE_GRADIENTS] = influence_features,
        [PHASE_ATTRIBUTION] = influence_errors,
        [PHASE_CHECKS] = run_checks,
    };
    for (int p = 0; p <= (int)last; p++) {
        ASSAY_TRY(ctx_check(r->ctx));
        phase_begin(r, (enum audit_phase)p);
        ASSAY_TRY(step[p](r));
        if (p == PHASE_PIXELS) {
            ASSAY_TRY(make_keys(r));
            ASSAY_TRY(options_save(r));
        }
        phase_end(r, (enum audit_phase)p);
        log_line(r->ctx, ASSAY_LOG_INFO, "%s: %.1f s, %.1f s of processor time",
                 phase_name((enum audit_phase)p), r->seconds[p], r->cpu[p]);
    }
    snprintf(r->a->isa, sizeof r->a->isa, "%s", assay_isa_name());
    r->a->labels = r->labels;
    r->a->probs = r->probs;
done:
    progress_phase(r->ctx, 0, 0);
    return status;
}

assay_status audit_run_open(audit_run *r,
                            assay_ctx *ctx,
                            const char *source,
                            const char *out,
                            const assay_audit_options *options) {
    assay_status status = ASSAY_OK;
    memset(r, 0, sizeof *r);
    r->ctx = ctx;
    r->source = source;
    r->out = out;
    ASSAY_TRY(options_check(options, &r->opt));
    if (strlen(out) > AUDIT_PATH / 2)
        ASSAY_FAIL(ASSAY_E_INVALID, "a path of more than %d bytes", AUDIT_PATH / 2);
    ASSAY_TRY(plant_parse(r));
    ASSAY_TRY(mem_new(ctx, &r->a, 1, sizeof *r->a));
    r->a->ctx = ctx;
    r->a->findings.ctx = ctx;
    r->a->label_count = NAN;
    title_of(source, r->a->title);
    /* Looked at before any folder is made. */
    const char *const needed[] = {source, r->opt.exclude, r->opt.pred_probs};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (needed[i] && !os_exists(needed[i])) {
            err_set(ASSAY_E_NOTFOUND, "there is no such file or folder");
            err_where("%s", needed[i]);
            return ASSAY_E_NOTFOUND;
        }
    ASSAY_TRY(refuse_foreign_folder(r));
    ASSAY_TRY(os_mkdirs(out));
    ASSAY_TRY(atomic_sweep(r->ctx, out));
    if (r->opt.no_resume)
        ASSAY_TRY(start_over(r));
done:
    return status;
}

void audit_run_close(audit_run *r, bool keep_result) {
    assay_ctx *ctx = r->ctx;
    size_t members = r->a ? (size_t)r->a->members : 0;
    att_trak_destroy(r->trak);
    for (size_t m = 0; r->store && m < members; m++)
        store_destroy(r->store[m]);
    for (size_t m = 0; r->model && m < members; m++)
        model_free(&r->model[m]);
    mem_free(ctx, r->store);
    mem_free(ctx, r->model);
    mem_free(ctx, r->model_hash);
    mem_free(ctx, r->trained_labels);
    mem_free(ctx, r->planted_label);
    mem_free(ctx, r->self_label);
    mem_free(ctx, r->copy_of);
    mem_free(ctx, r->active);
    mem_free(ctx, r->seen);
    mem_free(ctx, r->logits);
    mem_free(ctx, r->q);
    mem_free(ctx, r->judge);
    if (keep_result) {
        r->a->pixels = r->pixels;
        return;
    }
    npy_close(&r->pixels);
    mem_free(ctx, r->labels);
    mem_free(ctx, r->probs);
    if (r->a)
        r->a->labels = NULL, r->a->probs = NULL;
    assay_audit_destroy(r->a);
}

assay_status assay_audit_run(assay_audit **out_audit,
                             assay_ctx *ctx,
                             const char *source,
                             const char *out,
                             const assay_audit_options *options) {
    assay_status status = ASSAY_OK;
    audit_run r;
    *out_audit = NULL;
    ASSAY_TRY(audit_run_open(&r, ctx, source, out, options));
    ASSAY_TRY(audit_phases(&r, PHASE_CHECKS));
    ASSAY_TRY(phase_timing_write(&r));
    *out_audit = r.a;
done:
    audit_run_close(&r, status == ASSAY_OK);
    return status;
}

void assay_audit_destroy(assay_audit *a) {
    if (!a)
        return;
    assay_ctx *ctx = a->ctx;
    npy_close(&a->pixels);
    dataset_close(a->data);
    detect_findings_free(&a->findings);
    mem_free(ctx, (void *)(uintptr_t)a->labels);
    mem_free(ctx, (void *)(uintptr_t)a->probs);
    mem_free(ctx, (void *)(uintptr_t)a->label_score);
    mem_free(ctx, (void *)(uintptr_t)a->label_filter);
    mem_free(ctx, (void *)(uintptr_t)a->harm);
    mem_free(ctx, (void *)(uintptr_t)a->self_influence);
    mem_free(ctx, a->error);
    mem_free(ctx, a->confusion);
    mem_free(ctx, a);
}

assay_audit_counts assay_audit_get_counts(const assay_audit *audit) {
    return audit->counts;
}
