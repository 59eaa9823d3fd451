/* train: fit a model of the zoo to a dataset; evaluate one. */
#ifndef ASSAY_TRAIN_H
#define ASSAY_TRAIN_H

#include <assay/model.h>
#include <assay/settings.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_train_options {
    size_t struct_size;
    const char *model; /**< zoo name; NULL: "cnn" */
    int size;          /**< training size in pixels; 0: chosen from the data (see docs) */
    int epochs;        /**< 0: the recipe's */
    int batch;         /**< 0: the recipe's */
    double lr;         /**< peak; 0: the recipe's */
    double momentum;   /**< Nesterov; negative: the recipe's */
    double weight_decay;    /**< negative: the recipe's */
    double label_smoothing; /**< negative: the recipe's */
    const char *schedule;   /**< a name of the setting "schedule"; NULL:
                               the recipe's */
    int flip;      /**< mirror at random, and average over both when predicting: 1, 0, or
                        -1: only where the data bears it */
    int translate; /**< random shift up to so many pixels; -1: the recipe's */
    uint64_t seed;
    int members; /**< ensemble on balanced two-thirds subsets, a multiple of 3; 0: one
                      model on all training rows */
    const char *exclude; /**< exclude.txt of an audit of the same dataset; NULL: none */
    const char
        *precision; /**< of convolutions: "f32", "bf16", or "auto" (NULL): bf16 where the
                         processor multiplies it faster; values and weights stay f32 */
    int no_resume;  /**< start over instead of continuing */
    int64_t limit;  /**< at most this many rows per split; 0: all */
    const char *settings; /**< any settings of <assay/settings.h>, "name=value
                             name=value"; they win over the members above; NULL: none */
    const char *init; /**< .safetensors or .onnx whose tensors of the model's names and
                           shapes are started from; the rest (a head for other classes)
                           starts anew; NULL: all of it */
} assay_train_options;
#define ASSAY_TRAIN_OPTIONS_INIT                                                         \
    {                                                                                    \
        .struct_size = sizeof(assay_train_options), .momentum = -1, .weight_decay = -1,  \
        .label_smoothing = -1, .flip = -1, .translate = -1                               \
    }

typedef struct assay_train_result {
    double
        accuracy; /**< on the test rows, in [0,1]; the ensemble's if there are members */
    double accuracy_single; /**< mean over members */
    double loss;            /**< mean cross-entropy on the test rows */
    double seconds, cpu_seconds, gflop;
    int members;
    uint64_t train_rows, test_rows, excluded; /**< of a text: windows in an epoch, and
                                                   in the part held out */
    int64_t parameters;
    uint64_t train_tokens, test_tokens; /**< of a text; loss and accuracy are per token */
    double bits_per_byte;               /**< the loss, in bits, per byte of the text */
} assay_train_result;

/** Trains into the folder `out` (a model of tokens on a text: a .txt file or a folder of
 * them): model.safetensors (or member-<i>/model.safetensors), metrics.jsonl, run.json.
 * Killed at any moment, the same call continues and gives the same bytes.
 *  @errors INVALID, NOTFOUND, FORMAT, NUMERIC (loss not finite; the last good checkpoint
 * stays), NOSPC, NOMEM, CANCELLED   @threads uses the context's, one model per core */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_train(assay_ctx *ctx,
                                                    const char *source,
                                                    const char *out,
                                                    const assay_train_options *options,
                                                    assay_train_result *result);

/** One rate of a range test. */
typedef struct assay_rate_row {
    double rate, loss; /**< mean loss of the second half of its 50 steps; infinite if a
                            loss was not finite */
} assay_rate_row;
enum { ASSAY_RATE_ROWS = 24 };
typedef struct assay_rate_range {
    double stable; /**< half of the largest rate at which training held */
    int broke;     /**< whether it broke at all: the last row then is where */
    int rows;
    assay_rate_row row[ASSAY_RATE_ROWS];
} assay_rate_range;

/** The range test of learning rates (Smith 2017, arXiv 1506.01186, section 3.3): one
 * model is trained as assay_train would, at a rate that doubles every 50 steps from 1e-4
 * until the loss is over 1.5 times the least so far, over 1.05 times the first, or not
 * finite. Nothing is written but the data's preparation in `out`, which a run there uses
 * again. With the schedule "two-regime" the momentum is that of the large steps.
 *  @errors as assay_train   @threads uses the context's   @cost at most 1,200 steps */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_find_rate(assay_ctx *ctx,
                const char *source,
                const char *out,
                const assay_train_options *options,
                assay_rate_range *result);

typedef struct assay_eval_result {
    double accuracy, loss;
    uint64_t rows;
    int members;
    uint64_t tokens;      /**< of a text: that were predicted; 0: images */
    double bits_per_byte; /**< of a text */
    int whole; /**< of sentences: the file is not the one that the model was trained on,
                    and all of it was taken */
} assay_eval_result;

/** Evaluates a model file (.safetensors of ours) or a run folder (its members averaged)
 * on a dataset's split ("test", "train" or "all"; NULL: test), or a model of text on the
 * part of a text that training would hold out, the rest, or all of it. Size, channels and
 * normalisation come from the model's metadata.
 *  @errors as assay_train; SHAPE when classes do not match */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_eval(assay_ctx *ctx,
                                                   const char *model,
                                                   const char *source,
                                                   const char *split,
                                                   assay_eval_result *result);

typedef struct assay_eval_options {
    size_t struct_size;
    const char *split; /**< "test", "train" or "all"; NULL: test */
    const char *tta;   /**< views of an image that are averaged over: "none", "mirror",
                            "mirror-shift"; "auto" or NULL: those of the model's recipe */
} assay_eval_options;
#define ASSAY_EVAL_OPTIONS_INIT                                                          \
    { .struct_size = sizeof(assay_eval_options) }

/** The same with options. Views: the image, its mirror, and both shifted by a pixel (the
 * weights of Jordan 2024, arXiv 2404.00498).
 *  @errors as assay_eval; INVALID */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_eval_with(assay_ctx *ctx,
                                                        const char *model,
                                                        const char *source,
                                                        const assay_eval_options *options,
                                                        assay_eval_result *result);

typedef struct assay_generate_options {
    size_t struct_size;
    const char *prompt; /**< what the text begins with; NULL or "": nothing */
    int tokens;         /**< to add */
    double temperature; /**< 1: as the model says; below, more likely ones more often; 0:
                             always the likeliest */
    uint64_t seed;
} assay_generate_options;
#define ASSAY_GENERATE_OPTIONS_INIT                                                      \
    { .struct_size = sizeof(assay_generate_options), .tokens = 256, .temperature = 1 }

/** Text from a model of text (a .safetensors of ours, or a run's folder): the prompt and
 * what was drawn behind it. The same model, options and build give the same bytes.
 *  @param out  the bytes, a NUL behind them, take; release with
 * assay_string_free   @param bytes  filled
 *  @errors INVALID, NOTFOUND, UNSUPPORTED (a model of images), FORMAT (a character that
 * the vocabulary has not), NUMERIC, NOMEM, CANCELLED   @threads safe
 *  @cost a forward pass over the context for each token */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_generate(assay_ctx *ctx,
               const char *model,
               const assay_generate_options *options,
               char **out,
               size_t *bytes);

/** Writes a model file (.safetensors of ours) as ONNX (opset 17): input pixels from 0 to
 * 1, [batch, C, H, W], normalised by the file's first nodes; output "logits". Batch norm
 * is written with its running statistics. An existing file is replaced.
 *  @errors as assay_eval; UNSUPPORTED where an op has no form in ONNX here; INVALID,
 * NOSPC
 *  @threads safe */
ASSAY_API ASSAY_MUST_CHECK assay_status assay_export_onnx(assay_ctx *ctx,
                                                          const char *model,
                                                          const char *path);

/** Opens a model file (.safetensors of ours) to run it on arrays: input pixels from 0 to
 * 1, [batch, C, H, W], normalised inside as the file says; output "logits".
 *  @param out  NULL on failure   @param options  NULL: defaults
 *  @errors as assay_export_onnx   @threads safe   @cost reads the file once */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_model_open_trained(assay_model **out,
                         assay_ctx *ctx,
                         const char *path,
                         const assay_model_options *options);

/** Zoo models by index, for help texts. @threads safe */
ASSAY_API size_t assay_zoo_count(void);
ASSAY_API const char *assay_zoo_name(size_t i);
ASSAY_API const char *assay_zoo_summary(size_t i);

#ifdef __cplusplus
}
#endif
#endif
