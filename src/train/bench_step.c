/* What a training step costs: forward, loss, backward and the optimizer on one batch of
 * random data that stays where it is, so that nothing but the step is measured. */
#include <assay/bench.h>

#include "train/bench_nets.h"
#include "train/optimizer.h"

#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "base/rng.h"
#include "nn/exec.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_UP = 3, LEAST_STEPS = 5, MOST_STEPS = 20000, MOST_BATCH = 8192 };

static const train_pace PACE = {.rate = 1e-3, .momentum = 0.9};
static const double DECAY = 5e-4;

typedef struct bench {
    assay_ctx *ctx;
    assay_bench_step_options o;
    assay_dtype dtype;
    zoo_model zoo;
    nn_weights weights;
    optimizer optimizer;
    nn_exec *exec;
    float *seed;        /* [batch] of the backward pass: 1 / batch each */
    double *wall, *cpu; /* [MOST_STEPS] ms of each step */
    int steps;
    double optimizer_ns, loss;
} bench;

static assay_status options_check(const bench *b) {
    const assay_bench_step_options *o = &b->o;
    if (o->batch < 1 || o->batch > MOST_BATCH)
        return err_set(ASSAY_E_INVALID, "a batch of %d, not 1 to %d", o->batch,
                       MOST_BATCH);
    if (o->size < 0 || o->size > 1024)
        return err_set(ASSAY_E_INVALID, "a size of %d, not 0 to 1024", o->size);
    if (!(o->seconds >= 0 && o->seconds <= 86400))
        return err_set(ASSAY_E_INVALID, "%g seconds", o->seconds);
    return ASSAY_OK;
}

static assay_status precision_take(bench *b) {
    const char *name = b->o.precision ? b->o.precision : "f32";
    b->dtype = strcmp(name, "bf16") == 0 ? ASSAY_BF16 : ASSAY_F32;
    if (b->dtype == ASSAY_BF16 || strcmp(name, "f32") == 0)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_INVALID, "there is no precision \"%s\"", name);
    err_help("choose from: f32, bf16");
    return ASSAY_E_INVALID;
}

/* Normal pixels or uniform tokens, and uniform labels. */
static void feed(bench *b) {
    const zoo_config *c = &b->zoo.config;
    rng r = rng_at(b->o.seed, RNG_BENCH, 0, 0);
    size_t rows = (size_t)b->o.batch;
    void *input = nn_exec_input(b->exec, b->zoo.images);
    int32_t *labels = nn_exec_input(b->exec, b->zoo.labels);
    if (!c->context) {
        size_t n = rows * (size_t)c->height * (size_t)c->width * (size_t)c->channels;
        for (size_t i = 0; i < n; i++)
            ((float *)input)[i] = (float)rng_normal(&r);
    } else {
        uint64_t words = (uint64_t)zoo_vocabulary(&b->zoo);
        for (size_t i = 0; i < rows * (size_t)c->context; i++)
            ((int32_t *)input)[i] = (int32_t)rng_below(&r, words);
    }
    for (size_t i = 0; i < rows * zoo_labels_each(&b->zoo); i++)
        labels[i] = (int32_t)rng_below(&r, (uint64_t)c->classes);
}

static assay_status start(bench *b) {
    assay_status status = ASSAY_OK;
    const nn_graph *g = NULL;
    ASSAY_TRY(options_check(b));
    ASSAY_TRY(precision_take(b));
    ASSAY_TRY(bench_net_build(&b->zoo, b->ctx, b->o.model, b->o.size, false));
    g = b->zoo.graph;
    ASSAY_TRY(nn_weights_create(&b->weights, b->ctx, g, b->o.seed));
    optimizer_options how = OPTIMIZER_OPTIONS_INIT;
    how.weight_decay = DECAY;
    ASSAY_TRY(optimizer_create(&b->optimizer, b->ctx, g, &how));
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = b->o.batch,
                               .target = b->zoo.loss,
                               .dtype = b->dtype,
                               .threads = assay_ctx_threads(b->ctx),
                               .seed = b->o.seed,
                               .profile = true};
    ASSAY_TRY(nn_exec_create(&b->exec, b->ctx, g, &b->weights, &o));
    ASSAY_TRY(mem_new(b->ctx, &b->seed, (size_t)b->o.batch, sizeof *b->seed));
    ASSAY_TRY(mem_new(b->ctx, &b->wall, MOST_STEPS, sizeof *b->wall));
    ASSAY_TRY(mem_new(b->ctx, &b->cpu, MOST_STEPS, sizeof *b->cpu));
    for (int i = 0; i < b->o.batch; i++)
        b->seed[i] = 1.0F / (float)b->o.batch;
    feed(b);
done:
    return status;
}

static assay_status step(bench *b) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(nn_exec_forward(b->exec, b->o.batch));
    const float *losses = nn_exec_value(b->exec, b->zoo.loss);
    b->loss = 0;
    for (int i = 0; i < b->o.batch; i++)
        b->loss += (double)losses[i] / b->o.batch;
    ASSAY_TRY(nn_exec_backward(b->exec, b->seed));
    uint64_t since = os_thread_cpu_ns();
    optimizer_step(&b->optimizer, b->weights.params, nn_exec_grads(b->exec), PACE);
    b->optimizer_ns += (double)(os_thread_cpu_ns() - since);
done:
    return status;
}

static assay_status measure(bench *b) {
    assay_status status = ASSAY_OK;
    for (int i = 0; i < WARM_UP; i++) {
        ASSAY_TRY(ctx_check(b->ctx));
        ASSAY_TRY(step(b));
    }
    b->optimizer_ns = 0;
    uint64_t began = os_now_ns();
    while (
        b->steps < MOST_STEPS &&
        (b->steps < LEAST_STEPS || 1e-9 * (double)(os_now_ns() - began) < b->o.seconds)) {
        ASSAY_TRY(ctx_check(b->ctx));
        uint64_t wall = os_now_ns(), cpu = os_cpu_ns();
        ASSAY_TRY(step(b));
        b->cpu[b->steps] = 1e-6 * (double)(os_cpu_ns() - cpu);
        b->wall[b->steps++] = 1e-6 * (double)(os_now_ns() - wall);
    }
    if (!isfinite(b->loss))
        ASSAY_FAIL(ASSAY_E_NUMERIC, "the loss is not finite after %d steps",
                   b->steps + WARM_UP);
done:
    return status;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void put_measures(const bench *b, json_out *j) {
    qsort(b->wall, (size_t)b->steps, sizeof *b->wall, by_value);
    qsort(b->cpu, (size_t)b->steps, sizeof *b->cpu, by_value);
    double wall = b->wall[b->steps / 2];
    double gflop = 1e-9 * zoo_step_flop(&b->zoo) * b->o.batch;
    json_kint(j, "steps", b->steps);
    json_knum(j, "images_per_second", 1e3 * b->o.batch / wall);
    if (b->zoo.config.context)
        json_knum(j, "tokens_per_second",
                  1e3 * b->o.batch * b->zoo.config.context / wall);
    json_knum(j, "ms_per_step", wall);
    json_knum(j, "ms_per_step_least", b->wall[0]);
    json_knum(j, "cpu_ms_per_step", b->cpu[b->steps / 2]);
    json_knum(j, "cpu_ms_per_step_least", b->cpu[0]);
    json_knum(j, "gflop_per_step", gflop);
    json_knum(j, "gflop_per_second", 1e3 * gflop / wall);
    json_knum(j, "optimizer_us_per_step", 1e-3 * b->optimizer_ns / b->steps);
    json_knum(j, "loss", b->loss);
}

/* Microseconds of processor time per step, in the order of the forward pass. */
static void put_rows(const bench *b, json_out *j) {
    double each = 1e-3 / (b->steps + WARM_UP);
    json_key(j, "rows");
    json_arr(j);
    for (int i = 0; i < nn_exec_rows(b->exec); i++) {
        nn_exec_row row = nn_exec_row_at(b->exec, i);
        json_obj(j);
        json_kstr(j, "op", row.name);
        json_knum(j, "forward_us", (double)row.forward_ns * each);
        json_knum(j, "backward_us", (double)row.backward_ns * each);
        json_obj_end(j);
    }
    json_arr_end(j);
}

static assay_status tell(const bench *b, char **out) {
    buf text = buf_make(b->ctx);
    json_out j = json_out_make(&text, 2);
    json_obj(&j);
    json_kstr(&j, "schema", "assay.bench-step/1");
    json_kstr(&j, "model", b->o.model);
    json_kint(&j, "batch", b->o.batch);
    if (b->zoo.config.context)
        json_kint(&j, "context", b->zoo.config.context);
    else
        json_kint(&j, "size", b->zoo.config.height);
    json_kstr(&j, "precision", b->dtype == ASSAY_BF16 ? "bf16" : "f32");
    json_kint(&j, "threads", assay_ctx_threads(b->ctx));
    json_kstr(&j, "isa", assay_isa_name());
    json_kint(&j, "parameters", (int64_t)nn_graph_param_floats(b->zoo.graph));
    put_measures(b, &j);
    json_kint(&j, "arena_bytes", (int64_t)nn_exec_arena_bytes(b->exec));
    put_rows(b, &j);
    json_obj_end(&j);
    buf_str(&text, "\n");
    assay_status status = buf_check(&text);
    if (status == ASSAY_OK)
        status = mem_strdup(b->ctx, out, text.data);
    buf_free(&text);
    return status;
}

assay_status
assay_bench_step(assay_ctx *ctx, const assay_bench_step_options *options, char **json) {
    assay_status status = ASSAY_OK;
    bench b = {.ctx = ctx, .o = ASSAY_BENCH_STEP_OPTIONS_INIT};
    *json = NULL;
    ASSAY_TRY(options_take(&b.o, sizeof b.o, options, "assay_bench_step_options"));
    b.o.model = b.o.model ? b.o.model : "resnet9";
    b.o.batch = b.o.batch ? b.o.batch : 128;
    ASSAY_TRY(start(&b));
    ASSAY_TRY(measure(&b));
    ASSAY_TRY(tell(&b, json));
done:
    nn_exec_destroy(b.exec);
    optimizer_destroy(&b.optimizer);
    nn_weights_destroy(&b.weights, ctx);
    zoo_destroy(&b.zoo);
    mem_free(ctx, b.seed);
    mem_free(ctx, b.wall);
    mem_free(ctx, b.cpu);
    return status;
}
