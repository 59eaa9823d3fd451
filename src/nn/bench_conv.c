/* Convolutions of common networks, three passes each: our tile kernel with the blocking
 * that timing likes best, beside oneDNN, bf16 in and out. */
#include "nn/bench.h"
#include "nn/conv_trial.h"

#include <stdio.h>

/* Square images and filters. */
static const struct shape {
    const char *name;
    int n, side, in, out, k, stride, pad;
} shapes[] = {
    {"3->64 @32 k3", 128, 32, 3, 64, 3, 1, 1},
    {"64->64 @32 k3", 128, 32, 64, 64, 3, 1, 1},
    {"64->128 @32 k3", 128, 32, 64, 128, 3, 1, 1},
    {"64->128 @32 k5 s2", 128, 32, 64, 128, 5, 2, 2},
    {"64->128 @32 k3 s2", 128, 32, 64, 128, 3, 2, 1},
    {"128->128 @16 k3", 128, 16, 128, 128, 3, 1, 1},
    {"128->256 @16 k3", 128, 16, 128, 256, 3, 1, 1},
    {"128->256 @16 k3 s2", 128, 16, 128, 256, 3, 2, 1},
    {"128->256 @16 k1 s2", 128, 16, 128, 256, 1, 2, 0},
    {"256->256 @8 k3", 128, 8, 256, 256, 3, 1, 1},
    {"256->512 @8 k3", 128, 8, 256, 512, 3, 1, 1},
    {"256->512 @8 k3 s2", 128, 8, 256, 512, 3, 2, 1},
    {"256->256 @8 k1", 128, 8, 256, 256, 1, 1, 0},
    {"512->512 @4 k3", 128, 4, 512, 512, 3, 1, 1},
    {"64->64 @56 k3 n32", 32, 56, 64, 64, 3, 1, 1},
    {"256->256 @14 k3 n32", 32, 14, 256, 256, 3, 1, 1},
};

static const struct {
    unsigned what;
    const char *name;
} passes[] = {{DN_FORWARD, "forward"},
              {DN_BACKWARD_DATA, "backward-data"},
              {DN_BACKWARD_WEIGHTS, "backward-weights"}};

static dn_conv_geometry geometry_of(const struct shape *s) {
    const int out = (s->side + 2 * s->pad - s->k) / s->stride + 1;
    return (dn_conv_geometry){.n = s->n,
                              .c = s->in,
                              .h = s->side,
                              .w = s->side,
                              .o = s->out,
                              .oh = out,
                              .ow = out,
                              .kh = s->k,
                              .kw = s->k,
                              .stride = {s->stride, s->stride},
                              .pad = {s->pad, s->pad, s->pad, s->pad},
                              .dilation = {1, 1},
                              .bf16 = true,
                              .x_half = true,
                              .y_half = true};
}

static assay_status
add_pass(nn_bench *b, conv_trial *t, const struct shape *s, int pass) {
    assay_status status = ASSAY_OK;
    conv_tuned tuned;
    double ms;
    const dn_conv_geometry g = geometry_of(s);
    nn_bench_row row = {.op = "conv2d", .pass = passes[pass].name, .other = "oneDNN"};
    ASSAY_TRY(conv_tune(&tuned, t, passes[pass].what));
    const conv_choice own = {.own = true, .blocking = tuned.blocking};
    ASSAY_TRY(conv_trial_time(&ms, t, passes[pass].what, &own, 2));
    snprintf(row.shape, sizeof row.shape, "%s", s->name);
    row.own_ms = ms < tuned.own_ms ? ms : tuned.own_ms;
    row.other_ms = tuned.onednn_ms;
    row.error = conv_trial_error(t, 64);
    row.gflop =
        2e-9 * (double)(g.n * g.oh * g.ow) * (double)(g.kh * g.kw) * (double)(g.c * g.o);
    const amx_blocking *k = &tuned.blocking;
    snprintf(row.note, sizeof row.note, "group %d, band %d, panels %d x %d", k->group,
             k->band, k->out_panels, k->in_panels);
    ASSAY_TRY(nn_bench_add(b, &row));
done:
    return status;
}

assay_status nn_bench_conv(nn_bench *b) {
    assay_status status = ASSAY_OK;
    dn_engine *engine = NULL;
    conv_trial *t = NULL;
    ASSAY_TRY(dn_engine_create(&engine, nn_bench_ctx(b)));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const dn_conv_geometry g = geometry_of(&shapes[i]);
        if (!nn_bench_wants(b, "conv2d", shapes[i].name) || !amx_conv_can(&g, DN_FORWARD))
            continue;
        ASSAY_TRY(conv_trial_create(&t, nn_bench_ctx(b), engine, &g));
        for (int pass = 0; pass < 3; pass++)
            if (g.c > 3 || passes[pass].what != DN_BACKWARD_DATA)
                ASSAY_TRY(add_pass(b, t, &shapes[i], pass));
        conv_trial_destroy(t);
        t = NULL;
    }
done:
    conv_trial_destroy(t);
    dn_engine_destroy(engine);
    return status;
}
