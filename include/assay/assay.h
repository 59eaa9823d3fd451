/* assay: find out what a model is made of. The whole public interface. */
#ifndef ASSAY_ASSAY_H
#define ASSAY_ASSAY_H

#include <assay/attribute.h>
#include <assay/audit.h>
#include <assay/base.h>
#include <assay/bench.h>
#include <assay/data.h>
#include <assay/detect.h>
#include <assay/doctor.h>
#include <assay/file.h>
#include <assay/fleet.h>
#include <assay/load.h>
#include <assay/model.h>
#include <assay/read.h>
#include <assay/report.h>
#include <assay/settings.h>
#include <assay/tensor.h>
#include <assay/trace.h>
#include <assay/train.h>
#include <assay/write.h>

#endif
