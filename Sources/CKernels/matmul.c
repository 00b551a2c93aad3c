// Matrix products on OpenBLAS, cut into tiles of fixed size that the pool's threads take; the epilogue runs over a tile
// while it is still in cache.
#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "internal.h"

enum { TILE_ROWS = 1024, TILE_COLUMNS = 192, LINEAR_HEAD = 32 };

struct linear {
    long m, n, k, ldc, tile_rows, tile_columns, across;
    const float *a, *w, *bias;
    int activation, adds;
    float *c;
};

static void linear_tile(void *context, long index) {
    const struct linear *t = context;
    long row = index / t->across * t->tile_rows, column = index % t->across * t->tile_columns;
    long rows = smaller(t->tile_rows, t->m - row), columns = smaller(t->tile_columns, t->n - column);
    float *c = t->c + row * t->ldc + column;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)columns, (int)t->k, 1, t->a + row * t->k,
                (int)t->k, t->w + column * t->k, (int)t->k, t->adds ? 1 : 0, c, (int)t->ldc);
    tk_active()->epilogue(c, rows, columns, t->ldc, t->bias ? t->bias + column : 0, t->activation);
}

void tk_linear(long m, long n, long k, const float *a, const float *w, const float *bias, int activation, int adds,
               float *c, long ldc) {
    long tile_columns = m > TILE_ROWS ? 1024 : TILE_COLUMNS;
    struct linear t = {.m = m,
                       .n = n,
                       .k = k,
                       .ldc = ldc,
                       .tile_rows = TILE_ROWS,
                       .tile_columns = tile_columns,
                       .across = (n + tile_columns - 1) / tile_columns,
                       .a = a,
                       .w = w,
                       .bias = bias,
                       .activation = activation,
                       .adds = adds,
                       .c = c};
    tk_parallel((m + TILE_ROWS - 1) / TILE_ROWS * t.across, linear_tile, &t);
}

struct linear_attention {
    const float *qkv;
    long pixels, heads;
    float *out, *scratch;
};

// o = (v k^T) q / (1 k^T q + 1e-15) with q, k through ReLU.
static void linear_head(const struct linear_attention *t, const float *q, const float *k, const float *v, float *out,
                        long ld) {
    enum { D = LINEAR_HEAD };
    float kv[D * D], sums[D] = {0};
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, D, D, (int)t->pixels, 1, k, D, v, 3 * D * (int)t->heads, 0, kv,
                D);
    for (long p = 0; p < t->pixels; p++)
        for (int i = 0; i < D; i++) sums[i] += k[p * D + i];
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)t->pixels, D, D, 1, q, D, kv, D, 0, out, (int)ld);
    for (long p = 0; p < t->pixels; p++) {
        float total = 0;
        for (int i = 0; i < D; i++) total += q[p * D + i] * sums[i];
        for (int i = 0; i < D; i++) out[p * ld + i] /= total + 1e-15f;
    }
}

// o = v (a / (sum over keys of a + 1e-15)), a = k^T q; at most 32 pixels.
static void quadratic_head(const struct linear_attention *t, const float *q, const float *k, const float *v, float *out,
                           long ld) {
    enum { D = LINEAR_HEAD };
    for (long p = 0; p < t->pixels; p++) {
        float a[D], total = 0;
        for (long r = 0; r < t->pixels; r++) {
            a[r] = 0;
            for (int i = 0; i < D; i++) a[r] += k[r * D + i] * q[p * D + i];
            total += a[r];
        }
        for (int i = 0; i < D; i++) {
            float s = 0;
            for (long r = 0; r < t->pixels; r++) s += v[r * 3 * D * t->heads + i] * (a[r] / (total + 1e-15f));
            out[p * ld + i] = s;
        }
    }
}

static void linear_attention_head(void *context, long head) {
    enum { D = LINEAR_HEAD };
    const struct linear_attention *t = context;
    long ld = 3 * D * t->heads;
    const float *base = t->qkv + head * 3 * D;
    float *q = t->scratch + tk_thread_index() * t->pixels * 2 * D, *k = q + t->pixels * D;
    for (long p = 0; p < t->pixels; p++)
        for (int i = 0; i < D; i++) {
            q[p * D + i] = fmaxf(base[p * ld + i], 0);
            k[p * D + i] = fmaxf(base[p * ld + D + i], 0);
        }
    float *out = t->out + head * D;
    if (t->pixels > D) linear_head(t, q, k, base + 2 * D, out, D * t->heads);
    else quadratic_head(t, q, k, base + 2 * D, out, D * t->heads);
}

void tk_linear_attention(const float *qkv, long pixels, long heads, float *out) {
    float *scratch = tk_take_scratch((size_t)(tk_threads() * pixels * 2 * LINEAR_HEAD) * sizeof(float));
    struct linear_attention t = {.qkv = qkv, .pixels = pixels, .heads = heads, .out = out, .scratch = scratch};
    tk_parallel(heads, linear_attention_head, &t);
    tk_give_scratch(scratch);
}

struct grouped {
    const float *a, *w;
    long lda, pixels, ldc;
    float *c;
};

static void grouped_group(void *context, long group) {
    enum { D = LINEAR_HEAD };
    const struct grouped *t = context;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)t->pixels, D, D, 1, t->a + group * D, (int)t->lda,
                t->w + group * D * D, D, 0, t->c + group * D, (int)t->ldc);
}

void tk_grouped_pointwise(const float *a, long lda, const float *w, long pixels, long groups, float *c, long ldc) {
    struct grouped t = {.a = a, .w = w, .lda = lda, .pixels = pixels, .ldc = ldc, .c = c};
    tk_parallel(groups, grouped_group, &t);
}
