/* assay_bench_ops: collects rows and writes them down. */
#include "nn/bench.h"

#include "base/cpu.h"
#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "nn/onednn.h"

#include <assay/bench.h>
#include <string.h>

static assay_status (*const kinds[])(nn_bench *b) = {nn_bench_conv, nn_bench_product,
                                                     nn_bench_image};

struct nn_bench {
    assay_ctx *ctx;
    const char *filter;
    json_out *json;
    int rows;
};

assay_ctx *nn_bench_ctx(const nn_bench *b) {
    return b->ctx;
}

bool nn_bench_wants(const nn_bench *b, const char *op, const char *shape) {
    return !b->filter || strstr(op, b->filter) || strstr(shape, b->filter);
}

double nn_bench_time(void (*call)(void *arg), void *arg) {
    enum { ROUNDS = 7, LEAST_NS = 10000000 };
    double least = 0;
    call(arg);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t began = os_thread_cpu_ns(), took;
        int calls = 0;
        do {
            call(arg);
            calls++;
            took = os_thread_cpu_ns() - began;
        } while (took < LEAST_NS);
        double each = 1e-6 * (double)took / calls;
        least = round == 0 || each < least ? each : least;
    }
    return least;
}

assay_status nn_bench_add(nn_bench *b, const nn_bench_row *row) {
    json_out *j = b->json;
    b->rows++;
    json_obj(j);
    json_kstr(j, "op", row->op);
    json_kstr(j, "shape", row->shape);
    json_kstr(j, "pass", row->pass);
    json_knum(j, "gflop", row->gflop);
    json_knum(j, "own_ms", row->own_ms);
    if (row->own_ms > 0 && row->gflop > 0)
        json_knum(j, "own_gflops", row->gflop / row->own_ms * 1e3);
    json_kstr(j, "other", row->other);
    json_knum(j, "other_ms", row->other_ms);
    if (row->other_ms > 0 && row->gflop > 0)
        json_knum(j, "other_gflops", row->gflop / row->other_ms * 1e3);
    if (row->error >= 0)
        json_knum(j, "error", row->error);
    json_kstr(j, "note", row->note);
    json_obj_end(j);
    return buf_check(j->b);
}

assay_status
assay_bench_ops(assay_ctx *ctx, const assay_bench_ops_options *options, char **json) {
    assay_status status = ASSAY_OK;
    assay_bench_ops_options o = ASSAY_BENCH_OPS_OPTIONS_INIT;
    char model[CPU_MODEL_TEXT], version[24];
    buf text = buf_make(ctx);
    json_out j = json_out_make(&text, 2);
    int before = dn_enter();
    *json = NULL;
    ASSAY_TRY(options_take(&o, sizeof o, options, "assay_bench_ops_options"));
    nn_bench b = {.ctx = ctx, .filter = o.filter, .json = &j};
    cpu_model(model);
    json_obj(&j);
    json_kstr(&j, "schema", "assay.bench.ops/1");
    json_kstr(&j, "processor", model);
    json_kstr(&j, "isa", assay_isa_name());
    json_kbool(&j, "amx", cpu_amx());
    json_kstr(&j, "onednn", dn_version(version));
    json_key(&j, "rows");
    json_arr(&j);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        ASSAY_TRY(kinds[i](&b));
    json_arr_end(&j);
    json_obj_end(&j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    if (b.rows == 0) {
        (void)err_set(ASSAY_E_NOTFOUND, "no op to measure here%s%s",
                      o.filter ? " fits the filter " : "", o.filter ? o.filter : "");
        err_help(
            "give part of an op's name (conv2d, linear, norm+relu, max_pool) or of a "
            "shape, or nothing for all");
        status = ASSAY_E_NOTFOUND;
        goto done;
    }
    ASSAY_TRY(mem_strdup(ctx, json, text.data));
done:
    dn_leave(before);
    buf_free(&text);
    return status;
}
