// Winograd convolutions over strips of tiles: a thread takes a strip through transform, products and inverse transform
// in buffers of its own, so that what it writes it reads again from cache.
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { MOST_PANEL = 32, STRIP_BYTES = 400 << 10, LEAST_TILES = 18 };

static long products(const tk_winograd *w) { return w->doubles ? 25 : 36; }

tk_winograd *tk_winograd_create(long height, long width, long inputs, long outputs, const float *weights,
                                const float *bias, int activation, int accumulate, int doubles, int rounded) {
    if (inputs % 16 != 0 || outputs % 32 != 0 || (rounded && tk_level() < TK_LEVEL_AVX512_BF16) ||
        (doubles && (height % 2 != 0 || width % 2 != 0))) return NULL;
    tk_winograd *w = calloc(1, sizeof *w);
    if (!w) abort();
    *w = (tk_winograd){height, width, inputs, outputs, activation, accumulate, doubles, rounded, tk_active(), NULL, NULL};
    size_t each = rounded ? sizeof(uint16_t) : sizeof(float);
    w->weights = tk_allocate((size_t)(products(w) * inputs * outputs) * each);
    w->kernels->winograd_pack(weights, inputs, outputs, doubles, rounded, w->weights);
    if (bias) {
        w->bias = tk_allocate((size_t)outputs * sizeof(float));
        memcpy(w->bias, bias, (size_t)outputs * sizeof(float));
    }
    return w;
}

void tk_winograd_free(tk_winograd *w) {
    if (!w) return;
    free(w->weights);
    free(w->bias);
    free(w);
}

struct run {
    const tk_winograd *w;
    const float *x;
    float *y, *scratch;
    long tiles, strip, stride;
};

static void strip(void *context, long index) {
    const struct run *t = context;
    long first = index * t->strip, count = t->tiles - first < t->strip ? t->tiles - first : t->strip;
    float *m = t->scratch + tk_thread_index() * t->stride, *v = m + products(t->w) * t->strip * MOST_PANEL;
    t->w->kernels->winograd_strip(t->w, first, count, t->x, v, m, t->y);
}

void tk_winograd_run(const tk_winograd *w, const float *x, float *y) {
    // The transformed input of a strip stays in a part of the second-level cache; as many strips for each thread.
    long tiles = ((w->height + 3) / 4) * ((w->width + 3) / 4), each = w->rounded ? 2 : 4, threads = tk_threads();
    long wanted = STRIP_BYTES / (products(w) * w->inputs * each);
    if (wanted < LEAST_TILES) wanted = LEAST_TILES;
    long strips = (tiles + threads * wanted - 1) / (threads * wanted) * threads;
    long size = (tiles + strips - 1) / strips;
    long stride = products(w) * size * (MOST_PANEL + (w->inputs * each + 3) / 4);
    float *scratch = tk_take_scratch((size_t)(threads * stride) * sizeof(float));
    struct run t = {w, x, y, scratch, tiles, size, stride};
    tk_parallel((tiles + size - 1) / size, strip, &t);
    tk_give_scratch(scratch);
}
