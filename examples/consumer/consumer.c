/* The smallest program that uses the library: what it says, and how a failure reads. */
#include <assay/assay.h>

#include <stdio.h>

static int complain(void) {
    const assay_error *e = assay_last_error();
    fprintf(stderr, "error: %s: %s (%s)\n", e->where, e->message, e->help);
    return 1;
}

int main(void) {
    assay_ctx *ctx;
    assay_ctx_options options = ASSAY_CTX_OPTIONS_INIT;
    options.threads = 2;
    if (assay_ctx_create(&ctx, &options) != ASSAY_OK)
        return complain();

    const int64_t dim[] = {8, 3, 32, 32};
    assay_tensor *images;
    if (assay_tensor_create(&images, ctx, ASSAY_F32, 4, dim, ASSAY_CHANNELS_LAST) !=
        ASSAY_OK) {
        assay_ctx_destroy(ctx);
        return complain();
    }
    printf("assay %s, %s, %d threads, %lld elements\n",
           assay_version(),
           assay_isa_name(),
           assay_ctx_threads(ctx),
           (long long)assay_tensor_count(images));
    assay_tensor_unref(images);
    assay_ctx_destroy(ctx);
    return 0;
}
