/* Outputs: what is asked of a model about a target, as a function of its logits. Rows are
 * always taken by their margins, whose slope times q is their loss's. One file each under
 * attribute/outputs. */
#ifndef ATTRIBUTE_OUTPUT_H
#define ATTRIBUTE_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

/* The value, and into slope [classes] its derivatives. */
typedef double (*att_output_fn)(
    float *slope, const float *logits, size_t classes, size_t label, void *arg);

typedef struct att_output_def {
    const char *name, *summary;
    att_output_fn run;
} att_output_def;

size_t att_output_count(void);
const att_output_def *att_output_at(size_t i);
const att_output_def *att_output_find(const char *name); /* NULL if there is none */

/* What is asked of some rows of the data instead of the margin. */
typedef struct att_asked {
    att_output_fn run;
    void *arg;
    const uint8_t *row; /* [rows of the data] 1: of this one */
} att_asked;

/* log(p / (1 - p)) of the label, as the op "margin" has it. */
double att_output_margin(
    float *slope, const float *logits, size_t classes, size_t label, void *arg);

#endif
