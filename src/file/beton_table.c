/* Finding payloads in the allocation table, in place: a table in sample order is its own
 * index. Any other is a few ascending runs, one for each process that wrote, and is
 * searched by halving in each; only a table in no such order is sorted. */
#include "base/le.h"
#include "file/beton_inside.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

enum { MAX_RUNS = 64, MAX_GROUP = BETON_MAX_FIELDS };

struct alloc_order {
    pthread_mutex_t lock;
    atomic_bool ready;
    int runs;
    uint64_t run[MAX_RUNS + 1]; /* where each begins; the last is the end */
    uint32_t *sorted;           /* entries by (ptr, bytes); NULL: runs */
};

static assay_status check_ends(const alloc_table *t);

assay_status alloc_table_make(alloc_table *t) {
    assay_status status = ASSAY_OK;
    t->order = NULL;
    ASSAY_TRY(mem_new(t->ctx, &t->order, 1, sizeof *t->order));
    if (pthread_mutex_init(&t->order->lock, NULL) != 0) {
        mem_free(t->ctx, t->order);
        t->order = NULL;
        ASSAY_FAIL(ASSAY_E_NOMEM, "can't make a lock");
    }
    atomic_init(&t->order->ready, false);
    ASSAY_TRY(check_ends(t));
done:
    return status;
}

void alloc_table_free(alloc_table *t) {
    if (t->order == NULL)
        return;
    (void)pthread_mutex_destroy(&t->order->lock);
    mem_free(t->ctx, t->order->sorted);
    mem_free(t->ctx, t->order);
    t->order = NULL;
}

/* ---- entries ---- */

typedef struct entry {
    uint64_t sample, ptr, bytes;
} entry;

static entry entry_at(const alloc_table *t, uint64_t i) {
    const uint8_t *e = t->entry + i * BETON_ENTRY_BYTES;
    return (entry){le64_get(e), le64_get(e + 8), le64_get(e + 16)};
}

static bool is_inside(const alloc_table *t, const entry *e) {
    return e->sample < t->samples && e->ptr >= t->floor && e->ptr <= t->end &&
           e->bytes <= t->end - e->ptr;
}

static assay_status bad_entry(const alloc_table *t, uint64_t i) {
    entry e = entry_at(t, i);
    err_set(ASSAY_E_FORMAT,
            "entry %" PRIu64 " (sample %" PRIu64 ", %" PRIu64 " bytes at %" PRIu64
            ") lies outside of the data",
            i, e.sample, e.bytes, e.ptr);
    err_where("byte %" PRIu64 " (allocation table)", t->at + i * BETON_ENTRY_BYTES);
    return ASSAY_E_FORMAT;
}

/* The first and the last entry: a pointer to the table that is wrong shows there. */
static assay_status check_ends(const alloc_table *t) {
    for (int last = 0; last < 2 && t->entries > 0; last++) {
        entry e = entry_at(t, last ? t->entries - 1 : 0);
        if (!is_inside(t, &e))
            return bad_entry(t, last ? t->entries - 1 : 0);
    }
    return ASSAY_OK;
}

assay_status alloc_table_check(const alloc_table *t) {
    for (uint64_t i = 0; i < t->entries; i++) {
        entry e = entry_at(t, i);
        if (!is_inside(t, &e))
            return bad_entry(t, i);
    }
    return ASSAY_OK;
}

static bool is_less(const entry *a, const entry *b) {
    return a->ptr != b->ptr ? a->ptr < b->ptr : a->bytes < b->bytes;
}

/* ---- an order to search by ---- */

static bool is_less_at(const alloc_table *t, uint32_t a, uint32_t b) {
    entry x = entry_at(t, a), y = entry_at(t, b);
    return is_less(&x, &y);
}

static void sift(const alloc_table *t, uint32_t *heap, uint64_t at, uint64_t n) {
    for (uint64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_less_at(t, heap[child], heap[child + 1]))
            child++;
        if (!is_less_at(t, heap[at], heap[child]))
            return;
        uint32_t swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

/* Heap sort: no order of entries makes it slow. */
static assay_status sort_table(const alloc_table *t, uint32_t **out) {
    assay_status status = ASSAY_OK;
    uint64_t n = t->entries;
    if (n > UINT32_MAX)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED,
                   "an allocation table of %" PRIu64 " entries in no order", n);
    ASSAY_TRY(mem_new(t->ctx, out, (size_t)n, sizeof **out));
    uint32_t *heap = *out;
    for (uint64_t i = 0; i < n; i++)
        heap[i] = (uint32_t)i;
    for (uint64_t i = n / 2; i-- > 0;)
        sift(t, heap, i, n);
    for (uint64_t end = n; end-- > 1;) {
        uint32_t swap = heap[0];
        heap[0] = heap[end];
        heap[end] = swap;
        sift(t, heap, 0, end);
    }
done:
    return status;
}

static assay_status find_runs(const alloc_table *t) {
    assay_status status = ASSAY_OK;
    struct alloc_order *o = t->order;
    entry last = {0};
    bool few = true;
    o->runs = 0;
    for (uint64_t i = 0; i < t->entries; i++) {
        entry e = entry_at(t, i);
        if (!is_inside(t, &e))
            return bad_entry(t, i);
        if (i == 0 || is_less(&e, &last)) {
            if (o->runs < MAX_RUNS)
                o->run[o->runs++] = i;
            else
                few = false;
        }
        last = e;
    }
    o->run[o->runs] = t->entries;
    if (!few)
        ASSAY_TRY(sort_table(t, &o->sorted));
    atomic_store_explicit(&o->ready, true, memory_order_release);
done:
    return status;
}

/* Once for a file; a failure is met again by the next who asks. */
static assay_status make_order(const alloc_table *t) {
    assay_status status = ASSAY_OK;
    struct alloc_order *o = t->order;
    if (atomic_load_explicit(&o->ready, memory_order_acquire))
        return ASSAY_OK;
    (void)pthread_mutex_lock(&o->lock);
    if (!atomic_load_explicit(&o->ready, memory_order_acquire))
        status = find_runs(t);
    (void)pthread_mutex_unlock(&o->lock);
    return status;
}

/* ---- searching ---- */

/* The number of entries in [low, high) of the order that are not above `key`: they come
 * first. */
static uint64_t
not_above(const alloc_table *t, uint64_t low, uint64_t high, const entry *key) {
    const uint32_t *sorted = t->order->sorted;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        entry e = entry_at(t, sorted != NULL ? sorted[middle] : middle);
        if (is_less(key, &e))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* In one run: the entry of (ptr, want), else the largest at ptr. */
static void search(const alloc_table *t,
                   uint64_t low,
                   uint64_t high,
                   uint64_t ptr,
                   uint64_t want,
                   uint64_t *bytes,
                   bool *found) {
    const uint32_t *sorted = t->order->sorted;
    for (int largest = want == 0; largest < 2; largest++) {
        entry key = {.ptr = ptr, .bytes = largest ? UINT64_MAX : want};
        uint64_t at = not_above(t, low, high, &key);
        if (at == low)
            continue;
        entry e = entry_at(t, sorted != NULL ? sorted[at - 1] : at - 1);
        if (e.ptr != ptr || (!largest && e.bytes != want))
            continue;
        bool wanted = want != 0 && *found && *bytes == want;
        if (!*found || !largest || (e.bytes > *bytes && !wanted))
            *bytes = e.bytes;
        *found = true;
        return;
    }
}

/* Entries that a table in sample order has for each sample; 0: it is not in that order.
 */
static uint64_t group_of(const alloc_table *t) {
    uint64_t group = t->samples > 0 ? t->entries / t->samples : 0;
    return group <= MAX_GROUP && group * t->samples == t->entries ? group : 0;
}

bool alloc_table_denies(const alloc_table *t,
                        uint64_t sample,
                        uint64_t ptr,
                        uint64_t bytes) {
    uint64_t group = group_of(t);
    bool denies = false;
    for (uint64_t i = 0; i < group; i++) {
        entry e = entry_at(t, sample * group + i);
        if (e.sample != sample || e.ptr != ptr)
            continue;
        if (e.bytes == bytes)
            return false;
        denies = denies || e.bytes > 0; /* an empty payload shares the next one's place */
    }
    return denies;
}

/* Among the entries that a table in sample order has for a sample. */
static bool find_in_group(
    const alloc_table *t, uint64_t sample, uint64_t ptr, uint64_t want, uint64_t *bytes) {
    uint64_t group = group_of(t);
    *bytes = 0;
    for (uint64_t i = 0; i < group; i++) {
        entry e = entry_at(t, sample * group + i);
        if (e.sample != sample || e.ptr != ptr || !is_inside(t, &e))
            continue;
        if (e.bytes > *bytes)
            *bytes = e.bytes;
        if (want != 0 && e.bytes == want) {
            *bytes = want;
            return true;
        }
    }
    return want == 0 && *bytes > 0;
}

/* Whether the very entry that a table in sample order has for it fits. */
static bool is_ranked(const alloc_table *t,
                      uint64_t sample,
                      uint64_t rank,
                      uint64_t ptr,
                      uint64_t want,
                      uint64_t *bytes) {
    uint64_t group = group_of(t);
    if (group == 0 || group != t->per_sample || rank >= group)
        return false;
    entry e = entry_at(t, sample * group + rank);
    *bytes = e.bytes;
    return e.sample == sample && e.ptr == ptr && is_inside(t, &e) &&
           (want == 0 || e.bytes == want);
}

assay_status alloc_table_find(const alloc_table *t,
                              uint64_t sample,
                              uint64_t rank,
                              uint64_t ptr,
                              uint64_t want,
                              uint64_t *bytes,
                              bool *found) {
    assay_status status = ASSAY_OK;
    *found = is_ranked(t, sample, rank, ptr, want, bytes) ||
             find_in_group(t, sample, ptr, want, bytes);
    if (*found)
        return ASSAY_OK;
    *bytes = 0;
    ASSAY_TRY(make_order(t));
    const struct alloc_order *o = t->order;
    if (o->sorted != NULL)
        search(t, 0, t->entries, ptr, want, bytes, found);
    for (int r = 0; o->sorted == NULL && r < o->runs; r++)
        search(t, o->run[r], o->run[r + 1], ptr, want, bytes, found);
done:
    return status;
}
