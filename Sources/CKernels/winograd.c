// Winograd convolutions over strips of tiles: a thread takes a strip through transform, products and inverse transform
// in buffers of its own, so that what it writes it reads again from cache.
#include <stdlib.h>
#include <string.h>

#include "internal.h"

tk_winograd *tk_winograd_create(long height, long width, long inputs, long outputs, const float *weights,
                                const float *bias, int activation, int accumulate, int doubles) {
    if (inputs % 16 != 0 || outputs % 32 != 0 || (doubles && (height % 2 != 0 || width % 2 != 0))) return NULL;
    tk_winograd *w = calloc(1, sizeof *w);
    if (!w) abort();
    *w = (tk_winograd){height, width, inputs, outputs, activation, accumulate, doubles, tk_active(), NULL, NULL};
    w->weights = tk_allocate((size_t)((doubles ? 25 : 36) * inputs * outputs) * sizeof(float));
    w->kernels->winograd_pack(weights, inputs, outputs, doubles, w->weights);
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

static long products(const tk_winograd *w) { return w->doubles ? 25 : 36; }

struct run {
    const tk_winograd *w;
    const float *x;
    float *y, *scratch;
    long tiles, strip, stride;
};

static void strip(void *context, long index) {
    const struct run *t = context;
    long first = index * t->strip, count = t->tiles - first < t->strip ? t->tiles - first : t->strip;
    float *v = t->scratch + tk_thread_index() * t->stride, *m = v + products(t->w) * t->strip * t->w->inputs;
    t->w->kernels->winograd_strip(t->w, first, count, t->x, v, m, t->y);
}

void tk_winograd_run(const tk_winograd *w, const float *x, float *y) {
    // The more channels, the larger the weights that every strip reads anew, and the more tiles make it worth while.
    long tiles = ((w->height + 3) / 4) * ((w->width + 3) / 4);
    long wanted = w->inputs <= 128 ? 60 : 126;
    long stride = products(w) * wanted * (w->inputs + w->outputs);
    float *scratch = tk_take_scratch((size_t)(tk_threads() * stride) * sizeof(float));
    struct run t = {w, x, y, scratch, tiles, wanted, stride};
    tk_parallel((tiles + wanted - 1) / wanted, strip, &t);
    tk_give_scratch(scratch);
}
