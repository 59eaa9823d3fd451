/* Where bytes come from, on a file that is not in the system's page cache: the map and
 * the cache of our own, for three orders. One consumer looks at every 64th byte. Prints
 * MB/s of payload, processor seconds of all threads, how much of the file was read, and
 * how often the consumer waited.
 *
 *   pages WORKDIR [megabytes=512] [payload_kb=110] [cache_mb=128] [threads=4]
 */
#include "data/load/pages.h"
#include "base/le.h"
#include "data/load/sampler.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGE = 1 << 23, ROUNDS = 3 };

typedef struct bench {
    assay_ctx *ctx;
    char path[512];
    uint64_t samples, payload, cache;
    int threads;
} bench;

static assay_status write_file(const bench *b) {
    assay_status status = ASSAY_OK;
    beton_field field = {.type = BETON_BYTES, .name = "blob"};
    beton_writer_options o = {PAGE, b->samples, &field, 1};
    beton_writer *w = NULL;
    uint8_t *blob = NULL;
    ASSAY_TRY(mem_new(b->ctx, &blob, 1, b->payload));
    ASSAY_TRY(beton_writer_create(&w, b->ctx, b->path, &o));
    for (uint64_t s = 0; s < b->samples; s++) {
        uint8_t row[16] = {0};
        memset(blob, (int)(s & 255), b->payload);
        le64_put(row + 8, b->payload);
        const beton_payload_in in = {0, blob, b->payload, 0};
        ASSAY_TRY(beton_writer_add(w, row, &in, 1));
    }
    ASSAY_TRY(beton_writer_commit(w));
done:
    beton_writer_destroy(w);
    mem_free(b->ctx, blob);
    return status;
}

/* Out of the system's cache, as far as it will. */
static void forget(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    (void)close(fd);
}

static uint64_t row_at(const void *arg, uint64_t i) {
    return sampler_at(arg, i);
}

static assay_status consume(page_source *p, const beton_file *f, const sampler *s) {
    assay_status status = ASSAY_OK;
    volatile uint64_t sum = 0;
    for (uint64_t i = 0; i < sampler_count(s); i++) {
        uint64_t offset, bytes;
        page_hold h;
        ASSAY_TRY(page_locate(f, sampler_at(s, i), 0, &offset, &bytes));
        ASSAY_TRY(page_acquire(p, offset, bytes, &h));
        for (uint64_t k = 0; k < bytes; k += 64)
            sum += h.data[k];
        page_release(p, &h);
    }
done:
    return status;
}

static assay_status
run(const bench *b, const char *order, const char *kind, bool cold, uint32_t epoch) {
    assay_status status = ASSAY_OK;
    beton_file *f = NULL;
    sampler *s = NULL;
    page_source *p = NULL;
    sampler_options o = {.order = order,
                         .seed = 1,
                         .rows = b->samples,
                         .rows_per_page = PAGE / b->payload,
                         .pool_pages = b->cache / PAGE / 2,
                         .batch = 256};
    if (cold)
        forget(b->path);
    uint64_t wall = os_now_ns(), cpu = os_cpu_ns();
    ASSAY_TRY(beton_open(&f, b->ctx, b->path));
    ASSAY_TRY(sampler_create(&s, b->ctx, &o));
    ASSAY_TRY(sampler_epoch(s, epoch));
    ASSAY_TRY(page_source_create(&p, b->ctx, f, kind, b->cache, b->threads));
    ASSAY_TRY(page_source_epoch(p, row_at, s, b->samples, NULL, 0));
    ASSAY_TRY(consume(p, f, s));
    double seconds = (double)(os_now_ns() - wall) * 1e-9;
    double spent = (double)(os_cpu_ns() - cpu) * 1e-9;
    double all = (double)(b->samples * b->payload);
    page_stats st = page_source_stats(p);
    (void)printf("%-13s %-5s %-4s %8.0f MB/s %7.3f cpu s", order, kind,
                 cold ? "cold" : "warm", all / seconds * 1e-6, spent);
    if (st.pages_read > 0)
        (void)printf("  read %.2f of the payload, %llu waits of %llu",
                     (double)st.bytes_read / all, (unsigned long long)st.waits,
                     (unsigned long long)b->samples);
    (void)printf("\n");
done:
    page_source_destroy(p);
    sampler_destroy(s);
    beton_close(f);
    return status;
}

static assay_status run_all(const bench *b) {
    static const char *const orders[] = {"sequential", "quasi-random", "random"};
    static const char *const kinds[] = {"map", "read"};
    assay_status status = ASSAY_OK;
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (int o = 0; o < 3; o++)
            for (int k = 0; k < 4; k++)
                ASSAY_TRY(run(b, orders[o], kinds[k % 2], k < 2, round));
done:
    return status;
}

static uint64_t number(int argc, char **argv, int i, uint64_t fallback) {
    return argc > i ? strtoull(argv[i], NULL, 10) : fallback;
}

int main(int argc, char **argv) {
    assay_status status = ASSAY_OK;
    bench b = {.payload = number(argc, argv, 3, 110) << 10,
               .cache = number(argc, argv, 4, 128) << 20,
               .threads = (int)number(argc, argv, 5, 4)};
    if (argc < 2 || b.payload == 0 || b.payload > PAGE) {
        (void)fprintf(stderr, "usage: pages WORKDIR [megabytes=512] [payload_kb=110] "
                              "[cache_mb=128] [threads=4]\n");
        return 2;
    }
    b.samples = (number(argc, argv, 2, 512) << 20) / b.payload;
    (void)snprintf(b.path, sizeof b.path, "%s/pages.beton", argv[1]);
    ASSAY_TRY(assay_ctx_create(&b.ctx, NULL));
    ASSAY_TRY(os_mkdirs(argv[1]));
    ASSAY_TRY(write_file(&b));
    ASSAY_TRY(run_all(&b));
done:
    if (status != ASSAY_OK)
        (void)fprintf(stderr, "error: %s\n  --> %s\n", assay_last_error()->message,
                      assay_last_error()->where);
    (void)remove(b.path);
    assay_ctx_destroy(b.ctx);
    return status == ASSAY_OK ? 0 : 1;
}
