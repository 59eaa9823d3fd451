/* Writes the report of a made-up audit into a folder, for the page's tests and for a
 * look: report_sample FOLDER [size channels [train test classes]]. */
#include "report/testing.h"

int main(int argc, char **argv) {
    int n[5] = {28, 1, 1600, 400, 10};
    if (argc < 2) {
        (void)fprintf(
            stderr, "usage: report_sample FOLDER [size channels [train test classes]]\n");
        return 2;
    }
    for (int i = 0; i < 5 && i + 2 < argc; i++)
        n[i] = (int)strtol(argv[i + 2], NULL, 10);
    assay_ctx *ctx = test_ctx(2);
    report_sample *s =
        report_sample_create(ctx, (uint32_t)n[2], (uint32_t)n[3], n[4], n[0], n[1]);
    assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
    o.command = "assay audit 'shapes & </script> figures' --seed 7";
    assay_status status = os_mkdirs(argv[1]);
    if (status == ASSAY_OK)
        status = report_write(ctx, &s->a, &s->source, argv[1], &o);
    if (status != ASSAY_OK)
        (void)fprintf(stderr, "error: %s\n", assay_last_error()->message);
    report_sample_destroy(s);
    assay_ctx_destroy(ctx);
    return status == ASSAY_OK ? 0 : 1;
}
