/* Arithmetic on known numbers, element by element with broadcasting, and casts. Integers
 * wrap as their element type does. */
#include "nn/onnx/fold.h"

#include <math.h>
#include <string.h>

static int64_t wrap(assay_dtype dtype, uint64_t v) {
    switch (dtype) {
    case ASSAY_I8:
        return (int64_t)(v & 0xff) - (v & 0x80 ? 0x100 : 0);
    case ASSAY_U8:
        return (int64_t)(v & 0xff);
    case ASSAY_I16:
        return (int64_t)(v & 0xffff) - (v & 0x8000 ? 0x10000 : 0);
    case ASSAY_U16:
        return (int64_t)(v & 0xffff);
    case ASSAY_I32:
        return (int64_t)(v & 0xffffffff) - (v & 0x80000000 ? 0x100000000 : 0);
    case ASSAY_U32:
        return (int64_t)(v & 0xffffffff);
    case ASSAY_BOOL:
        return v != 0;
    default:
        return (int64_t)v;
    }
}

static double narrow(assay_dtype dtype, double v) {
    return dtype == ASSAY_F64 ? v : (double)(float)v;
}

/* ---- broadcasting ---- */

typedef struct walk {
    int ndim;
    int64_t dim[ASSAY_MAX_DIMS], count;
} walk;

static bool broadcast(walk *w, const imp_known *k) {
    int n = k->ndim > w->ndim ? k->ndim : w->ndim;
    walk out = {.ndim = n, .count = 1};
    for (int i = 0; i < n; i++) {
        int a = w->ndim - n + i, b = k->ndim - n + i;
        int64_t da = a >= 0 ? w->dim[a] : 1, db = b >= 0 ? k->dim[b] : 1;
        if (da != db && da != 1 && db != 1)
            return false;
        out.dim[i] = da == 1 ? db : da;
        if (out.dim[i] && out.count > IMP_KNOWN_MOST / out.dim[i])
            return false;
        out.count *= out.dim[i];
    }
    *w = out;
    return true;
}

/* Where element `at` of the result comes from in `k`. */
static int64_t source(const walk *w, const imp_known *k, int64_t at) {
    int64_t from = 0, step = 1;
    for (int i = w->ndim; i-- > 0;) {
        int own = k->ndim - w->ndim + i;
        int64_t here = at % w->dim[i];
        at /= w->dim[i];
        if (own >= 0 && k->dim[own] != 1)
            from += here * step;
        if (own >= 0)
            step *= k->dim[own];
    }
    return from;
}

static bool integer_result(char op, int64_t a, int64_t b, uint64_t *out) {
    bool ok = true;
    switch (op) {
    case '+':
        *out = (uint64_t)a + (uint64_t)b;
        break;
    case '-':
        *out = (uint64_t)a - (uint64_t)b;
        break;
    case '*':
        *out = (uint64_t)a * (uint64_t)b;
        break;
    case '/': /* towards zero */
        ok = b != 0 && !(a == INT64_MIN && b == -1);
        *out = ok ? (uint64_t)(a / b) : 0;
        break;
    case '%': /* the sign of the divisor */
        ok = b != 0 && b != -1;
        *out = ok ? (uint64_t)(a % b + (a % b && (a < 0) != (b < 0) ? b : 0)) : 0;
        break;
    case 'm':
        *out = (uint64_t)(a < b ? a : b);
        break;
    case 'M':
        *out = (uint64_t)(a > b ? a : b);
        break;
    case '=':
        *out = a == b;
        break;
    case '<':
        *out = a < b;
        break;
    case '>':
        *out = a > b;
        break;
    case 'l':
        *out = a <= b;
        break;
    case 'g':
        *out = a >= b;
        break;
    case '&':
        *out = a && b;
        break;
    case '|':
        *out = a || b;
        break;
    default:
        ok = false;
    }
    return ok;
}

static bool float_result(char op, double a, double b, double *out) {
    switch (op) {
    case '+':
        *out = a + b;
        return true;
    case '-':
        *out = a - b;
        return true;
    case '*':
        *out = a * b;
        return true;
    case '/':
        *out = a / b;
        return true;
    case 'm':
        *out = a < b ? a : b;
        return true;
    case 'M':
        *out = a > b ? a : b;
        return true;
    case '^':
        *out = pow(a, b);
        return true;
    default:
        return false;
    }
}

static bool compares(char op) {
    return strchr("=<>lg", op) != NULL;
}

static bool compare_floats(char op, double a, double b) {
    return op == '='   ? a == b
           : op == '<' ? a < b
           : op == '>' ? a > b
           : op == 'l' ? a <= b
                       : a >= b;
}

/* With the size of the batch on a side: what is sure whatever it is. */
static assay_status batch_result(imp *im,
                                 char op,
                                 imp_known *out,
                                 int64_t at,
                                 bool a_batch,
                                 bool b_batch,
                                 int64_t a,
                                 int64_t b) {
    assay_status status = ASSAY_OK;
    int64_t other = a_batch ? b : a;
    bool neutral = ((op == '*' || (op == '/' && a_batch)) && other == 1) ||
                   ((op == '+' || (op == '-' && a_batch)) && other == 0) ||
                   (op == 'M' && other <= 1);
    if (op == '=' && a_batch && b_batch)
        out->i[at] = 1;
    else if (op == '=' && !(a_batch && b_batch) && other < 1)
        out->i[at] = 0;
    else if (neutral && !(a_batch && b_batch)) {
        ASSAY_TRY(fold_note_batch(im, out));
        out->batch[at] = true;
    } else
        return FOLD_NOT;
done:
    return status;
}

assay_status fold_pair(fold *f, char op, imp_known **out) {
    assay_status status = ASSAY_OK;
    const imp_known *a = f->in[0], *b = f->n_in > 1 ? f->in[1] : NULL;
    int64_t fmod;
    walk w = {0};
    w.count = 1;
    ASSAY_TRY(imp_attr_i(f->node, "fmod", 0, &fmod));
    if (fmod || !b || !a->f != !b->f || !broadcast(&w, a) || !broadcast(&w, b))
        return FOLD_NOT;
    bool truth = compares(op);
    ASSAY_TRY(imp_known_make(f->im, truth ? ASSAY_BOOL : a->dtype, w.ndim, w.dim, out));
    for (int64_t at = 0; at < w.count; at++) {
        int64_t x = source(&w, a, at), y = source(&w, b, at);
        if (fold_has_batch(a, x) || fold_has_batch(b, y)) {
            ASSAY_TRY(batch_result(f->im, op, *out, at, fold_has_batch(a, x),
                                   fold_has_batch(b, y), a->i[x], b->i[y]));
        } else if (a->f && truth) {
            (*out)->i[at] = compare_floats(op, a->f[x], b->f[y]);
        } else if (a->f) {
            double v;
            if (!float_result(op, a->f[x], b->f[y], &v))
                return FOLD_NOT;
            (*out)->f[at] = narrow(a->dtype, v);
        } else {
            uint64_t v;
            if ((a->dtype == ASSAY_U64 && !strchr("+-*=&|", op)) ||
                !integer_result(op, a->i[x], b->i[y], &v))
                return FOLD_NOT;
            (*out)->i[at] = wrap((*out)->dtype, v);
        }
    }
done:
    return status;
}

assay_status fold_where(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    walk w = {0};
    w.count = 1;
    if (f->n_in != 3 || !f->in[1] || !f->in[2] || !f->in[0]->i || f->in[0]->batch ||
        !f->in[1]->f != !f->in[2]->f)
        return FOLD_NOT;
    for (int k = 0; k < 3; k++)
        if (!broadcast(&w, f->in[k]))
            return FOLD_NOT;
    ASSAY_TRY(imp_known_make(f->im, f->in[1]->dtype, w.ndim, w.dim, out));
    for (int64_t at = 0; at < w.count; at++) {
        const imp_known *from = f->in[f->in[0]->i[source(&w, f->in[0], at)] ? 1 : 2];
        ASSAY_TRY(fold_move(f->im, *out, at, from, source(&w, from, at)));
    }
done:
    return status;
}

assay_status fold_expand(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    const imp_known *to = f->n_in > 1 ? f->in[1] : NULL;
    walk w = {0};
    w.count = 1;
    if (!to || !to->i || to->batch || to->count > ASSAY_MAX_DIMS)
        return FOLD_NOT;
    imp_known shape = {.ndim = (int)to->count};
    for (int i = 0; i < shape.ndim; i++)
        if ((shape.dim[i] = to->i[i]) < 0)
            return FOLD_NOT;
    if (!broadcast(&w, f->in[0]) || !broadcast(&w, &shape))
        return FOLD_NOT;
    ASSAY_TRY(fold_make_like(f, w.ndim, w.dim, out));
    for (int64_t at = 0; at < w.count; at++)
        ASSAY_TRY(fold_move(f->im, *out, at, f->in[0], source(&w, f->in[0], at)));
done:
    return status;
}

static bool single(char op, double v, double *out) {
    double r = op == 'n'   ? -v
               : op == 'a' ? fabs(v)
               : op == 'f' ? floor(v)
               : op == 'c' ? ceil(v)
               : op == 's' ? sqrt(v)
               : op == 'o' ? nearbyint(v)
               : op == 'r' ? (v > 0 ? v : 0)
                           : 1 / v;
    *out = r;
    return true;
}

assay_status fold_single(fold *f, char op, imp_known **out) {
    assay_status status = ASSAY_OK;
    const imp_known *x = f->in[0];
    if (x->batch || (!x->f && !strchr("na!", op)) || (x->f && op == '!'))
        return FOLD_NOT;
    ASSAY_TRY(fold_make_like(f, x->ndim, x->dim, out));
    for (int64_t i = 0; i < x->count; i++)
        if (x->f) {
            single(op, x->f[i], &(*out)->f[i]);
            (*out)->f[i] = narrow(x->dtype, (*out)->f[i]);
        } else {
            uint64_t v = (uint64_t)x->i[i];
            bool turn = op == 'n' || (op == 'a' && x->i[i] < 0 && x->dtype != ASSAY_U64);
            (*out)->i[i] = op == '!' ? !v : wrap(x->dtype, turn ? 0 - v : v);
        }
done:
    return status;
}

assay_status fold_cast(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    const imp_known *x = f->in[0];
    int64_t type;
    assay_dtype to;
    ASSAY_TRY(imp_attr_i(f->node, "to", 0, &type));
    ASSAY_TRY(onnx_dtype(&to, (int)type));
    if (to == ASSAY_F16 || to == ASSAY_BF16 || to == ASSAY_U64)
        return FOLD_NOT;
    ASSAY_TRY(imp_known_make(f->im, to, x->ndim, x->dim, out));
    for (int64_t i = 0; i < x->count; i++) {
        bool batch = fold_has_batch(x, i);
        double v = x->f ? x->f[i] : (double)x->i[i];
        if (batch && ((*out)->f || to == ASSAY_BOOL))
            return FOLD_NOT;
        if ((*out)->f)
            (*out)->f[i] = narrow(to, v);
        else if (to == ASSAY_BOOL)
            (*out)->i[i] = v != 0;
        else if (x->f && !(fabs(v) < 9e18))
            return FOLD_NOT;
        else
            (*out)->i[i] = wrap(to, (uint64_t)(x->f ? (int64_t)v : x->i[i]));
        if (batch) {
            ASSAY_TRY(fold_note_batch(f->im, *out));
            (*out)->batch[i] = true;
        }
    }
done:
    return status;
}

/* Over all elements of a list, as sizes are multiplied. */
assay_status fold_reduce(fold *f, char op, imp_known **out) {
    assay_status status = ASSAY_OK;
    const imp_known *x = f->in[0];
    bool marked[ASSAY_MAX_DIMS];
    const int64_t one = 1;
    int64_t keep;
    int count;
    if (x->ndim != 1 || x->count == 0 || x->batch || f->node->n_in > 2)
        return FOLD_NOT;
    ASSAY_TRY(fold_read_axes(f, 1, 1, marked, &count));
    ASSAY_TRY(imp_attr_i(f->node, "keepdims", 1, &keep));
    if (count == 0)
        return FOLD_NOT;
    ASSAY_TRY(fold_make_like(f, keep != 0, &one, out));
    double sum = x->f ? x->f[0] : 0;
    uint64_t total = x->f ? 0 : (uint64_t)x->i[0];
    for (int64_t i = 1; i < x->count; i++)
        if (x->f ? !float_result(op, sum, x->f[i], &sum)
                 : !integer_result(op, (int64_t)total, x->i[i], &total))
            return FOLD_NOT;
    if (x->f)
        (*out)->f[0] = narrow(x->dtype, sum);
    else
        (*out)->i[0] = wrap(x->dtype, total);
done:
    return status;
}
