/* The adapter to OpenBLAS and LAPACKE: the only file that includes their headers.
 * Symmetric matrices look the same in either order, so LAPACK gets ours as they lie,
 * column-major, and the names of the triangles swap.
 *
 * Debian's serial OpenBLAS is built without locks: two threads inside it at once share
 * packing buffers, and products come out wrong now and then. So every call takes one
 * lock; what is parallel lies around the products. */
#include "attribute/algebra/linalg.h"

#include <assert.h>
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <pthread.h>

static pthread_mutex_t openblas = PTHREAD_MUTEX_INITIALIZER;

static void enter(void) {
    (void)pthread_mutex_lock(&openblas);
}

static void leave(void) {
    (void)pthread_mutex_unlock(&openblas);
}

/* ---- products ---- */

static CBLAS_TRANSPOSE op(bool transposed) {
    return transposed ? CblasTrans : CblasNoTrans;
}

void la_gemm(bool ta,
             bool tb,
             int64_t m,
             int64_t n,
             int64_t k,
             float alpha,
             const float *a,
             int64_t lda,
             const float *b,
             int64_t ldb,
             float beta,
             float *c,
             int64_t ldc) {
    if (m == 0 || n == 0)
        return;
    enter();
    cblas_sgemm(CblasRowMajor, op(ta), op(tb), (blasint)m, (blasint)n, (blasint)k, alpha,
                a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
    leave();
}

void la_gram(
    int64_t m, int64_t n, const float *a, int64_t lda, float *scratch, double *c) {
    for (int64_t begin = 0; begin < m; begin += LA_GRAM_ROWS) {
        int64_t rows = m - begin < LA_GRAM_ROWS ? m - begin : LA_GRAM_ROWS;
        enter();
        cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, (blasint)n, (blasint)rows,
                    1.0f, a + begin * lda, (blasint)lda, 0.0f, scratch, (blasint)n);
        leave();
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j <= i; j++)
                c[i * n + j] += (double)scratch[i * n + j];
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            c[j * n + i] = c[i * n + j];
}

/* ---- factorisations ---- */

assay_status la_cholesky(int64_t n, double *a) {
    enter();
    lapack_int info =
        LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, a, (lapack_int)n);
    leave();
    if (info < 0)
        return err_set(ASSAY_E_INTERNAL, "dpotrf refused argument %d", (int)-info);
    if (info > 0)
        return err_set(ASSAY_E_NUMERIC,
                       "a matrix of side %lld is not positive definite (at %d)",
                       (long long)n, (int)info);
    return ASSAY_OK;
}

assay_status la_cholesky_solve(int64_t n, const double *factor, int64_t m, double *b) {
    enter();
    lapack_int info =
        LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, (lapack_int)m, factor,
                            (lapack_int)n, b, (lapack_int)n);
    leave();
    if (info != 0)
        return err_set(ASSAY_E_INTERNAL, "dpotrs refused argument %d", (int)-info);
    return ASSAY_OK;
}

assay_status la_cholesky_inverse(int64_t n, double *factor) {
    enter();
    lapack_int info =
        LAPACKE_dpotri_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, factor, (lapack_int)n);
    leave();
    if (info < 0)
        return err_set(ASSAY_E_INTERNAL, "dpotri refused argument %d", (int)-info);
    if (info > 0)
        return err_set(ASSAY_E_NUMERIC, "a factor is singular (at %d)", (int)info);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            factor[j * n + i] = factor[i * n + j];
    return ASSAY_OK;
}

assay_status la_eigen(
    assay_ctx *ctx, int64_t n, double *a, int64_t want, double *value, double *vector) {
    assay_status status = ASSAY_OK;
    double *w = NULL, *work = NULL, need = 0;
    lapack_int *support = NULL, *iwork = NULL, found = 0, ineed = 0;
    lapack_int first = (lapack_int)(n - want + 1), last = (lapack_int)n;
    assert(want >= 1 && want <= n);
    ASSAY_TRY(mem_new(ctx, &w, (size_t)n, sizeof *w));
    ASSAY_TRY(mem_new(ctx, &support, 2 * (size_t)want, sizeof *support));
    enter();
    lapack_int info = LAPACKE_dsyevr_work(
        LAPACK_COL_MAJOR, 'V', 'I', 'U', (lapack_int)n, a, (lapack_int)n, 0, 0, first,
        last, 0, &found, w, vector, (lapack_int)n, support, &need, -1, &ineed, -1);
    leave();
    if (info == 0) {
        ASSAY_TRY(mem_new(ctx, &work, (size_t)need, sizeof *work));
        ASSAY_TRY(mem_new(ctx, &iwork, (size_t)ineed, sizeof *iwork));
        enter();
        info = LAPACKE_dsyevr_work(LAPACK_COL_MAJOR, 'V', 'I', 'U', (lapack_int)n, a,
                                   (lapack_int)n, 0, 0, first, last, 0, &found, w, vector,
                                   (lapack_int)n, support, work, (lapack_int)need, iwork,
                                   ineed);
        leave();
    }
    if (info != 0 || found != want)
        ASSAY_FAIL(ASSAY_E_NUMERIC,
                   "the eigenvalues of a matrix of side %lld were not found",
                   (long long)n);
    /* smallest first, one vector per column of theirs: rows of ours, in the wrong order
     */
    for (int64_t i = 0; i < want; i++)
        value[i] = w[want - 1 - i];
    for (int64_t i = 0; i < want / 2; i++)
        for (int64_t j = 0; j < n; j++) {
            double t = vector[i * n + j];
            vector[i * n + j] = vector[(want - 1 - i) * n + j];
            vector[(want - 1 - i) * n + j] = t;
        }
done:
    mem_free(ctx, w);
    mem_free(ctx, work);
    mem_free(ctx, support);
    mem_free(ctx, iwork);
    return status;
}

/* ---- self-check ---- */

enum { CHECK_M = 67, CHECK_N = 93, CHECK_K = 131 };

/* Numbers without a pattern that a wrong kernel could share; small enough for exact sums
 * to stay near them. */
static double check_number(int64_t i) {
    uint32_t x = (uint32_t)i * 2654435761u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return (double)(x >> 8) / 16777216.0 - 0.5;
}

static assay_status check_failed(const char *what, double worst) {
    (void)err_set(ASSAY_E_NUMERIC,
                  "OpenBLAS computes a wrong %s on this processor (off by %.3g)", what,
                  worst);
    err_where("OpenBLAS core %s", openblas_get_corename());
    err_help("set OPENBLAS_CORETYPE=Haswell, or install a newer OpenBLAS");
    return ASSAY_E_NUMERIC;
}

static double check_product(bool ta, bool tb) {
    float a[CHECK_M * CHECK_K], b[CHECK_K * CHECK_N], c[CHECK_M * CHECK_N];
    double worst = 0;
    for (int i = 0; i < CHECK_M * CHECK_K; i++)
        a[i] = (float)check_number(i);
    for (int i = 0; i < CHECK_K * CHECK_N; i++)
        b[i] = (float)check_number(100000 + i);
    for (int i = 0; i < CHECK_M * CHECK_N; i++)
        c[i] = 1.0f;
    la_gemm(ta, tb, CHECK_M, CHECK_N, CHECK_K, 2.0f, a, ta ? CHECK_M : CHECK_K, b,
            tb ? CHECK_K : CHECK_N, -1.0f, c, CHECK_N);
    for (int i = 0; i < CHECK_M; i++)
        for (int j = 0; j < CHECK_N; j++) {
            double sum = 0;
            for (int k = 0; k < CHECK_K; k++)
                sum += (double)a[ta ? k * CHECK_M + i : i * CHECK_K + k] *
                       (double)b[tb ? j * CHECK_K + k : k * CHECK_N + j];
            /* not fmax: a NaN must count */
            double off = fabs((double)c[i * CHECK_N + j] - (2 * sum - 1));
            if (!(off <= worst))
                worst = off;
        }
    return worst;
}

static assay_status check_cholesky(double *worst) {
    assay_status status = ASSAY_OK;
    float a[CHECK_M * CHECK_N], scratch[CHECK_N * CHECK_N];
    double gram[CHECK_N * CHECK_N], factor[CHECK_N * CHECK_N], x[CHECK_N], b[CHECK_N];
    *worst = 0;
    for (int i = 0; i < CHECK_M * CHECK_N; i++)
        a[i] = (float)check_number(200000 + i);
    for (int i = 0; i < CHECK_N * CHECK_N; i++)
        gram[i] = 0;
    la_gram(CHECK_M, CHECK_N, a, CHECK_N, scratch, gram);
    for (int i = 0; i < CHECK_N; i++) {
        gram[i * CHECK_N + i] += 10;
        b[i] = x[i] = check_number(300000 + i);
    }
    for (int i = 0; i < CHECK_N * CHECK_N; i++)
        factor[i] = gram[i];
    ASSAY_TRY(la_cholesky(CHECK_N, factor));
    ASSAY_TRY(la_cholesky_solve(CHECK_N, factor, 1, x));
    for (int i = 0; i < CHECK_N; i++) {
        double sum = -b[i];
        for (int j = 0; j < CHECK_N; j++) {
            double exact = i == j ? 10 : 0;
            for (int k = 0; k < CHECK_M; k++)
                exact += (double)a[k * CHECK_N + i] * (double)a[k * CHECK_N + j];
            sum += exact * x[j];
        }
        if (!(fabs(sum) <= *worst))
            *worst = fabs(sum);
    }
done:
    return status;
}

assay_status la_self_check(void) {
    assay_status status = ASSAY_OK;
    double worst = 0;
    for (int which = 0; which < 4; which++) {
        worst = check_product(which & 1, which & 2);
        if (!(worst < 1e-3))
            return check_failed("product", worst);
    }
    ASSAY_TRY(check_cholesky(&worst));
    if (!(worst < 1e-3))
        return check_failed("factorisation", worst);
done:
    return status;
}
