/* The loader over small files: contents, determinism at any number of threads and ranks,
 * states, sizes, which rows. */
#include "data/load/testing_load.h"

/* ---- contents ---- */

/* What steps [first, first + 3) make of an image by their references, on the streams that
 * are promised to output `output`. */
static void by_references(assay_ctx *ctx,
                          const char *const step[3][2],
                          int output,
                          int first,
                          uint64_t row,
                          transform_shape shape,
                          uint8_t *now) {
    uint8_t next[SMALL_H * SMALL_W * 3];
    size_t n = (size_t)(shape.height * shape.width * shape.channels);
    for (int s = 0; s < 3; s++) {
        const data_transform *t;
        transform_plan p = {.ctx = ctx, .in = shape};
        assert_ok(transform_find(&t, step[s][0]));
        assert_ok(transform_args_parse(&p, t, step[s][1], strlen(step[s][1])));
        assert_ok(t->plan(&p));
        uint32_t stream = (uint32_t)(RNG_TRANSFORM + 1000 * output + first + s);
        transform_sample at = {
            .r = rng_at(77, stream, 5, row), .seed = 77, .sample = row, .epoch = 5};
        t->reference(&p, &at, now, next);
        memcpy(now, next, n);
        if (t->unplan != NULL)
            t->unplan(&p);
        transform_args_free(&p);
    }
}

/* Folded passes, passes that can't be folded, and both behind a window. */
static void test_against_references(void **state) {
    fixture *f = *state;
    static const char *const steps[][3][2] = {
        {{"flip", "0.5"}, {"translate", "2"}, {"cutout", "4"}},
        {{"cutout", "4"}, {"translate", "3, repeat"}, {"flip", "0.5"}},
        {{"translate", "2, fill=9"}, {"translate", "1"}, {"vertical_flip", "0.5"}},
        {{"flip", "0.5"}, {"vertical_flip", "0.5"}, {"flip", "0.5"}},
        {{"flip", "1"}, {"solarize", "100, p=0.5"}, {"cutout", "3, fill=7"}}};
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        char text[400];
        assay_batch b;
        assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
        o.batch = 64;
        o.seed = 77;
        const char *const(*s)[2] = steps[k];
        (void)snprintf(text, sizeof text,
                       "x = image: %s(%s) | %s(%s) | %s(%s)\nbase = image: resize(8)\n"
                       "y = image: resize(8) | %s(%s) | %s(%s) | %s(%s); label",
                       s[0][0], s[0][1], s[1][0], s[1][1], s[2][0], s[2][1], s[0][0],
                       s[0][1], s[1][0], s[1][1], s[2][0], s[2][1]);
        assay_loader *l = make(f, &f->raw, text, &o);
        assert_ok(assay_loader_epoch(l, 5));
        assert_ok(assay_loader_next(l, &b));
        assert_int_equal(b.n, 64);
        assert_int_equal(b.columns, 4);
        assert_string_equal(b.column[2].name, "y");
        assert_int_equal(b.column[0].dtype, ASSAY_U8);
        assert_int_equal(b.column[0].dim[1], SMALL_H);
        assert_int_equal(b.column[0].dim[2], SMALL_W);
        for (int i = 0; i < b.n; i++) {
            uint8_t now[SMALL_H * SMALL_W * 3], small[8 * 8 * 3];
            for (size_t x = 0; x < sizeof now; x++)
                now[x] = beton_pixel(1, b.rows[i], x);
            by_references(f->ctx, s, 0, 0, b.rows[i],
                          (transform_shape){SMALL_H, SMALL_W, 3}, now);
            assert_memory_equal(
                now, (const uint8_t *)b.column[0].data + (size_t)i * sizeof now,
                sizeof now);
            memcpy(small, (const uint8_t *)b.column[1].data + (size_t)i * sizeof small,
                   sizeof small);
            by_references(f->ctx, s, 2, 1, b.rows[i], (transform_shape){8, 8, 3}, small);
            assert_memory_equal(
                small, (const uint8_t *)b.column[2].data + (size_t)i * sizeof small,
                sizeof small);
            assert_int_equal(((const int64_t *)b.column[3].data)[i], b.rows[i] % 7);
        }
        assay_loader_destroy(l);
    }
}

static void test_every_field(void **state) {
    fixture *f = *state;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 10;
    o.order = "sequential";
    assay_loader *l = make(f, &f->raw, NULL, &o);
    assay_batch b;
    assert_int_equal(assay_loader_batches(l), 11);
    assert_ok(assay_loader_epoch(l, 0));
    uint64_t row = 0;
    for (;;) {
        assert_ok(assay_loader_next(l, &b));
        if (b.n == 0)
            break;
        assert_int_equal(b.columns, 5);
        assert_int_equal(b.place, row);
        const assay_batch_column *text = &b.column[4];
        int64_t longest = 0;
        for (int i = 0; i < b.n; i++)
            longest = text->lengths[i] > longest ? text->lengths[i] : longest;
        assert_int_equal(text->dim[1], longest);
        assert_int_equal(b.column[3].dtype, ASSAY_I16);
        assert_int_equal(b.column[3].ndim, 3);
        for (int i = 0; i < b.n; i++, row++) {
            assert_int_equal(b.rows[i], row);
            const uint8_t *pixels = (const uint8_t *)b.column[0].data + i * 360;
            for (size_t k = 0; k < 360; k++)
                assert_int_equal(pixels[k], beton_pixel(1, row, k));
            assert_int_equal(((const int64_t *)b.column[1].data)[i], row % 7);
            assert_true(((const double *)b.column[2].data)[i] == (double)row * 0.5);
            for (int k = 0; k < 6; k++)
                assert_int_equal(((const int16_t *)b.column[3].data)[i * 6 + k],
                                 (int)row + k);
            assert_int_equal(text->lengths[i], beton_text_bytes(row));
            const uint8_t *words = (const uint8_t *)text->data + i * longest;
            for (int64_t k = 0; k < longest; k++)
                assert_int_equal(words[k],
                                 k < text->lengths[i] ? 'a' + (int)(row % 26) : 0);
        }
    }
    assert_int_equal(row, RAW_ROWS);
    assay_loader_destroy(l);
}

/* A field of the caller's own type: its cell's bytes. */
static void test_custom(void **state) {
    fixture *f = *state;
    static const beton_field fields[] = {
        {.type = BETON_CUSTOM, .name = "own", .cell_bytes = 5, .cell_align = 1},
        {.type = BETON_INT, .name = "label"}};
    test_path path = test_in(&f->scratch, "custom.beton");
    beton_writer *w;
    assert_ok(beton_writer_create(
        &w, f->ctx, path.text,
        &(beton_writer_options){
            .page_size = 4096, .samples = 9, .fields = fields, .n_fields = 2}));
    for (uint8_t k = 0; k < 9; k++) {
        uint8_t row[32] = {k, 1, 2, 3, (uint8_t)(k + 4)};
        le64_put(row + beton_writer_field(w, 1)->cell_offset, k);
        assert_ok(beton_writer_add(w, row, NULL, 0));
    }
    assert_ok(beton_writer_commit(w));
    beton_writer_destroy(w);
    assay_custom_field own = {"own", 5, 1};
    for (int told = 0; told < 2; told++) {
        assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
        o.custom = &own;
        o.n_custom = (size_t)told;
        assay_loader *l = make(f, &path, NULL, &o);
        assay_batch b;
        assert_ok(assay_loader_epoch(l, 0));
        assert_ok(assay_loader_next(l, &b));
        assert_int_equal(b.n, 9);
        assert_int_equal(b.column[0].dim[1], 5);
        for (int i = 0; i < 9; i++) {
            const uint8_t *cell = (const uint8_t *)b.column[0].data + i * 5;
            assert_int_equal(cell[0], b.rows[i]);
            assert_int_equal(cell[4], b.rows[i] + 4);
            assert_int_equal(((const int64_t *)b.column[1].data)[i], b.rows[i]);
        }
        assay_loader_destroy(l);
    }
    const char *paths[] = {path.text};
    assay_loader *l = NULL;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    own.name = "a name of twenty ...";
    o.custom = &own;
    o.n_custom = 1;
    assert_fails(ASSAY_E_INVALID, assay_loader_create(&l, f->ctx, paths, 1, NULL, &o));
}

/* JPEG of one size needs no window step; of several, it does. */
static void test_whole_jpeg(void **state) {
    fixture *f = *state;
    static const uint64_t rows[] = {3, 4};
    const char *paths[] = {f->jpeg.text};
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.order = "given";
    o.rows = rows;
    o.n_rows = 1;
    assay_loader *l = make(f, &f->jpeg, "a = image; b = image: flip(1)", &o);
    assay_batch b;
    beton_file *file;
    image im = image_make(f->ctx);
    assert_ok(beton_open(&file, f->ctx, f->jpeg.text));
    assert_ok(image_cell_decode(&im, file, 3, 0));
    assert_ok(assay_loader_epoch(l, 0));
    assert_ok(assay_loader_next(l, &b));
    assert_int_equal(b.column[0].dim[1], im.height);
    assert_int_equal(b.column[0].dim[2], im.width);
    assert_memory_equal(b.column[0].data, im.rgb, (size_t)(im.width * im.height * 3));
    const uint8_t *flipped = b.column[1].data;
    for (int y = 0; y < im.height; y++)
        for (int x = 0; x < im.width; x++)
            assert_memory_equal(flipped + (y * im.width + x) * 3,
                                im.rgb + (y * im.width + im.width - 1 - x) * 3, 3);
    beton_close(file);
    image_free(&im);
    assay_loader_destroy(l);
    o.n_rows = 2;
    assert_fails(ASSAY_E_SHAPE, assay_loader_create(&l, f->ctx, paths, 1, "image", &o));
}

/* Until its index is built, and with it: the same bytes. */
static void test_index(void **state) {
    fixture *f = *state;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 5;
    o.index = "none";
    static const char pipeline[] = "image: random_resized_crop(20) | flip ; label";
    assay_loader *l = make(f, &f->jpeg, pipeline, &o);
    taken want[2] = {take_epoch(l, 0), take_epoch(l, 1)};
    assay_loader_destroy(l);
    o.index = "build";
    l = make(f, &f->jpeg, pipeline, &o);
    for (uint32_t i = 0; i < 2; i++) {
        taken t = take_epoch(l, i);
        assert_same(&want[i], &t);
        free(t.bytes);
        free(want[i].bytes);
    }
    assay_load_stats s = {.struct_size = sizeof s};
    assay_loader_stats(l, &s);
    assert_int_equal(s.decoded_indexed, 2 * JPEG_ROWS);
    assay_loader_destroy(l);
    const char *paths[] = {f->jpeg.text};
    o.index = "/nowhere.idx";
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_loader_create(&l, f->ctx, paths, 1, pipeline, &o));
}

static void test_threads(void **state) {
    fixture *f = *state;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    static const int threads[] = {-1, 1, 2, 4};
    const struct {
        const test_path *path;
        const char *pipeline;
    } work[] = {{&f->raw, all_steps},
                {&f->jpeg, "image: random_resized_crop(24) | flip | normalize(imagenet, "
                           "layout=nchw)\n second = image: resize(16); label"}};
    for (size_t i = 0; i < 2; i++) {
        taken first = {0};
        for (size_t k = 0; k < 4; k++) {
            o.batch = 7 + (int)k; /* batches of other sizes: the same samples */
            o.threads = threads[k];
            o.ahead = (int)k;
            o.seed = 9;
            assay_loader *l = make(f, work[i].path, work[i].pipeline, &o);
            taken t = take_epoch(l, 2), again = take_epoch(l, 3);
            assert_int_equal(t.count, again.count);
            assert_true(t.n != again.n || memcmp(t.bytes, again.bytes, t.n) != 0);
            free(again.bytes);
            if (k > 0) {
                assert_same(&first, &t);
                free(t.bytes);
            } else {
                first = t;
            }
            assay_loader_destroy(l);
        }
        free(first.bytes);
    }
}

static void test_ranks(void **state) {
    fixture *f = *state;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 12;
    o.seed = 4;
    assay_loader *l = make(f, &f->raw, all_steps, &o);
    taken whole = take_epoch(l, 1);
    assay_loader_destroy(l);
    int seen[RAW_ROWS] = {0};
    size_t count = 0;
    for (int rank = 0; rank < 3; rank++) {
        o.batch = 4;
        o.world = 3;
        o.rank = rank;
        l = make(f, &f->raw, all_steps, &o);
        assay_batch b;
        assert_ok(assay_loader_epoch(l, 1));
        for (;;) {
            assert_ok(assay_loader_next(l, &b));
            if (b.n == 0)
                break;
            for (int i = 0; i < b.n; i++, count++) {
                assert_int_equal(b.rows[i], whole.rows[b.place + (uint64_t)i]);
                seen[b.rows[i]]++;
            }
        }
        assay_loader_destroy(l);
    }
    assert_int_equal(count, RAW_ROWS);
    for (int i = 0; i < RAW_ROWS; i++)
        assert_int_equal(seen[i], 1);
    free(whole.bytes);
}

/* ---- states and sizes ---- */

static void test_resume(void **state) {
    fixture *f = *state;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 13;
    assay_loader *l = make(f, &f->raw, all_steps, &o);
    taken whole = take_epoch(l, 6);
    for (size_t stop = 0; stop <= whole.batches; stop++) {
        uint8_t bytes[ASSAY_LOADER_STATE_BYTES], same[ASSAY_LOADER_STATE_BYTES];
        taken t = {0};
        assay_batch b;
        assert_ok(assay_loader_epoch(l, 6));
        for (size_t i = 0; i < stop; i++) {
            assert_ok(assay_loader_next(l, &b));
            add_batch(&t, &b);
        }
        assay_loader_state(l, bytes);
        o.threads = (int)(stop % 3) - 1;
        assay_loader *other = make(f, &f->raw, all_steps, &o);
        assert_ok(assay_loader_resume(other, bytes));
        assay_loader_state(other, same);
        assert_memory_equal(bytes, same, sizeof bytes);
        take_rest(other, &t);
        assert_same(&whole, &t);
        assay_loader_destroy(other);
        free(t.bytes);
    }
    free(whole.bytes);
    assay_loader_destroy(l);
}

static void test_states_of_others(void **state) {
    fixture *f = *state;
    uint8_t bytes[ASSAY_LOADER_STATE_BYTES];
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    assay_loader *l = make(f, &f->raw, all_steps, &o);
    assay_loader_state(l, bytes);
    assert_ok(assay_loader_resume(l, bytes));
    bytes[20] ^= 1;
    assert_fails(ASSAY_E_INVALID, assay_loader_resume(l, bytes));
    assay_loader_state(l, bytes);
    o.seed = 1;
    assay_loader *other = make(f, &f->raw, all_steps, &o);
    assert_fails(ASSAY_E_INVALID, assay_loader_resume(other, bytes));
    assert_non_null(strstr(assay_last_error()->message, "seed"));
    assay_loader_destroy(other);
    o.seed = 0;
    o.order = "sequential";
    other = make(f, &f->raw, all_steps, &o);
    assert_fails(ASSAY_E_INVALID, assay_loader_resume(other, bytes));
    assay_loader_destroy(other);
    o.order = NULL;
    other = make(f, &f->other, all_steps, &o);
    assert_fails(ASSAY_E_INVALID, assay_loader_resume(other, bytes));
    assay_loader_destroy(other);
    assay_loader_destroy(l);
}

static void test_set_size(void **state) {
    fixture *f = *state;
    static const int sizes[] = {16, 40, 24, 16};
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 5;
    assay_loader *l = make(f, &f->jpeg, "a = image: random_resized_crop(16) | flip", &o);
    for (uint32_t i = 0; i < 4; i++) {
        char text[80];
        (void)snprintf(text, sizeof text, "a = image: random_resized_crop(%d) | flip",
                       sizes[i]);
        assay_batch b;
        assert_ok(assay_loader_next(l, &b)); /* in the middle of an epoch */
        assert_ok(assay_loader_set_size(l, "a", sizes[i], sizes[i]));
        taken t = take_epoch(l, i);
        assay_loader *fresh = make(f, &f->jpeg, text, &o);
        taken want = take_epoch(fresh, i);
        assert_same(&want, &t);
        free(want.bytes);
        free(t.bytes);
        assay_loader_destroy(fresh);
        assert_ok(assay_loader_epoch(l, 9));
    }
    assert_fails(ASSAY_E_NOTFOUND, assay_loader_set_size(l, "b", 8, 8));
    assert_fails(ASSAY_E_INVALID, assay_loader_set_size(l, "a", 0, 8));
    assay_loader_destroy(l);
    l = make(f, &f->raw, "image: flip", &o);
    assert_fails(ASSAY_E_INVALID, assay_loader_set_size(l, "image", 8, 8));
    assay_loader_destroy(l);
}

/* ---- rows ---- */

static int keep_even(void *user, int file, uint64_t row, int64_t label) {
    ++*(int *)user;
    assert_int_equal(file, 0);
    assert_int_equal(label, row % 7);
    return row % 2 == 0;
}

static void test_rows(void **state) {
    fixture *f = *state;
    static const uint64_t given[] = {5, 5, 90, 3};
    int asked = 0;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 8;
    o.split = "test";
    assay_loader *l = make(f, &f->raw, "label", &o);
    taken t = take_epoch(l, 0);
    assert_int_equal(t.count, RAW_ROWS - RAW_ROWS * 3 / 4);
    for (size_t i = 0; i < t.count; i++)
        assert_true(t.rows[i] >= RAW_ROWS * 3 / 4);
    free(t.bytes);
    assay_loader_destroy(l);
    o.split = NULL;
    o.order = "given";
    o.rows = given;
    o.n_rows = 4;
    l = make(f, &f->raw, "label", &o);
    t = take_epoch(l, 0);
    assert_int_equal(t.count, 4);
    assert_memory_equal(t.rows, given, sizeof given);
    free(t.bytes);
    assay_loader_destroy(l);
    o = (assay_load_options)ASSAY_LOAD_OPTIONS_INIT;
    o.filter = keep_even;
    o.filter_user = &asked;
    o.drop_last = 1;
    o.batch = 10;
    l = make(f, &f->raw, "label", &o);
    assert_int_equal(asked, RAW_ROWS);
    t = take_epoch(l, 0);
    assert_int_equal(t.count, 50); /* of 51 */
    for (size_t i = 0; i < t.count; i++)
        assert_int_equal(t.rows[i] % 2, 0);
    free(t.bytes);
    assay_loader_destroy(l);
}

static void test_weighted(void **state) {
    fixture *f = *state;
    double weights[RAW_ROWS] = {0};
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    weights[7] = 3;
    weights[70] = 1;
    o.order = "weighted";
    o.weights = weights;
    o.n_weights = RAW_ROWS;
    o.epoch_rows = 400;
    assay_loader *l = make(f, &f->raw, "label", &o);
    taken t = take_epoch(l, 0);
    size_t seven = 0;
    assert_int_equal(t.count, 400);
    for (size_t i = 0; i < t.count; i++) {
        assert_true(t.rows[i] == 7 || t.rows[i] == 70);
        seven += t.rows[i] == 7;
    }
    assert_in_range(seven, 250, 350);
    free(t.bytes);
    assay_loader_destroy(l);
}

static void test_files(void **state) {
    fixture *f = *state;
    const char *paths[] = {f->raw.text, f->other.text};
    static const double shares[] = {1, 3};
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    assay_loader *l = NULL;
    assert_ok(assay_loader_create(&l, f->ctx, paths, 2, "image", &o));
    taken t = take_epoch(l, 0);
    assert_int_equal(t.count, RAW_ROWS + OTHER_ROWS);
    for (size_t i = 0; i < t.count; i++) {
        bool second = t.rows[i] >= RAW_ROWS;
        uint64_t sample = second ? t.rows[i] - RAW_ROWS : t.rows[i];
        for (size_t k = 0; k < 360; k++)
            assert_int_equal(t.bytes[i * 360 + k],
                             beton_pixel(second ? 2 : 1, sample, k));
    }
    free(t.bytes);
    assay_loader_destroy(l);
    o.file_weights = shares;
    o.epoch_rows = 120;
    assert_ok(assay_loader_create(&l, f->ctx, paths, 2, "label", &o));
    t = take_epoch(l, 0);
    size_t second = 0;
    for (size_t i = 0; i < t.count; i++)
        second += t.rows[i] >= RAW_ROWS;
    assert_int_equal(t.count, 120);
    assert_int_equal(second, 90);
    free(t.bytes);
    assay_loader_destroy(l);
}

static void test_read_cache(void **state) {
    fixture *f = *state;
    static const char *const orders[] = {"random", "quasi-random"};
    for (int i = 0; i < 2; i++) {
        assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
        o.batch = 9;
        o.order = orders[i];
        assay_loader *l = make(f, &f->raw, all_steps, &o);
        taken want = take_epoch(l, 1);
        assay_loader_destroy(l);
        o.cache = "read";
        l = make(f, &f->raw, all_steps, &o);
        taken t = take_epoch(l, 1);
        assert_same(&want, &t);
        free(t.bytes);
        free(want.bytes);
        assay_loader_destroy(l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_references),
        cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_custom),
        cmocka_unit_test(test_whole_jpeg),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_states_of_others),
        cmocka_unit_test(test_set_size),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_weighted),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_read_cache),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
