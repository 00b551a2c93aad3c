// Backward passes of the rectifier's layers and the optimizer's step. But for the optimizer all of it runs on the
// calling thread, over one image: training spreads images, not rows, over the pool.
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void tk_matmul(int transpose_a, int transpose_b, long m, long n, long k, const float *a, long lda, const float *b,
               long ldb, float beta, float *c, long ldc) {
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, (int)m,
                (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}

void tk_silu(const float *x, long count, float *y) { tk_active()->silu(x, count, y); }

void tk_silu_gradient(const float *x, const float *dy, long count, float *dx) {
    tk_active()->silu_gradient(x, dy, count, dx);
}

void tk_gated_gradient(const float *x, const float *dy, long rows, long width, float *dx) {
    tk_active()->gated_gradient(x, dy, rows, width, dx);
}

void tk_rms_norm_gradient(const float *x, const float *dy, long rows, long width, const float *gain, float eps,
                          float *dx, float *dgain, float *dbias) {
    tk_active()->rms_norm_gradient(x, dy, rows, width, gain, eps, dx, dgain, dbias);
}

void tk_add_column_sums(const float *x, long rows, long width, float *sums) {
    tk_active()->add_column_sums(x, rows, width, sums);
}

void tk_depthwise_weights_gradient(const float *x, const float *dy, long height, long width, long channels, long ldx,
                                   long size, float *dw) {
    tk_active()->depthwise_weights(x, dy, height, width, channels, ldx, size, dw);
}

void tk_patches(const float *x, long height, long width, long channels, float *patches) {
    for (long row = 0; row < height; row++)
        for (long column = 0; column < width; column++)
            for (long tap = 0; tap < 9; tap++, patches += channels) {
                long y = row + tap / 3 - 1, at = column + tap % 3 - 1;
                if (y < 0 || y >= height || at < 0 || at >= width) memset(patches, 0, (size_t)channels * sizeof(float));
                else memcpy(patches, x + (y * width + at) * channels, (size_t)channels * sizeof(float));
            }
}

void tk_patches_gradient(const float *patches, long height, long width, long channels, float *dx) {
    memset(dx, 0, (size_t)(height * width * channels) * sizeof(float));
    for (long row = 0; row < height; row++)
        for (long column = 0; column < width; column++)
            for (long tap = 0; tap < 9; tap++, patches += channels) {
                long y = row + tap / 3 - 1, at = column + tap % 3 - 1;
                if (y < 0 || y >= height || at < 0 || at >= width) continue;
                float *to = dx + (y * width + at) * channels;
                for (long c = 0; c < channels; c++) to[c] += patches[c];
            }
}

enum { D = 32 };

struct head {
    float *q, *k, *dq, *dk, *numerator;
};

// o = n / t, n = q (k^T v), t = q . sum(k) + 1e-15, with q and k after ReLU.
static void head_gradient(const float *qkv, const float *out, const float *dout, long pixels, long heads,
                          const struct head *s, float *dqkv) {
    int ld = (int)(3 * D * heads), ldo = (int)(D * heads), rows = (int)pixels;
    float kv[D * D], dkv[D * D], sums[D] = {0}, dsums[D] = {0};
    for (long p = 0; p < pixels; p++)
        for (int i = 0; i < D; i++) {
            s->q[p * D + i] = fmaxf(qkv[p * ld + i], 0);
            s->k[p * D + i] = fmaxf(qkv[p * ld + D + i], 0);
            sums[i] += s->k[p * D + i];
        }
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, D, D, rows, 1, s->k, D, qkv + 2 * D, ld, 0, kv, D);
    for (long p = 0; p < pixels; p++) {
        float total = 1e-15f, along = 0;
        for (int i = 0; i < D; i++) total += s->q[p * D + i] * sums[i];
        for (int i = 0; i < D; i++) {
            float d = dout[p * ldo + i] / total;
            s->numerator[p * D + i] = d;
            along -= d * out[p * ldo + i];
        }
        for (int i = 0; i < D; i++) {
            s->dq[p * D + i] = along * sums[i];
            dsums[i] += along * s->q[p * D + i];
        }
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, D, D, 1, s->numerator, D, kv, D, 1, s->dq, D);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, D, D, rows, 1, s->q, D, s->numerator, D, 0, dkv, D);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, D, D, 1, qkv + 2 * D, ld, dkv, D, 0, s->dk, D);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, D, D, 1, s->k, D, dkv, D, 0, dqkv + 2 * D, ld);
    for (long p = 0; p < pixels; p++)
        for (int i = 0; i < D; i++) {
            dqkv[p * ld + i] = qkv[p * ld + i] > 0 ? s->dq[p * D + i] : 0;
            dqkv[p * ld + D + i] = qkv[p * ld + D + i] > 0 ? s->dk[p * D + i] + dsums[i] : 0;
        }
}

void tk_linear_attention_gradient(const float *qkv, const float *out, const float *dout, long pixels, long heads,
                                  float *dqkv) {
    float *scratch = tk_take_scratch((size_t)(5 * pixels * D) * sizeof(float));
    struct head s = {scratch, scratch + pixels * D, scratch + 2 * pixels * D, scratch + 3 * pixels * D,
                     scratch + 4 * pixels * D};
    for (long head = 0; head < heads; head++)
        head_gradient(qkv + head * 3 * D, out + head * D, dout + head * D, pixels, heads, &s, dqkv + head * 3 * D);
    tk_give_scratch(scratch);
}

enum { BLOCK = 16384 };

struct step {
    float *p, *m, *v;
    const float *g;
    long count;
    const struct tk_adamw_step *settings;
};

static void step_block(void *context, long index) {
    const struct step *t = context;
    long first = index * BLOCK, count = t->count - first < BLOCK ? t->count - first : BLOCK;
    tk_active()->adamw(t->p + first, t->g + first, t->m + first, t->v + first, count, t->settings);
}

void tk_adamw(float *p, const float *g, float *m, float *v, long count, const struct tk_adamw_step *settings) {
    struct step t = {.p = p, .m = m, .v = v, .g = g, .count = count, .settings = settings};
    tk_parallel((count + BLOCK - 1) / BLOCK, step_block, &t);
}

struct sum {
    float *const *parts;
    long parts_count, count;
};

static void sum_block(void *context, long index) {
    const struct sum *t = context;
    long first = index * BLOCK, last = first + BLOCK < t->count ? first + BLOCK : t->count;
    float *to = t->parts[0];
    for (long part = 1; part < t->parts_count; part++) {
        const float *from = t->parts[part];
        for (long i = first; i < last; i++) to[i] += from[i];
    }
}

void tk_add_parts(float *const *parts, long parts_count, long count) {
    struct sum t = {parts, parts_count, count};
    tk_parallel((count + BLOCK - 1) / BLOCK, sum_block, &t);
}

double tk_sum_of_squares(const float *x, long count) {
    double total = 0;
    for (long first = 0; first < count; first += 64) {
        long last = first + 64 < count ? first + 64 : count;
        float sum = 0;
        for (long i = first; i < last; i++) sum += x[i] * x[i];
        total += sum;
    }
    return total;
}
