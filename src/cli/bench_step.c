/* assay bench step: what a training step costs. */
#include "cli/bench.h"

#include <assay/bench.h>
#include <assay/data.h>

static void tell(text *t, const char *json) {
    json_view all = json_look(json);
    text_add(t, "%.3f ms per step, %.3f ms of processor time; %s images per second\n",
             bench_number(all, "ms_per_step"), bench_number(all, "cpu_ms_per_step"),
             words_count((uint64_t)bench_number(all, "images_per_second")).s);
    text_add(t, "%.2f GFLOP per step, %.0f per second; %s parameters, %s of memory\n",
             bench_number(all, "gflop_per_step"), bench_number(all, "gflop_per_second"),
             words_count((uint64_t)bench_number(all, "parameters")).s,
             words_bytes((uint64_t)bench_number(all, "arena_bytes")).s);
    text_add(t, "medians of %s steps, batches of %s, %s threads\n",
             words_count((uint64_t)bench_number(all, "steps")).s,
             words_count((uint64_t)bench_number(all, "batch")).s,
             words_count((uint64_t)bench_number(all, "threads")).s);
}

assay_status bench_step(cli_run *run) {
    const cli_args *a = &run->args;
    assay_bench_step_options o = ASSAY_BENCH_STEP_OPTIONS_INIT;
    char *json = NULL;
    if (a->positional[1]) {
        cli_fail(&run->error, ASSAY_E_INVALID, "bench step reads no file");
        cli_fail_help(&run->error, "choose a network with --model");
        return ASSAY_E_INVALID;
    }
    o.model = cli_text(a, "model");
    o.batch = (int)cli_int(a, "batch");
    o.size = (int)cli_int(a, "size");
    o.precision = cli_text(a, "precision");
    if (cli_real(a, "seconds") > 0)
        o.seconds = cli_real(a, "seconds");
    o.seed = (uint64_t)cli_int(a, "seed");
    assay_status status = assay_bench_step(run->ctx, &o, &json);
    return cli_answer(run, status, json, tell);
}
