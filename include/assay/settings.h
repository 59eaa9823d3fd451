/* settings: what a training recipe can be told, one row each. */
#ifndef ASSAY_SETTINGS_H
#define ASSAY_SETTINGS_H

#include <assay/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum assay_setting_kind {
    ASSAY_SETTING_INT,
    ASSAY_SETTING_DOUBLE,
    ASSAY_SETTING_SWITCH, /**< "on" or "off"; 1 or 0 in a recipe's line */
    ASSAY_SETTING_CHOICE, /**< one of `choices` */
    ASSAY_SETTING_TEXT,   /**< a name */
    ASSAY_SETTING_LIST    /**< texts, joined by ";" */
} assay_setting_kind;

/** One setting. Values are text, as one would type them after --name. */
typedef struct assay_setting {
    const char *name; /**< "weight-decay"; in a recipe's line weight_decay */
    assay_setting_kind kind;
    const char *value;   /**< what stands for the value in help: "N" */
    const char *choices; /**< "on|off" */
    const char *initial; /**< NULL: chosen by the recipe from the data */
    const char *shown;   /**< how help says that */
    double low, high;    /**< inclusive range of a number */
    const char *help;    /**< one phrase */
    const char *more;    /**< further sentences; NULL: none */
    int rare;            /**< seldom needed: the help screen only names it */
} assay_setting;

/** All settings by index, for help texts and bindings. @threads safe */
ASSAY_API size_t assay_train_setting_count(void);
ASSAY_API const assay_setting *assay_train_setting_at(size_t i); /**< NULL beyond */

/* The table: X(KIND, member, name, fields...). Out of it come the recipe's members, the
 * parser and its checks, the line that names a recipe, and the options and the manual of
 * the command. A new setting is a row of the second list, and the code that heeds it. */

/* Named in every recipe's line. */
#define ASSAY_TRAIN_SETTINGS_ALWAYS(X)                                                   \
    X(TEXT, model, "model", .value = "NAME", .shown = "cnn",                             \
      .help = "the model, by its name in the zoo")                                       \
    X(CHOICE, schedule, "schedule", .initial = "one-cycle",                              \
      .choices = "one-cycle|cosine|linear|step|wsd|two-regime|constant",                 \
      .help = "how the learning rate runs")                                              \
    X(INT, epochs, "epochs", .value = "N", .shown = "the recipe's", .low = 1,            \
      .high = 10000, .help = "passes over the data")                                     \
    X(INT, batch, "batch", .value = "N", .shown = "the recipe's", .low = 2,              \
      .high = 65536, .help = "rows per step")                                            \
    X(DOUBLE, lr, "lr", .value = "X", .shown = "the recipe's", .low = 1e-12,             \
      .high = 1000, .help = "highest learning rate")                                     \
    X(DOUBLE, momentum, "momentum", .value = "X", .shown = "the recipe's", .low = 0,     \
      .high = 0.9999, .help = "of the velocity that sgd and muon keep")                  \
    X(DOUBLE, weight_decay, "weight-decay", .value = "X", .shown = "the recipe's",       \
      .low = 0, .high = 1, .help = "of weights; biases and norms have none")             \
    X(DOUBLE, label_smoothing, "label-smoothing", .value = "X", .shown = "the recipe's", \
      .low = 0, .high = 0.9999, .help = "share of a label for all classes")              \
    X(INT, translate, "translate", .value = "PIXELS", .shown = "the recipe's", .low = 0, \
      .high = 512, .help = "shift images at random, up to so far")                       \
    X(SWITCH, flip, "flip", .initial = "auto", .choices = "auto|on|off",                 \
      .help = "mirror images at random",                                                 \
      .more = "Automatic: only where the data bears it; never on digits, for example.")  \
    X(CHOICE, precision, "precision", .rare = 1, .initial = "auto",                      \
      .choices = "auto|f32|bf16", .help = "numbers of the convolutions",                 \
      .more = "Automatic: bf16 where the processor multiplies it faster. Values and "    \
              "weights stay f32.")

/* Named where they are not as they are initially. */
#define ASSAY_TRAIN_SETTINGS_MORE(X)                                                     \
    X(CHOICE, recipe, "recipe", .rare = 1, .initial = "none",                            \
      .choices = "none|airbench|airbench-10k",                                           \
      .help = "begin with a known recipe's settings",                                    \
      .more = "airbench: for CIFAR-10's 50,000 training images, after Jordan 2024 "      \
              "(arXiv 2404.00498); airbench-10k: for one batch file of it. Other "       \
              "options override.")                                                       \
    X(CHOICE, optimizer, "optimizer", .initial = "sgd",                                  \
      .choices = "sgd|adamw|muon|muon-adamw", .help = "how gradients move weights",      \
      .more = "sgd: stochastic gradient descent with momentum. adamw: Adam with "        \
              "decoupled weight decay. muon: the momentum of a weight matrix is made "   \
              "orthogonal; biases and norms take sgd's step, or adamw's.")               \
    X(DOUBLE, warmup, "warmup", .rare = 1, .value = "X", .initial = "-1",                \
      .shown = "the schedule's", .low = -1, .high = 0.99,                                \
      .help = "share of the run in which the rate rises from 0",                         \
      .more = "one-cycle rises for 0.2 of the run, wsd for 0.05, others not at all, "    \
              "which is also what -1 stands for.")                                       \
    X(DOUBLE, decay_share, "decay-share", .rare = 1, .value = "X", .initial = "0.2",     \
      .low = 0, .high = 1,                                                               \
      .help = "wsd: last share of the run, in which the rate falls")                     \
    X(DOUBLE, switch_at, "switch-at", .rare = 1, .value = "X", .initial = "0.8",         \
      .low = 0, .high = 1,                                                               \
      .help = "two-regime: share of the run that takes large steps")                     \
    X(SWITCH, auto_switch, "auto-switch", .rare = 1, .initial = "off",                   \
      .choices = "on|off", .help = "two-regime: end large steps when they gain no more", \
      .more = "That is once the training loss of three epochs on end has not come a "    \
              "hundredth below the least before them; --switch-at is the latest.")       \
    X(DOUBLE, large_momentum, "large-momentum", .rare = 1, .value = "X", .initial = "0", \
      .low = 0, .high = 0.9999, .help = "two-regime: momentum of the large steps")       \
    X(DOUBLE, small_steps, "small-steps", .rare = 1, .value = "X", .initial = "0.1",     \
      .low = 1e-9, .high = 1, .help = "two-regime: what the rate is then multiplied by", \
      .more = "With the momentum of the small steps a step is also 1 / (1 - momentum) "  \
              "times as long in the long run.")                                          \
    X(SWITCH, log_regime, "log-regime", .rare = 1, .initial = "off",                     \
      .choices = "on|off", .help = "log which regime each epoch's steps are in",         \
      .more = "metrics.jsonl then also has the swing of the loss from step to step, "    \
              "the largest curvature at the epoch's end, and the rate times it; large "  \
              "steps reach at least halfway to where they would grow. It costs about "   \
              "twenty steps an epoch.")                                                  \
    X(SWITCH, nesterov, "nesterov", .rare = 1, .initial = "on", .choices = "on|off",     \
      .help = "look ahead along the velocity")                                           \
    X(SWITCH, decoupled, "decoupled", .rare = 1, .initial = "off", .choices = "on|off",  \
      .help = "let weight decay pass by the velocity",                                   \
      .more = "Weights then shrink by rate times decay beside the step (SGDW). adamw "   \
              "always does so.")                                                         \
    X(INT, newton_steps, "newton-steps", .rare = 1, .value = "N", .initial = "5",        \
      .low = 1, .high = 20, .help = "muon: iterations towards an orthogonal step")       \
    X(SWITCH, renorm, "renorm", .rare = 1, .initial = "off", .choices = "on|off",        \
      .help = "muon: keep each matrix at one norm",                                      \
      .more = "Before a step a matrix of n rows is scaled to the norm sqrt(n); it then " \
              "moves by the rate alone.")                                                \
    X(DOUBLE, beta1, "beta1", .rare = 1, .value = "X", .initial = "0.9", .low = 0,       \
      .high = 0.9999, .help = "adamw: share that the mean gradient keeps")               \
    X(DOUBLE, beta2, "beta2", .rare = 1, .value = "X", .initial = "0.999", .low = 0,     \
      .high = 0.999999, .help = "adamw: share that the mean square keeps")               \
    X(DOUBLE, epsilon, "epsilon", .rare = 1, .value = "X", .initial = "1e-8", .low = 0,  \
      .high = 1, .help = "adamw: added to the root of the mean square")                  \
    X(LIST, group, "group", .rare = 1, .value = "PATTERN:KEY=X",                         \
      .help = "train some parameters otherwise",                                         \
      .more = "PATTERN is matched against parameters' names, as a shell does it; then "  \
              "rate=X and decay=X multiply the learning rate and the weight decay, "     \
              "epochs=N freezes them after so many, matrix=0 keeps muon away, with "     \
              "commas between them. The last group that matches decides.")               \
    X(LIST, freeze, "freeze", .rare = 1, .value = "PATTERN",                             \
      .help = "leave parameters as they began")                                          \
    X(DOUBLE, clip, "clip", .rare = 1, .value = "X", .initial = "0", .shown = "never",   \
      .low = 0, .high = 1e9, .help = "longest gradient; a longer one is scaled down")    \
    X(DOUBLE, ema, "ema", .rare = 1, .value = "X", .initial = "0", .shown = "none",      \
      .low = 0, .high = 0.999999, .help = "test and save an average of the weights",     \
      .more = "X is the share that the average keeps in a step, such as 0.999; it is "   \
              "less in the beginning.")                                                  \
    X(INT, lookahead, "lookahead", .rare = 1, .value = "N", .initial = "0",              \
      .shown = "none", .low = 0, .high = 10000,                                          \
      .help = "return to an average after every N steps",                                \
      .more = "The average keeps 0.95^N times the cube of the share of the run that is " \
              "done: airbench's lookahead, with N = 5.")                                 \
    X(CHOICE, edge, "edge", .rare = 1, .initial = "fill",                                \
      .choices = "fill|repeat|reflect",                                                  \
      .help = "what comes in where images are shifted",                                  \
      .more = "Black, the edge's pixels repeated, or the image mirrored at its edge.")   \
    X(SWITCH, alternate, "alternate", .rare = 1, .initial = "off", .choices = "on|off",  \
      .help = "mirror each image in every other epoch",                                  \
      .more = "Where images are mirrored at all: whether in the even or in the odd "     \
              "epochs is drawn for each image.")                                         \
    X(CHOICE, tta, "tta", .rare = 1, .initial = "auto",                                  \
      .choices = "auto|none|mirror|mirror-shift",                                        \
      .help = "views of an image that a test averages over",                             \
      .more =                                                                            \
          "The image, also its mirror, and both also shifted by a pixel up left and "    \
          "down right. Automatic: the mirror where images were mirrored in training.")   \
    X(DOUBLE, validation, "validation", .rare = 1, .value = "X", .initial = "0",         \
      .low = 0, .high = 0.5, .help = "hold out a share of the training rows",            \
      .more = "They are drawn by the seed, not trained on, and measured after each "     \
              "epoch (metrics.jsonl). The test rows are not touched.")                   \
    X(INT, patience, "patience", .rare = 1, .value = "N", .initial = "0",                \
      .shown = "none", .low = 0, .high = 10000,                                          \
      .help = "stop after N epochs without a better loss",                               \
      .more = "On what is held out; the weights of the best epoch are kept.")            \
    X(DOUBLE, mixup, "mixup", .rare = 1, .value = "A", .initial = "0", .shown = "none",  \
      .low = 0, .high = 100, .help = "blend images and labels of a batch",               \
      .more = "Each image with the one before it, in shares from Beta(A, A), such as "   \
              "0.2; the loss is that of both labels in these shares.")                   \
    X(DOUBLE, cutmix, "cutmix", .rare = 1, .value = "A", .initial = "0",                 \
      .shown = "none", .low = 0, .high = 100,                                            \
      .help = "paste a box of another image into each",                                  \
      .more = "Its size is drawn from Beta(A, A), such as 1; the loss is that of both "  \
              "labels by the box's share.")                                              \
    X(TEXT, tokens, "tokens", .value = "KIND", .initial = "byte",                        \
      .help = "what a text is cut into",                                                 \
      .more = "byte: its bytes. char: the characters (UTF-8) that occur in it. bpe:N: "  \
              "N tokens, learnt from it by joining the pairs that occur most.")          \
    X(INT, context, "context", .rare = 1, .value = "N", .initial = "128", .low = 1,      \
      .high = 65536, .help = "tokens that a model of text sees at once")                 \
    X(DOUBLE, held_out, "held-out", .rare = 1, .value = "X", .initial = "0.1", .low = 0, \
      .high = 0.9, .help = "share of a text's end that it is tested on")

#define ASSAY_TRAIN_SETTINGS(X)                                                          \
    ASSAY_TRAIN_SETTINGS_ALWAYS(X) ASSAY_TRAIN_SETTINGS_MORE(X)

#ifdef __cplusplus
}
#endif
#endif
