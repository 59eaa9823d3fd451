/* What the conformance test feeds to elementwise ops. */
#include "nn/elementwise.h"

#define UNARY_CASES(NAME, KIND)                                                          \
    const nn_op_case NAME[] = {{.name = "odd image",                                     \
                                .batch = 3,                                              \
                                .n = 2,                                                  \
                                .n_inputs = 1,                                           \
                                .in = {{KIND, {4, {0, 5, 7, 3}}}}},                      \
                               {.name = "vectors",                                       \
                                .batch = 4,                                              \
                                .n = 4,                                                  \
                                .n_inputs = 1,                                           \
                                .in = {{KIND, {2, {0, 37}}}}},                           \
                               {.name = "static",                                        \
                                .batch = 2,                                              \
                                .n = 1,                                                  \
                                .n_inputs = 1,                                           \
                                .in = {{KIND, {3, {3, 1, 11}}}}},                        \
                               {.name = "f64",                                           \
                                .batch = 2,                                              \
                                .n = 2,                                                  \
                                .n_inputs = 1,                                           \
                                .in = {{KIND, {2, {0, 5}}}},                             \
                                .dtype = {ASSAY_F64}},                                   \
                               {0}}

UNARY_CASES(unary_cases, NN_CASE_VALUE);
UNARY_CASES(unary_cases_positive, NN_CASE_POSITIVE);
UNARY_CASES(unary_cases_unit, NN_CASE_UNIT);
UNARY_CASES(unary_cases_above_one, NN_CASE_ABOVE_ONE);

#define PAIR(NAME, BATCH, N, ...)                                                        \
    .name = NAME, .batch = BATCH, .n = N, .n_inputs = 2, .in = {__VA_ARGS__}

#define BINARY_CASES(NAME, KIND, ...)                                                    \
    const nn_op_case NAME[] = {                                                          \
        {PAIR("images", 3, 2, {KIND, {4, {0, 3, 5, 7}}}, {KIND, {4, {0, 3, 5, 7}}})},    \
        {PAIR("a row", 3, 2, {KIND, {3, {0, 5, 33}}}, {KIND, {1, {33}}})},               \
        {PAIR("channels", 2, 2, {KIND, {4, {0, 17, 3, 2}}},                              \
              {NN_CASE_CONSTANT, {3, {17, 1, 1}}})},                                     \
        {PAIR("a scalar first", 2, 2, {KIND, {0, {0}}}, {KIND, {2, {0, 600}}})},         \
        {PAIR("both repeat", 3, 2, {KIND, {3, {0, 1, 4}}}, {KIND, {2, {3, 1}}})},        \
        {PAIR("five dimensions", 2, 2, {KIND, {5, {0, 2, 3, 1, 4}}},                     \
              {KIND, {4, {2, 1, 5, 4}}})},                                               \
        {PAIR("static", 1, 1, {KIND, {2, {4, 1}}}, {KIND, {2, {1, 3}}})},                \
        {PAIR("i64", 2, 2, {KIND, {2, {0, 9}}}, {NN_CASE_POSITIVE, {1, {9}}}),           \
         .dtype = {ASSAY_I64, ASSAY_I64}},                                               \
        {PAIR("u8", 2, 2, {NN_CASE_POSITIVE, {2, {0, 9}}},                               \
              {NN_CASE_POSITIVE, {2, {0, 1}}}),                                          \
         .dtype = {ASSAY_U8, ASSAY_U8}},                                                 \
        __VA_ARGS__{0}}

BINARY_CASES(binary_cases, NN_CASE_VALUE, );
/* With parameters: a table of positions, a bias, one number a channel. */
BINARY_CASES(
    add_cases,
    NN_CASE_VALUE,
    {PAIR("positions",
          3,
          2,
          {NN_CASE_VALUE, {3, {0, 5, 6}}},
          {NN_CASE_PARAM, {2, {5, 6}}})},
    {PAIR("bias", 3, 3, {NN_CASE_VALUE, {3, {0, 5, 33}}}, {NN_CASE_PARAM, {1, {33}}})},
    {PAIR("a channel's",
          2,
          2,
          {NN_CASE_VALUE, {4, {0, 7, 3, 5}}},
          {NN_CASE_PARAM, {3, {7, 1, 1}}})}, );
BINARY_CASES(binary_cases_positive, NN_CASE_POSITIVE, );

#define BOOLS .dtype = {ASSAY_BOOL, ASSAY_BOOL}

const nn_op_case binary_cases_bool[] = {
    {PAIR("images",
          3,
          2,
          {NN_CASE_VALUE, {4, {0, 3, 5, 7}}},
          {NN_CASE_VALUE, {4, {0, 3, 5, 7}}}),
     BOOLS},
    {PAIR("a row", 2, 2, {NN_CASE_VALUE, {3, {0, 4, 5}}}, {NN_CASE_VALUE, {1, {5}}}),
     BOOLS},
    {PAIR("static", 1, 1, {NN_CASE_VALUE, {2, {4, 1}}}, {NN_CASE_VALUE, {2, {1, 3}}}),
     BOOLS},
    {0}};
