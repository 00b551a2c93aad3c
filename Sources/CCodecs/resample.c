// Pillow's Resample.c for 8-bit RGB: coefficients in double, rounded to 22 fractional bits, a horizontal and a vertical
// pass, each rounded to 8 bits. A pass along an axis that keeps its size is left out, as Pillow leaves it out.
#pragma STDC FP_CONTRACT OFF

#include "ccodecs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PRECISION_BITS 22
#define LANES 8
// Coefficients are split into high and low parts so that 16-bit multiply-adds give the exact 32-bit sum.
#define LOW_BITS 8

typedef struct {
    int64_t *first; // first source pixel, per kept output pixel
    int64_t *taps; // number of source pixels
    int16_t *high; // coefficient >> LOW_BITS, `stride` per output pixel, zero beyond `taps`
    int16_t *low; // the remaining low bits
    int32_t *full; // the whole coefficient
    int64_t stride;
    int64_t begin; // source pixels [begin, end) are all that is read
    int64_t end;
} kernel;

static double bilinear(double x) {
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double bicubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static void kernel_free(kernel *k) {
    free(k->first);
    free(k->taps);
    free(k->high);
    free(k->low);
    free(k->full);
    memset(k, 0, sizeof *k);
}

static void kernel_fill(kernel *k, cc_axis axis, int filter, double support, double *weights) {
    double (*weight)(double) = filter == CC_BICUBIC ? bicubic : bilinear;
    const double scale = (double)(float)axis.source / (double)axis.resized;
    const double inverse = 1.0 / (scale < 1.0 ? 1.0 : scale);
    k->begin = axis.source;
    for (int64_t i = 0; i < axis.count; i++) {
        const double center = ((double)(axis.start + i) + 0.5) * scale;
        int64_t first = (int64_t)(center - support + 0.5);
        int64_t last = (int64_t)(center + support + 0.5);
        if (first < 0) first = 0;
        if (last > axis.source) last = axis.source;
        const int64_t taps = last > first ? last - first : 0;
        double sum = 0.0;
        for (int64_t t = 0; t < taps; t++) {
            weights[t] = weight(((double)(t + first) - center + 0.5) * inverse);
            sum += weights[t];
        }
        for (int64_t t = 0; t < taps; t++) {
            const double w = sum != 0.0 ? weights[t] / sum : weights[t];
            const int32_t c = (int32_t)((w < 0 ? -0.5 : 0.5) + w * (1 << PRECISION_BITS));
            k->full[i * k->stride + t] = c;
            k->high[i * k->stride + t] = (int16_t)(c >> LOW_BITS);
            k->low[i * k->stride + t] = (int16_t)(c & ((1 << LOW_BITS) - 1));
        }
        k->first[i] = first;
        k->taps[i] = taps;
        if (first < k->begin) k->begin = first;
        if (last > k->end) k->end = last;
    }
}

static int kernel_make(kernel *k, cc_axis axis, int filter) {
    const double scale = (double)(float)axis.source / (double)axis.resized;
    const double support = (filter == CC_BICUBIC ? 2.0 : 1.0) * (scale < 1.0 ? 1.0 : scale);
    memset(k, 0, sizeof *k);
    k->stride = ((int64_t)ceil(support) * 2 + 1 + LANES - 1) / LANES * LANES;
    const size_t cells = (size_t)(axis.count * k->stride);
    double *weights = malloc((size_t)k->stride * sizeof *weights);
    k->first = malloc((size_t)axis.count * sizeof *k->first);
    k->taps = malloc((size_t)axis.count * sizeof *k->taps);
    k->high = calloc(cells, sizeof *k->high);
    k->low = calloc(cells, sizeof *k->low);
    k->full = calloc(cells, sizeof *k->full);
    const int ok = weights && k->first && k->taps && k->high && k->low && k->full;
    if (ok) {
        kernel_fill(k, axis, filter, support, weights);
    } else {
        kernel_free(k);
    }
    free(weights);
    return ok ? CC_OK : CC_MEMORY;
}

static inline uint8_t rounded(int32_t sum) {
    const int32_t v = sum >> PRECISION_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static inline uint8_t dot(const int16_t *restrict pixels, const int16_t *restrict high, const int16_t *restrict low,
                          int64_t count) {
    int32_t h = 0, l = 0;
    for (int64_t i = 0; i < count; i++) {
        h += (int32_t)pixels[i] * (int32_t)high[i];
        l += (int32_t)pixels[i] * (int32_t)low[i];
    }
    const uint32_t half = 1u << (PRECISION_BITS - 1);
    return rounded((int32_t)(((uint32_t)h << LOW_BITS) + (uint32_t)l + half));
}

// One row; `planes` holds three channels of `span` samples each, the last `stride` of which pad the end.
static void horizontal_row(const uint8_t *restrict row, const kernel *k, int64_t count, int16_t *restrict planes,
                           int64_t span, uint8_t *restrict out) {
    const int64_t width = k->end - k->begin;
    int16_t *r = planes, *g = planes + span, *b = planes + 2 * span;
    row += k->begin * 3;
    for (int64_t x = 0; x < width; x++) {
        r[x] = row[3 * x];
        g[x] = row[3 * x + 1];
        b[x] = row[3 * x + 2];
    }
    for (int64_t x = 0; x < count; x++) {
        const int16_t *high = k->high + x * k->stride, *low = k->low + x * k->stride;
        const int64_t at = k->first[x] - k->begin, taps = (k->taps[x] + LANES - 1) / LANES * LANES;
        out[3 * x] = dot(r + at, high, low, taps);
        out[3 * x + 1] = dot(g + at, high, low, taps);
        out[3 * x + 2] = dot(b + at, high, low, taps);
    }
}

// Rows [begin, end) of the source to `count` columns each.
static int horizontal(const uint8_t *rgb, cc_axis x, int filter, int64_t begin, int64_t end, uint8_t *out) {
    if (x.source == x.resized) {
        for (int64_t row = begin; row < end; row++, out += x.count * 3)
            memcpy(out, rgb + (row * x.source + x.start) * 3, (size_t)x.count * 3);
        return CC_OK;
    }
    kernel k;
    if (kernel_make(&k, x, filter) != CC_OK) return CC_MEMORY;
    const int64_t span = k.end - k.begin + k.stride;
    int16_t *planes = calloc((size_t)span * 3, sizeof *planes);
    if (planes) {
        for (int64_t row = begin; row < end; row++, out += x.count * 3)
            horizontal_row(rgb + row * x.source * 3, &k, x.count, planes, span, out);
    }
    kernel_free(&k);
    free(planes);
    return planes ? CC_OK : CC_MEMORY;
}

// `rows` starts at source row `k->begin`; each row has `length` samples.
static void vertical(const uint8_t *rows, const kernel *k, int64_t count, int64_t length, int32_t *restrict sums,
                     uint8_t *restrict out) {
    for (int64_t y = 0; y < count; y++, out += length) {
        for (int64_t i = 0; i < length; i++) sums[i] = 1 << (PRECISION_BITS - 1);
        for (int64_t t = 0; t < k->taps[y]; t++) {
            const uint8_t *restrict row = rows + (k->first[y] - k->begin + t) * length;
            const int32_t c = k->full[y * k->stride + t];
            for (int64_t i = 0; i < length; i++) sums[i] += row[i] * c;
        }
        for (int64_t i = 0; i < length; i++) out[i] = rounded(sums[i]);
    }
}

int cc_resample(const uint8_t *rgb, cc_axis x, cc_axis y, int filter, uint8_t *out) {
    if (y.source == y.resized) return horizontal(rgb, x, filter, y.start, y.start + y.count, out);
    kernel k;
    if (kernel_make(&k, y, filter) != CC_OK) return CC_MEMORY;
    const int64_t length = x.count * 3;
    uint8_t *rows = malloc((size_t)((k.end - k.begin) * length));
    int32_t *sums = malloc((size_t)length * sizeof *sums);
    int status = rows && sums ? horizontal(rgb, x, filter, k.begin, k.end, rows) : CC_MEMORY;
    if (status == CC_OK) vertical(rows, &k, y.count, length, sums, out);
    kernel_free(&k);
    free(rows);
    free(sums);
    return status;
}
