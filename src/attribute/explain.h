/* The inside of assay_attribute, shared by its files: models, scores, the document. */
#ifndef ATTRIBUTE_EXPLAIN_H
#define ATTRIBUTE_EXPLAIN_H

#include <assay/attribute.h>

#include "attribute/ensemble.h"
#include "attribute/named.h"
#include "train/trainer.h"

typedef struct explain {
    assay_ctx *ctx;
    assay_attribute_options o;
    const att_method *method;
    att_settings settings;
    att_protocol protocol;
    att_lab_text text; /* of a text: what the lab looks at */
    model_card card;   /* and of models trained for the purpose */
    att_lab lab;
    int models;
    trained_model *given; /* [models] checkpoints, or models of text; NULL: `trained` */
    att_ensemble trained; /* studies' runs, where none are given */
    float *margins;       /* [models, targets of the study], or what else is asked */
    att_asked asked;
    bool asks;           /* something else than margins */
    int32_t *labels;     /* where other classes than the labels are asked about */
    uint8_t *asked_rows; /* of the data: which are targets */
    att_top *top; /* [targets, 2, top] places of rows in the study: helpful, harmful */
} explain;

/** Loads the checkpoints; they fix the model and the images' size. Before the lab opens.
 *  @errors as models_load; SHAPE where they differ */
ASSAY_MUST_CHECK assay_status explain_load(explain *e);
/* Whether models and source are of text; then, whether options fit: UNSUPPORTED, INVALID
 */
bool explain_is_text(const explain *e, const char *source);
ASSAY_MUST_CHECK assay_status explain_text_check(const explain *e, bool text);
/** Of a text: reads it, trains models if none are given, and opens the lab. */
ASSAY_MUST_CHECK assay_status explain_text(explain *e, const char *source);
/** Checks them against the data and asks them for margins, or trains models. */
ASSAY_MUST_CHECK assay_status explain_models(explain *e);
/** Asks all models for the targets' margins, or what else is asked. */
ASSAY_MUST_CHECK assay_status explain_margins(explain *e);
/** Whether there is such an output, and the method can: NOTFOUND, INVALID, UNSUPPORTED */
ASSAY_MUST_CHECK assay_status explain_asked_check(explain *e);
/** After the models: fixes classes and outputs of targets. NOTFOUND: no such class */
ASSAY_MUST_CHECK assay_status explain_asked(explain *e);
void explain_models_free(explain *e); /* and again */
att_member explain_member(const explain *e, int m);

/** The same by features in a folder; of a shard, features alone. */
ASSAY_MUST_CHECK assay_status explain_keep(explain *e);
/** Fills e->top: in memory, or, where there is a folder for them, by features that stream
 * from there. Writes all scores if they are asked for. */
ASSAY_MUST_CHECK assay_status explain_scores(explain *e);

#endif
