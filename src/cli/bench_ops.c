/* assay bench ops: what single ops cost, ours beside the library's. */
#include "cli/bench.h"

#include <assay/bench.h>
#include <assay/data.h>

static void tell(text *t, const char *json) {
    json_view all = json_look(json), row = {0};
    text_add(t, "%-13s %-21s %-17s %9s %8s %9s %8s\n", "op", "shape", "pass", "ours ms",
             "GFLOP/s", "other ms", "GFLOP/s");
    while (json_next(json_member(all, "rows"), &row, NULL)) {
        static const struct {
            const char *key;
            int width;
        } words[] = {{"op", 13}, {"shape", 21}, {"pass", 17}};
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            text cell = {0};
            json_words(&cell, json_member(row, words[i].key));
            text_add(t, "%-*s ", words[i].width, cell.data);
            text_free(&cell);
        }
        text_add(t, "%9.3f %8.0f %9.3f %8.0f\n", bench_number(row, "own_ms"),
                 bench_number(row, "own_gflops"), bench_number(row, "other_ms"),
                 bench_number(row, "other_gflops"));
    }
}

assay_status bench_ops(cli_run *run) {
    assay_bench_ops_options o = ASSAY_BENCH_OPS_OPTIONS_INIT;
    char *json = NULL;
    o.filter = run->args.positional[1];
    assay_status status = assay_bench_ops(run->ctx, &o, &json);
    return cli_answer(run, status, json, tell);
}
