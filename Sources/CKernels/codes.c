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

enum { SINKHORN_BLOCK = 256 };

struct sinkhorn {
    float *q, least, scale;
    long count, codes;
    double *sums;
    int32_t *ids;
};

static void sinkhorn_begin(void *context, long t) {
    const struct sinkhorn *s = context;
    s->sums[t] = tk_active()->exp_row(s->q + t * s->codes, s->codes, s->least);
}

static void sinkhorn_columns(void *context, long index) {
    const struct sinkhorn *s = context;
    long first = index * SINKHORN_BLOCK, left = s->codes - first;
    tk_active()->divide_columns(s->q + first, s->count, left < SINKHORN_BLOCK ? left : SINKHORN_BLOCK, s->codes,
                                (float)s->codes);
}

static void sinkhorn_row(void *context, long t) {
    const struct sinkhorn *s = context;
    tk_active()->divide_row(s->q + t * s->codes, s->codes, (float)s->count);
}

static void sinkhorn_scale(void *context, long t) {
    const struct sinkhorn *s = context;
    for (long c = 0; c < s->codes; c++) s->q[t * s->codes + c] *= s->scale;
}

static void sinkhorn_pick(void *context, long t) {
    const struct sinkhorn *s = context;
    const float *row = s->q + t * s->codes;
    long best = 0;
    for (long c = 1; c < s->codes; c++)
        if (row[c] > row[best]) best = c;
    s->ids[t] = (int32_t)best;
}

void tk_sinkhorn(float *q, long count, long codes, int32_t *ids) {
    struct sinkhorn s = {q, q[0], 0, count, codes, tk_take_scratch((size_t)count * sizeof(double)), ids};
    for (long i = 1; i < count * codes; i++) s.least = q[i] < s.least ? q[i] : s.least;
    tk_parallel(count, sinkhorn_begin, &s);
    double total = 0;
    for (long t = 0; t < count; t++) total += s.sums[t];
    tk_give_scratch(s.sums);
    s.scale = 1 / ((float)total + 1e-8f);
    tk_parallel(count, sinkhorn_scale, &s);
    for (int round = 0; round < 5; round++) {
        tk_parallel((codes + SINKHORN_BLOCK - 1) / SINKHORN_BLOCK, sinkhorn_columns, &s);
        tk_parallel(count, sinkhorn_row, &s);
    }
    tk_parallel(count, sinkhorn_pick, &s);
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
