/* Batches that outlive the next one: the slot gets other memory, and nothing is copied.
 */
#include "data/load/load_inside.h"

static void free_kept(load_spares *home, assay_kept *k) {
    load_slot_free(home->ctx, home->outputs, &k->memory);
    mem_free(home->ctx, k);
}

static assay_status make_spares(assay_loader *l) {
    assay_status status = ASSAY_OK;
    load_spares *s = NULL;
    ASSAY_TRY(mem_new(l->ctx, &s, 1, sizeof *s));
    *s = (load_spares){
        .ctx = l->ctx, .most = l->slots + 1, .users = 1, .outputs = l->outputs};
    if (pthread_mutex_init(&s->lock, NULL) != 0)
        ASSAY_FAIL(ASSAY_E_NOMEM, "no lock for the batches that are kept");
    l->spares = s;
    s = NULL;
done:
    if (s != NULL)
        mem_free(l->ctx, s);
    return status;
}

/* One user less; the last one frees. Takes the lock, which was held. */
static void leave(load_spares *s) {
    int users = --s->users;
    pthread_mutex_unlock(&s->lock);
    if (users > 0)
        return;
    pthread_mutex_destroy(&s->lock);
    mem_free(s->ctx, s);
}

void load_spares_leave(load_spares *s) {
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->most = 0;
    while (s->first != NULL) {
        assay_kept *k = s->first;
        s->first = k->next;
        free_kept(s, k);
    }
    leave(s);
}

static assay_kept *take_spare(load_spares *s) {
    pthread_mutex_lock(&s->lock);
    assay_kept *k = s->first;
    if (k != NULL) {
        s->first = k->next;
        s->count--;
    }
    pthread_mutex_unlock(&s->lock);
    return k;
}

/* What belongs to a slot's memory changes hands; its place in the ring stays. */
static void swap_memory(load_slot *a, load_slot *b) {
    load_slot was = *a;
    a->rows = b->rows, b->rows = was.rows;
    a->bad = b->bad, b->bad = was.bad;
    a->data = b->data, b->data = was.data;
    a->cap = b->cap, b->cap = was.cap;
    a->lengths = b->lengths, b->lengths = was.lengths;
    a->column = b->column, b->column = was.column;
}

assay_status assay_loader_keep(assay_loader *l, assay_kept **out) {
    assay_status status = ASSAY_OK;
    assay_kept *k = NULL;
    *out = NULL;
    if (l->shown == NULL)
        ASSAY_FAIL(ASSAY_E_INVALID, "there is no batch to keep, or it was kept before");
    if (l->spares == NULL)
        ASSAY_TRY(make_spares(l));
    k = take_spare(l->spares);
    if (k == NULL)
        ASSAY_TRY(mem_new(l->ctx, &k, 1, sizeof *k));
    k->home = l->spares;
    k->next = NULL;
    ASSAY_TRY(load_slot_fit(l, &k->memory));
    swap_memory(l->shown, &k->memory);
    l->shown = NULL;
    pthread_mutex_lock(&l->spares->lock);
    l->spares->users++;
    pthread_mutex_unlock(&l->spares->lock);
    *out = k;
    k = NULL;
done:
    if (k != NULL)
        free_kept(l->spares, k);
    return status;
}

void assay_kept_release(assay_kept *k) {
    if (k == NULL)
        return;
    load_spares *s = k->home;
    pthread_mutex_lock(&s->lock);
    if (s->count < s->most) {
        k->next = s->first;
        s->first = k;
        s->count++;
    } else {
        free_kept(s, k);
    }
    leave(s);
}

int assay_loader_wait(assay_loader *l, uint64_t ns) {
    if (l->failed != ASSAY_OK || ctx_cancelled(l->ctx))
        return 1;
    l->shown = NULL;
    return load_wait(l, ns);
}
