/* Two published networks do what their references say, and files that are not theirs are
 * refused. */
#include "zoo/foreign/foreign.h"

#include "base/testing.h"
#include "file/npy.h"
#include "image/image.h"

#include <assay/model.h>

#include <math.h>

enum { SIDE = 224, PIXELS = SIDE * SIDE, BATCH = 25, PHOTOS = 1000, CLASSES = 10 };

/* ---- MobileNet on photographs ---- */

/* The ten classes of the photographs among ImageNet's, behind the background. */
static const struct {
    const char *wnid;
    int logit;
} classes[CLASSES] = {{"n01440764", 1},   {"n02102040", 218}, {"n02979186", 483},
                      {"n03000684", 492}, {"n03028079", 498}, {"n03394916", 567},
                      {"n03417042", 570}, {"n03425413", 572}, {"n03445777", 575},
                      {"n03888257", 702}};

static int class_of(const char *path) {
    for (int i = 0; i < CLASSES; i++)
        if (strstr(path, classes[i].wnid))
            return i;
    return -1;
}

/* The next file of a tar in memory: its name and bytes. False at the end. */
static bool next_file(const uint8_t *tar,
                      size_t size,
                      size_t *at,
                      char name[101],
                      size_t *first,
                      size_t *n) {
    while (*at + 512 <= size && tar[*at]) {
        const uint8_t *header = tar + *at;
        char octal[13] = {0};
        memcpy(name, header, 100);
        name[100] = '\0';
        memcpy(octal, header + 124, 12);
        *n = strtoul(octal, NULL, 8);
        *first = *at + 512;
        *at += 512 + (*n + 511) / 512 * 512;
        if (*first + *n > size)
            return false;
        if (header[156] == '0' || header[156] == '\0')
            return true;
    }
    return false;
}

static int
right_answers(assay_model *m, assay_ctx *ctx, float *x, const int *label, int n) {
    const int64_t dim[] = {n, 3, SIDE, SIDE}, stride[] = {3 * PIXELS, 1, 3 * SIDE, 3};
    assay_tensor *in, *out;
    int right = 0;
    assert_ok(assay_tensor_wrap(&in, ctx, x, ASSAY_F32, 4, dim, stride));
    assert_ok(assay_model_run(m, (const assay_tensor *const *)&in, &out));
    assert_int_equal(assay_tensor_dims(out)[1], 1001);
    const float *logits = assay_tensor_data(out);
    for (int i = 0; i < n; i++, logits += 1001) {
        int best = 0;
        for (int k = 1; k < CLASSES; k++)
            if (logits[classes[k].logit] > logits[classes[best].logit])
                best = k;
        right += best == label[i];
    }
    assay_tensor_unref(in);
    assay_tensor_unref(out);
    return right;
}

static void mobilenet_knows_the_photographs(void **state) {
    (void)state;
    test_path weights =
        test_shared("data/models/mobilenet/mobilenet_v1_025_float.safetensors");
    test_path photos = test_shared("data/photos/imagenette224.tar");
    static float x[BATCH * 3 * PIXELS];
    int label[BATCH], in_batch = 0, tried = 0, right = 0;
    uint64_t spent = 0;
    assay_ctx *ctx = test_ctx(1);
    assay_model_options o = ASSAY_MODEL_OPTIONS_INIT;
    assay_model *m;
    o.batch = BATCH;
    assert_ok(assay_model_open_weights(&m, ctx, weights.text, &o));
    size_t size, at = 0, first, n;
    uint8_t *tar = test_get(ctx, photos.text, &size);
    image im = image_make(ctx);
    char name[101];
    while (next_file(tar, size, &at, name, &first, &n)) {
        const image_decode_options plain = {0};
        int k = class_of(name);
        if (k < 0)
            continue;
        assert_ok(image_decode(&im, tar + first, n, &plain));
        assert_true(im.width == SIDE && im.height == SIDE);
        for (size_t i = 0; i < 3 * PIXELS; i++)
            x[(size_t)in_batch * 3 * PIXELS + i] = ((float)im.rgb[i] - 127.5f) / 127.5f;
        label[in_batch++] = k;
        if (in_batch == BATCH) {
            uint64_t since = os_thread_cpu_ns();
            right += right_answers(m, ctx, x, label, in_batch);
            spent += os_thread_cpu_ns() - since;
            tried += in_batch;
            in_batch = 0;
        }
    }
    print_message("MobileNet: %d of %d right among ten classes, %.0f images a second of "
                  "one core\n",
                  right, tried, (double)tried * 1e9 / (double)spent);
    assert_int_equal(tried, PHOTOS);
    assert_true(right >= tried * 9 / 10);
    image_free(&im);
    mem_free(ctx, tar);
    assay_model_close(m);
    assay_ctx_destroy(ctx);
}

/* ---- TAEF2 ---- */

/* One example through a network: the largest difference from a reference array. */
static double largest_error(assay_ctx *ctx,
                            const char *weights,
                            float *x,
                            const npy_array *in,
                            const char *reference) {
    test_path file = test_shared(weights), want = test_shared(reference);
    npy_array ref;
    assay_model *m;
    assay_tensor *from, *to;
    double most = 0;
    const int64_t dim[] = {1, in->dim[0], in->dim[1], in->dim[2]};
    assert_ok(npy_open(&ref, ctx, want.text, false));
    assert_ok(assay_tensor_wrap(&from, ctx, x, ASSAY_F32, 4, dim, NULL));
    assay_model_options o = ASSAY_MODEL_OPTIONS_INIT;
    o.inputs = (const assay_tensor *const *)&from;
    o.n_inputs = 1;
    o.batch = 1;
    assert_ok(assay_model_open_weights(&m, ctx, file.text, &o));
    assert_ok(assay_model_run(m, (const assay_tensor *const *)&from, &to));
    assert_int_equal(assay_tensor_count(to), ref.dim[0] * ref.dim[1] * ref.dim[2]);
    assert_true(assay_tensor_is_dense(to, ASSAY_ROW_MAJOR));
    const float *got = assay_tensor_data(to), *expect = (const float *)(void *)ref.data;
    for (int64_t i = 0; i < assay_tensor_count(to); i++)
        most = fmax(most, fabs((double)got[i] - (double)expect[i]));
    assay_tensor_unref(from);
    assay_tensor_unref(to);
    assay_model_close(m);
    npy_close(&ref);
    return most;
}

static void taef2_reproduces_its_references(void **state) {
    (void)state;
    test_path input = test_shared("data/models/taef2/ref_input_u8.npy");
    test_path latent = test_shared("data/models/taef2/ref_latent_f32.npy");
    static float x[3 * PIXELS];
    assay_ctx *ctx = test_ctx(1);
    npy_array in, z;
    assert_ok(npy_open(&in, ctx, input.text, false));
    for (size_t i = 0; i < 3 * PIXELS; i++)
        x[i] = (float)in.data[i] / 255;
    double encoder = largest_error(ctx, "data/models/taef2/taef2_encoder.f16.safetensors",
                                   x, &in, "data/models/taef2/ref_latent_f32.npy");
    assert_ok(npy_open(&z, ctx, latent.text, false));
    memcpy(x, z.data, z.bytes);
    double decoder = largest_error(ctx, "data/models/taef2/taef2_decoder.f16.safetensors",
                                   x, &z, "data/models/taef2/ref_recon_f32.npy");
    print_message("TAEF2: largest error %.3g in the latents, %.3g in the image\n",
                  encoder, decoder);
    assert_true(encoder < 2e-5);
    assert_true(decoder < 2e-5);
    npy_close(&in);
    npy_close(&z);
    assay_ctx_destroy(ctx);
}

/* ---- files that are not theirs ---- */

static void graphs_hold_for_other_sizes(void **state) {
    (void)state;
    static const foreign_net *const nets[] = {&foreign_mobilenet, &foreign_taef2_encoder,
                                              &foreign_taef2_decoder};
    static const int64_t size[] = {40, 56}, odd[] = {41, 56};
    assay_ctx *ctx = test_ctx(1);
    nn_graph *g;
    nn_value in, out;
    for (int i = 0; i < 3; i++) {
        assert_ok(foreign_build(&g, &in, &out, ctx, nets[i], size));
        nn_shape s = nn_graph_shape(g, out);
        if (i == 0)
            assert_true(s.ndim == 2 && s.dim[1] == 1001);
        else
            assert_true(s.dim[1] == (i == 1 ? 32 : 3) && s.dim[2] == (i == 1 ? 5 : 320) &&
                        s.dim[3] == (i == 1 ? 7 : 448));
        nn_graph_destroy(g);
    }
    assert_fails(ASSAY_E_SHAPE,
                 foreign_build(&g, &in, &out, ctx, &foreign_taef2_encoder, odd));
    assert_null(g);
    assay_ctx_destroy(ctx);
}

static void other_files_are_refused(void **state) {
    (void)state;
    static const float numbers[64 * 32 * 9];
    static const float bad[1001 * 256] = {NAN};
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path p = test_in(&s, "x.safetensors");
    assay_model *m;
    st_tensor t = {
        .name = "1.weight", .dtype = ASSAY_F32, .ndim = 4, .dim = {64, 3, 3, 3}};
    t.data = numbers;
    t.bytes = 64 * 3 * 9 * sizeof *numbers;
    assert_ok(st_put(ctx, p.text, &t, 1, NULL, 0));
    assert_fails(ASSAY_E_UNSUPPORTED, assay_model_open_weights(&m, ctx, p.text, NULL));
    assert_null(m);
    assert_non_null(strstr(assay_last_error()->help, "taef2-decoder"));
    /* The mark is there, the rest is not. */
    t.dim[1] = 32;
    t.bytes = sizeof numbers;
    assert_ok(st_put(ctx, p.text, &t, 1, NULL, 0));
    assert_fails(ASSAY_E_NOTFOUND, assay_model_open_weights(&m, ctx, p.text, NULL));
    assert_non_null(strstr(assay_last_error()->message, "1.bias"));
    /* A number that is none. */
    st_file *f;
    nn_graph *g;
    nn_weights w;
    nn_value weight;
    assert_ok(nn_graph_create(&g, ctx));
    assert_ok(nn_graph_param(g, "layer28.weight", (nn_shape){4, {1001, 256, 1, 1}},
                             NN_INIT_ZERO, true, &weight));
    assert_ok(nn_weights_create(&w, ctx, g, 0));
    t = (st_tensor){.name = "layer28.weight",
                    .dtype = ASSAY_F32,
                    .ndim = 4,
                    .dim = {1001, 256, 1, 1},
                    .data = bad,
                    .bytes = sizeof bad};
    assert_ok(st_put(ctx, p.text, &t, 1, NULL, 0));
    assert_ok(st_open(&f, ctx, p.text));
    assert_fails(ASSAY_E_NUMERIC, foreign_read(f, g, &w));
    st_close(f);
    nn_weights_destroy(&w, ctx);
    nn_graph_destroy(g);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_hold_for_other_sizes),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(taef2_reproduces_its_references),
        cmocka_unit_test(mobilenet_knows_the_photographs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
