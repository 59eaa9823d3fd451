/* Options about how models are trained, the same wherever something trains. */
#ifndef CLI_RECIPE_H
#define CLI_RECIPE_H

#include "cli/cli.h"

#include <assay/settings.h>

/* Every setting of a training recipe as an option. */
#define CLI_SETTING_INT    CLI_INT
#define CLI_SETTING_DOUBLE CLI_DOUBLE
#define CLI_SETTING_SWITCH CLI_CHOICE
#define CLI_SETTING_CHOICE CLI_CHOICE
#define CLI_SETTING_TEXT   CLI_TEXT
#define CLI_SETTING_LIST   CLI_LIST
#define CLI_SETTING(kind, member, label, ...)                                            \
    {.name = label, .type = CLI_SETTING_##kind, __VA_ARGS__},
#define CLI_RECIPE_SETTINGS ASSAY_TRAIN_SETTINGS(CLI_SETTING)

/* The few that an audit has. */
#define CLI_RECIPE_MODEL                                                                 \
    {                                                                                    \
        .name = "model", .type = CLI_TEXT, .value = "NAME", .initial = "cnn",            \
        .help = "the model, by its name in the zoo"                                      \
    }
#define CLI_RECIPE_FIT                                                                   \
    {.name = "epochs",                                                                   \
     .type = CLI_INT,                                                                    \
     .value = "N",                                                                       \
     .initial = "0",                                                                     \
     .shown = "the recipe's",                                                            \
     .low = 0,                                                                           \
     .high = 10000,                                                                      \
     .help = "passes over the data"},                                                    \
        {.name = "batch",                                                                \
         .type = CLI_INT,                                                                \
         .value = "N",                                                                   \
         .initial = "0",                                                                 \
         .shown = "the recipe's",                                                        \
         .low = 0,                                                                       \
         .high = 65536,                                                                  \
         .help = "rows per step"},                                                       \
    {                                                                                    \
        .name = "lr", .type = CLI_DOUBLE, .value = "X", .initial = "0",                  \
        .shown = "the recipe's", .low = 0, .high = 1000, .help = "highest learning rate" \
    }
#define CLI_RECIPE_AUGMENT                                                               \
    {.name = "flip",                                                                     \
     .type = CLI_CHOICE,                                                                 \
     .choices = "auto|on|off",                                                           \
     .initial = "auto",                                                                  \
     .help = "mirror images at random",                                                  \
     .more = "Automatic: only where the data bears it; never on digits, for example."},  \
    {                                                                                    \
        .name = "translate", .type = CLI_INT, .value = "PIXELS", .initial = "-1",        \
        .shown = "the recipe's", .low = -1, .high = 64,                                  \
        .help = "shift images at random, up to so far"                                   \
    }

/* The library's number for --flip. */
int recipe_flip(const cli_args *args);
/* The settings that were typed, as the library takes them: "name=value name=value". */
void recipe_settings(text *out, const cli_args *args);

#endif
