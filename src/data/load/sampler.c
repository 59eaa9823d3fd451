/* Places to rows: an order over the chosen rows, or one for each file and the places
 * dealt out among them. Ranks and batches are in sampler_ranks.c. */
#include "data/load/sampler.h"

#include "data/load/sampler_inside.h"
#include "data/order.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { BLOCKS_PER_PAGE = 16, POOL_PAGES = 16 };

/* ---- checks ---- */

static assay_status check_numbers(const sampler_options *o) {
    int world = o->world == 0 ? 1 : o->world;
    if (o->batch < 1)
        return err_set(ASSAY_E_INVALID, "a batch of %d samples", o->batch);
    if (world < 1 || o->rank < 0 || o->rank >= world)
        return err_set(ASSAY_E_INVALID, "rank %d of %d; ranks count from 0", o->rank,
                       world);
    for (uint64_t i = 0; o->subset && i < o->n_subset; i++)
        if (o->subset[i] >= o->rows)
            return err_set(ASSAY_E_INVALID,
                           "row %" PRIu64 " (at %" PRIu64 " of the subset) is not among "
                           "the %" PRIu64 " there are",
                           o->subset[i], i, o->rows);
    if ((o->subset ? o->n_subset : o->rows) == 0)
        return err_set(ASSAY_E_INVALID, "there are no rows to load");
    return ASSAY_OK;
}

static assay_status check_order(const sampler_options *o, const data_order *order) {
    if (order == NULL) {
        assay_status status =
            err_set(ASSAY_E_INVALID, "there is no order '%s'", o->order);
        err_help("orders are sequential, random, quasi-random, weighted and given");
        return status;
    }
    if (order->rows && o->subset == NULL)
        return err_set(ASSAY_E_INVALID, "the order '%s' needs a list of rows",
                       order->name);
    if (order->rows && o->file_weights)
        return err_set(ASSAY_E_INVALID,
                       "the order '%s' says which file comes when: file weights can't",
                       order->name);
    if (order->weights && o->weights == NULL)
        return err_set(ASSAY_E_INVALID, "the order '%s' needs weights", order->name);
    if (!order->weights && o->weights)
        return err_set(ASSAY_E_INVALID, "the order '%s' takes no weights", order->name);
    if (o->epoch_rows > 0 && !order->weights && !o->file_weights)
        return err_set(ASSAY_E_INVALID,
                       "an epoch of the order '%s' has all rows once: a number of rows "
                       "needs the order 'weighted' or file weights",
                       order->name);
    return ASSAY_OK;
}

static assay_status check_files(const sampler_options *o) {
    double sum = 0;
    if (o->file_weights == NULL)
        return ASSAY_OK;
    if (o->files < 1 || o->file_begin == NULL || o->file_begin[0] != 0 ||
        o->file_begin[o->files] != o->rows)
        return err_set(ASSAY_E_INVALID,
                       "file weights, but the files' rows do not add up");
    for (int f = 0; f < o->files; f++) {
        if (o->file_begin[f] > o->file_begin[f + 1])
            return err_set(ASSAY_E_INVALID, "file %d ends before it begins", f);
        if (!isfinite(o->file_weights[f]) || o->file_weights[f] < 0)
            return err_set(ASSAY_E_INVALID,
                           "the weight of file %d is %g; weights are numbers from 0 on",
                           f, o->file_weights[f]);
        sum += o->file_weights[f];
    }
    if (!(sum > 0) || !isfinite(sum))
        return err_set(ASSAY_E_INVALID, "the weights of the files add up to %g", sum);
    return ASSAY_OK;
}

/* ---- parts ---- */

static int file_of(const sampler_options *o, uint64_t row) {
    int low = 0, high = o->files - 1;
    while (low < high) {
        int mid = low + (high - low + 1) / 2;
        if (o->file_begin[mid] <= row)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

/* Chosen rows of each file together, in the order given; `weights` along with them. */
static assay_status group_subset(sampler *s, const sampler_options *o, double **weights) {
    assay_status status = ASSAY_OK;
    uint64_t *next = NULL;
    ASSAY_TRY(mem_new(s->ctx, &next, (size_t)o->files + 1, sizeof *next));
    ASSAY_TRY(mem_new(s->ctx, &s->own, (size_t)o->n_subset, sizeof *s->own));
    if (o->weights)
        ASSAY_TRY(mem_new(s->ctx, weights, (size_t)o->n_subset, sizeof **weights));
    for (uint64_t i = 0; i < o->n_subset; i++)
        s->part[file_of(o, o->subset[i])].setup.n++;
    for (int f = 0; f < s->parts; f++) {
        s->part[f].first = next[f];
        next[f + 1] = next[f] + s->part[f].setup.n;
    }
    for (uint64_t i = 0; i < o->n_subset; i++) {
        uint64_t to = next[file_of(o, o->subset[i])]++;
        s->own[to] = o->subset[i];
        if (o->weights)
            (*weights)[to] = o->weights[i];
    }
    s->rows = s->own;
done:
    mem_free(s->ctx, next);
    return status;
}

/* Shares of the epoch in whole places: the remainders go to the largest fractions. */
static assay_status share_out(sampler *s, const sampler_options *o) {
    assay_status status = ASSAY_OK;
    double *rest = NULL, sum = 0;
    uint64_t given = 0;
    if (s->count > UINT32_MAX)
        ASSAY_FAIL(ASSAY_E_INVALID,
                   "an epoch over weighted files has at most %" PRIu32
                   " samples, not %" PRIu64,
                   UINT32_MAX, s->count);
    ASSAY_TRY(mem_new(s->ctx, &rest, (size_t)s->parts, sizeof *rest));
    ASSAY_TRY(mem_new(s->ctx, &s->before, (size_t)s->parts + 1, sizeof *s->before));
    for (int f = 0; f < s->parts; f++)
        sum += o->file_weights[f];
    for (int f = 0; f < s->parts; f++) {
        double share = o->file_weights[f] / sum * (double)s->count;
        s->part[f].share = (uint64_t)share;
        rest[f] = share - floor(share);
        given += s->part[f].share;
    }
    for (; given < s->count; given++) {
        int most = -1;
        for (int f = 0; f < s->parts; f++)
            if (o->file_weights[f] > 0 && (most < 0 || rest[f] > rest[most]))
                most = f;
        s->part[most].share++;
        rest[most] -= 1;
    }
    for (int f = 0; f < s->parts; f++) {
        s->before[f + 1] = s->before[f] + s->part[f].share;
        if (s->part[f].share > 0 && s->part[f].setup.n == 0)
            ASSAY_FAIL(ASSAY_E_INVALID,
                       "file %d has a weight, but none of its rows is "
                       "chosen",
                       f);
    }
done:
    mem_free(s->ctx, rest);
    return status;
}

static void plan_blocks(order_setup *setup, const sampler_options *o, uint64_t chosen) {
    double dense = (double)chosen / (double)o->rows;
    double page = floor((double)o->rows_per_page * (dense < 1 ? dense : 1));
    uint64_t rows = page > 1 ? (uint64_t)page : 1;
    uint64_t pages = o->pool_pages > 0 ? o->pool_pages : POOL_PAGES;
    uint64_t block = rows / BLOCKS_PER_PAGE > 0 ? rows / BLOCKS_PER_PAGE : 1;
    uint64_t each = rows / block;
    setup->block_rows = block;
    setup->pool_blocks = pages < UINT64_MAX / each ? pages * each : UINT64_MAX;
}

static assay_status make_parts(sampler *s, const sampler_options *o) {
    assay_status status = ASSAY_OK;
    double *grouped = NULL;
    uint64_t chosen = o->subset ? o->n_subset : o->rows;
    s->parts = o->file_weights ? o->files : 1;
    s->rows = o->subset;
    s->count = o->epoch_rows > 0 ? o->epoch_rows : chosen;
    ASSAY_TRY(mem_new(s->ctx, &s->part, (size_t)s->parts, sizeof *s->part));
    if (o->file_weights == NULL) {
        s->part[0] = (sampler_part){.setup = {.n = chosen, .seed = o->seed}};
    } else if (o->subset) {
        ASSAY_TRY(group_subset(s, o, &grouped));
    } else {
        for (int f = 0; f < s->parts; f++) {
            s->part[f].first = o->file_begin[f];
            s->part[f].setup.n = o->file_begin[f + 1] - o->file_begin[f];
        }
    }
    if (o->file_weights)
        ASSAY_TRY(share_out(s, o));
    for (int f = 0; f < s->parts; f++) {
        sampler_part *p = &s->part[f];
        if (o->file_weights)
            p->setup.seed = rng_mix64(o->seed ^ rng_mix64((uint64_t)f + 1));
        plan_blocks(&p->setup, o, chosen);
        if (!s->order->weights || (o->file_weights && p->share == 0))
            continue;
        const double *w = grouped ? grouped : o->weights;
        if (o->file_weights)
            ASSAY_TRY_AT(alias_create(&p->alias, s->ctx, w + p->first, p->setup.n),
                         "file %d, weights from %" PRIu64 " on", f, p->first);
        else
            ASSAY_TRY(alias_create(&p->alias, s->ctx, w, p->setup.n));
        p->setup.alias = p->alias;
    }
done:
    mem_free(s->ctx, grouped);
    return status;
}

/* ---- life ---- */

assay_status sampler_create(sampler **out, assay_ctx *ctx, const sampler_options *o) {
    assay_status status = ASSAY_OK;
    sampler *s = NULL;
    *out = NULL;
    const data_order *order = order_find(o->order);
    ASSAY_TRY(check_order(o, order));
    ASSAY_TRY(check_numbers(o));
    ASSAY_TRY(check_files(o));
    ASSAY_TRY(mem_new(ctx, &s, 1, sizeof *s));
    s->ctx = ctx;
    s->order = order;
    s->batch = o->batch;
    s->rank = o->rank;
    s->world = o->world == 0 ? 1 : o->world;
    s->drop_last = o->drop_last;
    ASSAY_TRY(make_parts(s, o));
    ASSAY_TRY(sampler_epoch(s, 0));
    *out = s;
    s = NULL;
done:
    sampler_destroy(s);
    return status;
}

void sampler_destroy(sampler *s) {
    if (s == NULL)
        return;
    for (int f = 0; s->part && f < s->parts; f++)
        alias_destroy(s->part[f].alias);
    mem_free(s->ctx, s->part);
    mem_free(s->ctx, s->before);
    mem_free(s->ctx, s->own);
    mem_free(s->ctx, s);
}

/* ---- asking ---- */

assay_status sampler_epoch(sampler *s, uint32_t epoch) {
    assay_status status = ctx_check(s->ctx);
    if (status != ASSAY_OK)
        return status;
    s->epoch = epoch;
    if (s->before == NULL)
        s->order->begin(&s->state, &s->part[0].setup, epoch);
    return ASSAY_OK;
}

uint64_t sampler_count(const sampler *s) {
    return s->count;
}

/* Which file's turn a place is, and how many turns the file had before. The files are
 * halved again and again, and each half gets its share of the places as evenly as whole
 * numbers allow: of i places the left half gets floor(i * left / all). */
static int deal(const sampler *s, uint64_t *place) {
    int low = 0, high = s->parts;
    uint64_t i = *place;
    while (high - low > 1) {
        int mid = low + (high - low) / 2;
        uint64_t left = s->before[mid] - s->before[low];
        uint64_t all = s->before[high] - s->before[low];
        uint64_t had = i * left / all;
        if ((i + 1) * left / all > had) {
            high = mid;
            i = had;
        } else {
            low = mid;
            i -= had;
        }
    }
    *place = i;
    return low;
}

static uint64_t at_of_files(const sampler *s, uint64_t place) {
    const sampler_part *p = &s->part[deal(s, &place)];
    order_state state;
    uint64_t at;
    if (s->order->weights) {
        s->order->begin(&state, &p->setup, s->epoch);
        at = s->order->at(&state, place);
    } else {
        uint64_t turn = (uint64_t)s->epoch * p->share + place;
        s->order->begin(&state, &p->setup, (uint32_t)(turn / p->setup.n));
        at = s->order->at(&state, turn % p->setup.n);
    }
    return p->first + at;
}

uint64_t sampler_at(const sampler *s, uint64_t place) {
    uint64_t i = s->before ? at_of_files(s, place) : s->order->at(&s->state, place);
    return s->rows ? s->rows[i] : i;
}
