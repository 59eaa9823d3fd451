/* Pixels are normalised; tokens are copied. */
#include "attribute/study/examples.h"

#include "data/text/passages.h"
#include "data/text/sentences.h"
#include "simd/simd.h"

void att_images(float *out, const train_data *data, const uint32_t *rows, size_t n) {
    const npy_array *pixels = data->pixels;
    const model_card *card = data->card;
    size_t channels = (size_t)pixels->dim[3];
    size_t each = (size_t)(pixels->dim[1] * pixels->dim[2]) * channels;
    float mean[3], inv_std[3];
    for (int c = 0; c < 3; c++) {
        mean[c] = 255.0f * card->mean[c];
        inv_std[c] = card->std[c] > 0 ? 1 / (255.0f * card->std[c]) : 1 / 255.0f;
    }
    for (size_t i = 0; i < n; i++)
        simd()->u8_normalize(out + i * each, pixels->data + rows[i] * each,
                             each / channels, channels, mean, inv_std);
}

void att_examples(void *inputs,
                  int32_t *labels,
                  const train_data *data,
                  const uint32_t *rows,
                  size_t n) {
    if (data->passages) {
        passages_feed(inputs, labels, data->passages, rows, n);
        return;
    }
    if (data->sentences)
        sentences_feed(inputs, data->sentences, rows, n);
    else
        att_images(inputs, data, rows, n);
    for (size_t i = 0; i < n; i++)
        labels[i] = data->labels[rows[i]];
}
