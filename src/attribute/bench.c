/* What attribution costs per example: forward, back to the layers' inputs, projection. On
 * random data that stays where it is. */
#include <assay/bench.h>

#include "attribute/gradient/projector.h"
#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "base/pool.h"
#include "base/rng.h"
#include "zoo/zoo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLASSES = 10,
    ROUNDS = 200,
    LEAST_ROUNDS = 3,
    BATCHES = 2 /* of each thread in a round */
};

typedef struct bench_worker {
    nn_exec *exec;
    nn_factor *factor;
    float *scratch, *out; /* out [ATT_LANES, dim] */
    double ns[3];         /* processor time of forward, backward, projection */
} bench_worker;

typedef struct bench {
    assay_ctx *ctx;
    assay_bench_attribute_options o;
    assay_dtype dtype;
    zoo_model zoo;
    nn_weights weights;
    att_projection projection;
    int count; /* factors */
    float ones[ATT_LANES];
    bench_worker *worker;
    size_t workers;
    double wall[ROUNDS]; /* ms per example */
    int rounds;
    double sum; /* of what was projected: it has to be finite */
} bench;

static void feed(const bench *b, nn_exec *exec, uint64_t which) {
    const zoo_config *c = &b->zoo.config;
    rng r = rng_at(b->o.seed, RNG_BENCH, 0, which);
    size_t each = (size_t)c->height * (size_t)c->width * (size_t)c->channels;
    float *images = nn_exec_input(exec, b->zoo.images);
    int32_t *labels = nn_exec_input(exec, b->zoo.labels);
    for (size_t i = 0; i < ATT_LANES * each; i++)
        images[i] = (float)rng_normal(&r);
    for (int i = 0; i < ATT_LANES; i++)
        labels[i] = (int32_t)rng_below(&r, (uint64_t)c->classes);
}

static assay_status worker_make(bench *b, size_t which) {
    assay_status status = ASSAY_OK;
    bench_worker *w = &b->worker[which];
    const nn_exec_options o = {.mode = NN_CAPTURE,
                               .batch = ATT_LANES,
                               .target = b->zoo.margin,
                               .dtype = b->dtype,
                               .shards = 1};
    ASSAY_TRY(nn_exec_create(&w->exec, b->ctx, b->zoo.graph, &b->weights, &o));
    feed(b, w->exec, which);
    ASSAY_TRY(nn_exec_forward(w->exec, ATT_LANES));
    ASSAY_TRY(nn_exec_backward(w->exec, b->ones));
    b->count = nn_exec_factor_count(w->exec);
    ASSAY_TRY(mem_new(b->ctx, &w->factor, (size_t)b->count, sizeof *w->factor));
    for (int i = 0; i < b->count; i++)
        w->factor[i] = nn_exec_factor(w->exec, i);
    if (which == 0)
        ASSAY_TRY(att_projection_create(&b->projection, b->ctx, b->o.projector, b->o.dim,
                                        b->o.seed, nn_graph_param_floats(b->zoo.graph),
                                        w->factor, b->count));
    ASSAY_TRY(mem_new(b->ctx, &w->scratch, b->projection.scratch, sizeof *w->scratch));
    ASSAY_TRY(
        mem_new(b->ctx, &w->out, ATT_LANES * (size_t)b->projection.dim, sizeof *w->out));
done:
    return status;
}

static assay_status run_batches(void *arg, int worker, size_t begin, size_t end) {
    const bench *b = arg;
    bench_worker *w = &b->worker[worker];
    assay_status status = ASSAY_OK;
    for (size_t i = begin; i < end; i++) {
        uint64_t at[4];
        at[0] = os_thread_cpu_ns();
        ASSAY_TRY(nn_exec_forward(w->exec, ATT_LANES));
        at[1] = os_thread_cpu_ns();
        ASSAY_TRY(nn_exec_backward(w->exec, b->ones));
        at[2] = os_thread_cpu_ns();
        for (int k = 0; k < b->count; k++)
            w->factor[k] = nn_exec_factor(w->exec, k);
        b->projection.projector->run(w->out, &b->projection, w->factor, b->count,
                                     ATT_LANES, w->scratch);
        at[3] = os_thread_cpu_ns();
        for (int k = 0; k < 3; k++)
            w->ns[k] += (double)(at[k + 1] - at[k]);
    }
done:
    return status;
}

static assay_status start(bench *b) {
    assay_status status = ASSAY_OK;
    const assay_bench_attribute_options *o = &b->o;
    bool small = strncmp(o->model, "mlp", 3) == 0;
    int side = o->size ? o->size : small ? 28 : 32;
    const zoo_config config = {
        .classes = CLASSES, .channels = small ? 1 : 3, .height = side, .width = side};
    if (o->dim < 1 || o->size < 0 || o->size > 1024 || !(o->seconds >= 0))
        ASSAY_FAIL(ASSAY_E_INVALID, "a dimension of %d, a size of %d, %g seconds", o->dim,
                   o->size, o->seconds);
    b->dtype = strcmp(o->precision, "bf16") == 0 ? ASSAY_BF16 : ASSAY_F32;
    if (b->dtype == ASSAY_F32 && strcmp(o->precision, "f32") != 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "there is no precision \"%s\"", o->precision);
    for (int i = 0; i < ATT_LANES; i++)
        b->ones[i] = 1;
    ASSAY_TRY(zoo_build(&b->zoo, b->ctx, o->model, &config));
    if (b->zoo.config.context)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "%s reads tokens; images are measured", o->model);
    ASSAY_TRY(nn_weights_create(&b->weights, b->ctx, b->zoo.graph, o->seed));
    b->workers = (size_t)assay_ctx_threads(b->ctx);
    ASSAY_TRY(mem_new(b->ctx, &b->worker, b->workers, sizeof *b->worker));
    for (size_t w = 0; w < b->workers; w++)
        ASSAY_TRY(worker_make(b, w));
done:
    return status;
}

static assay_status measure(bench *b) {
    assay_status status = ASSAY_OK;
    size_t batches = BATCHES * b->workers;
    ASSAY_TRY(assay_parallel_for(b->ctx, batches, 1, run_batches, b)); /* warms up */
    for (size_t w = 0; w < b->workers; w++)
        memset(b->worker[w].ns, 0, sizeof b->worker[w].ns);
    uint64_t began = os_now_ns();
    while (b->rounds < ROUNDS && (b->rounds < LEAST_ROUNDS ||
                                  1e-9 * (double)(os_now_ns() - began) < b->o.seconds)) {
        uint64_t wall = os_now_ns();
        ASSAY_TRY(assay_parallel_for(b->ctx, batches, 1, run_batches, b));
        b->wall[b->rounds++] =
            1e-6 * (double)(os_now_ns() - wall) / (double)(batches * ATT_LANES);
    }
    for (int i = 0; i < ATT_LANES * b->projection.dim; i++)
        b->sum += (double)b->worker[0].out[i];
    if (!isfinite(b->sum))
        ASSAY_FAIL(ASSAY_E_NUMERIC, "a projection is not finite");
done:
    return status;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static assay_status tell(bench *b, char **out) {
    static const char *const names[] = {"forward", "backward", "project"};
    buf text = buf_make(b->ctx);
    json_out j = json_out_make(&text, 2);
    double examples = (double)b->rounds * BATCHES * (double)b->workers * ATT_LANES;
    double cpu[3] = {0}, all = 0;
    for (int k = 0; k < 3; k++) {
        for (size_t w = 0; w < b->workers; w++)
            cpu[k] += 1e-6 * b->worker[w].ns[k] / examples;
        all += cpu[k];
    }
    qsort(b->wall, (size_t)b->rounds, sizeof *b->wall, by_value);
    json_obj(&j);
    json_kstr(&j, "schema", "assay.bench-attribute/1");
    json_kstr(&j, "model", b->o.model);
    json_kstr(&j, "projector", b->o.projector);
    json_kint(&j, "dim", b->projection.dim);
    json_kstr(&j, "precision", b->dtype == ASSAY_BF16 ? "bf16" : "f32");
    json_kint(&j, "threads", assay_ctx_threads(b->ctx));
    json_kstr(&j, "isa", assay_isa_name());
    json_kint(&j, "parameters", (int64_t)nn_graph_param_floats(b->zoo.graph));
    json_kint(&j, "batch", ATT_LANES);
    json_kint(&j, "rounds", b->rounds);
    json_knum(&j, "ms_per_example", b->wall[b->rounds / 2]);
    json_knum(&j, "ms_per_example_least", b->wall[0]);
    json_knum(&j, "cpu_ms_per_example", all);
    json_key(&j, "split");
    json_obj(&j);
    for (int k = 0; k < 3; k++)
        json_knum(&j, names[k], cpu[k]);
    json_obj_end(&j);
    json_key(&j, "peak_bytes");
    json_u64(&j, assay_peak_bytes());
    json_obj_end(&j);
    buf_str(&text, "\n");
    assay_status status = buf_check(&text);
    if (status == ASSAY_OK)
        status = mem_strdup(b->ctx, out, text.data);
    buf_free(&text);
    return status;
}

assay_status assay_bench_attribute(assay_ctx *ctx,
                                   const assay_bench_attribute_options *options,
                                   char **json) {
    assay_status status = ASSAY_OK;
    bench b = {.ctx = ctx, .o = ASSAY_BENCH_ATTRIBUTE_OPTIONS_INIT};
    *json = NULL;
    ASSAY_TRY(options_take(&b.o, sizeof b.o, options, "assay_bench_attribute_options"));
    b.o.model = b.o.model ? b.o.model : "resnet9";
    b.o.projector = b.o.projector ? b.o.projector : "sjlt";
    b.o.precision = b.o.precision ? b.o.precision : "f32";
    ASSAY_TRY(start(&b));
    ASSAY_TRY(measure(&b));
    ASSAY_TRY(tell(&b, json));
done:
    for (size_t w = 0; b.worker && w < b.workers; w++) {
        nn_exec_destroy(b.worker[w].exec);
        mem_free(ctx, b.worker[w].factor);
        mem_free(ctx, b.worker[w].scratch);
        mem_free(ctx, b.worker[w].out);
    }
    mem_free(ctx, b.worker);
    att_projection_free(&b.projection);
    nn_weights_destroy(&b.weights, ctx);
    zoo_destroy(&b.zoo);
    return status;
}
