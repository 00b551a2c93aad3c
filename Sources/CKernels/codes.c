// From vectors to ids: exhaustive nearest-code search and the balanced assignment of SFTok, and the noise of its sampler.
#include <math.h>

#include "internal.h"

struct search {
    const float *queries, *codes;
    long d, codebooks, count;
    int32_t *ids;
    float *best, *second;
};

static void search_query(void *context, long q) {
    const struct search *t = context;
    const float *codes = t->codes + q % t->codebooks * t->d * t->count;
    tk_active()->nearest(t->queries + q * t->d, t->d, codes, t->count, 0, t->count, t->ids + q, t->best + q,
                         t->second + q);
}

void tk_nearest(const float *queries, long count, long d, const float *codes, long codebooks, long code_count,
                int32_t *ids, float *best, float *second) {
    struct search t = {queries, codes, d, codebooks, code_count, ids, best, second};
    tk_parallel(count, search_query, &t);
}

struct distances {
    const float *queries, *codes;
    long d, count;
    float *out;
};

static void distances_row(void *context, long q) {
    const struct distances *t = context;
    tk_active()->distances(t->queries + q * t->d, t->d, t->codes, t->count, t->out + q * t->count);
}

void tk_distances(const float *queries, long count, long d, const float *codes, long code_count, float *out) {
    struct distances t = {queries, codes, d, code_count, out};
    tk_parallel(count, distances_row, &t);
}

enum { SINKHORN_BLOCK = 128 };

void tk_sinkhorn(float *q, long count, long codes, int32_t *ids) {
    float least = q[0];
    for (long i = 1; i < count * codes; i++) least = q[i] < least ? q[i] : least;
    double total = 0;
    for (long i = 0; i < count * codes; i++) {
        q[i] = expf(-10 * (q[i] - least));
        total += q[i];
    }
    float scale = 1 / ((float)total + 1e-8f);
    for (long i = 0; i < count * codes; i++) q[i] *= scale;
    for (int round = 0; round < 5; round++) {
        for (long first = 0; first < codes; first += SINKHORN_BLOCK) {
            long n = codes - first < SINKHORN_BLOCK ? codes - first : SINKHORN_BLOCK;
            float sums[SINKHORN_BLOCK] = {0};
            for (long t = 0; t < count; t++)
                for (long i = 0; i < n; i++) sums[i] += q[t * codes + first + i];
            for (long t = 0; t < count; t++)
                for (long i = 0; i < n; i++) {
                    float *p = q + t * codes + first + i;
                    *p = *p / (sums[i] + 1e-8f) / (float)codes;
                }
        }
        for (long t = 0; t < count; t++) {
            double sum = 0;
            for (long c = 0; c < codes; c++) sum += q[t * codes + c];
            for (long c = 0; c < codes; c++) q[t * codes + c] = q[t * codes + c] / ((float)sum + 1e-8f) / (float)count;
        }
    }
    for (long t = 0; t < count; t++) {
        long best = 0;
        for (long c = 1; c < codes; c++)
            if (q[t * codes + c] > q[t * codes + best]) best = c;
        ids[t] = (int32_t)best;
    }
}

struct gumbel {
    float *x;
    const float *uniforms;
    long count;
    float scale;
};

enum { GUMBEL_BLOCK = 4096 };

static void gumbel_block(void *context, long index) {
    const struct gumbel *t = context;
    long first = index * GUMBEL_BLOCK, last = first + GUMBEL_BLOCK < t->count ? first + GUMBEL_BLOCK : t->count;
    for (long i = first; i < last; i++) {
        float inner = -logf(fmaxf(t->uniforms[i], 1e-20f));
        t->x[i] += t->scale * -logf(fmaxf(inner, 1e-20f));
    }
}

void tk_add_gumbel(float *x, const float *uniforms, long count, float scale) {
    struct gumbel t = {x, uniforms, count, scale};
    tk_parallel((count + GUMBEL_BLOCK - 1) / GUMBEL_BLOCK, gumbel_block, &t);
}
