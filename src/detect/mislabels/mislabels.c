/* assay_mislabels: what is asked for, methods in turn, and the document about the rows
 * whose labels are likeliest wrong. */
#include "detect/mislabels/mislabels.h"

#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "base/rng.h"
#include "detect/order.h"
#include "file/atomic.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_METHODS = 32, MOST_MEMBERS = 60, MOST_TOP = 1000000, NAME_ROOM = 64 };
enum { USUAL_MEMBERS = 6, USUAL_TOP = 20, USUAL_TESTS = 500, USUAL_DIM = 512 };
enum { USUAL_ROUNDS = 200, LEAST_ROWS = 12 };

/* ---- the registry ---- */

#define X(name) extern const detect_suspicion assay_suspicion_##name;
#include "suspicion_table.inc"
#undef X

static const detect_suspicion *const suspicions[] = {
#define X(name) &assay_suspicion_##name,
#include "suspicion_table.inc"
#undef X
};

size_t assay_mislabels_count(void) {
    return sizeof suspicions / sizeof *suspicions;
}

const char *assay_mislabels_name(size_t i) {
    return i < assay_mislabels_count() ? suspicions[i]->name : NULL;
}

const char *assay_mislabels_summary(size_t i) {
    return i < assay_mislabels_count() ? suspicions[i]->summary : NULL;
}

const detect_suspicion *suspicion_find(const char *name, size_t length) {
    for (size_t i = 0; i < assay_mislabels_count(); i++)
        if (strlen(suspicions[i]->name) == length &&
            memcmp(suspicions[i]->name, name, length) == 0)
            return suspicions[i];
    return NULL;
}

/* ---- what is asked for ---- */

typedef struct asked {
    const detect_suspicion *how;
    char name[NAME_ROOM], variant[NAME_ROOM];
    suspicion out;
    double seconds; /* of processor time, without training */
    double auroc, interval[2], precision, wrong;
} asked;

typedef struct task {
    mislabels m;
    asked method[MOST_METHODS];
    size_t methods;
    uint32_t *order; /* [n] worst first, by the first method */
} task;

static assay_status no_method(assay_ctx *ctx, const char *word) {
    buf names = buf_make(ctx);
    (void)err_set(ASSAY_E_NOTFOUND, "there is no method \"%s\"", word);
    for (size_t i = 0; i < assay_mislabels_count(); i++)
        buf_fmt(&names, "%s%s", i ? ", " : "", suspicions[i]->name);
    if (!names.failed)
        err_help("methods are: %s", names.data);
    buf_free(&names);
    return ASSAY_E_NOTFOUND;
}

static assay_status no_variant(assay_ctx *ctx, const asked *a) {
    buf names = buf_make(ctx);
    (void)err_set(ASSAY_E_NOTFOUND, "method %s has no variant \"%s\"", a->how->name,
                  a->variant);
    if (!a->how->influence)
        buf_str(&names, "unseen, seen");
    for (size_t i = 0; a->how->influence && i < att_method_count(); i++)
        if (att_method_at(i)->self)
            buf_fmt(&names, "%s%s", names.len ? ", " : "", att_method_at(i)->name);
    if (!names.failed)
        err_help("choose from: %s", names.data);
    buf_free(&names);
    return ASSAY_E_NOTFOUND;
}

static assay_status parse_one(task *t, const char *word, size_t length) {
    char whole[NAME_ROOM];
    asked *a = &t->method[t->methods];
    if (t->methods == MOST_METHODS || length >= sizeof whole)
        return err_set(ASSAY_E_INVALID, "more than %d methods, or a name too long",
                       MOST_METHODS);
    memcpy(whole, word, length);
    whole[length] = '\0';
    const char *colon = strchr(whole, ':');
    a->how = suspicion_find(whole, colon ? (size_t)(colon - whole) : length);
    if (!a->how)
        return no_method(t->m.ctx, whole);
    (void)snprintf(a->name, sizeof a->name, "%s", whole);
    (void)snprintf(a->variant, sizeof a->variant, "%s",
                   colon ? colon + 1 : a->how->usual);
    const att_method *method = att_method_find(a->variant);
    bool known = a->how->influence ? method && method->self
                                   : strcmp(a->variant, "seen") == 0 ||
                                         strcmp(a->variant, "unseen") == 0;
    if (!known)
        return no_variant(t->m.ctx, a);
    t->methods++;
    return ASSAY_OK;
}

static assay_status check(task *t, const assay_mislabels_options *options) {
    assay_status status = ASSAY_OK;
    assay_mislabels_options *o = &t->m.o;
    *o = (assay_mislabels_options)ASSAY_MISLABELS_OPTIONS_INIT;
    ASSAY_TRY(options_take(o, sizeof *o, options, "assay_mislabels_options"));
    o->model = o->model ? o->model : "cnn";
    o->members = o->members ? o->members : USUAL_MEMBERS;
    o->top = o->top ? o->top : USUAL_TOP;
    o->tests = o->tests ? o->tests : USUAL_TESTS;
    o->dim = o->dim ? o->dim : USUAL_DIM;
    o->rounds = o->rounds ? o->rounds : USUAL_ROUNDS;
    if (o->members < 3 || o->members > MOST_MEMBERS || o->members % 3) {
        (void)err_set(ASSAY_E_INVALID, "%d members can't share the rows evenly",
                      o->members);
        err_help("take 3, 6, 9, ... up to %d: each row is left out by a third of them",
                 MOST_MEMBERS);
        return ASSAY_E_INVALID;
    }
    if (o->top < 1 || o->top > MOST_TOP || o->rows < 0 || o->tests < 0 || o->epochs < 0 ||
        !(o->flip >= 0 && o->flip <= .5))
        ASSAY_FAIL(ASSAY_E_INVALID,
                   "%d rows named, %" PRId64 " rows, %" PRId64 " test rows, %d epochs, "
                   "a share of %g flipped are out of range",
                   o->top, o->rows, o->tests, o->epochs, o->flip);
    const char *word = o->methods ? o->methods : "probability";
    for (;; word++) {
        size_t length = strcspn(word, ",");
        ASSAY_TRY(parse_one(t, word, length));
        word += length;
        if (!*word)
            break;
    }
    ASSAY_TRY(
        att_settings_make(&t->m.settings, o->damping, o->ridge, -1, o->dim, NULL, 0));
done:
    return status;
}

/* ---- the data ---- */

static assay_status too_few(const mislabels *m, const char *source) {
    (void)err_set(ASSAY_E_SHAPE, "%zu training rows of %d classes are too few to judge",
                  m->n, m->lab.card.classes);
    err_where("%s", source);
    err_help("two classes and %d rows are needed", LEAST_ROWS);
    return ASSAY_E_SHAPE;
}

static assay_status data_open(mislabels *m, const char *source) {
    assay_status status = ASSAY_OK;
    const zoo_model_def *def = zoo_find(m->o.model);
    if (def && def->tokens) {
        (void)err_set(ASSAY_E_UNSUPPORTED, "%s reads tokens; labels of images are judged",
                      m->o.model);
        err_help("choose a model of images, such as cnn");
        return ASSAY_E_UNSUPPORTED;
    }
    m->protocol = att_protocol_of(m->o.model, m->o.rows, 0, .5, 0, 0, 0);
    ASSAY_TRY(att_lab_open(&m->lab, m->ctx, source, &m->protocol));
    uint64_t train = dataset_train_rows(m->lab.data);
    uint64_t tests = dataset_rows(m->lab.data) - train;
    m->n = m->lab.n_rows;
    m->tests = (uint64_t)m->o.tests < tests ? (size_t)m->o.tests : (size_t)tests;
    if (m->n < LEAST_ROWS || m->lab.card.classes < 2)
        return too_few(m, source);
    ASSAY_TRY(mem_new(m->ctx, &m->row, m->n + m->tests, sizeof *m->row));
    for (size_t i = 0; i < m->n + m->tests; i++)
        m->row[i] = (uint32_t)(i < m->n ? i : train + i - m->n);
    ASSAY_TRY(mem_new(m->ctx, &m->planted, m->n, 1));
    m->planted_count = (size_t)detect_flip_labels(
        m->lab.labels, m->planted, NULL, m->n, m->lab.card.classes,
        (uint64_t)llround(m->o.flip * (double)m->n), m->o.seed, RNG_PLANT);
done:
    return status;
}

/* ---- what the methods say, and how well they find what was planted ---- */

static assay_status run_one(task *t, asked *a) {
    assay_status status = ASSAY_OK;
    const mislabels *m = &t->m;
    float cut;
    ASSAY_TRY(mem_new(m->ctx, &a->out.score, m->n, sizeof(float)));
    ASSAY_TRY(mem_new(m->ctx, &a->out.low, m->n, sizeof(float)));
    ASSAY_TRY(mem_new(m->ctx, &a->out.high, m->n, sizeof(float)));
    for (size_t i = 0; i < m->n; i++)
        a->out.low[i] = a->out.high[i] = NAN;
    uint64_t began = os_cpu_ns();
    ASSAY_TRY(a->how->run(&a->out, m, a->variant));
    a->seconds = 1e-9 * (double)(os_cpu_ns() - began);
    const detect_input in = {.ctx = m->ctx, .train_rows = m->n};
    a->auroc = detect_auroc(a->out.score, m->planted, m->n);
    a->precision = detect_precision_at(a->out.score, m->planted, m->n, m->planted_count);
    ASSAY_TRY(detect_label_count(&in, a->out.score, m->planted, &a->wrong, &cut));
    a->interval[0] = a->interval[1] = NAN;
    if (m->planted_count)
        ASSAY_TRY(detect_auroc_interval(a->interval, m->ctx, a->out.score, m->planted,
                                        m->n, m->o.rounds, m->o.seed));
done:
    return status;
}

/* ---- the document ---- */

static size_t likeliest(const mislabels *m, size_t row) {
    size_t k = (size_t)m->lab.card.classes, best = 0;
    const float *p = m->judged + row * k;
    for (size_t c = 1; c < k; c++)
        if (p[c] > p[best])
            best = c;
    return best;
}

static void tell_method(json_out *j, const asked *a, bool planted) {
    json_obj(j);
    json_kstr(j, "method", a->name);
    json_kstr(j, "variant", a->variant);
    if (planted) {
        json_knum(j, "auroc", a->auroc);
        json_key(j, "ci");
        json_arr(j);
        json_num(j, a->interval[0]);
        json_num(j, a->interval[1]);
        json_arr_end(j);
        json_knum(j, "precision", a->precision);
        json_knum(j, "wrong_labels", a->wrong);
    }
    json_knum(j, "cpu_seconds", a->seconds);
    json_obj_end(j);
}

static void tell_row(json_out *j, const task *t, size_t row) {
    const mislabels *m = &t->m;
    const suspicion *s = &t->method[0].out;
    size_t k = (size_t)m->lab.card.classes, given = (size_t)m->lab.labels[row];
    size_t said = likeliest(m, row);
    json_obj(j);
    json_kint(j, "row", (int64_t)row);
    json_kstr(j, "id", dataset_id(m->lab.data, row));
    json_knum(j, "score", (double)s->score[row]);
    json_knum(j, "low", (double)s->low[row]);
    json_knum(j, "high", (double)s->high[row]);
    json_kstr(j, "given", dataset_class_name(m->lab.data, (int)given));
    json_knum(j, "p_given", (double)m->judged[row * k + given]);
    json_key(j, "suggested");
    if (said == given)
        json_none(j);
    else
        json_str(j, dataset_class_name(m->lab.data, (int)said));
    json_knum(j, "p_suggested", (double)m->judged[row * k + said]);
    json_obj_end(j);
}

static void tell_csv(buf *csv, const task *t) {
    const mislabels *m = &t->m;
    buf_str(csv, "row,given,suggested,planted");
    for (size_t k = 0; k < t->methods; k++)
        buf_fmt(csv, ",%s,low,high", t->method[k].name);
    buf_str(csv, ",id\n");
    for (size_t i = 0; i < m->n; i++) {
        size_t row = t->order[i];
        buf_fmt(csv, "%zu,%d,%zu,%d", row, m->lab.labels[row], likeliest(m, row),
                m->planted[row]);
        for (size_t k = 0; k < t->methods; k++) {
            const suspicion *s = &t->method[k].out;
            buf_fmt(csv, ",%.9g", (double)s->score[row]);
            if (isnan(s->low[row]))
                buf_str(csv, ",,");
            else
                buf_fmt(csv, ",%.9g,%.9g", (double)s->low[row], (double)s->high[row]);
        }
        buf_str(csv, ",\"");
        for (const char *c = dataset_id(m->lab.data, row); *c; c++)
            buf_fmt(csv, *c == '"' ? "\"%c" : "%c", *c);
        buf_str(csv, "\"\n");
    }
}

static void tell_document(json_out *j, const task *t, double seconds) {
    const mislabels *m = &t->m;
    bool planted = m->planted_count > 0;
    json_obj(j);
    json_kstr(j, "schema", "assay.mislabels/1");
    json_kstr(j, "model", m->card.name);
    json_kint(j, "members", m->o.members);
    json_kint(j, "rows", (int64_t)m->n);
    json_kint(j, "classes", m->lab.card.classes);
    json_kint(j, "planted", (int64_t)m->planted_count);
    json_key(j, "methods");
    json_arr(j);
    for (size_t i = 0; i < t->methods; i++)
        tell_method(j, &t->method[i], planted);
    json_arr_end(j);
    json_key(j, "named");
    json_arr(j);
    for (size_t i = 0, told = 0; i < m->n && told < (size_t)m->o.top; i++)
        if (!m->planted[t->order[i]]) {
            tell_row(j, t, t->order[i]);
            told++;
        }
    json_arr_end(j);
    json_knum(j, "train_cpu_seconds", m->seconds);
    json_knum(j, "seconds", seconds);
    json_obj_end(j);
}

static assay_status tell(const task *t, char **json, uint64_t began) {
    assay_status status = ASSAY_OK;
    const mislabels *m = &t->m;
    buf text = buf_make(m->ctx), csv = buf_make(m->ctx);
    json_out j = json_out_make(&text, 2);
    tell_document(&j, t, 1e-9 * (double)(os_now_ns() - began));
    buf_str(&text, "\n");
    if (m->o.csv)
        tell_csv(&csv, t);
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(buf_check(&csv));
    if (m->o.csv)
        ASSAY_TRY(atomic_put(m->ctx, m->o.csv, csv.data, csv.len));
    ASSAY_TRY(mem_strdup(m->ctx, json, text.data));
done:
    buf_free(&text);
    buf_free(&csv);
    return status;
}

static void task_free(task *t) {
    mislabels *m = &t->m;
    for (size_t i = 0; i < t->methods; i++) {
        mem_free(m->ctx, t->method[i].out.score);
        mem_free(m->ctx, t->method[i].out.low);
        mem_free(m->ctx, t->method[i].out.high);
    }
    for (int i = 0; m->model && i < m->o.members; i++)
        model_free(&m->model[i]);
    mem_free(m->ctx, m->model);
    mem_free(m->ctx, m->row);
    mem_free(m->ctx, m->planted);
    mem_free(m->ctx, m->seen);
    mem_free(m->ctx, m->probs);
    mem_free(m->ctx, m->judged);
    mem_free(m->ctx, t->order);
    model_card_free(&m->card, m->ctx);
    att_lab_close(&m->lab);
    mem_free(m->ctx, t);
}

assay_status assay_mislabels(assay_ctx *ctx,
                             const char *source,
                             const assay_mislabels_options *options,
                             char **json) {
    assay_status status = ASSAY_OK;
    task *t = NULL;
    uint64_t began = os_now_ns();
    *json = NULL;
    ASSAY_TRY(mem_new(ctx, &t, 1, sizeof *t));
    t->m.ctx = ctx;
    ASSAY_TRY(check(t, options));
    ASSAY_TRY(data_open(&t->m, source));
    ASSAY_TRY(mislabels_judges(&t->m));
    for (size_t i = 0; i < t->methods; i++)
        ASSAY_TRY(run_one(t, &t->method[i]));
    ASSAY_TRY(mem_new(ctx, &t->order, t->m.n, sizeof *t->order));
    ASSAY_TRY(detect_order(t->order, ctx, t->method[0].out.score, t->m.n));
    ASSAY_TRY(tell(t, json, began));
done:
    if (t)
        task_free(t);
    return status;
}
