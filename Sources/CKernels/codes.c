// From vectors to ids: exhaustive nearest-code search and the balanced assignment of SFTok, and the noise of its
// sampler.
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
    struct search t = {.queries = queries,
                       .codes = codes,
                       .d = d,
                       .codebooks = codebooks,
                       .count = code_count,
                       .ids = ids,
                       .best = best,
                       .second = second};
    tk_parallel(count, search_query, &t);
}

struct distances {
    const float *queries, *codes;
    long rows, d, count;
    float *out;
};

enum { DISTANCE_CODES = 2048 };

static void distances_block(void *context, long index) {
    const struct distances *t = context;
    long blocks = (t->count + DISTANCE_CODES - 1) / DISTANCE_CODES, q = index / blocks * TK_DISTANCE_QUERIES;
    long first = index % blocks * DISTANCE_CODES, last = smaller(first + DISTANCE_CODES, t->count);
    tk_active()->distances(t->queries + q * t->d, (int)smaller(TK_DISTANCE_QUERIES, t->rows - q), t->d, t->codes,
                           t->count, first, last, t->out + q * t->count);
}

void tk_distances(const float *queries, long count, long d, const float *codes, long code_count, float *out) {
    struct distances t = {.queries = queries, .codes = codes, .rows = count, .d = d, .count = code_count, .out = out};
    long blocks = (code_count + DISTANCE_CODES - 1) / DISTANCE_CODES;
    tk_parallel((count + TK_DISTANCE_QUERIES - 1) / TK_DISTANCE_QUERIES * blocks, distances_block, &t);
}

enum { SINKHORN_BLOCK = 256 };

struct sinkhorn {
    float *q, least;
    long count, codes;
    // By which each row is multiplied next.
    float *factors;
    // (blocks or 1, count).
    double *sums;
    int32_t *ids;
};

static void sinkhorn_least(void *context, long t) {
    const struct sinkhorn *s = context;
    s->factors[t] = tk_active()->least_of(s->q + t * s->codes, s->codes);
}

static void sinkhorn_begin(void *context, long t) {
    const struct sinkhorn *s = context;
    s->sums[t] = tk_active()->exp_row(s->q + t * s->codes, s->codes, s->least);
}

static void sinkhorn_balance(void *context, long index) {
    const struct sinkhorn *s = context;
    long first = index * SINKHORN_BLOCK;
    tk_active()->balance(s->q + first, s->count, smaller(SINKHORN_BLOCK, s->codes - first), s->codes, s->factors,
                         (float)s->codes, s->sums + index * s->count);
}

// From the rows' sums in blocks of codes.
static void sinkhorn_factors(const struct sinkhorn *s, long blocks) {
    for (long t = 0; t < s->count; t++) {
        double sum = 0;
        for (long b = 0; b < blocks; b++) sum += s->sums[b * s->count + t];
        s->factors[t] = 1 / (((float)sum + 1e-8f) * (float)s->count);
    }
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
    long blocks = (codes + SINKHORN_BLOCK - 1) / SINKHORN_BLOCK;
    double *sums = tk_take_scratch((size_t)count * ((size_t)blocks * sizeof(double) + sizeof(float)));
    struct sinkhorn s = {q, 0, count, codes, (float *)(sums + blocks * count), sums, ids};
    tk_parallel(count, sinkhorn_least, &s);
    s.least = s.factors[0];
    for (long t = 1; t < count; t++) s.least = fminf(s.least, s.factors[t]);
    tk_parallel(count, sinkhorn_begin, &s);
    double total = 0;
    for (long t = 0; t < count; t++) total += sums[t];
    for (long t = 0; t < count; t++) s.factors[t] = 1 / ((float)total + 1e-8f);
    for (int round = 0; round < 5; round++) {
        if (round > 0) sinkhorn_factors(&s, blocks);
        tk_parallel(blocks, sinkhorn_balance, &s);
    }
    // The last round's division of each row by its sum orders its numbers as they are, but for ties by rounding.
    tk_parallel(count, sinkhorn_pick, &s);
    tk_give_scratch(sums);
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
    struct gumbel t = {.x = x, .uniforms = uniforms, .count = count, .scale = scale};
    tk_parallel((count + GUMBEL_BLOCK - 1) / GUMBEL_BLOCK, gumbel_block, &t);
}
