#include <stdlib.h>

#include "internal.h"

// What a product is made for: the library compiles one for each.
struct form {
    long rows;
    int activation, accumulate;
};

struct plan {
    struct form form;
    struct td_primitive primitive;
};

// Like a convolution, it may be made on one thread and run on another.
struct td_matmul {
    long outputs, inputs;
    dnnl_stream_t stream;
    dnnl_memory_desc_t packed;
    dnnl_memory_t weights, bias;
    void *room; // the weights', or NULL
    struct plan *plans;
    size_t count;
    char layout[TD_LAYOUT];
};

static dnnl_status_t describe(const td_matmul *t, const struct form *form, const dnnl_memory_desc_t *weights,
                              dnnl_primitive_desc_t *out) {
    dnnl_dims_t xd = {form->rows, t->inputs}, yd = {form->rows, t->outputs}, bd = {1, t->outputs};
    dnnl_memory_desc_t x, y, bias;
    // Rows side by side: for others the library (2.6) has only its slowest implementation.
    dnnl_memory_desc_init_by_tag(&x, 2, xd, dnnl_f32, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&y, 2, yd, dnnl_f32, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&bias, 2, bd, dnnl_f32, dnnl_ab);
    dnnl_matmul_desc_t d;
    dnnl_status_t status = dnnl_matmul_desc_init(&d, &x, weights, t->bias ? &bias : NULL, &y);
    if (status != dnnl_success) return status;
    dnnl_primitive_attr_t attributes = NULL;
    status = td_attributes(form->activation, form->accumulate, &attributes);
    if (status == dnnl_success) status = dnnl_primitive_desc_create(out, &d, attributes, td_engine(), NULL);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static dnnl_status_t make(const td_matmul *t, const struct form *form, struct plan *plan) {
    dnnl_primitive_desc_t pd = NULL;
    *plan = (struct plan){.form = *form};
    dnnl_status_t status = describe(t, form, &t->packed, &pd);
    if (status == dnnl_success) status = td_primitive_make(pd, &plan->primitive);
    dnnl_primitive_desc_destroy(pd);
    if (status != dnnl_success) td_primitive_free(&plan->primitive);
    return status;
}

// By its members: what lies between them has no value.
static int is_same(const struct form *a, const struct form *b) {
    return a->rows == b->rows && a->activation == b->activation && a->accumulate == b->accumulate;
}

// NULL with `*status` where there can't be one.
static struct plan *plan_for(td_matmul *t, const struct form *form, dnnl_status_t *status) {
    *status = dnnl_success;
    for (size_t i = 0; i < t->count; i++)
        if (is_same(&t->plans[i].form, form)) return &t->plans[i];
    struct plan *grown = realloc(t->plans, (t->count + 1) * sizeof *grown);
    *status = dnnl_out_of_memory;
    if (!grown) return NULL;
    t->plans = grown;
    *status = make(t, form, &grown[t->count]);
    return *status == dnnl_success ? &grown[t->count++] : NULL;
}

static dnnl_status_t fill(td_matmul *t, long rows, const void *weights, size_t packed_bytes, const float *bias) {
    dnnl_status_t status = dnnl_stream_create(&t->stream, td_engine(), dnnl_stream_default_flags);
    if (status == dnnl_success) status = td_set_bias(bias, packed_bytes > 0, t->outputs, &t->bias);
    if (status != dnnl_success) return status;
    struct form form = {.rows = rows};
    dnnl_dims_t dims = {t->inputs, t->outputs}, strides = {1, t->inputs};
    dnnl_memory_desc_t any, plain;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_memory_desc_init_by_tag(&any, 2, dims, dnnl_f32, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_strides(&plain, 2, dims, dnnl_f32, strides);
    status = describe(t, &form, &any, &pd);
    if (status == dnnl_success) {
        t->packed = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
        td_write_layout(&t->packed, t->layout);
        status = packed_bytes ? td_adopt(&t->packed, weights, packed_bytes, &t->weights)
                           : td_pack(t->stream, &plain, &t->packed, weights, &t->room, &t->weights);
    }
    dnnl_primitive_desc_destroy(pd);
    return status;
}

td_matmul *td_matmul_create(long rows, long outputs, long inputs, const void *weights, size_t packed_bytes, const float *bias,
                            int *status) {
    *status = dnnl_runtime_error;
    td_matmul *t = td_engine() ? calloc(1, sizeof *t) : NULL;
    if (!t) return NULL;
    t->outputs = outputs;
    t->inputs = inputs;
    *status = fill(t, rows, weights, packed_bytes, bias);
    if (*status == dnnl_success) return t;
    td_matmul_free(t);
    return NULL;
}

struct td_packed td_matmul_packed_weights(const td_matmul *t) { return td_packed_of(t->weights, t->bias, t->layout); }

int td_matmul_run(td_matmul *t, long rows, const float *x, int activation, int accumulate, float *y) {
    struct form form = {rows, activation, accumulate != 0};
    dnnl_status_t status;
    struct plan *plan = plan_for(t, &form, &status);
    if (!plan) return status;
    return td_primitive_run(&plan->primitive, t->stream, x, t->weights, t->bias, y);
}

void td_matmul_free(td_matmul *t) {
    if (!t) return;
    for (size_t i = 0; i < t->count; i++) td_primitive_free(&t->plans[i].primitive);
    free(t->plans);
    dnnl_memory_destroy(t->weights);
    free(t->room);
    dnnl_memory_destroy(t->bias);
    dnnl_stream_destroy(t->stream);
    free(t);
}
