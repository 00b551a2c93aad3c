#include "internal.h"

#include <stdlib.h>

// Everything but the engine and the scratchpad is the convolution's own, so that it may be made on one thread and run
// on another.
struct td_convolution {
    dnnl_stream_t stream;
    struct td_primitive primitive;
    dnnl_memory_t weights, bias;
    void *room; // the weights', or NULL
    char implementation[64], layout[TD_LAYOUT];
};

static dnnl_status_t describe(const struct td_shape *s, const float *bias, int activation, int accumulate, int type,
                              dnnl_primitive_desc_t *out) {
    dnnl_data_type_t factors = type == TD_BF16 ? dnnl_bf16 : dnnl_f32;
    dnnl_dim_t out_height = (s->height + s->pad_top + s->pad_bottom - s->kernel_height) / s->stride + 1;
    dnnl_dim_t out_width = (s->width + s->pad_left + s->pad_right - s->kernel_width) / s->stride + 1;
    dnnl_dims_t xd = {1, s->in_channels, s->height, s->width}, yd = {1, s->out_channels, out_height, out_width};
    dnnl_dims_t wd = {s->out_channels, s->in_channels, s->kernel_height, s->kernel_width}, bd = {s->out_channels};
    dnnl_dims_t strides = {s->stride, s->stride}, before = {s->pad_top, s->pad_left},
                after = {s->pad_bottom, s->pad_right};
    dnnl_memory_desc_t x, y, w, b;
    dnnl_memory_desc_init_by_tag(&x, 4, xd, factors, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&y, 4, yd, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&w, 4, wd, factors, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&b, 1, bd, dnnl_f32, dnnl_x);
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_convolution_forward_desc_init(&d, dnnl_forward_inference, dnnl_convolution_direct, &x,
                                                              &w, bias ? &b : NULL, &y, strides, before, after);
    if (status != dnnl_success) return status;
    dnnl_primitive_attr_t attributes = NULL;
    status = td_attributes(activation, accumulate, &attributes);
    if (status == dnnl_success) status = dnnl_primitive_desc_create(out, &d, attributes, td_engine(), NULL);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

// Lays (out, in, kh, kw) out as the implementation asked for, unless they are.
static dnnl_status_t pack(td_convolution *c, dnnl_primitive_desc_t pd, const void *from, size_t packed_bytes) {
    const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    td_write_layout(wanted, c->layout);
    if (packed_bytes) return td_adopt(wanted, from, packed_bytes, &c->weights);
    dnnl_memory_desc_t plain;
    dnnl_memory_desc_init_by_tag(&plain, 4, wanted->dims, dnnl_f32, dnnl_oihw);
    return td_pack(c->stream, &plain, wanted, from, &c->room, &c->weights);
}

static dnnl_status_t fill(td_convolution *c, const struct td_shape *shape, dnnl_primitive_desc_t pd,
                          const void *weights, size_t packed_bytes, const float *bias) {
    const char *name = "";
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name);
    for (size_t i = 0; name[i] && i + 1 < sizeof c->implementation; i++) c->implementation[i] = name[i];
    dnnl_status_t status = dnnl_stream_create(&c->stream, td_engine(), dnnl_stream_default_flags);
    if (status == dnnl_success) status = td_primitive_make(pd, &c->primitive);
    if (status == dnnl_success) status = pack(c, pd, weights, packed_bytes);
    if (status == dnnl_success) status = td_set_bias(bias, packed_bytes > 0, shape->out_channels, &c->bias);
    return status;
}

td_convolution *td_create(const struct td_shape *shape, const void *weights, size_t packed_bytes, const float *bias,
                          int activation, int accumulate, int type, int *status) {
    *status = dnnl_runtime_error;
    td_convolution *c = td_engine() ? calloc(1, sizeof *c) : NULL;
    dnnl_primitive_desc_t pd = NULL;
    if (!c) return NULL;
    *status = describe(shape, bias, activation, accumulate, type, &pd);
    if (*status == dnnl_success) *status = fill(c, shape, pd, weights, packed_bytes, bias);
    dnnl_primitive_desc_destroy(pd);
    if (*status == dnnl_success) return c;
    td_free(c);
    return NULL;
}

int td_run(td_convolution *c, const void *x, float *y) {
    return td_primitive_run(&c->primitive, c->stream, x, c->weights, c->bias, y);
}

struct td_packed td_packed_weights(const td_convolution *c) {
    return td_packed_of(c->weights, c->bias, c->layout);
}

const char *td_implementation(const td_convolution *c) { return c->implementation; }

void td_free(td_convolution *c) {
    if (!c) return;
    td_primitive_free(&c->primitive);
    dnnl_memory_destroy(c->weights);
    free(c->room);
    dnnl_memory_destroy(c->bias);
    dnnl_stream_destroy(c->stream);
    free(c);
}
