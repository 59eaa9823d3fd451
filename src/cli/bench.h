/* What `assay bench` can measure, one file each. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "cli/cli.h"
#include "cli/json.h"

/* A number of the library's answer, 0 if absent. */
static inline double bench_number(json_view all, const char *key) {
    return json_number(json_member(all, key), 0);
}

assay_status bench_attribute(cli_run *run);
assay_status bench_load(cli_run *run);
assay_status bench_ops(cli_run *run);
assay_status bench_step(cli_run *run);

#endif
