// Softmax attention with heads of 64: a thread takes a block of queries of one head.
#include <cblas.h>

#include "internal.h"

enum { HEAD = 64, LANES = 16, BLOCK = 96 };

struct attention {
    const float *q, *k, *v;
    long ldq, ld, length, heads, count, block, stride;
    float *keys, *out, *scratch;
};

static void blas_block(void *context, long index) {
    const struct attention *t = context;
    long head = index % t->heads, from = index / t->heads * t->block;
    long rows = smaller(t->block, t->count - from);
    float *s = t->scratch + tk_thread_index() * t->stride;
    const float *q = t->q + from * t->ldq + head * HEAD;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)t->length, HEAD, 0.125f, q, (int)t->ldq,
                t->k + head * HEAD, (int)t->ld, 0, s, (int)t->length);
    tk_active()->softmax(s, rows, t->length);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, HEAD, (int)t->length, 1, s, (int)t->length,
                t->v + head * HEAD, (int)t->ld, 0, t->out + from * t->heads * HEAD + head * HEAD,
                (int)(t->heads * HEAD));
}

static void pack_head(void *context, long head) {
    const struct attention *t = context;
    tk_active()->pack_keys_float(t->k + head * HEAD, t->ld, t->length,
                                 t->keys + head * round_up(t->length, LANES) * HEAD);
}

static void packed_block(void *context, long index) {
    const struct attention *t = context;
    long head = index % t->heads, from = index / t->heads * t->block;
    tk_active()->attend_float(t->q + from * t->ldq + head * HEAD, t->ldq, smaller(t->block, t->count - from),
                              t->keys + head * round_up(t->length, LANES) * HEAD, t->v + head * HEAD, t->ld, t->length,
                              t->out + (from * t->heads + head) * HEAD, t->heads * HEAD,
                              t->scratch + tk_thread_index() * t->stride);
}

void tk_attention(const float *q, long ldq, long count, const float *k, const float *v, long ld, long length,
                  long heads, float *out) {
    struct attention t = {
        .q = q, .k = k, .v = v, .ldq = ldq, .ld = ld, .length = length, .heads = heads, .count = count, .out = out};
    int packs = tk_active()->attend_float != 0;
    t.block = packs ? BLOCK : smaller(count, 128);
    // Scores of a block, or of the queries at once.
    t.stride = packs ? TK_ATTENTION_QUERIES * round_up(length, LANES) : t.block * length;
    size_t keys = packs ? (size_t)(heads * round_up(length, LANES) * HEAD) : 0;
    t.keys = tk_take_scratch((keys + (size_t)(tk_threads() * t.stride)) * sizeof(float));
    t.scratch = t.keys + keys;
    if (packs) tk_parallel(heads, pack_head, &t);
    tk_parallel((count + t.block - 1) / t.block * heads, packs ? packed_block : blas_block, &t);
    tk_give_scratch(t.keys);
}

struct attention_bfloat16 {
    const uint16_t *q, *k, *v;
    long ldq, ld, length, heads, count, stride;
    uint32_t *keys, *values;
    uint16_t *out;
    float *scratch;
};

static uint32_t *keys_of(const struct attention_bfloat16 *t, long head) {
    return t->keys + head * round_up(t->length, LANES) * HEAD / 2;
}

static uint32_t *values_of(const struct attention_bfloat16 *t, long head) {
    return t->values + head * round_up(t->length, 2) * HEAD / 2;
}

static void pack_head_bfloat16(void *context, long head) {
    const struct attention_bfloat16 *t = context;
    tk_active()->pack_keys(t->k + head * HEAD, t->ld, t->length, keys_of(t, head));
    tk_active()->pack_values(t->v + head * HEAD, t->ld, t->length, values_of(t, head));
}

static void attend_block_bfloat16(void *context, long index) {
    const struct attention_bfloat16 *t = context;
    long head = index % t->heads, from = index / t->heads * BLOCK;
    tk_active()->attend(t->q + from * t->ldq + head * HEAD, t->ldq, smaller(BLOCK, t->count - from), keys_of(t, head),
                        values_of(t, head), t->length, t->out + (from * t->heads + head) * HEAD, t->heads * HEAD,
                        t->scratch + tk_thread_index() * t->stride);
}

void tk_attention_bfloat16(const uint16_t *q, long ldq, long count, const uint16_t *k, const uint16_t *v, long ld,
                           long length, long heads, uint16_t *out) {
    struct attention_bfloat16 t = {
        .q = q, .k = k, .v = v, .ldq = ldq, .ld = ld, .length = length, .heads = heads, .count = count, .out = out};
    // Scores of the queries at once, and their weights in half of that.
    t.stride = (TK_ATTENTION_QUERIES + (TK_ATTENTION_QUERIES + 1) / 2) * round_up(length, LANES);
    size_t keys = (size_t)(heads * round_up(length, LANES) * HEAD / 2),
           values = (size_t)(heads * round_up(length, 2) * HEAD / 2);
    t.keys = tk_take_scratch((keys + values + (size_t)(tk_threads() * t.stride)) * sizeof(float));
    t.values = t.keys + keys;
    t.scratch = (float *)(t.values + values);
    tk_parallel(heads, pack_head_bfloat16, &t);
    tk_parallel((count + BLOCK - 1) / BLOCK * heads, attend_block_bfloat16, &t);
    tk_give_scratch(t.keys);
}
