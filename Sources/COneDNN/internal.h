#ifndef CONEDNN_INTERNAL_H
#define CONEDNN_INTERNAL_H

#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>

#include "conednn.h"

/// The processor's; NULL where the library can't open it.
dnnl_engine_t td_engine(void);
/// The calling thread's, at least so large; NULL where there is no memory. Its next caller gets the same.
void *td_scratchpad(size_t bytes);
/// Lays out `from`, described by `plain`, as `wanted`, in memory of its own.
dnnl_status_t td_pack(dnnl_stream_t stream, const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *wanted,
                      const void *from, dnnl_memory_t *to);
/// A bias's copy; nothing where it is NULL.
dnnl_status_t td_copy_bias(const float *bias, long count, dnnl_memory_t *to);

#endif
