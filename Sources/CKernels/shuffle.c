// Moves between resolutions and channel counts: memory order only, and the residual sums that DC-AE puts on them
// (arXiv 2410.10733, residual autoencoding).
#include "internal.h"

struct shuffle {
    const float *x, *shortcut;
    long shortcut_channels, height, width, channels, out_channels;
    float *y;
};

// Adds pixel_shuffle(repeat_interleave(x, r)): output channel c of sub-pixel s reads input channel (4 c + s) / r.
static void add_shuffled(const struct shuffle *t, const float *in, long sub, float *out) {
    long repeat = t->channels * 4 / t->shortcut_channels;
    if (repeat == 4) {
        for (long c = 0; c < t->channels; c++) out[c] += in[c];
    } else if (repeat == 8) {
        for (long c = 0; c + 1 < t->channels; c += 2) {
            out[c] += in[c / 2];
            out[c + 1] += in[c / 2];
        }
        if (t->channels % 2) out[t->channels - 1] += in[t->channels / 2];
    } else {
        for (long c = 0; c < t->channels; c++) out[c] += in[(4 * c + sub) / repeat];
    }
}

static void interleave_row(void *context, long row) {
    const struct shuffle *t = context;
    long plane = t->height * t->width * t->channels, at = row / 2;
    for (long x = 0; x < t->width * 2; x++) {
        long sub = (row % 2) * 2 + x % 2, pixel = at * t->width + x / 2;
        const float *in = t->x + sub * plane + pixel * t->channels;
        float *out = t->y + (row * t->width * 2 + x) * t->channels;
        for (long c = 0; c < t->channels; c++) out[c] = in[c];
        if (t->shortcut) add_shuffled(t, t->shortcut + pixel * t->shortcut_channels, sub, out);
    }
}

void tk_interleave_phases(const float *phases, const float *shortcut, long shortcut_channels, long height, long width,
                          long channels, float *y) {
    struct shuffle t = {.x = phases,
                        .shortcut = shortcut,
                        .shortcut_channels = shortcut_channels,
                        .height = height,
                        .width = width,
                        .channels = channels,
                        .out_channels = channels,
                        .y = y};
    tk_parallel(height * 2, interleave_row, &t);
}

static void channels_to_space_row(void *context, long row) {
    const struct shuffle *t = context;
    for (long x = 0; x < t->width * 2; x++)
        add_shuffled(t, t->shortcut + (row / 2 * t->width + x / 2) * t->shortcut_channels, (row % 2) * 2 + x % 2,
                     t->y + (row * t->width * 2 + x) * t->channels);
}

void tk_add_channels_to_space(const float *x, long height, long width, long x_channels, long channels, float *y) {
    struct shuffle t = {0, x, x_channels, height, width, channels, channels, y};
    tk_parallel(height * 2, channels_to_space_row, &t);
}

static void pixel_shuffle_row(void *context, long row) {
    const struct shuffle *t = context;
    for (long x = 0; x < t->width * 2; x++) {
        long sub = (row % 2) * 2 + x % 2, pixel = row / 2 * t->width + x / 2;
        const float *in = t->x + pixel * t->channels * 4 + sub;
        float *out = t->y + (row * t->width * 2 + x) * t->channels;
        for (long c = 0; c < t->channels; c++) out[c] = in[c * 4];
        if (t->shortcut) add_shuffled(t, t->shortcut + pixel * t->shortcut_channels, sub, out);
    }
}

void tk_pixel_shuffle(const float *x, const float *shortcut, long shortcut_channels, long height, long width,
                      long channels, float *y) {
    struct shuffle t = {.x = x,
                        .shortcut = shortcut,
                        .shortcut_channels = shortcut_channels,
                        .height = height,
                        .width = width,
                        .channels = channels,
                        .out_channels = channels,
                        .y = y};
    tk_parallel(height * 2, pixel_shuffle_row, &t);
}

static void unshuffle_row(void *context, long row) {
    const struct shuffle *t = context;
    for (long x = 0; x < t->width / 2; x++)
        for (long sub = 0; sub < 4; sub++) {
            const float *in = t->x + ((row * 2 + sub / 2) * t->width + x * 2 + sub % 2) * t->channels;
            float *out = t->y + (row * (t->width / 2) + x) * t->channels * 4 + sub;
            for (long c = 0; c < t->channels; c++) out[c * 4] = in[c];
        }
}

void tk_pixel_unshuffle(const float *x, long height, long width, long channels, float *y) {
    struct shuffle t = {x, 0, 0, height, width, channels, 0, y};
    tk_parallel(height / 2, unshuffle_row, &t);
}

static void unshuffled_means_row(void *context, long row) {
    const struct shuffle *t = context;
    long group = 4 * t->channels / t->out_channels;
    for (long x = 0; x < t->width / 2; x++) {
        const float *in = t->x + (row * 2 * t->width + x * 2) * t->channels;
        float *out = t->y + (row * (t->width / 2) + x) * t->out_channels;
        for (long o = 0; o < t->out_channels; o++) {
            float sum = 0;
            for (long i = o * group; i < (o + 1) * group; i++) {
                long sub = i % 4;
                sum += in[(sub / 2 * t->width + sub % 2) * t->channels + i / 4];
            }
            out[o] += sum / (float)group;
        }
    }
}

void tk_add_unshuffled_means(const float *x, long height, long width, long channels, long out_channels, float *y) {
    struct shuffle t = {x, 0, 0, height, width, channels, out_channels, y};
    tk_parallel(height / 2, unshuffled_means_row, &t);
}

void tk_add_group_means(const float *x, long pixels, long channels, long out_channels, float *y) {
    long group = channels / out_channels;
    for (long p = 0; p < pixels; p++)
        for (long o = 0; o < out_channels; o++) {
            float sum = 0;
            for (long i = 0; i < group; i++) sum += x[p * channels + o * group + i];
            y[p * out_channels + o] += sum / (float)group;
        }
}

void tk_add_repeated(const float *x, long pixels, long channels, long out_channels, float *y) {
    long repeat = out_channels / channels;
    for (long p = 0; p < pixels; p++)
        for (long o = 0; o < out_channels; o++) y[p * out_channels + o] += x[p * channels + o / repeat];
}
