/* Options about how models are trained, the same wherever something trains. */
#ifndef CLI_RECIPE_H
#define CLI_RECIPE_H

#include "cli/cli.h"

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

#endif
