/* Picking by heaps; naming by the dataset. */
#include "attribute/named.h"

#include <math.h>
#include <string.h>

assay_status named_pick(att_top *out,
                        const att_lab *lab,
                        const float *scores,
                        size_t by_row,
                        size_t by_target,
                        int top) {
    att_heap heap = {.cap = top};
    size_t targets = att_lab_targets(lab);
    assay_status status = mem_new(lab->ctx, &heap.item, (size_t)top, sizeof *heap.item);
    for (size_t h = 0; status == ASSAY_OK && h < targets * 2; h++) {
        heap.count = 0;
        for (size_t i = 0; i < lab->study.n_rows; i++) {
            float x = scores[i * by_row + h / 2 * by_target];
            if (h % 2 ? x < 0 : x > 0)
                heap_offer(&heap, (att_top){(uint32_t)i, fabsf(x)});
        }
        heap_take(out + h * (size_t)top, top, &heap, h % 2);
    }
    mem_free(lab->ctx, heap.item);
    return status;
}

/* ---- of images and sentences ---- */

static void tell_bytes(json_out *j, const char *key, const void *bytes, size_t n) {
    buf text = buf_make(j->b->ctx);
    buf_add(&text, bytes, n);
    if (buf_check(&text) == ASSAY_OK)
        json_kstr(j, key, text.data);
    else
        j->b->failed = true;
    buf_free(&text);
}

static void tell_sentence(json_out *j, const sentences *s, uint32_t row) {
    size_t from = s->begin[row];
    tell_bytes(j, "text", s->text.data + from, s->begin[row + 1] - from);
}

static void tell_labelled(json_out *j, const att_lab *lab, uint32_t row) {
    json_kint(j, "row", row);
    if (lab->data)
        json_kstr(j, "id", dataset_id(lab->data, row));
    json_kstr(j, "class", att_lab_class(lab, lab->labels[row]));
    if (!lab->data)
        tell_sentence(j, &lab->sentences, row);
}

/* ---- of a text ---- */

static void tell_window(json_out *j, const att_lab *lab, uint32_t row) {
    size_t bytes;
    uint64_t at;
    const uint8_t *text = att_lab_text_row(lab->text, row, &bytes, &at);
    json_kint(j, "row", row);
    json_kint(j, "byte", (int64_t)at);
    tell_bytes(j, "text", text, bytes);
}

static void tell_passage(json_out *j, const att_passage *p) {
    json_kstr(j, "kind", p->kind);
    if (strcmp(p->kind, "held-out") == 0)
        json_kint(j, "byte", (int64_t)p->byte);
    if (p->prompt[0])
        json_kstr(j, "prompt", p->prompt);
    json_kstr(j, "text", p->said);
    json_kint(j, "tokens", (int64_t)p->tokens);
}

/* ---- the document ---- */

/* What stands for a row in the table beside its number: its label, or its place. */
static int64_t row_mark(const att_lab *lab, uint32_t row) {
    return lab->text ? (int64_t)lab->text->windows.window[row].byte
                     : (int64_t)lab->labels[row];
}

static void tell_rows(json_out *j,
                      buf *csv,
                      const att_lab *lab,
                      const att_top *named,
                      int top,
                      const char *value,
                      size_t target,
                      const char *kind) {
    size_t number = lab->text ? target : lab->study.targets[target];
    json_key(j, kind);
    json_arr(j);
    for (int i = 0; i < top && named[i].row != UINT32_MAX; i++) {
        uint32_t row = lab->study.rows[named[i].row];
        json_obj(j);
        (lab->text ? tell_window : tell_labelled)(j, lab, row);
        json_knum(j, value, (double)named[i].score);
        json_obj_end(j);
        buf_fmt(csv, "%zu,%s,%d,%u,%lld,%.9g\n", number, kind, i + 1, row,
                (long long)row_mark(lab, row), (double)named[i].score);
    }
    json_arr_end(j);
}

/* The class that a target is asked about, where it is not its own. */
static void tell_asked(json_out *j, const att_lab *lab, size_t t) {
    if (lab->text)
        return;
    uint32_t row = lab->study.targets[t];
    int asked = lab->train.labels[row];
    if (asked != lab->labels[row])
        json_kstr(j, "asked", att_lab_class(lab, asked));
}

void named_tell(json_out *j,
                buf *csv,
                const att_lab *lab,
                const att_top *named,
                int top,
                const char *value,
                const double *margin) {
    buf_fmt(csv, "target,kind,rank,row,%s,%s\n", lab->text ? "byte" : "label", value);
    json_key(j, "targets");
    json_arr(j);
    for (size_t t = 0; t < att_lab_targets(lab); t++, named += 2 * (size_t)top) {
        json_obj(j);
        if (lab->text)
            tell_passage(j, &lab->text->passage[t]);
        else
            tell_labelled(j, lab, lab->study.targets[t]);
        tell_asked(j, lab, t);
        json_knum(j, "margin", margin[t]);
        tell_rows(j, csv, lab, named, top, value, t, "helpful");
        tell_rows(j, csv, lab, named + top, top, value, t, "harmful");
        json_obj_end(j);
    }
    json_arr_end(j);
}
