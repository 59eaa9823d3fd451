/* An ensemble's verdict: the mean of its models' probabilities. */
#include "train/sentences.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

assay_status verdicts_init(verdicts *v, assay_ctx *ctx, size_t rows, size_t classes) {
    assay_status status = ASSAY_OK;
    *v = (verdicts){.ctx = ctx, .rows = rows, .classes = classes};
    size_t n = rows ? rows : 1;
    ASSAY_TRY(mem_new(ctx, &v->logits, n * classes, sizeof *v->logits));
    ASSAY_TRY(mem_new(ctx, &v->probabilities, n * classes, sizeof *v->probabilities));
done:
    if (status != ASSAY_OK)
        verdicts_free(v);
    return status;
}

void verdicts_free(verdicts *v) {
    if (v->ctx) {
        mem_free(v->ctx, v->logits);
        mem_free(v->ctx, v->probabilities);
    }
    *v = (verdicts){0};
}

assay_status verdicts_add(verdicts *v,
                          const trained_model *m,
                          const train_data *data,
                          const uint32_t *rows,
                          predict_views views) {
    assay_status status = ASSAY_OK;
    size_t right = 0;
    ASSAY_TRY(data->sentences ? sentences_predict(v->ctx, m, data->sentences, rows,
                                                  v->rows, v->logits)
                              : train_predict(v->ctx, m, data->pixels, rows, v->rows,
                                              views, v->logits, NULL));
    for (size_t i = 0; i < v->rows; i++) {
        const float *x = v->logits + i * v->classes;
        size_t best = 0;
        for (size_t c = 1; c < v->classes; c++)
            best = x[c] > x[best] ? c : best;
        predict_add_probabilities(v->probabilities + i * v->classes, x, v->classes);
        right += (int32_t)best == data->labels[rows[i]];
    }
    v->single += v->rows ? (double)right / (double)v->rows : 0;
    v->models++;
done:
    return status;
}

void verdicts_measure(const verdicts *v,
                      const uint32_t *rows,
                      const int32_t *labels,
                      double *accuracy,
                      double *single,
                      double *loss) {
    size_t right = 0;
    double sum = 0;
    *accuracy = *single = *loss = 0;
    if (v->rows == 0 || v->models == 0)
        return;
    for (size_t i = 0; i < v->rows; i++) {
        const double *p = v->probabilities + i * v->classes;
        size_t best = 0, given = (size_t)labels[rows[i]];
        for (size_t c = 1; c < v->classes; c++)
            best = p[c] > p[best] ? c : best;
        right += best == given;
        double q = p[given] / v->models;
        sum -= log(q > 1e-300 ? q : 1e-300);
    }
    *accuracy = (double)right / (double)v->rows;
    *single = v->single / v->models;
    *loss = sum / (double)v->rows;
}
