/* What mixup and cutmix share. Each image is mixed with the one before it in the batch,
 * the first with the last, and so are labels. All chance comes from one draw of the
 * batch's stream and a stream of its own for each place, so that pipelines of images and
 * of labels mix alike in whatever order they go. */
#ifndef DATA_MIXING_H
#define DATA_MIXING_H

#include "data/transform.h"

/* How labels say it: shares of all classes, or (label, the other's label, share). */
typedef enum mixing_labels { MIXING_SOFT, MIXING_PAIR } mixing_labels;
enum { MIXING_PAIR_WIDTH = 3 };
/* Words of an argument `labels`, in that order. */
extern const char *const mixing_label_words[];

/* Sets out and scratch; checks what labels need. `name` is for messages. INVALID */
ASSAY_MUST_CHECK assay_status mixing_plan(transform_plan *p,
                                          const char *name,
                                          mixing_labels labels);
/* Numbers a label is afterwards. */
int mixing_label_width(const transform_plan *p, mixing_labels labels);
/* From an integer to unmixed numbers. */
void mixing_spread(const transform_plan *p,
                   mixing_labels labels,
                   int64_t label,
                   float *to);

/* Beta(alpha, alpha): by Gamma variates (Marsaglia and Tsang 2000), in logarithms, so
 * that a small alpha works too. */
double mixing_draw_beta(rng *r, double alpha);
/* The stream of place i of the batch whose one draw was `base`. */
rng mixing_stream(uint64_t base, bool same, int i);

/* The label of place i with that of the place before, `share` of its own. */
typedef double mixing_share(const transform_plan *p, uint64_t base, int i);
void mixing_mix_labels(const transform_plan *p,
                       transform_batch *b,
                       mixing_labels labels,
                       uint64_t base,
                       mixing_share *share);
/* Image i with the one before: `mix(p, b, base, i, own, other)` for each place. */
typedef void mixing_image(const transform_plan *p,
                          const transform_batch *b,
                          uint64_t base,
                          int i,
                          uint8_t *own,
                          const uint8_t *other);
void mixing_mix_images(const transform_plan *p,
                       transform_batch *b,
                       uint64_t base,
                       mixing_image *mix);

#endif
