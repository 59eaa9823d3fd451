/* Picking by heaps; naming by the dataset. */
#include "attribute/named.h"

#include <math.h>

assay_status named_pick(att_top *out,
                        const att_study *s,
                        const float *scores,
                        size_t by_row,
                        size_t by_target,
                        int top) {
    att_heap heap = {.cap = top};
    assay_status status = mem_new(s->ctx, &heap.item, (size_t)top, sizeof *heap.item);
    for (size_t h = 0; status == ASSAY_OK && h < s->n_targets * 2; h++) {
        heap.count = 0;
        for (size_t i = 0; i < s->n_rows; i++) {
            float x = scores[i * by_row + h / 2 * by_target];
            if (h % 2 ? x < 0 : x > 0)
                heap_offer(&heap, (att_top){(uint32_t)i, fabsf(x)});
        }
        heap_take(out + h * (size_t)top, top, &heap, h % 2);
    }
    mem_free(s->ctx, heap.item);
    return status;
}

static void tell_row(json_out *j, const att_lab *lab, uint32_t row) {
    json_kint(j, "row", row);
    json_kstr(j, "id", dataset_id(lab->data, row));
    json_kstr(j, "class", dataset_class_name(lab->data, lab->labels[row]));
}

void named_tell(json_out *j,
                buf *csv,
                const att_lab *lab,
                const att_top *named,
                int top,
                const char *value,
                const double *margin) {
    const att_study *s = &lab->study;
    buf_fmt(csv, "target,kind,rank,row,label,%s\n", value);
    json_key(j, "targets");
    json_arr(j);
    for (size_t t = 0; t < s->n_targets; t++) {
        json_obj(j);
        tell_row(j, lab, s->targets[t]);
        json_knum(j, "margin", margin[t]);
        for (int kind = 0; kind < 2; kind++, named += top) {
            const char *key = kind ? "harmful" : "helpful";
            json_key(j, key);
            json_arr(j);
            for (int i = 0; i < top && named[i].row != UINT32_MAX; i++) {
                uint32_t row = s->rows[named[i].row];
                json_obj(j);
                tell_row(j, lab, row);
                json_knum(j, value, (double)named[i].score);
                json_obj_end(j);
                buf_fmt(csv, "%u,%s,%d,%u,%d,%.9g\n", s->targets[t], key, i + 1, row,
                        lab->labels[row], (double)named[i].score);
            }
            json_arr_end(j);
        }
        json_obj_end(j);
    }
    json_arr_end(j);
}
