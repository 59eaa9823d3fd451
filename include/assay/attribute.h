/* attribute: which training examples made a model say this, and how far to believe it. */
#ifndef ASSAY_ATTRIBUTE_H
#define ASSAY_ATTRIBUTE_H

#include <assay/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_lds_options {
    size_t struct_size;
    const char *protocol;  /**< a name; NULL: "a" */
    const char *methods;   /**< names with commas between; NULL: all */
    const char *models;    /**< sizes of the ensembles, with commas between; NULL: "1" */
    const char *centre;    /**< "matched" (NULL): trained for as many steps as the truth's
                                models; "full": for as many epochs */
    int truth_only;        /**< train and judge the truth, attribute nothing */
    const char *keep;      /**< a folder that keeps the truth's margins for the next time;
                                NULL: nothing is kept */
    double damping;        /**< of EK-FAC, over the mean eigenvalue; negative:
                                chosen on the fit subsets */
    double ridge;          /**< of kernels, over the mean diagonal; negative: chosen
                                on the fit subsets */
    double from;           /**< share of a run that replay leaves out, at its beginning;
                                negative: 0.25 */
    int dim;               /**< of projections; 0: 4096 */
    const char *projector; /**< NULL: "sjlt" */
    int rounds;            /**< of the bootstrap; negative: none; 0: 200 */
    uint64_t seed;
    int unweighed;      /**< kernels are not multiplied with q = 1 - p */
    double threshold;   /**< soft: this quantile, below 1, of each target's |scores| is
                             taken away from all of them, down to nought; negative:
                             chosen on the fit subsets; 0: none */
    const char *compat; /**< "traker": trak as its authors' code (0.3.2) has it: the
                             ridge is absolute (theirs is 0), each model's inverse
                             goes over the mean size of its elements; NULL: no */
    const char *const *scores; /**< further scores as NAME=FILE.npy, f32 [rows, targets]
                                  of the protocol, NULL behind the last; NULL: none */
    const char *precision;     /**< of trak's passes: "f32" (NULL) or "bf16" */
    int tracin_checkpoints;    /**< of a run, that tracin goes by; 0: 5 */
} assay_lds_options;
#define ASSAY_LDS_OPTIONS_INIT                                                           \
    { .struct_size = sizeof(assay_lds_options), .damping = 1, .ridge = 1, .from = -1 }

/** The linear datamodelling score of methods of attribution (Park et al. 2023, TRAK,
 *  section 2): models are trained on random subsets of the training rows, their margins
 * on test rows are compared, by Spearman's correlation over subsets, with the sums of
 * scores over each subset. Beside each score: a bootstrap interval over subsets and
 * targets, the noise ceiling, null controls, the spread over attribution seeds, and the
 * cost with the training of the attributed models in it.
 *  @param source  a .beton file, or anything that can be packed
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors NOTFOUND (protocol, method), INVALID, SHAPE (too few rows), UNSUPPORTED (a
 *  method that can't treat the model), NUMERIC, NOMEM, NOSPC, CANCELLED
 *  @threads uses the context's; but for times the result does not depend on how many
 *  @cost protocol "a": 480 models of 109,386 parameters, 300 steps each, and the methods
 */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_lds(assay_ctx *ctx,
                                                  const char *source,
                                                  const assay_lds_options *options,
                                                  char **json);

typedef struct assay_attribute_options {
    size_t struct_size;
    const char *method; /**< a name; NULL: "ekfac", of texts and sentences "trak" */
    const char *model;  /**< of the zoo; NULL: "mlp", of a text "gpt-tiny", of
                             sentences "bert-tiny" */
    int models;         /**< that are trained, and scores averaged over; 0: 5, of a text
                             1 */
    const char *centre; /**< as in assay_lds_options, with halves for subsets; models of
                             text are trained on all of it */
    int64_t rows;       /**< the first so many training rows; 0: all */
    int64_t targets;    /**< the first so many test rows; 0: 20 */
    int top;            /**< rows named for each target, of either sign; 0: 10 */
    int epochs, batch;  /**< 0: 15, 50; of a text, and the rate, as assay_train */
    double rate;        /**< peak; 0: 0.02 */
    const char
        *scores;     /**< where all scores go, .npy f32 [rows, targets]; NULL: nowhere */
    const char *csv; /**< where what is named goes as a table; NULL: nowhere */
    uint64_t seed;
    const char *const *checkpoints; /**< instead of models trained for the purpose: run
                                         folders (all their members) or .safetensors of
                                         `assay train`, or .onnx files that classify
                                         images, which then fix the model; the list ends
                                         with NULL; NULL: none */
    const char *keep; /**< of method "trak": a folder for features, which then stream from
                           there, whatever their size, and are there the next time, or
                           after a kill; NULL: all is done in memory */
    int dim;          /**< of projections; 0: 4096 */
    double damping, ridge, from; /**< as in assay_lds_options, none is chosen; negative:
                                    1, 1, 0.25 */
    const char *projector;       /**< NULL: "sjlt" */
    int tracin_checkpoints;      /**< as in assay_lds_options */
    const char *const *passages; /**< of a text: what is asked about instead of windows of
                                      its held-out part; the list ends with NULL */
    int generate;       /**< of a text: also ask about so many tokens that the (first)
                             model writes, as assay_generate does; 0: none */
    const char *prompt; /**< what they stand behind; NULL: nothing */
    double temperature; /**< that they are drawn at */
    const char *ask; /**< what of a target, as a function of its logits: "margin" (NULL),
                          "log-probability" (minus the loss) or "logit". Rows are taken by
                          their margins whatever is asked. Not of texts, of features
                          that are kept, and not by replay */
    const char *target_class; /**< whose: "label" (NULL), "predicted" (by the models'
                                   mean logits), or a class by its name or number */
    double (*own_output)(float *slope,
                         const float *logits,
                         size_t classes,
                         size_t label,
                         void *arg); /**< instead of `ask`: gives the value and fills
                                          slope [classes] with its derivatives; called on
                                          several threads; NULL: none */
    void *own_output_arg;            /**< handed to it */
    const char *mean, *std; /**< of .onnx files: what pixels from 0 to 1 are shifted and
                                 divided by, one number or one a channel with commas
                                 between; NULL: 0, 1 */
    int shard, shards; /**< with `keep`: make one part of the rows' features only, 1 to
                            `shards`, in a folder of its own there, and name no rows; a
                            call without gathers them, makes what is missing and scores,
                          to the same bytes; 0, 0: no part. Give checkpoints: a shard
                          trains its models again */
} assay_attribute_options;
#define ASSAY_ATTRIBUTE_OPTIONS_INIT                                                     \
    {                                                                                    \
        .struct_size = sizeof(assay_attribute_options), .damping = -1, .ridge = -1,      \
        .from = -1, .temperature = 1                                                     \
    }

/** Trains models on a dataset and names, for each target, the training rows whose scores
 *  are largest and smallest: training on the former raises the target's margin, on the
 *  latter lowers it. Ties go to the lower row.
 *  Of a text (a .txt file or a folder of them), rows are windows of the part that is
 *  trained on, side by side, as long as the model's context; targets are passages, whose
 *  margin is the mean over their tokens (Park et al. 2023, section 5.2), each seen behind
 *  the tokens before it. A table of labelled sentences (.tsv, .csv) is as a set of
 * images.
 *  @param source  a .beton file, or anything that can be packed
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors as assay_lds; INVALID where scores are too many to hold
 *  @threads uses the context's; but for times the result does not depend on how many
 *  @cost the models' training, and the method's (docs/attribution.md) */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_attribute(assay_ctx *ctx,
                const char *source,
                const assay_attribute_options *options,
                char **json);

typedef struct assay_datamodels_options {
    size_t struct_size;
    const char *model; /**< of the zoo, without batch norm; NULL: "mlp" */
    int64_t rows;      /**< the first so many training rows; 0: all */
    int64_t targets;   /**< the first so many test rows; 0: 20 */
    int models;   /**< that are fitted, a tenth of them to choose the penalty; 0: 1000 */
    double share; /**< of the rows that each is trained on; 0: 0.5 */
    const char *fit;   /**< "ridge" (NULL) or "lasso" */
    double penalty;    /**< ridge: over the masks' variance; LASSO: of standardised masks;
                            negative: chosen */
    int held_subsets;  /**< that judge, and nothing else; 0: 100 */
    int held_seeds;    /**< models of each; 0: 4 */
    int epochs, batch; /**< 0: 15, 50 */
    double rate;       /**< peak; 0: 0.02 */
    const char *keep;  /**< a folder that keeps margins, so that it goes on after a kill;
                            NULL: nothing is kept */
    const char *weights; /**< where the weights go, .npy f32 [rows, targets]; NULL */
    const char *csv;     /**< where what is named goes as a table; NULL: nowhere */
    int top;             /**< rows named for each target, of either sign; 0: 10 */
    uint64_t seed;
} assay_datamodels_options;
#define ASSAY_DATAMODELS_OPTIONS_INIT                                                    \
    { .struct_size = sizeof(assay_datamodels_options), .penalty = -1 }

/** Datamodels (Ilyas et al. 2022): for each target a linear function of which rows a
 * model is trained on, fitted to the margins of many models trained on random subsets.
 * Judged on further subsets, each of several seeds: correlations of what it foretells
 * with their mean margins, beside the noise ceiling. Weights are changes of the margin by
 * the row's presence.
 *  @param source  a .beton file, or anything that can be packed
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors as assay_lds
 *  @threads uses the context's; but for times the result does not depend on how many
 *  @cost models x share x rows x epochs example steps; the fit is small beside them.
 *  Memory models x (rows x (1 + 4 share) + 4 targets) bytes, 16 rows^2 for the LASSO */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_datamodels(assay_ctx *ctx,
                 const char *source,
                 const assay_datamodels_options *options,
                 char **json);

typedef struct assay_score_options {
    size_t struct_size;
    const char *const *features; /**< .npy files of rows' features, [rows, dim] of f16,
                                    f32 or f64, one for each model; the list ends with
                                      NULL */
    const char *const *targets;  /**< as many of targets' features, [targets, dim] */
    const char *const *weights;  /**< as many of rows' q = 1 - p, [rows] or [rows, 1];
                                      NULL: 1 */
    const char *traker;     /**< instead of the three: the save_dir of a TRAKer (0.3.2) */
    const char *experiment; /**< and the name that its targets were scored under */
    double ridge;           /**< over the mean diagonal of Phi'Phi, or absolute */
    const char *compat; /**< "traker": as its authors' code has it (assay_lds_options);
                             NULL: no */
    int unweighed;      /**< q is left out */
    int top;            /**< rows named for each target, of either sign; 0: 10 */
    const char
        *scores;     /**< where all scores go, .npy f32 [rows, targets]; NULL: nowhere */
    const char *csv; /**< where what is named goes as a table; NULL: nowhere */
    uint64_t memory; /**< bytes for transformed targets: more of them go through in
                          blocks, each of which costs the kernels again; 0: 512 MiB */
    const assay_tensor *const *feature_arrays; /**< instead of files, arrays in memory,
                                                    row-major without gaps, borrowed; not
                                                    copied; all three end with NULL */
    const assay_tensor *const *target_arrays;
    const assay_tensor *const *weight_arrays; /**< NULL: 1 */
} assay_score_options;
#define ASSAY_SCORE_OPTIONS_INIT                                                         \
    { .struct_size = sizeof(assay_score_options), .ridge = 1 }

/** TRAK's scores from features that were made elsewhere, as in PyTorch on a GPU:
 *  tau = mean_m(Phi_m (Phi_m'Phi_m + lambda I)^-1 phi_t) mean_m(q). Names the strongest
 *  rows of each target; files appear whole or not at all.
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors INVALID, NOTFOUND, FORMAT (not an array; a store that is not complete), SHAPE,
 *  DTYPE, NUMERIC (not finite, with file or array, and row; singular without a ridge),
 * NOMEM, NOSPC, CANCELLED
 *  @threads uses the context's; but for times the result does not depend on how many
 *  @cost 2 rows dim (dim + targets) for each model, dim^3 / 3; memory 16 dim^2 bytes, the
 *  transformed targets and 1,024 rows, beside files that are mapped */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_score(assay_ctx *ctx,
                                                    const assay_score_options *options,
                                                    char **json);

typedef struct assay_counterfactual_options {
    size_t struct_size;
    const char *protocol; /**< a name; NULL: "a" */
    const char *methods;  /**< names with commas between, of methods, random, random-class
                               (rows of the target's class) or pixels (the nearest of its
                               class); NULL: trak, ekfac, replay and both random ones */
    const char *const *scores; /**< further scores as NAME=FILE.npy, f32 [rows, targets]
                                  of the protocol, NULL behind the last; NULL: none */
    const char *removals; /**< how many rows are removed, with commas between, ascending;
                               NULL: "10,20,40,80,160,320" */
    int models;           /**< that methods score on; 0: 5 */
    int seeds;            /**< models trained without each set of rows; 0: 5 */
    int targets;          /**< the protocol's first so many; 0: 30 */
    double damping, ridge, from; /**< as in assay_lds_options, none is chosen; negative:
                                    1, 1, 0.25 */
    int dim;                     /**< 0: 4096 */
    const char *keep; /**< a folder that keeps margins of retrained models, so that an
                           interrupted run goes on; NULL: nothing is kept */
    const char *csv;  /**< where each target's numbers go as a table; NULL: nowhere */
    int rounds;       /**< of the bootstrap over targets; negative: none; 0: 1000 */
    uint64_t seed;
    int until_flipped; /**< also search, for each right target, the fewest rows without
                            which models say otherwise, confirmed by models of other
                            seeds */
    const char *projector;  /**< NULL: "sjlt" */
    int tracin_checkpoints; /**< as in assay_lds_options */
} assay_counterfactual_options;
#define ASSAY_COUNTERFACTUAL_OPTIONS_INIT                                                \
    {                                                                                    \
        .struct_size = sizeof(assay_counterfactual_options), .damping = -1, .ridge = -1, \
        .from = -1                                                                       \
    }

/** Removes the rows that scores name as a target's most helpful, trains again for as many
 *  steps, and tells the mean change of the margin beside the predicted one, their rank
 *  correlation over targets, and the share of right predictions that flip (Ilyas et al.
 *  2022, Datamodels, section 4). Sums of scores become margins by one slope for each
 *  method, fitted on subsets apart. Intervals are 95 %, by drawing targets again.
 *  @param source  a .beton file, or anything that can be packed
 *  @param json  NUL-terminated, take; release with assay_string_free
 *  @errors NOTFOUND (protocol, method), INVALID (more rows than there are), SHAPE (too
 * few rows, an array of another protocol), UNSUPPORTED, NUMERIC, NOMEM, NOSPC, CANCELLED
 *  @threads uses the context's; but for times the result does not depend on how many
 *  @cost methods x removals x targets x seeds trainings, and the methods' scores */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_counterfactual(assay_ctx *ctx,
                     const char *source,
                     const assay_counterfactual_options *options,
                     char **json);

/** Methods by index, for help texts. @threads safe */
ASSAY_API size_t assay_attribution_count(void);
ASSAY_API const char *assay_attribution_name(size_t i);
ASSAY_API const char *assay_attribution_summary(size_t i);

#ifdef __cplusplus
}
#endif
#endif
