/* assay bench load: a loader beside what its work could cost at least. */
#include "cli/bench.h"

#include <assay/bench.h>
#include <assay/data.h>

static void tell_row(text *t, const char *what, double ms, double ratio) {
    text_add(t, "%s", what);
    text_pad(t, 30);
    text_add(t, "%10.4f ms", ms);
    if (ratio > 0)
        text_add(t, "   the loader takes %.2f of it", ratio);
    text_add(t, "\n");
}

static void tell(text *t, const char *json) {
    json_view all = json_look(json);
    text_add(t, "%s images per second, %s per second of one core\n",
             words_count((uint64_t)bench_number(all, "images_per_second")).s,
             words_count((uint64_t)bench_number(all, "images_per_cpu_second")).s);
    tell_row(t, "CPU time per image", bench_number(all, "cpu_ms_per_image"), 0);
    if (json_has(json_member(all, "turbo_full_decode_ms_per_image")))
        tell_row(t, "libjpeg-turbo, full decode",
                 bench_number(all, "turbo_full_decode_ms_per_image"),
                 bench_number(all, "ratio_to_turbo"));
    tell_row(t, "copy of the output", bench_number(all, "memcpy_ms_per_image"),
             bench_number(all, "ratio_to_memcpy"));
    tell_row(t, "first batch of 32", bench_number(all, "first_batch_ms"), 0);
    text_add(t, "peak of its own memory");
    text_pad(t, 30);
    text_add(t, "%13s\n", words_bytes((uint64_t)bench_number(all, "peak_rss_bytes")).s);
    text_add(t, "%s threads, batches of %s in %s slots, %s index, %s rounds\n",
             words_count((uint64_t)bench_number(all, "threads")).s,
             words_count((uint64_t)bench_number(all, "batch")).s,
             words_count((uint64_t)bench_number(all, "slots")).s,
             json_true(json_member(all, "index")) ? "with an" : "no",
             words_count((uint64_t)bench_number(all, "rounds")).s);
}

assay_status bench_load(cli_run *run) {
    const cli_args *a = &run->args;
    assay_bench_load_options o = ASSAY_BENCH_LOAD_OPTIONS_INIT;
    char *json = NULL;
    if (!a->positional[1]) {
        cli_fail(&run->error, ASSAY_E_INVALID, "which file is to be loaded?");
        cli_fail_help(&run->error, "assay bench load FILE.beton");
        return ASSAY_E_INVALID;
    }
    o.batch = (int)cli_int(a, "batch");
    o.epochs = (int)cli_int(a, "epochs");
    o.seconds = cli_real(a, "seconds");
    o.index = cli_text(a, "index");
    o.order = cli_text(a, "order");
    o.cache = cli_text(a, "cache");
    o.limit = (uint64_t)cli_int(a, "limit");
    o.seed = (uint64_t)cli_int(a, "seed");
    assay_status status =
        assay_bench_load(run->ctx, a->positional[1], cli_text(a, "pipeline"), &o, &json);
    return cli_answer(run, status, json, tell);
}
