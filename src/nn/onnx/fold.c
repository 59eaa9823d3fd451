/* Nodes over known numbers are computed here and now: the arithmetic on shapes that
 * exporters leave in their graphs. The size of the batch passes through as long as it is
 * only moved about. */
#include "nn/onnx/import_inside.h"

#include <math.h>
#include <string.h>

typedef struct fold {
    imp *im;
    const onnx_node *node;
    const imp_known *in[8]; /* NULL where left out */
    int n_in;
} fold;

/* What a fold function says: not for it. The node goes to its rule then. */
#define FOLD_NOT ASSAY_E_UNSUPPORTED

static bool has_batch(const imp_known *k, int64_t i) {
    return k->batch && k->batch[i];
}

static assay_status note_batch(imp *im, imp_known *k) {
    return k->batch ? ASSAY_OK : imp_take(im, &k->batch, (size_t)k->count + 1, 1);
}

/* Element `from` of `src` becomes element `to` of `dst`, of the same kind. */
static assay_status
move(imp *im, imp_known *dst, int64_t to, const imp_known *src, int64_t from) {
    assay_status status = ASSAY_OK;
    if (dst->f)
        dst->f[to] = src->f[from];
    else
        dst->i[to] = src->i[from];
    if (has_batch(src, from)) {
        ASSAY_TRY(note_batch(im, dst));
        dst->batch[to] = true;
    }
done:
    return status;
}

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

/* ---- results of a shape of their own ---- */

static assay_status make_like(fold *f, int ndim, const int64_t *dim, imp_known **out) {
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) {
        if (dim[i] < 0 || (dim[i] && count > IMP_KNOWN_MOST / dim[i]))
            return FOLD_NOT;
        count *= dim[i];
    }
    return imp_known_make(f->im, f->in[0]->dtype, ndim, dim, out);
}

static assay_status reshaped(fold *f, int ndim, const int64_t *dim, imp_known **out) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(make_like(f, ndim, dim, out));
    if ((*out)->count != f->in[0]->count)
        return FOLD_NOT;
    for (int64_t i = 0; i < (*out)->count; i++)
        ASSAY_TRY(move(f->im, *out, i, f->in[0], i));
done:
    return status;
}

static assay_status fold_same(fold *f, imp_known **out) {
    return reshaped(f, f->in[0]->ndim, f->in[0]->dim, out);
}

/* Axes from an input or, in older opsets, from an attribute. */
static assay_status read_axes(fold *f, int input, int ndim, bool *out, int *count) {
    assay_status status = ASSAY_OK;
    int64_t axes[ASSAY_MAX_DIMS];
    memset(out, 0, ASSAY_MAX_DIMS * sizeof *out);
    *count = -1;
    if (input < f->n_in && f->in[input]) {
        const imp_known *k = f->in[input];
        if (!k->i || k->count > ASSAY_MAX_DIMS)
            return FOLD_NOT;
        *count = (int)k->count;
        memcpy(axes, k->i, (size_t)k->count * sizeof *axes);
    } else {
        ASSAY_TRY(imp_attr_ints(f->node, "axes", ASSAY_MAX_DIMS, axes, count));
    }
    for (int i = 0; i < *count; i++) {
        int axis;
        ASSAY_TRY(imp_axis(axes[i], ndim, &axis));
        out[axis] = true;
    }
done:
    return status;
}

static assay_status fold_unsqueeze(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    bool marked[ASSAY_MAX_DIMS];
    int64_t dim[ASSAY_MAX_DIMS];
    int count, n = f->in[0]->ndim, from = 0;
    ASSAY_TRY(read_axes(f, 1, ASSAY_MAX_DIMS, marked, &count));
    if (count < 0 || n + count > ASSAY_MAX_DIMS)
        return FOLD_NOT;
    ASSAY_TRY(read_axes(f, 1, n + count, marked, &count));
    for (int i = 0; i < n + count; i++) {
        if (!marked[i] && from >= n)
            return FOLD_NOT;
        dim[i] = marked[i] ? 1 : f->in[0]->dim[from++];
    }
    return reshaped(f, n + count, dim, out);
done:
    return status;
}

static assay_status fold_squeeze(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    bool marked[ASSAY_MAX_DIMS];
    int64_t dim[ASSAY_MAX_DIMS];
    int count, n = 0;
    ASSAY_TRY(read_axes(f, 1, f->in[0]->ndim, marked, &count));
    for (int i = 0; i < f->in[0]->ndim; i++)
        if (count >= 0 ? !marked[i] : f->in[0]->dim[i] != 1)
            dim[n++] = f->in[0]->dim[i];
    return reshaped(f, n, dim, out);
done:
    return status;
}

static assay_status fold_reshape(fold *f, imp_known **out) {
    const imp_known *to = f->n_in > 1 ? f->in[1] : NULL;
    int64_t dim[ASSAY_MAX_DIMS], count = 1;
    int open = -1;
    if (!to || !to->i || to->count > ASSAY_MAX_DIMS || to->batch)
        return FOLD_NOT;
    for (int i = 0; i < to->count; i++) {
        dim[i] = to->i[i];
        if (dim[i] == 0 && i < f->in[0]->ndim)
            dim[i] = f->in[0]->dim[i];
        if (dim[i] < 0 && open >= 0)
            return FOLD_NOT;
        if (dim[i] < 0)
            open = i;
        else if (dim[i] && count > IMP_KNOWN_MOST / dim[i])
            return FOLD_NOT;
        else
            count *= dim[i];
    }
    if (open >= 0 && count == 0)
        return FOLD_NOT;
    if (open >= 0)
        dim[open] = f->in[0]->count / count;
    return reshaped(f, (int)to->count, dim, out);
}

/* ---- moving ---- */

static assay_status fold_gather(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    const imp_known *x = f->in[0], *at = f->n_in > 1 ? f->in[1] : NULL;
    int64_t dim[ASSAY_MAX_DIMS], given;
    int axis, n = 0;
    if (!at || !at->i || x->ndim == 0 || x->ndim - 1 + at->ndim > ASSAY_MAX_DIMS)
        return FOLD_NOT;
    ASSAY_TRY(imp_attr_i(f->node, "axis", 0, &given));
    ASSAY_TRY(imp_axis(given, x->ndim, &axis));
    int64_t outer = 1, inner = 1, size = x->dim[axis];
    for (int i = 0; i < axis; i++)
        outer *= dim[n++] = x->dim[i];
    for (int i = 0; i < at->ndim; i++)
        dim[n++] = at->dim[i];
    for (int i = axis + 1; i < x->ndim; i++)
        inner *= dim[n++] = x->dim[i];
    ASSAY_TRY(make_like(f, n, dim, out));
    for (int64_t o = 0, to = 0; o < outer; o++)
        for (int64_t k = 0; k < at->count; k++)
            for (int64_t i = 0; i < inner; i++, to++) {
                int64_t row = at->i[k] < 0 ? at->i[k] + size : at->i[k];
                if (row < 0 || row >= size || has_batch(at, k))
                    return FOLD_NOT;
                ASSAY_TRY(move(f->im, *out, to, x, (o * size + row) * inner + i));
            }
done:
    return status;
}

static assay_status fold_concat(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    int64_t dim[ASSAY_MAX_DIMS], given, outer = 1, inner = 1;
    int axis, ndim = f->in[0]->ndim;
    ASSAY_TRY(imp_attr_i(f->node, "axis", 0, &given));
    ASSAY_TRY(imp_axis(given, ndim, &axis));
    memcpy(dim, f->in[0]->dim, sizeof dim);
    dim[axis] = 0;
    for (int k = 0; k < f->n_in; k++) {
        if (!f->in[k] || f->in[k]->ndim != ndim || !f->in[k]->f != !f->in[0]->f)
            return FOLD_NOT;
        for (int i = 0; i < ndim; i++)
            if (i != axis && f->in[k]->dim[i] != dim[i])
                return FOLD_NOT;
        dim[axis] += f->in[k]->dim[axis];
    }
    for (int i = 0; i < ndim; i++)
        *(i < axis ? &outer : &inner) *= i == axis ? 1 : dim[i];
    ASSAY_TRY(make_like(f, ndim, dim, out));
    for (int64_t o = 0, to = 0; o < outer; o++)
        for (int k = 0; k < f->n_in; k++)
            for (int64_t i = 0, n = f->in[k]->dim[axis] * inner; i < n; i++, to++)
                ASSAY_TRY(move(f->im, *out, to, f->in[k], o * n + i));
done:
    return status;
}

/* Slices of lists: one dimension. */
static assay_status fold_slice(fold *f, imp_known **out) {
    assay_status status = ASSAY_OK;
    const imp_known *x = f->in[0];
    int64_t start, end, step = 1, size = x->dim[0];
    if (x->ndim != 1)
        return FOLD_NOT;
    if (imp_opset(f->im) < 10) {
        int n;
        ASSAY_TRY(imp_attr_ints(f->node, "starts", 1, &start, &n));
        if (n != 1)
            return FOLD_NOT;
        ASSAY_TRY(imp_attr_ints(f->node, "ends", 1, &end, &n));
        if (n != 1)
            return FOLD_NOT;
    } else {
        for (int i = 1; i < f->n_in; i++)
            if (f->in[i] && (!f->in[i]->i || f->in[i]->count != 1 || f->in[i]->batch))
                return FOLD_NOT;
        if (f->n_in < 3 || !f->in[1] || !f->in[2])
            return FOLD_NOT;
        start = f->in[1]->i[0];
        end = f->in[2]->i[0];
        step = f->n_in > 4 && f->in[4] ? f->in[4]->i[0] : 1;
    }
    if (step == 0 || step == INT64_MIN)
        return FOLD_NOT;
    int64_t least = step > 0 ? 0 : -1, most = step > 0 ? size : size - 1;
    start = start < 0 ? (start < -size ? least : start + size) : start;
    end = end < 0 ? (end < -size ? -1 : end + size) : end;
    start = start < least ? least : start > most ? most : start;
    end = end < least ? least : end > most ? most : end;
    int64_t span = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
    int64_t n = span > 0 ? (span - 1) / stride + 1 : 0;
    ASSAY_TRY(make_like(f, 1, &n, out));
    for (int64_t i = 0; i < n; i++)
        ASSAY_TRY(move(f->im, *out, i, x, start + i * step));
done:
    return status;
}

/* ---- elementwise, with broadcasting ---- */

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
        ASSAY_TRY(note_batch(im, out));
        out->batch[at] = true;
    } else
        return FOLD_NOT;
done:
    return status;
}

static assay_status fold_pair(fold *f, char op, imp_known **out) {
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
        if (has_batch(a, x) || has_batch(b, y)) {
            ASSAY_TRY(batch_result(f->im, op, *out, at, has_batch(a, x), has_batch(b, y),
                                   a->i[x], b->i[y]));
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

static assay_status fold_where(fold *f, imp_known **out) {
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
        ASSAY_TRY(move(f->im, *out, at, from, source(&w, from, at)));
    }
done:
    return status;
}

static assay_status fold_expand(fold *f, imp_known **out) {
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
    ASSAY_TRY(make_like(f, w.ndim, w.dim, out));
    for (int64_t at = 0; at < w.count; at++)
        ASSAY_TRY(move(f->im, *out, at, f->in[0], source(&w, f->in[0], at)));
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

static assay_status fold_single(fold *f, char op, imp_known **out) {
    assay_status status = ASSAY_OK;
    const imp_known *x = f->in[0];
    if (x->batch || (!x->f && !strchr("na!", op)) || (x->f && op == '!'))
        return FOLD_NOT;
    ASSAY_TRY(make_like(f, x->ndim, x->dim, out));
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

static assay_status fold_cast(fold *f, imp_known **out) {
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
        bool batch = has_batch(x, i);
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
            ASSAY_TRY(note_batch(f->im, *out));
            (*out)->batch[i] = true;
        }
    }
done:
    return status;
}

/* Over all elements of a list, as sizes are multiplied. */
static assay_status fold_reduce(fold *f, char op, imp_known **out) {
    assay_status status = ASSAY_OK;
    const imp_known *x = f->in[0];
    bool marked[ASSAY_MAX_DIMS];
    const int64_t one = 1;
    int64_t keep;
    int count;
    if (x->ndim != 1 || x->count == 0 || x->batch || f->node->n_in > 2)
        return FOLD_NOT;
    ASSAY_TRY(read_axes(f, 1, 1, marked, &count));
    ASSAY_TRY(imp_attr_i(f->node, "keepdims", 1, &keep));
    if (count == 0)
        return FOLD_NOT;
    ASSAY_TRY(make_like(f, keep != 0, &one, out));
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

/* ---- shapes themselves ---- */

static assay_status fold_shape(imp *im, const onnx_node *node, imp_known **out) {
    assay_status status = ASSAY_OK;
    imp_value *v;
    int64_t start, end;
    ASSAY_TRY(imp_input(im, node, 0, &v));
    imp_note_shape(im, v);
    int n = v->shape.ndim;
    ASSAY_TRY(imp_attr_i(node, "start", 0, &start));
    ASSAY_TRY(imp_attr_i(node, "end", n, &end));
    start = start < 0 ? start + n : start;
    end = end < 0 ? end + n : end;
    start = start < 0 ? 0 : start > n ? n : start;
    end = end < 0 ? 0 : end > n ? n : end;
    int64_t count = end > start ? end - start : 0;
    ASSAY_TRY(imp_known_make(im, ASSAY_I64, 1, &count, out));
    for (int64_t i = 0; i < count; i++)
        (*out)->i[i] = v->shape.dim[start + i];
    if (v->open && start == 0 && count) {
        ASSAY_TRY(note_batch(im, *out));
        (*out)->batch[0] = true;
    }
done:
    return status;
}

static assay_status fold_size(imp *im, const onnx_node *node, imp_known **out) {
    assay_status status = ASSAY_OK;
    imp_value *v;
    ASSAY_TRY(imp_input(im, node, 0, &v));
    imp_note_shape(im, v);
    if (v->open)
        return FOLD_NOT;
    ASSAY_TRY(imp_known_make(im, ASSAY_I64, 0, NULL, out));
    (*out)->i[0] = v->empty ? 0 : nn_shape_count(&v->shape);
done:
    return status;
}

/* ---- which node is what ---- */

typedef enum kind { SAME, PAIR, SINGLE, REDUCE, CALL } kind;

static const struct {
    const char *op_type;
    kind kind;
    char op;
    assay_status (*call)(fold *f, imp_known **out);
} table[] = {
    {"Identity", CALL, 0, fold_same},
    {"Cast", CALL, 0, fold_cast},
    {"Unsqueeze", CALL, 0, fold_unsqueeze},
    {"Squeeze", CALL, 0, fold_squeeze},
    {"Reshape", CALL, 0, fold_reshape},
    {"Gather", CALL, 0, fold_gather},
    {"Concat", CALL, 0, fold_concat},
    {"Slice", CALL, 0, fold_slice},
    {"Where", CALL, 0, fold_where},
    {"Expand", CALL, 0, fold_expand},
    {"Add", PAIR, '+', NULL},
    {"Sub", PAIR, '-', NULL},
    {"Mul", PAIR, '*', NULL},
    {"Div", PAIR, '/', NULL},
    {"Mod", PAIR, '%', NULL},
    {"Pow", PAIR, '^', NULL},
    {"Min", PAIR, 'm', NULL},
    {"Max", PAIR, 'M', NULL},
    {"Equal", PAIR, '=', NULL},
    {"Less", PAIR, '<', NULL},
    {"Greater", PAIR, '>', NULL},
    {"LessOrEqual", PAIR, 'l', NULL},
    {"GreaterOrEqual", PAIR, 'g', NULL},
    {"And", PAIR, '&', NULL},
    {"Or", PAIR, '|', NULL},
    {"Not", SINGLE, '!', NULL},
    {"Neg", SINGLE, 'n', NULL},
    {"Abs", SINGLE, 'a', NULL},
    {"Floor", SINGLE, 'f', NULL},
    {"Ceil", SINGLE, 'c', NULL},
    {"Round", SINGLE, 'o', NULL},
    {"Sqrt", SINGLE, 's', NULL},
    {"Relu", SINGLE, 'r', NULL},
    {"Reciprocal", SINGLE, 'i', NULL},
    {"ReduceProd", REDUCE, '*', NULL},
    {"ReduceSum", REDUCE, '+', NULL},
    {"ReduceMin", REDUCE, 'm', NULL},
    {"ReduceMax", REDUCE, 'M', NULL},
};

static assay_status try_table(imp *im, const onnx_node *node, imp_known **out) {
    fold f = {.im = im, .node = node, .n_in = (int)node->n_in};
    size_t k = 0;
    while (k < sizeof table / sizeof *table &&
           strcmp(table[k].op_type, node->op_type) != 0)
        k++;
    if (k == sizeof table / sizeof *table || node->n_in == 0 || node->n_in > 8)
        return FOLD_NOT;
    for (int i = 0; i < f.n_in; i++) {
        imp_value *v = imp_optional(im, node, (size_t)i);
        f.in[i] = v ? imp_known_now(im, v) : NULL;
        if ((v || i == 0) && !f.in[i])
            return FOLD_NOT;
    }
    switch (table[k].kind) {
    case PAIR:
        return node->n_in == 2 ? fold_pair(&f, table[k].op, out) : FOLD_NOT;
    case SINGLE:
        return fold_single(&f, table[k].op, out);
    case REDUCE:
        return fold_reduce(&f, table[k].op, out);
    default:
        return table[k].call(&f, out);
    }
}

assay_status imp_fold(imp *im, const onnx_node *node, bool *done) {
    imp_known *out = NULL;
    assay_status status;
    *done = false;
    if (strcmp(node->op_type, "Shape") == 0)
        status = fold_shape(im, node, &out);
    else if (strcmp(node->op_type, "Size") == 0)
        status = fold_size(im, node, &out);
    else
        status = try_table(im, node, &out);
    if (status == ASSAY_E_NOMEM)
        return status;
    if (status != ASSAY_OK)
        return ASSAY_OK; /* the rule says what is wrong, if anything is */
    *done = true;
    return imp_set_known(im, node, 0, out);
}
