/* The set of indexes: stored, opened, found again; stale and damaged ones are not used;
 * assay_index over a file of real JPEGs. */
#include <assay/data.h>

#include "base/pool.h"
#include "data/load/jpeg_index.h"
#include "data/pack/encode.h"
#include "data/testing.h"
#include "file/atomic.h"

#include <unistd.h>

enum { SAMPLES = 41, HEAD = 64 };

/* A picture of a few colours as a JPEG. */
static void make_jpeg(buf *out, assay_ctx *ctx, size_t k) {
    image im = image_make(ctx);
    int w = 40 + (int)(k % 7) * 9, h = 33 + (int)(k % 5) * 11;
    assert_ok(image_resize_storage(&im, w, h));
    for (size_t i = 0; i < (size_t)w * (size_t)h * 3; i++)
        im.rgb[i] = test_pixel(k, i / 97);
    assert_ok(image_encode_jpeg(out, &im, 90, true));
    image_free(&im);
}

/* SAMPLES images; every seventh is stored as pixels. `shift` makes other pictures. */
static void write_file(assay_ctx *ctx, const char *path, size_t samples, size_t shift) {
    const beton_field fields[2] = {{.type = BETON_INT, .name = "label"},
                                   {.type = BETON_IMAGE, .name = "image"}};
    beton_writer *w;
    assert_ok(beton_writer_create(
        &w, ctx, path,
        &(beton_writer_options){
            .page_size = 1 << 16, .samples = samples, .fields = fields, .n_fields = 2}));
    const beton_field *f = beton_writer_field(w, 1);
    for (size_t k = 0; k < samples; k++) {
        uint8_t row[64] = {0}, raw[12] = {0};
        buf b = buf_make(ctx);
        make_jpeg(&b, ctx, k + shift);
        bool pixels = k % 7 == 3;
        uint8_t *cell = row + f->cell_offset;
        cell[0] = pixels ? CELL_RAW : CELL_JPEG;
        le16_put(cell + 1, (uint16_t)(pixels ? 2 : 40 + (k + shift) % 7 * 9));
        le16_put(cell + 3, (uint16_t)(pixels ? 2 : 33 + (k + shift) % 5 * 11));
        beton_payload_in in = {1, pixels ? (char *)raw : b.data,
                               pixels ? sizeof raw : b.len,
                               f->cell_offset + beton_ptr_offset(BETON_IMAGE)};
        assert_ok(beton_writer_add(w, row, &in, 1));
        buf_free(&b);
    }
    assert_ok(beton_writer_commit(w));
    beton_writer_destroy(w);
}

static void
payload_of(const beton_file *f, uint64_t sample, const uint8_t **data, size_t *n) {
    uint64_t bytes;
    image_cell c = image_cell_get(beton_cell(f, sample, 1));
    assert_ok(image_cell_payload(f, sample, 1, &c, data, &bytes));
    *n = (size_t)bytes;
}

/* How many samples are found; every one found must be their own. */
static size_t count_found(jpeg_index_set *s, const beton_file *f) {
    size_t found = 0;
    for (uint64_t i = 0; i < beton_samples(f); i++) {
        const uint8_t *data;
        size_t n;
        jpeg_index index, again;
        payload_of(f, i, &data, &n);
        if (!jpeg_index_find(s, i, data, n, &index))
            continue;
        found++;
        assert_true(jpeg_index_matches(&index, data, n));
        assert_true(jpeg_index_find(s, i, data, n, &again));
        assert_ptr_equal(index.data, again.data);
    }
    return found;
}

typedef struct fixture {
    test_scratch dir;
    assay_ctx *ctx;
    test_path beton, idx;
    beton_file *file;
} fixture;

static fixture begin(int threads) {
    fixture x = {.dir = test_scratch_begin(), .ctx = test_ctx(threads)};
    x.beton = test_in(&x.dir, "a.beton");
    x.idx = test_in(&x.dir, "a.beton.idx");
    write_file(x.ctx, x.beton.text, SAMPLES, 0);
    assert_ok(beton_open(&x.file, x.ctx, x.beton.text));
    return x;
}

static void end(fixture *x) {
    beton_close(x->file);
    test_scratch_end(&x->dir);
    assay_ctx_destroy(x->ctx);
}

/* Opens by "auto" and closes again: how many are found, or -1 without a set. */
static int found_by(const fixture *x, const char *where, char note[256]) {
    jpeg_index_set *s;
    assert_ok(jpeg_index_open(&s, x->ctx, x->file, 1, where, note));
    int found = s == NULL ? -1 : (int)count_found(s, x->file);
    jpeg_index_close(s);
    return found;
}

static void test_index_beside(void **state) {
    (void)state;
    fixture x = begin(3);
    char note[256];
    assay_index_result r;
    assay_index_options o = ASSAY_INDEX_OPTIONS_INIT;
    assert_int_equal(found_by(&x, "auto", note), -1);
    assert_string_equal(note, "");
    assert_ok(assay_index(x.ctx, x.beton.text, NULL, &r));
    assert_int_equal(r.images, SAMPLES);
    assert_int_equal(r.raw, 6);
    assert_int_equal(r.left, 0);
    assert_int_equal(r.indexed, SAMPLES - 6);
    assert_int_equal(r.interval, 8);
    assert_int_equal(found_by(&x, "auto", note), SAMPLES - 6);
    assert_int_equal(found_by(&x, x.idx.text, note), SAMPLES - 6);
    assert_int_equal(found_by(&x, "none", note), -1);
    assert_string_equal(note, "");

    uint8_t *first, *second;
    size_t n, m;
    assert_ok(os_read_file(x.ctx, x.idx.text, SIZE_MAX / 2, &first, &n));
    assert_int_equal(n, r.bytes);
    assert_fails(ASSAY_E_INVALID, assay_index(x.ctx, x.beton.text, NULL, NULL));
    o.force = 1;
    assay_ctx *one = test_ctx(1);
    assert_ok(assay_index(one, x.beton.text, &o, &r));
    assay_ctx_destroy(one);
    assert_ok(os_read_file(x.ctx, x.idx.text, SIZE_MAX / 2, &second, &m));
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    mem_free(x.ctx, first);
    mem_free(x.ctx, second);

    o.interval = 65;
    assert_fails(ASSAY_E_INVALID, assay_index(x.ctx, x.beton.text, &o, NULL));
    o.interval = 1;
    o.field = "label";
    assert_fails(ASSAY_E_NOTFOUND, assay_index(x.ctx, x.beton.text, &o, NULL));
    o.field = "image";
    assert_ok(assay_index(x.ctx, x.beton.text, &o, &r));
    assert_true(r.bytes > n);
    assert_int_equal(found_by(&x, "auto", note), SAMPLES - 6);
    end(&x);
}

/* The file is written anew: fewer samples; as many, but others; the same. */
static void test_stale(void **state) {
    (void)state;
    fixture x = begin(1);
    char note[256];
    assert_ok(assay_index(x.ctx, x.beton.text, NULL, NULL));
    static const struct {
        size_t samples, shift;
        const char *says;
    } cases[] = {{SAMPLES - 1, 0, "number of samples"},
                 {SAMPLES, 1, "have changed"},
                 {SAMPLES, 0, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        beton_close(x.file);
        write_file(x.ctx, x.beton.text, cases[i].samples, cases[i].shift);
        assert_ok(beton_open(&x.file, x.ctx, x.beton.text));
        bool fresh = cases[i].says[0] == '\0';
        assert_int_equal(found_by(&x, "auto", note), fresh ? SAMPLES - 6 : -1);
        assert_non_null(strstr(note, cases[i].says));
        assert_int_equal(found_by(&x, x.idx.text, note), fresh ? SAMPLES - 6 : -1);
    }
    end(&x);
}

/* The same size, another content: found out by the hash, sample by sample. */
static void test_changed_bytes(void **state) {
    (void)state;
    fixture x = begin(1);
    jpeg_index_set *s;
    jpeg_index index;
    char note[256];
    const uint8_t *data;
    size_t n;
    assert_ok(assay_index(x.ctx, x.beton.text, NULL, NULL));
    assert_ok(jpeg_index_open(&s, x.ctx, x.file, 1, "auto", note));
    payload_of(x.file, 5, &data, &n);
    uint8_t *bent = malloc(n);
    memcpy(bent, data, n);
    bent[n / 2] ^= 1;
    assert_false(jpeg_index_find(s, 5, bent, n, &index));
    assert_false(jpeg_index_find(s, 5, bent, n - 1, &index));
    assert_false(jpeg_index_find(s, 5, data, n, &index)); /* refused for good */
    payload_of(x.file, 6, &data, &n);
    assert_true(jpeg_index_find(s, 6, data, n, &index));
    assert_false(jpeg_index_find(s, SAMPLES, data, n, &index));
    assert_false(jpeg_index_find(s, 3, data, n, &index)); /* raw */
    free(bent);
    jpeg_index_close(s);
    end(&x);
}

typedef struct gather {
    const fixture *x;
    jpeg_index_set *set;
    jpeg_decoder *decoder[4];
} gather;

/* Each image twice, as two epochs at once would. */
static assay_status gather_rows(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    gather *g = arg;
    buf b = buf_make(g->x->ctx);
    for (size_t i = begin; i < end; i++) {
        const uint8_t *data;
        size_t n, sample = i % SAMPLES;
        jpeg_index index;
        payload_of(g->x->file, sample, &data, &n);
        if (sample % 7 == 3 || jpeg_index_find(g->set, sample, data, n, &index))
            continue;
        buf_clear(&b);
        ASSAY_TRY(jpeg_index_build(&b, g->decoder[worker], data, n, 8));
        index = (jpeg_index){(uint8_t *)b.data, b.len};
        ASSAY_TRY(jpeg_index_put(g->set, sample, &index));
        if (!jpeg_index_find(g->set, sample, data, n, &index))
            ASSAY_FAIL(ASSAY_E_INTERNAL, "sample %zu is not found", sample);
    }
done:
    buf_free(&b);
    return status;
}

static void test_collect(void **state) {
    (void)state;
    fixture x = begin(4);
    gather g = {.x = &x};
    buf stored = buf_make(x.ctx), copied = buf_make(x.ctx);
    jpeg_index_set *s;
    assert_ok(jpeg_index_collect(&g.set, x.ctx, x.file, 1, 8));
    for (int i = 0; i < 4; i++)
        assert_ok(jpeg_decoder_create(&g.decoder[i], x.ctx));
    assert_ok(assay_parallel_for(x.ctx, 2 * SAMPLES, 1, gather_rows, &g));
    assert_int_equal(jpeg_index_describe(g.set).indexed, SAMPLES - 6);
    assert_ok(jpeg_index_store(g.set, &stored));
    assert_int_equal(jpeg_index_describe(g.set).bytes, stored.len);
    assert_ok(assay_index(x.ctx, x.beton.text, NULL, NULL));
    uint8_t *whole;
    size_t n;
    assert_ok(os_read_file(x.ctx, x.idx.text, SIZE_MAX / 2, &whole, &n));
    assert_int_equal(n, stored.len);
    assert_memory_equal(whole, stored.data, n);
    assert_ok(jpeg_index_open_memory(&s, x.ctx, whole, n));
    assert_int_equal(count_found(s, x.file), SAMPLES - 6);
    assert_string_equal(jpeg_index_describe(s).field, "image");
    assert_ok(jpeg_index_store(s, &copied)); /* an opened set can be stored as well */
    assert_int_equal(copied.len, n);
    assert_memory_equal(copied.data, whole, n);
    jpeg_index index = {whole, n};
    assert_fails(ASSAY_E_INVALID, jpeg_index_put(s, 0, &index));
    assert_fails(ASSAY_E_INVALID, jpeg_index_put(g.set, SAMPLES, &index));
    jpeg_index_close(s);
    mem_free(x.ctx, whole);
    for (int i = 0; i < 4; i++)
        jpeg_decoder_destroy(g.decoder[i]);
    jpeg_index_close(g.set);
    assert_fails(ASSAY_E_INVALID, jpeg_index_collect(&g.set, x.ctx, x.file, 1, 0));
    assert_null(g.set);
    buf_free(&stored);
    buf_free(&copied);
    end(&x);
}

/* Cut anywhere, or with any byte changed: refused, or not used, or harmless. */
static void test_damaged(void **state) {
    (void)state;
    fixture x = begin(1);
    char note[256];
    uint8_t *whole;
    size_t n;
    jpeg_index_set *s;
    assert_ok(assay_index(x.ctx, x.beton.text, NULL, NULL));
    assert_ok(os_read_file(x.ctx, x.idx.text, SIZE_MAX / 2, &whole, &n));
    for (size_t cut = 0; cut < n; cut += cut < 300 ? 1 : 97) {
        uint8_t *part = malloc(cut + 1);
        memcpy(part, whole, cut);
        assert_fails(ASSAY_E_FORMAT, jpeg_index_open_memory(&s, x.ctx, part, cut));
        assert_null(s);
        free(part);
    }
    for (size_t at = 0; at < n; at += at < 400 ? 1 : 53) {
        whole[at] ^= 0x41;
        if (at < HEAD) {
            assert_fails(ASSAY_E_FORMAT, jpeg_index_open_memory(&s, x.ctx, whole, n));
        } else {
            assert_ok(jpeg_index_open_memory(&s, x.ctx, whole, n));
            size_t found = count_found(s, x.file); /* their own, whatever is found */
            assert_true(found >= SAMPLES - 8 && found <= SAMPLES - 6);
            jpeg_index_close(s);
        }
        whole[at] ^= 0x41;
    }
    whole[20] ^= 1;
    assert_ok(atomic_put(x.ctx, x.idx.text, whole, n));
    assert_int_equal(found_by(&x, "auto", note), -1);
    assert_non_null(strstr(note, "checksum"));
    assert_fails(ASSAY_E_FORMAT, jpeg_index_open(&s, x.ctx, x.file, 1, x.idx.text, note));
    assert_null(s);
    assert_fails(ASSAY_E_NOTFOUND,
                 jpeg_index_open(&s, x.ctx, x.file, 1, "/nowhere/x.idx", note));
    mem_free(x.ctx, whole);
    end(&x);
}

static void test_nothing_to_index(void **state) {
    (void)state;
    test_scratch dir = test_scratch_begin();
    assay_ctx *ctx = test_ctx(1);
    test_path beton = test_in(&dir, "raw.beton");
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    put_idx_set(ctx, &dir, 20, 4);
    assert_ok(assay_pack(ctx, dir.folder, beton.text, &o, NULL));
    assert_fails(ASSAY_E_UNSUPPORTED, assay_index(ctx, beton.text, NULL, NULL));
    assert_fails(ASSAY_E_NOTFOUND, assay_index(ctx, "/nowhere.beton", NULL, NULL));
    assert_int_equal(jpeg_index_usual_interval(99999), 8);
    assert_int_equal(jpeg_index_usual_interval(100000), 16);
    assert_int_equal(jpeg_index_usual_interval(1000000), 32);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* Packing writes the same index into the file, at any number of threads, and on wish
 * none. */
static void test_packed(void **state) {
    (void)state;
    test_scratch dir = test_scratch_begin();
    assay_ctx *ctx = test_ctx(3);
    test_path beton = test_in(&dir, "a.beton"), bare = test_in(&dir, "b.beton");
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    beton_file *f;
    jpeg_index_set *s;
    char note[256];
    for (size_t k = 0; k < 20; k++) {
        char name[64];
        buf b = buf_make(ctx);
        snprintf(name, sizeof name, "src/%s/%02zu.jpg", k % 2 ? "x" : "y", k);
        make_jpeg(&b, ctx, k);
        put_buf(&dir, name, &b);
    }
    o.mode = "keep";
    assert_ok(assay_pack(ctx, test_in(&dir, "src").text, beton.text, &o, NULL));
    assert_ok(beton_open(&f, ctx, beton.text));
    assert_ok(jpeg_index_open(&s, ctx, f, 0, "auto", note));
    assert_string_equal(note, "");
    assert_non_null(s);
    assert_int_equal(jpeg_index_describe(s).indexed, 20);
    assert_int_equal(jpeg_index_describe(s).interval, 8);
    assert_false(jpeg_index_describe(s).beside);
    for (uint64_t i = 0; i < 20; i++) {
        image_cell c = image_cell_get(beton_cell(f, i, 0));
        const uint8_t *data;
        uint64_t n;
        jpeg_index index;
        assert_ok(image_cell_payload(f, i, 0, &c, &data, &n));
        assert_true(jpeg_index_find(s, i, data, (size_t)n, &index));
    }
    size_t n;
    const uint8_t *tag = beton_tag(f, BETON_TAG_JPEG_INDEX, &n);
    jpeg_index_close(s);

    o.index_interval = -1;
    assert_ok(assay_pack(ctx, test_in(&dir, "src").text, bare.text, &o, NULL));
    assert_ok(assay_index(ctx, bare.text, NULL, NULL));
    size_t m;
    uint8_t *beside = test_get(ctx, test_in(&dir, "b.beton.idx").text, &m);
    assert_int_equal(m, n);
    assert_memory_equal(beside, tag, n);
    mem_free(ctx, beside);
    assert_fails(ASSAY_E_INVALID, assay_index(ctx, beton.text, NULL, NULL));
    o.index_interval = 65;
    o.force = 1;
    assert_fails(ASSAY_E_INVALID,
                 assay_pack(ctx, test_in(&dir, "src").text, bare.text, &o, NULL));
    beton_close(f);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* Merging carries the entries along; rows of a file without an index have none. */
static void test_merged(void **state) {
    (void)state;
    test_scratch dir = test_scratch_begin();
    assay_ctx *ctx = test_ctx(2);
    test_path part[2] = {test_in(&dir, "a.beton"), test_in(&dir, "b.beton")};
    test_path out = test_in(&dir, "out.beton");
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    beton_file *f;
    jpeg_index_set *s;
    char note[256];
    o.mode = "keep";
    for (size_t k = 0; k < 40; k++) {
        char name[64];
        buf b = buf_make(ctx);
        snprintf(name, sizeof name, "%d/train/%s/%02zu.jpg", k >= 20, k % 2 ? "x" : "y",
                 k);
        make_jpeg(&b, ctx, k);
        put_buf(&dir, name, &b);
    }
    for (int i = 0; i < 2; i++) {
        o.index_interval = i == 0 ? 4 : -1;
        assert_ok(
            assay_pack(ctx, test_in(&dir, i ? "1" : "0").text, part[i].text, &o, NULL));
    }
    const char *paths[] = {part[1].text, part[0].text};
    assert_ok(assay_beton_merge(ctx, paths, 2, out.text, NULL, NULL));
    assert_ok(beton_open(&f, ctx, out.text));
    assert_ok(jpeg_index_open(&s, ctx, f, 0, "auto", note));
    assert_non_null(s);
    assert_int_equal(jpeg_index_describe(s).interval, 4);
    assert_int_equal(jpeg_index_describe(s).indexed, 20);
    size_t found = 0;
    for (uint64_t i = 0; i < 40; i++) {
        image_cell c = image_cell_get(beton_cell(f, i, 0));
        const uint8_t *data;
        uint64_t n;
        jpeg_index index;
        assert_ok(image_cell_payload(f, i, 0, &c, &data, &n));
        found += jpeg_index_find(s, i, data, (size_t)n, &index);
    }
    assert_int_equal(found, 20);
    jpeg_index_close(s);
    beton_close(f);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_beside),  cmocka_unit_test(test_stale),
        cmocka_unit_test(test_changed_bytes), cmocka_unit_test(test_collect),
        cmocka_unit_test(test_damaged),       cmocka_unit_test(test_nothing_to_index),
        cmocka_unit_test(test_packed),        cmocka_unit_test(test_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
