/* A first convolution that whitens patches of the images (Jordan 2024, arXiv 2404.00498,
 * section 3.2): its filters are the directions in which the patches of the training
 * images vary, each divided by how far they do, with both signs. */
#ifndef ZOO_WHITEN_H
#define ZOO_WHITEN_H

#include "zoo/zoo.h"

/* Sets the buffer `name` [2 n, C, k, k], n = C k k. Patches are those of the sample's
 * first images, 5000 at most. `eps` is added to each variance. SHAPE where the buffer is
 * another, NOMEM */
ASSAY_MUST_CHECK assay_status zoo_whiten(nn_weights *w,
                                         assay_ctx *ctx,
                                         const zoo_model *m,
                                         const char *name,
                                         const zoo_sample *sample,
                                         double eps);

/* Eigenvalues in decreasing order, and in the rows of `vectors` [n,n] unit eigenvectors
 * whose largest entry is positive; of a symmetric matrix [n,n], which is destroyed.
 * Jacobi's rotations (Golub & Van Loan, Matrix Computations, 4th ed., section 8.5). */
void zoo_eigen(double *matrix, double *vectors, double *values, int n);

#endif
