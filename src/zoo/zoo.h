/* The zoo: builders of models, one file each under zoo/models. */
#ifndef ZOO_ZOO_H
#define ZOO_ZOO_H

#include "nn/graph.h"

enum { ZOO_MOST_ARGS = 8, ZOO_MOST_WIDTH = 16384 };
/* Tokens of models that classify sequences, on top of the vocabulary: what fills a
 * sequence up, of which nothing is seen, and what stands first, where the answer is
 * read. */
enum { ZOO_PAD, ZOO_START, ZOO_SPECIAL };

typedef struct zoo_config {
    int classes, channels, height, width;
    double smoothing; /* of the training loss */
    bool smooth;      /* GELU for ReLU, means for maxima: in studies of rounding, where a
                         sign that turns would drown everything else */
    int context;      /* tokens of an example, for models that read tokens; there are no
                         pixels then, and `classes` is the vocabulary ... */
    int vocabulary;   /* ... but of models that classify sequences. They read two tokens
                         more, behind those: ZOO_PAD and ZOO_START */
} zoo_config;

/* A built graph and the values everyone asks for; images [0,C,H,W] f32, labels [0] i32;
 * penultimate [0,F], logits [0,K], loss [0], margin [0]. A model of tokens reads tokens
 * [0,T] i32 instead (in `images`), and has labels [0,T] (-1: none), penultimate
 * [0,T,F], logits [0,T,K]; loss and margin are means over an example's tokens. A model of
 * sequences reads tokens: ZOO_START, a sequence, ZOO_PAD up to the context; the rest is
 * as for images. */
typedef struct zoo_model {
    const char *name; /* the zoo's, static */
    const struct zoo_model_def *def;
    zoo_config config;
    int arg[ZOO_MOST_ARGS]; /* numbers behind the name: "mlp-128-64" */
    int n_args;
    nn_graph *graph;
    nn_value images;  /* or tokens: what is fed */
    nn_value lengths; /* of sequences, padding left out; -1: of none */
    nn_value flat;    /* the same, flattened, where a layer did that */
    nn_value labels, penultimate, logits, loss, margin;
    double flop;       /* of one example's forward pass: convolutions and matrix products;
                          attention counted in full, also where it is causal */
    double flop_input; /* of those that read the input: its gradient is not asked for */
} zoo_model;

/* Training images, for models that look at some before they are trained. */
typedef struct zoo_sample {
    const uint8_t *pixels; /* [rows,H,W,C] */
    const uint32_t *rows;  /* which of them; NULL: the first n */
    size_t n;
    const float *mean, *std; /* [C], of pixels in [0,1] */
} zoo_sample;

typedef struct zoo_model_def {
    const char *name, *summary;
    /* Adds the layers from m->images on; sets penultimate and logits. SHAPE */
    assay_status (*build)(zoo_model *m);
    /* Sets initial weights that depend on the data. NULL: none do. */
    assay_status (*prepare)(const zoo_model *m,
                            assay_ctx *ctx,
                            nn_weights *w,
                            const zoo_sample *sample);
    bool tokens;    /* it reads tokens, not images */
    bool sequences; /* and gives them one label, not each its next */
    int least_side; /* of images; smaller ones are refused */
    int most_args;  /* numbers that may follow its name, 1 to ZOO_MOST_WIDTH each */
    bool f32;       /* it is too small for bf16 to pay */
    int64_t golden; /* parameters for 28x28x1 in 10 classes, or a context of 128 in 65,
                       or sequences of 128 out of 65 in 10 classes */
} zoo_model_def;

/* NOTFOUND lists the names. SHAPE when the image is too small. */
ASSAY_MUST_CHECK assay_status zoo_build(zoo_model *out,
                                        assay_ctx *ctx,
                                        const char *name,
                                        const zoo_config *config);
/* The same for a model that is not in the registry. */
ASSAY_MUST_CHECK assay_status zoo_build_def(zoo_model *out,
                                            assay_ctx *ctx,
                                            const zoo_model_def *def,
                                            const zoo_config *config);
/* Brings freshly made weights in line with the training images, where the model asks for
 * that. The same weights for the same images. SHAPE, NOMEM */
ASSAY_MUST_CHECK assay_status zoo_prepare(const zoo_model *m,
                                          assay_ctx *ctx,
                                          nn_weights *w,
                                          const zoo_sample *sample);
/* Of one example's training step: forward, and backward to parameters and inputs. */
double zoo_step_flop(const zoo_model *m);
/* Labels of an example; how many different tokens a model of tokens reads. */
size_t zoo_labels_each(const zoo_model *m);
int zoo_vocabulary(const zoo_model *m);
void zoo_destroy(zoo_model *m); /* accepts a zeroed one */
size_t zoo_count(void);
const zoo_model_def *zoo_at(size_t i);
const zoo_model_def *zoo_find(const char *name); /* NULL if there is none */

/* A name taken apart: which model, and the numbers behind it. NOTFOUND without help;
 * INVALID where the numbers are wrong. */
typedef struct zoo_name {
    const zoo_model_def *def;
    int arg[ZOO_MOST_ARGS];
    int n_args;
} zoo_name;
ASSAY_MUST_CHECK assay_status zoo_name_parse(zoo_name *out, const char *name);

#endif
