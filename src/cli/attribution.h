/* Options that several verbs of attribution share. */
#ifndef CLI_ATTRIBUTION_H
#define CLI_ATTRIBUTION_H

#include "cli/cli.h"

/* Which rows and targets, and what is trained on them. */
#define CLI_OPTIONS_STUDY(passes)                                                        \
    {.name = "rows",                                                                     \
     .type = CLI_INT,                                                                    \
     .value = "N",                                                                       \
     .initial = "0",                                                                     \
     .shown = "all",                                                                     \
     .low = 0,                                                                           \
     .high = 4294967295.0,                                                               \
     .help = "the first N training rows"},                                               \
        {.name = "targets",                                                              \
         .type = CLI_INT,                                                                \
         .value = "N",                                                                   \
         .initial = "20",                                                                \
         .low = 1,                                                                       \
         .high = 4294967295.0,                                                           \
         .help = "the first N test rows"},                                               \
        {.name = "model",                                                                \
         .type = CLI_TEXT,                                                               \
         .value = "NAME",                                                                \
         .initial = "mlp",                                                               \
         .help = "a model of the zoo"},                                                  \
        {.name = "epochs",                                                               \
         .type = CLI_INT,                                                                \
         .value = "N",                                                                   \
         .initial = "15",                                                                \
         .low = 1,                                                                       \
         .high = 100000,                                                                 \
         .help = passes},                                                                \
        {.name = "batch",                                                                \
         .type = CLI_INT,                                                                \
         .value = "N",                                                                   \
         .initial = "50",                                                                \
         .low = 1,                                                                       \
         .high = 65536,                                                                  \
         .help = "rows in a step"},                                                      \
    {                                                                                    \
        .name = "lr", .type = CLI_DOUBLE, .value = "X", .initial = "0.02", .low = 1e-9,  \
        .high = 1e3, .help = "peak of the learning rate"                                 \
    }

/* Settings of methods. */
#define CLI_OPTION_DAMPING(auto_too, how)                                                \
    {                                                                                    \
        .name = "damping", .type = CLI_DOUBLE, .value = "X", .initial = "1", .low = 0,   \
        .high = 1e9, .automatic = auto_too, .rare = true,                                \
        .help = "of ekfac, over the mean eigenvalue" how                                 \
    }
#define CLI_OPTION_RIDGE(auto_too, how)                                                  \
    {                                                                                    \
        .name = "ridge", .type = CLI_DOUBLE, .value = "X", .initial = "1", .low = 0,     \
        .high = 1e9, .automatic = auto_too, .rare = true,                                \
        .help = "of trak and kernel, over the mean diagonal" how                         \
    }
#define CLI_OPTION_FROM                                                                  \
    {                                                                                    \
        .name = "from", .type = CLI_DOUBLE, .value = "X", .initial = "0.25", .low = 0,   \
        .high = 0.999, .rare = true, .help = "share of the run that replay leaves out"   \
    }
#define CLI_OPTION_TRACIN                                                                \
    {                                                                                    \
        .name = "tracin-checkpoints", .type = CLI_INT, .value = "N", .initial = "5",     \
        .low = 1, .high = 1000, .rare = true, .help = "of a run, that tracin goes by"    \
    }
#define CLI_OPTION_PROJECTOR                                                             \
    {                                                                                    \
        .name = "projector", .type = CLI_TEXT, .value = "NAME", .initial = "sjlt",       \
        .rare = true, .help = "of trak",                                                 \
        .more = "sjlt, kronecker, fjlt, rademacher, normal or none."                     \
    }
#define CLI_OPTION_DIM(usual)                                                            \
    {                                                                                    \
        .name = "dim", .type = CLI_INT, .value = "D", .initial = usual, .low = 1,        \
        .high = 1048576, .rare = true, .help = "of trak's projection"                    \
    }
/* All of them. `how` says whether "auto" may stand for two. */
#define CLI_OPTIONS_METHODS(auto_too, how)                                               \
    CLI_OPTION_DAMPING(auto_too, how), CLI_OPTION_RIDGE(auto_too, how), CLI_OPTION_FROM, \
        CLI_OPTION_TRACIN, CLI_OPTION_PROJECTOR, CLI_OPTION_DIM("4096")

#define CLI_OPTION_TOP                                                                   \
    {                                                                                    \
        .name = "top", .type = CLI_INT, .value = "K", .initial = "10", .low = 1,         \
        .high = 1000, .help = "rows named for each target, of either sign"               \
    }
#define CLI_OPTION_SCORES                                                                \
    {                                                                                    \
        .name = "scores", .type = CLI_TEXT, .value = "FILE", .written = true,            \
        .help = "write all scores there, .npy [rows, targets]"                           \
    }
#define CLI_OPTION_CSV                                                                   \
    {                                                                                    \
        .name = "csv", .type = CLI_TEXT, .value = "FILE", .written = true,               \
        .help = "write what is named there, as a table"                                  \
    }
#define CLI_OPTION_PAGE                                                                  \
    {                                                                                    \
        .name = "page", .type = CLI_TEXT, .value = "FILE", .written = true,              \
        .help = "write a page that shows them, HTML"                                     \
    }

/* Takes the options above into a struct whose members have these names. What was not
 * typed is left to the library, whose choice may depend on the data. */
#define CLI_TAKE_STUDY(o, a)                                                             \
    do {                                                                                 \
        (o).rows = cli_int(a, "rows");                                                   \
        (o).targets = cli_int(a, "targets");                                             \
        (o).model = cli_typed(a, "model") ? cli_text(a, "model") : NULL;                 \
        (o).epochs = cli_typed(a, "epochs") ? (int)cli_int(a, "epochs") : 0;             \
        (o).batch = cli_typed(a, "batch") ? (int)cli_int(a, "batch") : 0;                \
        (o).rate = cli_typed(a, "lr") ? cli_real(a, "lr") : 0;                           \
    } while (0)
#define CLI_TAKE_METHODS(o, a)                                                           \
    do {                                                                                 \
        (o).damping = cli_real_or(a, "damping", -1);                                     \
        (o).ridge = cli_real_or(a, "ridge", -1);                                         \
        (o).from = cli_real(a, "from");                                                  \
        (o).tracin_checkpoints = (int)cli_int(a, "tracin-checkpoints");                  \
        (o).projector = cli_text(a, "projector");                                        \
        (o).dim = (int)cli_int(a, "dim");                                                \
    } while (0)

#endif
