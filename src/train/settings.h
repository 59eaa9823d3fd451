/* A recipe as a table of settings (<assay/settings.h>): setting one by its words, and the
 * line that names them all. */
#ifndef TRAIN_SETTINGS_H
#define TRAIN_SETTINGS_H

#include <assay/settings.h>

#include "base/ctx.h"

enum { RECIPE_LINE = 1024 }; /* bytes of a recipe's line */

/* What each kind of setting is in the recipe. */
#define RECIPE_INT(member)    int member;
#define RECIPE_DOUBLE(member) double member;
#define RECIPE_SWITCH(member) bool member;
#define RECIPE_CHOICE(member) char member[24];
#define RECIPE_TEXT(member)   char member[40];
#define RECIPE_LIST(member)   char member[320];

#define RECIPE_MEMBER(kind, member, name, ...) RECIPE_##kind(member)
/* How to train: everything that decides the bytes besides data and seed. */
typedef struct train_recipe {
    ASSAY_TRAIN_SETTINGS(RECIPE_MEMBER)
} train_recipe;

/* Sets one by its name ("weight-decay" or "weight_decay") from words. A switch takes on,
 * off, 1, 0, and "auto" where it lists that: then it stays as it is. INVALID with help.
 */
ASSAY_MUST_CHECK assay_status setting_set(train_recipe *r,
                                          const char *name,
                                          const char *words);
/* "name=words name=words ..."; NULL: nothing to set. */
ASSAY_MUST_CHECK assay_status settings_set(train_recipe *r, const char *line);
/* Every setting that has an initial value gets it, the others are zero. */
void settings_initial(train_recipe *r);
/* One canonical line, for phase keys and metadata. What is as it was initially is left
 * out, but for those that every line has (ASSAY_TRAIN_SETTINGS_ALWAYS). */
void train_recipe_text(const train_recipe *r, char out[RECIPE_LINE]);

/* What a line says of a setting, by its name there; false if it is not in it, or the word
 * does not fit. */
bool setting_in_line(const char *line, const char *name, char *out, size_t cap);

#endif
