#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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

// Beyond it the library splits sums among threads where there are many (AMX), so that bits would depend on their number.
static void cap_instructions(void) {
    if (!getenv("DNNL_MAX_CPU_ISA") && !getenv("ONEDNN_MAX_CPU_ISA")) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core_bf16);
}

static void open_engine(void) {
    cap_instructions();
    if (pthread_key_create(&pad_of_thread, free_pad) != 0) return;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) engine = NULL;
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

dnnl_status_t td_pack(dnnl_stream_t stream, const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *wanted,
                      const void *from, dnnl_memory_t *to) {
    dnnl_memory_t source = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_status_t status = dnnl_memory_create(&source, plain, engine, (void *)from);
    if (status == dnnl_success) status = dnnl_memory_create(to, wanted, engine, DNNL_MEMORY_ALLOCATE);
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

dnnl_status_t td_copy_bias(const float *bias, long count, dnnl_memory_t *to) {
    if (!bias) return dnnl_success;
    dnnl_dims_t dims = {count};
    dnnl_memory_desc_t described;
    void *copy = NULL;
    dnnl_memory_desc_init_by_tag(&described, 1, dims, dnnl_f32, dnnl_x);
    dnnl_status_t status = dnnl_memory_create(to, &described, engine, DNNL_MEMORY_ALLOCATE);
    if (status == dnnl_success) status = dnnl_memory_get_data_handle(*to, &copy);
    if (status == dnnl_success) memcpy(copy, bias, (size_t)count * sizeof *bias);
    return status;
}
