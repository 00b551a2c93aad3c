#ifndef CONEDNN_INTERNAL_H
#define CONEDNN_INTERNAL_H

#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>

#include "conednn.h"

/// The processor's; NULL where the library can't open it.
dnnl_engine_t td_engine(void);
/// The calling thread's, at least so large; NULL where there is no memory. Its next caller gets the same.
void *td_scratchpad(size_t bytes);
/// Lays out `from`, described by `plain`, as `wanted`, in `*room`, which is for `free` once `to` is gone, after a
/// failure too.
dnnl_status_t td_pack(dnnl_stream_t stream, const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *wanted,
                      const void *from, void **room, dnnl_memory_t *to);
/// Memory over bytes that were packed as `wanted` before; fails where that takes another number of them.
dnnl_status_t td_adopt(const dnnl_memory_desc_t *wanted, const void *packed, size_t bytes, dnnl_memory_t *to);
/// A bias, copied or where it lies; nothing where it is NULL.
dnnl_status_t td_set_bias(const float *bias, int stays, long count, dnnl_memory_t *to);

/// What every primitive here is made with: what follows it, addition to what is there, memory from outside.
dnnl_status_t td_attributes(int activation, int accumulate, dnnl_primitive_attr_t *out);

/// A primitive with the memory that it is told of anew for each run.
struct td_primitive {
    dnnl_primitive_t primitive;
    dnnl_memory_t x, y, scratch;
    size_t scratch_bytes;
};
/// After a failure too, `made` is for `td_primitive_free`.
dnnl_status_t td_primitive_make(dnnl_primitive_desc_t described, struct td_primitive *made);
dnnl_status_t td_primitive_run(const struct td_primitive *made, dnnl_stream_t stream, const void *x,
                               dnnl_memory_t weights, dnnl_memory_t bias, void *y);
void td_primitive_free(struct td_primitive *made);

enum { TD_LAYOUT = 512 };
/// `out` gets all that decides where a weight lies.
void td_write_layout(const dnnl_memory_desc_t *described, char out[TD_LAYOUT]);
/// Of a layer with this bias, or NULL, and this layout.
struct td_packed td_packed_of(dnnl_memory_t weights, dnnl_memory_t bias, const char *layout);

#endif
