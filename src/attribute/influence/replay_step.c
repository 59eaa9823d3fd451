/* One step of replay for one target: a Hessian times a vector by the R-operator
 * (Pearlmutter 1994), whose forward half gives the scores on the way. */
#include "attribute/influence/replay.h"

#include "simd/simd.h"

/* C [m, n] (+)= A [m, k] B [k, n], both row by row, or A turned. */
static void product(float *c,
                    const float *a,
                    bool turned,
                    const float *b,
                    size_t m,
                    size_t n,
                    size_t k,
                    bool add,
                    float *scratch) {
    gemm_job job =
        turned ? gemm_turned_times(c, a, b, m, n, k) : gemm_times(c, a, b, m, n, k);
    job.add = add;
    gemm_run(&job, scratch);
}

/* C [m, n] = A [m, k] B' with B [n, k]. */
static void product_turned(float *c,
                           const float *a,
                           const float *b,
                           size_t m,
                           size_t n,
                           size_t k,
                           float *scratch) {
    const gemm_job job = gemm_times_turned(c, a, b, m, n, k);
    gemm_run(&job, scratch);
}

static void mask(float *x, const float *act, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = act[i] > 0 ? x[i] : 0;
}

/* R of what leaves each layer in the direction: r[l] = R(act[l-1]) W + act[l-1] N + n. */
static void forward(const replay_step *s,
                    const mlp *m,
                    size_t batch,
                    const float *direction,
                    const replay_room *room) {
    for (int l = 0; l < m->layers; l++) {
        const mlp_layer *w = &m->layer[l];
        const float *n = direction + w->state, *bias = n + w->in * w->out;
        if (l)
            product(room->r[l], room->r[l - 1], false, s->turned[l], batch, w->out, w->in,
                    false, room->scratch);
        product(room->r[l], l ? s->act[l - 1] : s->x, false, n, batch, w->out, w->in,
                l > 0, room->scratch);
        for (size_t i = 0; i < batch; i++)
            simd()->f32_add(room->r[l] + i * w->out, bias, w->out);
        if (l + 1 < m->layers)
            mask(room->r[l], s->act[l], batch * w->out);
    }
}

/* D at the logits: c p (R - <p, R>). */
static void curvature(float *d, const float *r, const float *p, size_t batch, size_t k) {
    float c = 1 / (float)batch;
    for (size_t i = 0; i < batch; i++, d += k, r += k, p += k) {
        float mean = 0;
        for (size_t j = 0; j < k; j++)
            mean += p[j] * r[j];
        for (size_t j = 0; j < k; j++)
            d[j] = c * p[j] * (r[j] - mean);
    }
}

/* lam += H direction, layer by layer from the last. */
static void backward(float *lam,
                     const replay_step *s,
                     const mlp *m,
                     size_t batch,
                     const float *direction,
                     const replay_room *room) {
    for (int l = m->layers - 1; l >= 0; l--) {
        const mlp_layer *w = &m->layer[l];
        float *to = lam + w->state, *bias = to + w->in * w->out;
        product(to, l ? s->actt[l - 1] : s->xt, false, room->d[l], w->in, w->out, batch,
                true, room->scratch);
        for (size_t i = 0; i < batch; i++)
            simd()->f32_add(bias, room->d[l] + i * w->out, w->out);
        if (l == 0)
            break;
        product(to, room->r[l - 1], true, s->error[l], w->in, w->out, batch, true,
                room->scratch);
        product_turned(room->d[l - 1], s->error[l], direction + w->state, batch, w->in,
                       w->out, room->scratch);
        product(room->d[l - 1], room->d[l], false, s->weight[l], batch, w->in, w->out,
                true, room->scratch);
        mask(room->d[l - 1], s->act[l - 1], batch * w->in);
    }
}

/* nu, and the direction that the step's gradient moves the margin in. */
static const float *advance(float *nu,
                            const float *lam,
                            const mlp *m,
                            const att_recipe *r,
                            float rate,
                            float *room) {
    float mu = (float)r->momentum;
    simd()->f32_scale(nu, mu, m->floats);
    simd()->f32_axpy(nu, r->nesterov ? -rate * mu : -rate, lam, m->floats);
    if (!r->nesterov)
        return nu;
    for (size_t i = 0; i < m->floats; i++)
        room[i] = nu[i] - rate * lam[i];
    return room;
}

void replay_step_back(float *scores,
                      size_t stride,
                      float *lam,
                      float *nu,
                      const replay_step *s,
                      const mlp *m,
                      const att_recipe *r,
                      const replay_room *room) {
    size_t batch = (size_t)r->batch, last = (size_t)m->layers - 1;
    size_t k = m->layer[last].out;
    const float *direction = advance(nu, lam, m, r, s->rate, room->direction);
    forward(s, m, batch, direction, room);
    for (size_t i = 0; i < batch; i++) { /* error has the weight 1 / batch in it */
        float sum = 0;
        for (size_t j = 0; j < k; j++)
            sum += s->error[last][i * k + j] * room->r[last][i * k + j];
        scores[s->place[i] * stride] += sum;
    }
    curvature(room->d[last], room->r[last], s->prob, batch, k);
    backward(lam, s, m, batch, direction, room);
    for (int l = 0; r->weight_decay > 0 && l < m->layers; l++)
        if (m->layer[l].decays)
            simd()->f32_axpy(lam + m->layer[l].state, (float)r->weight_decay,
                             direction + m->layer[l].state,
                             m->layer[l].in * m->layer[l].out);
}
