/* What a lab's files share. */
#ifndef ATTRIBUTE_LAB_INSIDE_H
#define ATTRIBUTE_LAB_INSIDE_H

#include "attribute/study/lab.h"

/* Reads sentences, chooses rows and targets, and builds the model: all but the study. */
ASSAY_MUST_CHECK assay_status att_lab_sentences_open(att_lab *lab, const char *source);

#endif
