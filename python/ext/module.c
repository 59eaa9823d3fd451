/* The module assay._assay: its types, functions and constants. */
#include "ext.h"

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    ext_state *s = PyModule_GetState(module);
    for (int i = 0; i < 16; i++)
        Py_VISIT(s->error[i]);
    return 0;
}

static int module_clear(PyObject *module) {
    ext_state *s = PyModule_GetState(module);
    for (int i = 0; i < 16; i++)
        Py_CLEAR(s->error[i]);
    return 0;
}

static PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                                 .m_name = "assay._assay",
                                 .m_doc = "The C half of the package assay.",
                                 .m_size = sizeof(ext_state),
                                 .m_methods = jobs_methods,
                                 .m_traverse = module_traverse,
                                 .m_clear = module_clear};

ext_state *ext_get(void) {
    return PyModule_GetState(PyState_FindModule(&definition));
}

PyTypeObject *type_make(PyObject *module, PyType_Spec *spec) {
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (type && PyModule_AddType(module, type) < 0)
        Py_CLEAR(type);
    return type;
}

PyMODINIT_FUNC PyInit__assay(void);
PyMODINIT_FUNC PyInit__assay(void) {
    PyObject *module = PyModule_Create(&definition);
    ext_state *s = module ? PyModule_GetState(module) : NULL;
    if (!module || errors_make(module, s) < 0 || context_make(module, s) < 0 ||
        array_make(module, s) < 0 || batch_make(module, s) < 0 ||
        loader_make(module, s) < 0 || writer_make(module, s) < 0 ||
        reader_make(module, s) < 0 || model_make(module, s) < 0 ||
        PyModule_AddFunctions(module, attribution_methods) < 0 ||
        PyModule_AddStringConstant(module, "version", assay_version()) < 0)
        Py_CLEAR(module);
    return module;
}
