/* assay bench attribute: what an example's projected gradient costs. */
#include "cli/bench.h"

#include <assay/bench.h>
#include <assay/data.h>

static void tell(text *t, const char *json) {
    json_view all = json_look(json), split = json_member(all, "split");
    text_add(t,
             "%.3f ms per example, %.3f ms of processor time: forward %.3f, backward "
             "%.3f, projection %.3f\n",
             bench_number(all, "ms_per_example"), bench_number(all, "cpu_ms_per_example"),
             bench_number(split, "forward"), bench_number(split, "backward"),
             bench_number(split, "project"));
    text_add(t, "%s parameters to %s numbers, %s threads; %s of memory\n",
             words_count((uint64_t)bench_number(all, "parameters")).s,
             words_count((uint64_t)bench_number(all, "dim")).s,
             words_count((uint64_t)bench_number(all, "threads")).s,
             words_bytes((uint64_t)bench_number(all, "peak_bytes")).s);
}

assay_status bench_attribute(cli_run *run) {
    const cli_args *a = &run->args;
    assay_bench_attribute_options o = ASSAY_BENCH_ATTRIBUTE_OPTIONS_INIT;
    char *json = NULL;
    if (a->positional[1]) {
        cli_fail(&run->error, ASSAY_E_INVALID, "bench attribute reads no file");
        cli_fail_help(&run->error, "choose a network with --model");
        return ASSAY_E_INVALID;
    }
    o.model = cli_text(a, "model");
    o.projector = cli_text(a, "projector");
    o.dim = (int)cli_int(a, "dim");
    o.size = (int)cli_int(a, "size");
    o.precision = cli_text(a, "precision");
    if (cli_real(a, "seconds") > 0)
        o.seconds = cli_real(a, "seconds");
    o.seed = (uint64_t)cli_int(a, "seed");
    assay_status status = assay_bench_attribute(run->ctx, &o, &json);
    return cli_answer(run, status, json, tell);
}
