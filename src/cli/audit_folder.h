/* Where an audit lives, unless --output says otherwise. */
#ifndef CLI_AUDIT_FOLDER_H
#define CLI_AUDIT_FOLDER_H

#include "cli/text.h"

/* "photos/" -> "photos.assay", "data/photos.beton" -> "photos.assay", in the working
 * directory. */
void audit_folder(text *t, const char *source, const char *given);

#endif
