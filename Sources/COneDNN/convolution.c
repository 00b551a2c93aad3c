#include "conednn.h"

#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdlib.h>

static dnnl_engine_t engine;
static pthread_key_t pad_of_thread;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// A thread's scratchpad. Its convolutions run one after another, and taking megabytes anew for each costs the kernel's
// zeroing of every page.
struct pad {
    void *room;
    size_t bytes;
};

static void free_pad(void *of) {
    struct pad *pad = of;
    free(pad->room);
    free(pad);
}

static void open_engine(void) {
    if (pthread_key_create(&pad_of_thread, free_pad) != 0) return;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) engine = NULL;
}

// NULL where there is no memory. As large as the thread's largest convolution has needed.
static void *scratchpad(size_t bytes) {
    struct pad *pad = pthread_getspecific(pad_of_thread);
    if (!pad) {
        pad = calloc(1, sizeof *pad);
        if (!pad) return NULL;
        if (pthread_setspecific(pad_of_thread, pad) != 0) {
            free(pad);
            return NULL;
        }
    }
    if (pad->bytes >= bytes) return pad->room;
    free(pad->room);
    pad->bytes = 0;
    if (posix_memalign(&pad->room, 64, bytes) != 0) pad->room = NULL;
    if (pad->room) pad->bytes = bytes;
    return pad->room;
}

// Everything but the engine and the scratchpad is the convolution's own, so that it may be made on one thread and run on
// another: the library's own scratchpad belongs to the thread that made the primitive.
struct td_convolution {
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_t x, y, weights, bias, scratch;
    size_t scratch_bytes;
    char implementation[64];
};

static dnnl_status_t describe(const struct td_shape *s, const float *bias, int activation, int accumulate,
                              dnnl_primitive_desc_t *out) {
    dnnl_dim_t out_height = (s->height + s->pad_top + s->pad_bottom - s->kernel_height) / s->stride + 1;
    dnnl_dim_t out_width = (s->width + s->pad_left + s->pad_right - s->kernel_width) / s->stride + 1;
    dnnl_dims_t xd = {1, s->in_channels, s->height, s->width}, yd = {1, s->out_channels, out_height, out_width};
    dnnl_dims_t wd = {s->out_channels, s->in_channels, s->kernel_height, s->kernel_width}, bd = {s->out_channels};
    dnnl_dims_t strides = {s->stride, s->stride}, before = {s->pad_top, s->pad_left}, after = {s->pad_bottom, s->pad_right};
    dnnl_memory_desc_t x, y, w, b;
    dnnl_memory_desc_init_by_tag(&x, 4, xd, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&y, 4, yd, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&w, 4, wd, dnnl_f32, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&b, 1, bd, dnnl_f32, dnnl_x);
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_convolution_forward_desc_init(&d, dnnl_forward_inference, dnnl_convolution_direct, &x,
                                                              &w, bias ? &b : NULL, &y, strides, before, after);
    if (status != dnnl_success) return status;
    dnnl_primitive_attr_t attributes;
    dnnl_post_ops_t ops;
    dnnl_primitive_attr_create(&attributes);
    dnnl_post_ops_create(&ops);
    if (accumulate) dnnl_post_ops_append_sum(ops, 1);
    if (activation == TD_SILU) dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_swish, 1, 0);
    if (activation == TD_RELU) dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
    dnnl_primitive_attr_set_post_ops(attributes, ops);
    dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    status = dnnl_primitive_desc_create(out, &d, attributes, engine, NULL);
    dnnl_post_ops_destroy(ops);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

// Reorders (out, in, kh, kw) into the layout that the implementation asked for.
static dnnl_status_t pack(dnnl_stream_t stream, dnnl_primitive_desc_t pd, const float *from, dnnl_memory_t *to) {
    const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    dnnl_memory_desc_t plain;
    dnnl_memory_t source = NULL;
    dnnl_primitive_desc_t rd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_desc_init_by_tag(&plain, 4, wanted->dims, dnnl_f32, dnnl_oihw);
    dnnl_status_t status = dnnl_memory_create(&source, &plain, engine, (void *)from);
    if (status == dnnl_success) status = dnnl_memory_create(to, wanted, engine, DNNL_MEMORY_ALLOCATE);
    if (status == dnnl_success) status = dnnl_reorder_primitive_desc_create(&rd, &plain, engine, wanted, engine, NULL);
    if (status == dnnl_success) status = dnnl_primitive_create(&reorder, rd);
    if (status == dnnl_success) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, *to}};
        status = dnnl_primitive_execute(reorder, stream, 2, args);
        if (status == dnnl_success) status = dnnl_stream_wait(stream);
    }
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(rd);
    dnnl_memory_destroy(source);
    return status;
}

static dnnl_status_t fill(td_convolution *c, dnnl_primitive_desc_t pd, const float *weights, const float *bias) {
    const char *name = "";
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name);
    for (size_t i = 0; name[i] && i + 1 < sizeof c->implementation; i++) c->implementation[i] = name[i];
    dnnl_status_t status = dnnl_stream_create(&c->stream, engine, dnnl_stream_default_flags);
    if (status == dnnl_success) status = dnnl_primitive_create(&c->primitive, pd);
    if (status == dnnl_success) status = pack(c->stream, pd, weights, &c->weights);
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->x, dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0), engine, NULL);
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->y, dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0), engine, NULL);
    const dnnl_memory_desc_t *described = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    c->scratch_bytes = described ? dnnl_memory_desc_get_size(described) : 0;
    if (status == dnnl_success && c->scratch_bytes)
        status = dnnl_memory_create(&c->scratch, described, engine, DNNL_MEMORY_NONE);
    if (status != dnnl_success || !bias) return status;
    described = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 1);
    status = dnnl_memory_create(&c->bias, described, engine, DNNL_MEMORY_ALLOCATE);
    void *copy = NULL;
    if (status == dnnl_success) status = dnnl_memory_get_data_handle(c->bias, &copy);
    if (status == dnnl_success)
        for (dnnl_dim_t i = 0; i < described->dims[0]; i++) ((float *)copy)[i] = bias[i];
    return status;
}

td_convolution *td_create(const struct td_shape *shape, const float *weights, const float *bias, int activation,
                          int accumulate, int *status) {
    pthread_once(&once, open_engine);
    *status = dnnl_runtime_error;
    td_convolution *c = engine ? calloc(1, sizeof *c) : NULL;
    dnnl_primitive_desc_t pd = NULL;
    if (!c) return NULL;
    *status = describe(shape, bias, activation, accumulate, &pd);
    if (*status == dnnl_success) *status = fill(c, pd, weights, bias);
    dnnl_primitive_desc_destroy(pd);
    if (*status == dnnl_success) return c;
    td_free(c);
    return NULL;
}

int td_run(td_convolution *c, const float *x, float *y) {
    dnnl_memory_set_data_handle(c->x, (void *)x);
    dnnl_memory_set_data_handle(c->y, y);
    dnnl_exec_arg_t args[5] = {{DNNL_ARG_SRC, c->x}, {DNNL_ARG_WEIGHTS, c->weights}, {DNNL_ARG_DST, c->y}};
    int count = 3;
    if (c->bias) args[count++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, c->bias};
    if (c->scratch) {
        void *pad = scratchpad(c->scratch_bytes);
        if (!pad) return dnnl_out_of_memory;
        dnnl_memory_set_data_handle(c->scratch, pad);
        args[count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, c->scratch};
    }
    dnnl_status_t status = dnnl_primitive_execute(c->primitive, c->stream, count, args);
    if (status == dnnl_success) status = dnnl_stream_wait(c->stream);
    return status;
}

const char *td_implementation(const td_convolution *c) { return c->implementation; }

void td_free(td_convolution *c) {
    if (!c) return;
    dnnl_primitive_destroy(c->primitive);
    dnnl_memory_destroy(c->x);
    dnnl_memory_destroy(c->y);
    dnnl_memory_destroy(c->weights);
    dnnl_memory_destroy(c->bias);
    dnnl_memory_destroy(c->scratch);
    dnnl_stream_destroy(c->stream);
    free(c);
}
