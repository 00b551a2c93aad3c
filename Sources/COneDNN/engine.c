#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

static dnnl_engine_t engine;
static pthread_key_t pad_of_thread;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// A thread's scratchpad. Its primitives run one after another, and taking megabytes anew for each costs the kernel's
// zeroing of every page. Not the library's own: that belongs to the thread that made the primitive.
struct pad {
    void *room;
    size_t bytes;
};

static void free_pad(void *of) {
    struct pad *pad = of;
    free(pad->room);
    free(pad);
}

// Beyond it the library splits sums among threads where there are many (AMX), so that bits would depend on their
// number.
static void cap_instructions(void) {
    if (!getenv("DNNL_MAX_CPU_ISA") && !getenv("ONEDNN_MAX_CPU_ISA"))
        dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core_bf16);
}

static char version[96];

static void open_engine(void) {
    const dnnl_version_t *v = dnnl_version();
    snprintf(version, sizeof version, "oneDNN %d.%d.%d %.40s", v->major, v->minor, v->patch, v->hash);
    cap_instructions();
    if (pthread_key_create(&pad_of_thread, free_pad) != 0) return;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) engine = NULL;
}

int td_has_avx512(void) {
    td_engine();
    return ((int)dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
}

dnnl_engine_t td_engine(void) {
    pthread_once(&once, open_engine);
    return engine;
}

void *td_scratchpad(size_t bytes) {
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

enum { HUGE_PAGE = 2 << 20 };

// In huge pages where there are such: weights are streamed from memory, and 2 % faster so (products are not,
// below 4 MiB: `tk_allocate`).
static void *allocate(size_t bytes) {
    void *room = NULL;
    int is_large = bytes >= HUGE_PAGE;
    if (posix_memalign(&room, is_large ? HUGE_PAGE : 64, bytes) != 0) return NULL;
    if (is_large) madvise(room, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return room;
}

dnnl_status_t td_pack(dnnl_stream_t stream, const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *wanted,
                      const void *from, void **room, dnnl_memory_t *to) {
    dnnl_memory_t source = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_status_t status = dnnl_memory_create(&source, plain, engine, (void *)from);
    *room = allocate(dnnl_memory_desc_get_size(wanted));
    if (status == dnnl_success && !*room) status = dnnl_out_of_memory;
    if (status == dnnl_success) status = dnnl_memory_create(to, wanted, engine, *room);
    if (status == dnnl_success) status = dnnl_reorder_primitive_desc_create(&pd, plain, engine, wanted, engine, NULL);
    if (status == dnnl_success) status = dnnl_primitive_create(&reorder, pd);
    if (status == dnnl_success) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, *to}};
        status = dnnl_primitive_execute(reorder, stream, 2, args);
        if (status == dnnl_success) status = dnnl_stream_wait(stream);
    }
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(pd);
    dnnl_memory_destroy(source);
    return status;
}

// Where dimensions are padded, the library writes zeros there whenever it is handed the memory.
static int is_padded(const dnnl_memory_desc_t *d) {
    for (int i = 0; i < d->ndims; i++)
        if (d->padded_dims[i] != d->dims[i]) return 1;
    return 0;
}

dnnl_status_t td_adopt(const dnnl_memory_desc_t *wanted, const void *packed, size_t bytes, dnnl_memory_t *to) {
    if (bytes != dnnl_memory_desc_get_size(wanted)) return dnnl_invalid_arguments;
    if (!is_padded(wanted)) return dnnl_memory_create(to, wanted, engine, (void *)packed);
    void *copy = NULL;
    dnnl_status_t status = dnnl_memory_create(to, wanted, engine, DNNL_MEMORY_ALLOCATE);
    if (status == dnnl_success) status = dnnl_memory_get_data_handle(*to, &copy);
    if (status == dnnl_success) memcpy(copy, packed, bytes);
    return status;
}

const char *td_version(void) {
    td_engine();
    return version;
}

void td_write_layout(const dnnl_memory_desc_t *d, char out[TD_LAYOUT]) {
    // Of other formats than blocks, none of which is asked for here, it says too little: they fit nothing.
    const dnnl_blocking_desc_t *b = &d->format_desc.blocking;
    int at = 0, isBlocks = d->format_kind == dnnl_blocked && d->extra.flags == 0;
    at = snprintf(out, TD_LAYOUT, "%s type %d offset %ld", isBlocks ? "blocks" : "", d->data_type, (long)d->offset0);
    for (int i = 0; isBlocks && i < d->ndims && at < TD_LAYOUT; i++)
        at += snprintf(out + at, (size_t)(TD_LAYOUT - at), ", %ld of %ld by %ld", (long)d->dims[i],
                       (long)d->padded_dims[i], (long)b->strides[i]);
    for (int i = 0; isBlocks && i < b->inner_nblks && at < TD_LAYOUT; i++)
        at += snprintf(out + at, (size_t)(TD_LAYOUT - at), ", block %ld of %ld", (long)b->inner_blks[i],
                       (long)b->inner_idxs[i]);
    if (!isBlocks || at >= TD_LAYOUT) out[0] = 0;
}

struct td_packed td_packed_of(dnnl_memory_t weights, dnnl_memory_t bias, const char *layout) {
    const dnnl_memory_desc_t *described = NULL;
    void *data = NULL, *added = NULL;
    dnnl_memory_get_memory_desc(weights, &described);
    dnnl_memory_get_data_handle(weights, &data);
    if (bias) dnnl_memory_get_data_handle(bias, &added);
    return (struct td_packed){data, dnnl_memory_desc_get_size(described), added, layout};
}

static dnnl_status_t append(dnnl_post_ops_t ops, int activation) {
    switch (activation) {
    case TD_SILU: return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_swish, 1, 0);
    case TD_RELU: return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
    default: return dnnl_success;
    }
}

dnnl_status_t td_attributes(int activation, int accumulate, dnnl_primitive_attr_t *out) {
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(out);
    if (status == dnnl_success) status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success) status = append(ops, activation);
    if (status == dnnl_success && accumulate) status = dnnl_post_ops_append_sum(ops, 1);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(*out, ops);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    // The environment may ask for less.
    if (status == dnnl_success) status = dnnl_primitive_attr_set_fpmath_mode(*out, dnnl_fpmath_mode_strict);
    dnnl_post_ops_destroy(ops);
    return status;
}

dnnl_status_t td_primitive_make(dnnl_primitive_desc_t described, struct td_primitive *made) {
    *made = (struct td_primitive){0};
    dnnl_status_t status = dnnl_primitive_create(&made->primitive, described);
    if (status == dnnl_success)
        status =
            dnnl_memory_create(&made->x, dnnl_primitive_desc_query_md(described, dnnl_query_src_md, 0), engine, NULL);
    if (status == dnnl_success)
        status =
            dnnl_memory_create(&made->y, dnnl_primitive_desc_query_md(described, dnnl_query_dst_md, 0), engine, NULL);
    const dnnl_memory_desc_t *pad = dnnl_primitive_desc_query_md(described, dnnl_query_scratchpad_md, 0);
    made->scratch_bytes = pad ? dnnl_memory_desc_get_size(pad) : 0;
    if (status == dnnl_success && made->scratch_bytes)
        status = dnnl_memory_create(&made->scratch, pad, engine, DNNL_MEMORY_NONE);
    return status;
}

dnnl_status_t td_primitive_run(const struct td_primitive *made, dnnl_stream_t stream, const void *x,
                               dnnl_memory_t weights, dnnl_memory_t bias, void *y) {
    dnnl_memory_set_data_handle(made->x, (void *)x);
    dnnl_memory_set_data_handle(made->y, y);
    dnnl_exec_arg_t args[5] = {{DNNL_ARG_SRC, made->x}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, made->y}};
    int count = 3;
    if (bias) args[count++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, bias};
    if (made->scratch) {
        void *pad = td_scratchpad(made->scratch_bytes);
        if (!pad) return dnnl_out_of_memory;
        dnnl_memory_set_data_handle(made->scratch, pad);
        args[count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, made->scratch};
    }
    dnnl_status_t status = dnnl_primitive_execute(made->primitive, stream, count, args);
    return status == dnnl_success ? dnnl_stream_wait(stream) : status;
}

void td_primitive_free(struct td_primitive *made) {
    dnnl_primitive_destroy(made->primitive);
    dnnl_memory_destroy(made->x);
    dnnl_memory_destroy(made->y);
    dnnl_memory_destroy(made->scratch);
}

dnnl_status_t td_set_bias(const float *bias, int stays, long count, dnnl_memory_t *to) {
    if (!bias) return dnnl_success;
    dnnl_dims_t dims = {count};
    dnnl_memory_desc_t described;
    void *copy = NULL;
    dnnl_memory_desc_init_by_tag(&described, 1, dims, dnnl_f32, dnnl_x);
    if (stays) return dnnl_memory_create(to, &described, engine, (void *)bias);
    dnnl_status_t status = dnnl_memory_create(to, &described, engine, DNNL_MEMORY_ALLOCATE);
    if (status == dnnl_success) status = dnnl_memory_get_data_handle(*to, &copy);
    if (status == dnnl_success) memcpy(copy, bias, (size_t)count * sizeof *bias);
    return status;
}
