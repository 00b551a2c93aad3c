#ifndef CCODECS_PNG_PIXELS_H
#define CCODECS_PNG_PIXELS_H

#include "internal.h"

// Between looks at the clock, which is a system call: a picture may have millions of short rows.
#define PIXELS_PER_LOOK 4096

static const uint8_t png_signature[8] = {137, 'P', 'N', 'G', 13, 10, 26, 10};

static inline uint8_t blended(uint32_t sample, uint32_t alpha, uint32_t under) {
    const uint32_t sum = (sample * alpha + under * (255 - alpha)) * 128 + 128 * 128;
    return (uint8_t)((((sum >> 8) + sum) >> 8) >> 7);
}

// One pixel over white or black by the formula of Pillow's alpha_composite.
static inline void put(uint8_t *to, int r, int g, int b, int alpha, int rule) {
    if (rule == CC_ALPHA_DROP || alpha == 255) {
        to[0] = (uint8_t)r;
        to[1] = (uint8_t)g;
        to[2] = (uint8_t)b;
        return;
    }
    const uint32_t under = rule == CC_ALPHA_WHITE ? 255 : 0;
    to[0] = blended((uint32_t)r, (uint32_t)alpha, under);
    to[1] = blended((uint32_t)g, (uint32_t)alpha, under);
    to[2] = blended((uint32_t)b, (uint32_t)alpha, under);
}

#endif
