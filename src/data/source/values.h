/* Words of text sources and what they mean: numbers, splits, paths, and the names under
 * which columns are known. */
#ifndef DATA_VALUES_H
#define DATA_VALUES_H

#include "data/importer.h"

/* A whole number of 64 bits, sign allowed; a decimal number. The whole text must be one.
 */
bool value_int(int64_t *out, const char *text, size_t n);
bool value_number(double *out, const char *text, size_t n);
/* Without spaces and tabs at both ends. */
void value_trim(const char **text, size_t *n);
/* "train", "training"; "test"; "val", "valid", "validation", "dev"; in any case. */
bool value_split(import_split *out, const char *text, size_t n);
/* The split that a name begins with: "train-0001.tar", "test/cat/1"; none otherwise. */
bool value_split_prefix(import_split *out, const char *name);

typedef enum value_role { ROLE_NONE, ROLE_PATH, ROLE_LABEL, ROLE_SPLIT } value_role;
/* What a column of that name is: path, file, filename, file_name, image; label, class,
 * target, y; split, set; in any case. */
value_role value_role_of(const char *name, size_t n);

/* A path of a source that may be hostile: relative, without ".." and NUL, not too long,
 * brought to the form "a/b/c". INVALID otherwise. */
ASSAY_MUST_CHECK assay_status value_path(char out[IMPORT_PATH_BYTES],
                                         const char *text,
                                         size_t n);
/* The folder that a file lies in, "." for none. */
ASSAY_MUST_CHECK assay_status value_folder(char out[IMPORT_PATH_BYTES], const char *path);
const char *value_base(const char *path);
/* A text as the name of one file or folder, into `out`: control characters and slashes
 * become '_', as does a dot in front; cut at `room` - 1 bytes, between characters. */
void value_file_name(char *out, size_t room, const char *text);
/* ".jpg", ".jpeg", ".png", in any case: of a name with or without folders. */
bool value_is_image(const char *name);
/* Whether a name ends in that, in any case. */
bool value_ends(const char *name, const char *end);
/* The same, perhaps with .gz, .xz or .zst behind. */
bool value_ends_packed(const char *name, const char *end);

#endif
