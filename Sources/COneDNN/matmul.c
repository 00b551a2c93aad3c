#include <stdlib.h>

#include "internal.h"

// What a product is made for: the library compiles one for each.
struct form {
    long rows;
    int activation, accumulate;
};

struct plan {
    struct form form;
    dnnl_primitive_t primitive;
    dnnl_memory_t x, y, scratch;
    size_t scratch_bytes;
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

static dnnl_status_t append(dnnl_post_ops_t ops, int activation) {
    switch (activation) {
    case TD_SILU: return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_swish, 1, 0);
    case TD_RELU: return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
    case TD_GELU: return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_gelu_erf, 0, 0);
    case TD_TANH: return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_tanh, 0, 0);
    default: return dnnl_success;
    }
}

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
    dnnl_primitive_attr_t attributes;
    dnnl_post_ops_t ops;
    dnnl_primitive_attr_create(&attributes);
    dnnl_post_ops_create(&ops);
    status = append(ops, form->activation);
    if (status == dnnl_success && form->accumulate) status = dnnl_post_ops_append_sum(ops, 1);
    dnnl_primitive_attr_set_post_ops(attributes, ops);
    dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    // The environment may ask for less.
    dnnl_primitive_attr_set_fpmath_mode(attributes, dnnl_fpmath_mode_strict);
    if (status == dnnl_success) status = dnnl_primitive_desc_create(out, &d, attributes, td_engine(), NULL);
    dnnl_post_ops_destroy(ops);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static void forget(struct plan *plan) {
    dnnl_primitive_destroy(plan->primitive);
    dnnl_memory_destroy(plan->x);
    dnnl_memory_destroy(plan->y);
    dnnl_memory_destroy(plan->scratch);
}

static dnnl_status_t make(const td_matmul *t, const struct form *form, struct plan *plan) {
    dnnl_primitive_desc_t pd = NULL;
    *plan = (struct plan){.form = *form};
    dnnl_status_t status = describe(t, form, &t->packed, &pd);
    if (status == dnnl_success) status = dnnl_primitive_create(&plan->primitive, pd);
    dnnl_engine_t engine = td_engine();
    if (status == dnnl_success)
        status = dnnl_memory_create(&plan->x, dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0), engine, NULL);
    if (status == dnnl_success)
        status = dnnl_memory_create(&plan->y, dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0), engine, NULL);
    const dnnl_memory_desc_t *pad = pd ? dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0) : NULL;
    plan->scratch_bytes = pad ? dnnl_memory_desc_get_size(pad) : 0;
    if (status == dnnl_success && plan->scratch_bytes)
        status = dnnl_memory_create(&plan->scratch, pad, engine, DNNL_MEMORY_NONE);
    dnnl_primitive_desc_destroy(pd);
    if (status != dnnl_success) forget(plan);
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
    dnnl_memory_set_data_handle(plan->x, (void *)x);
    dnnl_memory_set_data_handle(plan->y, y);
    dnnl_exec_arg_t args[5] = {{DNNL_ARG_SRC, plan->x}, {DNNL_ARG_WEIGHTS, t->weights}, {DNNL_ARG_DST, plan->y}};
    int count = 3;
    if (t->bias) args[count++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, t->bias};
    if (plan->scratch) {
        void *pad = td_scratchpad(plan->scratch_bytes);
        if (!pad) return dnnl_out_of_memory;
        dnnl_memory_set_data_handle(plan->scratch, pad);
        args[count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, plan->scratch};
    }
    status = dnnl_primitive_execute(plan->primitive, t->stream, count, args);
    if (status == dnnl_success) status = dnnl_stream_wait(t->stream);
    return status;
}

void td_matmul_free(td_matmul *t) {
    if (!t) return;
    for (size_t i = 0; i < t->count; i++) forget(&t->plans[i]);
    free(t->plans);
    dnnl_memory_destroy(t->weights);
    free(t->room);
    dnnl_memory_destroy(t->bias);
    dnnl_stream_destroy(t->stream);
    free(t);
}
