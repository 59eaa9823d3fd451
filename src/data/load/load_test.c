/* The loader over small files: contents, determinism at any number of threads and ranks,
 * states, sizes, damage, errors, epochs given up. */
#include <assay/load.h>

#include "data/testing_beton.h"
#include "data/transform.h"

#include <assay/data.h>
#include <dirent.h>

typedef struct fixture {
    assay_ctx *ctx;
    test_scratch scratch;
    test_path raw, other, jpeg;
} fixture;

enum { RAW_ROWS = 101, OTHER_ROWS = 40, JPEG_ROWS = 24 };

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->ctx = test_ctx(2);
    f->scratch = test_scratch_begin();
    f->raw = test_in(&f->scratch, "raw.beton");
    f->other = test_in(&f->scratch, "other.beton");
    f->jpeg = test_in(&f->scratch, "jpeg.beton");
    make_beton(f->ctx, f->raw.text, &(test_beton){RAW_ROWS, 1, false, true});
    make_beton(f->ctx, f->other.text, &(test_beton){OTHER_ROWS, 2, false, true});
    make_beton(f->ctx, f->jpeg.text, &(test_beton){JPEG_ROWS, 3, true, false});
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    test_scratch_end(&f->scratch);
    assay_ctx_destroy(f->ctx);
    free(f);
    return 0;
}

static assay_loader *make(fixture *f,
                          const test_path *path,
                          const char *pipeline,
                          const assay_load_options *o) {
    assay_loader *l = NULL;
    const char *paths[] = {path->text};
    assert_ok(assay_loader_create(&l, f->ctx, paths, 1, pipeline, o));
    return l;
}

/* All bytes that an epoch hands out, and the rows. */
typedef struct taken {
    uint8_t *bytes;
    size_t n, cap;
    uint64_t rows[2000];
    size_t count, batches;
} taken;

static void add_bytes(taken *t, const void *data, size_t n) {
    if (t->n + n > t->cap) {
        t->cap = 2 * (t->n + n);
        t->bytes = realloc(t->bytes, t->cap);
        assert_non_null(t->bytes);
    }
    memcpy(t->bytes + t->n, data, n);
    t->n += n;
}

static size_t column_bytes(const assay_batch_column *c) {
    size_t n = assay_dtype_size(c->dtype);
    for (int i = 0; i < c->ndim; i++)
        n *= (size_t)c->dim[i];
    return n;
}

/* Sample by sample, so that batches of other sizes give the same bytes. */
static void add_batch(taken *t, const assay_batch *b) {
    for (int i = 0; i < b->n; i++) {
        for (int k = 0; k < b->columns; k++) {
            const assay_batch_column *c = &b->column[k];
            size_t each = column_bytes(c) / (size_t)b->n;
            size_t used = c->lengths != NULL ? (size_t)c->lengths[i] : each;
            add_bytes(t, (const uint8_t *)c->data + (size_t)i * each, used);
        }
        t->rows[t->count++] = b->rows[i];
    }
    t->batches++;
}

static void take_rest(assay_loader *l, taken *t) {
    assay_batch b;
    for (;;) {
        assert_ok(assay_loader_next(l, &b));
        if (b.n == 0)
            break;
        add_batch(t, &b);
    }
    assert_ok(assay_loader_next(l, &b));
    assert_int_equal(b.n, 0);
}

static taken take_epoch(assay_loader *l, uint32_t epoch) {
    taken t = {0};
    assert_ok(assay_loader_epoch(l, epoch));
    take_rest(l, &t);
    return t;
}

static void assert_same(const taken *a, const taken *b) {
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->rows, b->rows, a->count * sizeof a->rows[0]);
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->bytes, b->bytes, a->n);
}

static const char all_steps[] =
    "image: flip(0.5) | translate(2) | cutout(4) | normalize(imagenet)\n"
    "view2 = image: resize(8) | flip(0.5) ; label ; float ; array ; text";

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

/* ---- damage and errors ---- */

/* Spoils the image of sample 3: cuts its JPEG's header. */
static void spoil(fixture *f, test_path *out, uint64_t sample) {
    size_t n;
    uint8_t *bytes = test_get(f->ctx, f->jpeg.text, &n);
    beton_file *b;
    const uint8_t *data;
    uint64_t size;
    assert_ok(beton_open_memory(&b, f->ctx, bytes, n, "copy"));
    image_cell c = image_cell_get(beton_cell(b, sample, 0));
    assert_ok(image_cell_payload(b, sample, 0, &c, &data, &size));
    memset(bytes + (data - bytes) + 2, 0, (size_t)size - 2);
    beton_close(b);
    *out = test_in(&f->scratch, "damaged.beton");
    test_put(out->text, bytes, n);
    mem_free(f->ctx, bytes);
}

static void test_damage(void **state) {
    fixture *f = *state;
    test_path bad;
    spoil(f, &bad, 3);
    for (int threads = -1; threads <= 2; threads++) {
        assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
        o.batch = 4;
        o.order = "sequential";
        o.threads = threads;
        assay_batch b;
        assay_loader *l = make(f, &bad, "image: resize(16); label", &o);
        assert_ok(assay_loader_epoch(l, 0));
        assert_fails(ASSAY_E_FORMAT, assay_loader_next(l, &b));
        assert_non_null(strstr(assay_last_error()->where, "damaged.beton: sample 3, "
                                                          "field 'image'"));
        assert_fails(ASSAY_E_FORMAT, assay_loader_next(l, &b)); /* said again */
        assert_non_null(strstr(assay_last_error()->where, "sample 3"));
        assay_loader_destroy(l);
        o.skip_damaged = 1;
        l = make(f, &bad, "image: resize(16); label", &o);
        taken t = take_epoch(l, 0);
        assert_int_equal(t.count, JPEG_ROWS - 1);
        assert_int_equal(assay_loader_skipped(l), 1);
        for (size_t i = 0; i < t.count; i++)
            assert_int_equal(t.rows[i], i < 3 ? i : i + 1);
        free(t.bytes);
        assay_loader_destroy(l);
        o.batch = 1; /* a batch with nothing left is passed over */
        l = make(f, &bad, "image: resize(16); label", &o);
        t = take_epoch(l, 0);
        assert_int_equal(t.count, JPEG_ROWS - 1);
        free(t.bytes);
        assay_loader_destroy(l);
    }
}

static void refuse(fixture *f,
                   assay_status want,
                   const test_path *path,
                   const char *pipeline,
                   const char *says) {
    assay_loader *l = NULL;
    const char *paths[] = {path->text};
    assert_fails(want, assay_loader_create(&l, f->ctx, paths, 1, pipeline, NULL));
    assert_null(l);
    const assay_error *e = assay_last_error();
    char all[2048];
    (void)snprintf(all, sizeof all, "%s | %s | %s", e->message, e->where, e->help);
    if (strstr(all, says) == NULL)
        fail_msg("'%s' is not said: %s", says, all);
}

static void test_refusals(void **state) {
    fixture *f = *state;
    refuse(f, ASSAY_E_NOTFOUND, &f->raw, "imag: flip", "image");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image: flup", "flip");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image: flip | resize(8", "parenthesis");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image: flip(2)", "step 1 (flip)");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image; image", "two outputs");
    refuse(f, ASSAY_E_INVALID, &f->raw, " ; \n", "empty");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image: ", "missing");
    refuse(f, ASSAY_E_INVALID, &f->raw, "label: flip", "labels");
    refuse(f, ASSAY_E_INVALID, &f->raw, "float: flip", "holds neither");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image: normalize(unit) | flip", "flip");
    refuse(f, ASSAY_E_SHAPE, &f->jpeg, "image", "window");
    refuse(f, ASSAY_E_SHAPE, &f->jpeg, "image: flip", "random_resized_crop");
    refuse(f, ASSAY_E_NOTFOUND, &(test_path){"/nowhere.beton"}, "image", "nowhere");
}

static void test_options(void **state) {
    fixture *f = *state;
    const char *paths[] = {f->raw.text};
    assay_loader *l = NULL;
    assay_load_options bad[9];
    for (int i = 0; i < 9; i++)
        bad[i] = (assay_load_options)ASSAY_LOAD_OPTIONS_INIT;
    bad[0].batch = -1;
    bad[1].threads = -2;
    bad[2].order = "rnadom";
    bad[3].rank = 2;
    bad[3].world = 2;
    bad[4].cache = "disk";
    bad[5].order = "given";
    bad[6].rows = (const uint64_t[]){RAW_ROWS};
    bad[6].n_rows = 1;
    bad[7].order = "weighted";
    bad[8].ahead = -4;
    for (int i = 0; i < 9; i++) {
        assert_fails(ASSAY_E_INVALID,
                     assay_loader_create(&l, f->ctx, paths, 1, "label", &bad[i]));
        assert_null(l);
    }
    bad[0] = (assay_load_options)ASSAY_LOAD_OPTIONS_INIT;
    bad[0].split = "validation";
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_loader_create(&l, f->ctx, paths, 1, "label", &bad[0]));
}

/* ---- giving up ---- */

static size_t count_entries(const char *folder) {
    size_t n = 0;
    DIR *d = opendir(folder);
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

static void test_early_stops(void **state) {
    fixture *f = *state;
    size_t files = count_entries("/proc/self/fd"),
           threads = count_entries("/proc/self/task");
    for (int k = 0; k < 30; k++) {
        assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
        o.batch = 3;
        o.threads = 1 + k % 3;
        o.cache = k % 4 == 3 ? "read" : NULL;
        assay_loader *l = make(f, k % 2 ? &f->raw : &f->jpeg,
                               "image: random_resized_crop(20) | flip; label", &o);
        for (uint32_t epoch = 0; epoch < 4; epoch++) {
            assay_batch b;
            assert_ok(assay_loader_epoch(l, epoch));
            for (uint32_t i = 0; i < (epoch * 5 + (uint32_t)k) % 7; i++)
                assert_ok(assay_loader_next(l, &b));
        }
        assay_loader_destroy(l);
    }
    assert_int_equal(count_entries("/proc/self/fd"), files);
    assert_int_equal(count_entries("/proc/self/task"), threads);
}

static void test_cancel(void **state) {
    fixture *f = *state;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 2;
    assay_batch b;
    assay_loader *l = make(f, &f->jpeg, "image: resize(32)", &o);
    assert_ok(assay_loader_epoch(l, 0));
    assert_ok(assay_loader_next(l, &b));
    assay_ctx_cancel(f->ctx);
    assert_fails(ASSAY_E_CANCELLED, assay_loader_next(l, &b));
    assert_fails(ASSAY_E_CANCELLED, assay_loader_epoch(l, 1));
    assay_ctx_resume(f->ctx);
    taken t = take_epoch(l, 1);
    assert_int_equal(t.count, JPEG_ROWS);
    free(t.bytes);
    assay_loader_destroy(l);
}

static void test_no_memory(void **state) {
    fixture *f = *state;
    const char *paths[] = {f->raw.text};
    long left;
    assay_ctx *ctx = test_ctx_failing(&left);
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 8;
    bool through = false;
    for (long allowed = 0; !through; allowed++) {
        assay_loader *l = NULL;
        assay_batch b;
        assert_true(allowed < 1000);
        left = allowed;
        assay_status status = assay_loader_create(&l, ctx, paths, 1, all_steps, &o);
        if (status == ASSAY_OK)
            status = assay_loader_epoch(l, 0);
        if (status == ASSAY_OK)
            status = assay_loader_next(l, &b);
        assert_true(status == ASSAY_OK || status == ASSAY_E_NOMEM);
        through = status == ASSAY_OK;
        left = LONG_MAX;
        assay_loader_destroy(l);
    }
    assay_ctx_destroy(ctx);
}

/* Once all sizes were met, an epoch takes no memory. */
static void test_steady(void **state) {
    fixture *f = *state;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 8;
    o.threads = -1;
    o.order = "sequential";
    assay_loader *l = make(f, &f->raw, all_steps, &o);
    taken t = take_epoch(l, 0);
    free(t.bytes);
    uint64_t before = mem_alloc_count(f->ctx);
    t = take_epoch(l, 1);
    free(t.bytes);
    assert_int_equal(mem_alloc_count(f->ctx), before);
    assay_loader_destroy(l);
}

static void test_plan_and_stats(void **state) {
    fixture *f = *state;
    char *text = NULL;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    assay_loader *l = make(f, &f->raw, all_steps, &o);
    assert_ok(assay_loader_plan(l, &text));
    assert_non_null(strstr(text, "flip + translate + cutout, from the stored image to "
                                 "the batch"));
    assert_non_null(strstr(text, "f32 [n, 12, 10, 3] NHWC"));
    assert_non_null(strstr(text, "resize + flip, from the stored image to the batch"));
    assay_string_free(f->ctx, text);
    taken t = take_epoch(l, 0);
    free(t.bytes);
    assay_load_stats s = {.struct_size = sizeof s};
    assay_loader_stats(l, &s);
    assert_int_equal(s.samples, RAW_ROWS);
    assert_int_equal(s.batches, 1);
    assert_true(s.bytes_read >= 2 * 360 * RAW_ROWS);
    assay_loader_destroy(l);
}

static void test_mixing(void **state) {
    fixture *f = *state;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 20;
    assay_loader *l = NULL;
    const char *paths[] = {f->raw.text};
    const data_transform *t;
    if (transform_find(&t, "mixup") != ASSAY_OK) {
        print_message("skipped: there is no mixup yet\n");
        skip();
    }
    assert_ok(assay_loader_create(
        &l, f->ctx, paths, 1,
        "image: normalize(unit) | mixup(0.5); label: one_hot(7) | mixup(0.5)", &o));
    taken one = take_epoch(l, 0);
    assay_loader_destroy(l);
    o.threads = -1;
    assert_ok(assay_loader_create(
        &l, f->ctx, paths, 1,
        "image: normalize(unit) | mixup(0.5); label: one_hot(7) | mixup(0.5)", &o));
    taken two = take_epoch(l, 0);
    assert_same(&one, &two);
    free(one.bytes);
    free(two.bytes);
    assay_loader_destroy(l);
}

/* A descriptor that claims terabytes is refused before memory is asked for. */
static void huge_arrays(void **unused) {
    (void)unused;
    enum { DESCRIPTOR = 1041, ARRAY = 3 };
    test_scratch dir = test_scratch_begin();
    test_path path = test_in(&dir, "a.beton");
    assay_ctx *ctx = test_ctx(1);
    size_t bytes;
    make_beton(ctx, path.text, &(test_beton){.samples = 5, .others = true});
    uint8_t *file = test_get(ctx, path.text, &bytes);
    le64_put(file + 24 + ARRAY * DESCRIPTOR + 17, (uint64_t)1 << 40);
    test_put(path.text, file, bytes);
    const char *paths[] = {path.text};
    assay_loader *l = NULL;
    assert_fails(ASSAY_E_FORMAT, assay_loader_create(&l, ctx, paths, 1, "array", NULL));
    assert_null(l);
    mem_free(ctx, file);
    assay_ctx_destroy(ctx);
    test_scratch_end(&dir);
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
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_early_stops),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_steady),
        cmocka_unit_test(test_plan_and_stats),
        cmocka_unit_test(test_mixing),
        cmocka_unit_test(huge_arrays),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
