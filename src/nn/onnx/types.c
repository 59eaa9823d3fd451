/* ONNX's element types and ours. */
#include "nn/onnx/ir.h"

static const struct {
    int onnx;
    assay_dtype ours;
} types[] = {
    {ONNX_FLOAT, ASSAY_F32},   {ONNX_DOUBLE, ASSAY_F64}, {ONNX_BFLOAT16, ASSAY_BF16},
    {ONNX_FLOAT16, ASSAY_F16}, {ONNX_INT8, ASSAY_I8},    {ONNX_UINT8, ASSAY_U8},
    {ONNX_INT16, ASSAY_I16},   {ONNX_UINT16, ASSAY_U16}, {ONNX_INT32, ASSAY_I32},
    {ONNX_UINT32, ASSAY_U32},  {ONNX_INT64, ASSAY_I64},  {ONNX_UINT64, ASSAY_U64},
    {ONNX_BOOL, ASSAY_BOOL},
};

assay_status onnx_dtype(assay_dtype *out, int type) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].onnx == type) {
            *out = types[i].ours;
            return ASSAY_OK;
        }
    *out = ASSAY_F32;
    if (type == ONNX_STRING)
        return err_set(ASSAY_E_UNSUPPORTED, "elements are strings");
    return err_set(ASSAY_E_UNSUPPORTED, "elements are of ONNX's type %d", type);
}

int onnx_type_of(assay_dtype dtype) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].ours == dtype)
            return types[i].onnx;
    return ONNX_UNDEFINED;
}
