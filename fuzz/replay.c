/* Runs a fuzz target without libFuzzer: on its seeds, on the files and folders named, and
 * on mutations of all of these that are the same every time.
 *
 *     replay_x [--mutations N] [--write FOLDER] [FILE or FOLDER]...
 *
 * --write puts the seeds into a folder, as a first corpus for libFuzzer. */
#include "base/os.h"
#include "base/rng.h"
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

enum { INPUT_LIMIT = 1 << 24, EDITS = 4 };

typedef struct replay {
    int mutations;
    uint64_t inputs, runs, slowest_ns;
} replay;

/* In a block of exactly its size, so that a read past the end is seen. */
static void run(replay *r, const uint8_t *data, size_t n) {
    uint8_t *tight = malloc(n ? n : 1);
    if (!tight)
        abort();
    if (n)
        memcpy(tight, data, n);
    uint64_t begin = os_now_ns();
    (void)LLVMFuzzerTestOneInput(tight, n);
    uint64_t took = os_now_ns() - begin;
    if (took > r->slowest_ns)
        r->slowest_ns = took;
    r->runs++;
    free(tight);
}

/* One edit of data[0..n), which has room for one byte more than n; returns the new
 * length. */
static size_t edit(rng *g, uint8_t *data, size_t n) {
    static const uint64_t values[] = {0,          1,         0x7F,       0x80,
                                      0xFF,       0x7FFF,    0xFFFF,     0x7FFFFFFF,
                                      0xFFFFFFFF, INT64_MAX, UINT64_MAX, UINT64_MAX - 7};
    if (n == 0)
        return 0;
    /* Headers lie at the beginning, tables at the end: half of all edits go there. */
    size_t near = n < 256 ? n : 256, at = (size_t)rng_below(g, n);
    if (rng_below(g, 4) == 0)
        at = (size_t)rng_below(g, near);
    else if (rng_below(g, 4) == 0)
        at = n - 1 - (size_t)rng_below(g, near);
    switch (rng_below(g, 6)) {
    case 0:
        data[at] ^= (uint8_t)(1u << rng_below(g, 8));
        return n;
    case 1:
        data[at] = (uint8_t)rng_below(g, 256);
        return n;
    case 2: { /* an integer of interest, either byte order */
        uint64_t v = values[rng_below(g, sizeof values / sizeof values[0])];
        size_t width = (size_t)1 << rng_below(g, 4);
        bool big = rng_below(g, 2);
        for (size_t i = 0; i < width && at + i < n; i++)
            data[at + i] = (uint8_t)(v >> 8 * (big ? width - 1 - i : i));
        return n;
    }
    case 3: /* a cut */
        return at;
    case 4: /* a byte less */
        memmove(data + at, data + at + 1, n - at - 1);
        return n - 1;
    default: /* a piece over another */
    {
        size_t from = (size_t)rng_below(g, n), room = n - (from > at ? from : at);
        memmove(data + at, data + from, (size_t)rng_below(g, room) + 1);
        return n;
    }
    }
}

static void replay_input(replay *r, const uint8_t *data, size_t n) {
    uint64_t input = r->inputs++;
    run(r, data, n);
    uint8_t *copy = malloc(n + 1);
    if (!copy)
        abort();
    for (int m = 0; m < r->mutations; m++) {
        rng g = rng_at(1, RNG_TEST, (uint32_t)m, input);
        size_t length = n;
        if (n)
            memcpy(copy, data, n);
        for (uint64_t edits = rng_below(&g, EDITS) + 1; edits > 0; edits--)
            length = edit(&g, copy, length);
        run(r, copy, length);
    }
    free(copy);
}

static int replay_seeds(replay *r, const char *folder) {
    for (int i = 0;; i++) {
        buf seed = buf_make(fuzz_ctx());
        if (!fuzz_seed(&seed, i)) {
            buf_free(&seed);
            return 0;
        }
        fuzz_must(buf_check(&seed));
        if (folder) {
            char path[4096];
            (void)snprintf(path, sizeof path, "%s/seed-%02d", folder, i);
            FILE *f = fopen(path, "wb");
            if (!f || fwrite(seed.data, 1, seed.len, f) != seed.len || fclose(f) != 0) {
                (void)fprintf(stderr, "replay: can't write %s\n", path);
                return 2;
            }
        } else {
            replay_input(r, (const uint8_t *)seed.data, seed.len);
        }
        buf_free(&seed);
    }
}

static int replay_path(replay *r, const char *path) {
    assay_ctx *ctx = fuzz_ctx();
    if (os_is_dir(path)) {
        os_names names;
        int rc = 0;
        if (os_list_dir(ctx, path, &names) != ASSAY_OK)
            return 2;
        for (size_t i = 0; i < names.count && rc == 0; i++) {
            char inner[4096];
            (void)snprintf(inner, sizeof inner, "%s/%s", path, names.name[i]);
            rc = replay_path(r, inner);
        }
        os_names_free(&names);
        return rc;
    }
    uint8_t *data;
    size_t n;
    if (os_read_file(ctx, path, INPUT_LIMIT, &data, &n) != ASSAY_OK) {
        (void)fprintf(stderr, "replay: %s: %s\n", path, assay_last_error()->message);
        return 2;
    }
    replay_input(r, data, n);
    mem_free(ctx, data);
    return 0;
}

int main(int argc, char **argv) {
    replay r = {.mutations = 200};
    const char *folder = NULL;
    int first = 1;
    for (; first + 1 < argc && strncmp(argv[first], "--", 2) == 0; first += 2) {
        if (strcmp(argv[first], "--mutations") == 0) {
            r.mutations = (int)strtol(argv[first + 1], NULL, 10);
        } else if (strcmp(argv[first], "--write") == 0) {
            folder = argv[first + 1];
        } else {
            (void)fprintf(stderr, "replay: unknown option %s\n", argv[first]);
            return 2;
        }
    }
    if (folder && os_mkdirs(folder) != ASSAY_OK)
        return 2;
    int rc = replay_seeds(&r, folder);
    for (int i = first; i < argc && rc == 0; i++)
        rc = replay_path(&r, argv[i]);
    if (rc == 0 && !folder)
        (void)printf("%llu inputs, %llu runs, slowest %.1f ms\n",
                     (unsigned long long)r.inputs, (unsigned long long)r.runs,
                     (double)r.slowest_ns * 1e-6);
    assay_ctx_destroy(fuzz_ctx());
    return rc;
}
