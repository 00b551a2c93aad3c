#include "ccodecs.h"

#include <string.h>

#define TILE 32

// Source pixel (x, y) goes to `origin + x * dx + y * dy`, in pixels of `out`. Tiles keep both sides in cache.
static void scatter(const uint8_t *rgb, int64_t width, int64_t height, int64_t origin, int64_t dx, int64_t dy,
                    uint8_t *out) {
    for (int64_t top = 0; top < height; top += TILE) {
        const int64_t bottom = top + TILE < height ? top + TILE : height;
        for (int64_t left = 0; left < width; left += TILE) {
            const int64_t right = left + TILE < width ? left + TILE : width;
            for (int64_t y = top; y < bottom; y++) {
                const uint8_t *from = rgb + (y * width + left) * 3;
                uint8_t *to = out + (origin + left * dx + y * dy) * 3;
                for (int64_t x = left; x < right; x++, from += 3, to += dx * 3) {
                    to[0] = from[0];
                    to[1] = from[1];
                    to[2] = from[2];
                }
            }
        }
    }
}

void cc_orient(const uint8_t *rgb, int64_t width, int64_t height, int orientation, uint8_t *out) {
    const int64_t w = width, h = height, last = width * height - 1;
    switch (orientation) {
    case 2: scatter(rgb, w, h, w - 1, -1, w, out); break; // mirror left to right
    case 3: scatter(rgb, w, h, last, -1, -w, out); break; // half turn
    case 4: scatter(rgb, w, h, (h - 1) * w, 1, -w, out); break; // mirror top to bottom
    case 5: scatter(rgb, w, h, 0, h, 1, out); break; // transpose
    case 6: scatter(rgb, w, h, h - 1, h, -1, out); break; // quarter turn clockwise
    case 7: scatter(rgb, w, h, last, -h, -1, out); break; // transverse
    case 8: scatter(rgb, w, h, (w - 1) * h, -h, 1, out); break; // quarter turn anticlockwise
    default: memcpy(out, rgb, (size_t)(w * h) * 3);
    }
}
