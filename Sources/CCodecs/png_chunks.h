// Chunks of a PNG (third edition, 5.3), found by their lengths.
#ifndef CCODECS_PNG_CHUNKS_H
#define CCODECS_PNG_CHUNKS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <libdeflate.h>

typedef struct {
    const uint8_t *kind; // four letters
    const uint8_t *body;
    size_t size;
} chunk;

static inline uint32_t get32(const uint8_t *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static inline int is(const uint8_t *kind, const char *name) { return memcmp(kind, name, 4) == 0; }

// The chunk at `data`, of which there are `left` bytes; false at the end and for a chunk that is cut.
static inline int chunk_at(const uint8_t *data, size_t left, chunk *c) {
    if (left < 12) return 0;
    *c = (chunk){data + 4, data + 8, get32(data)};
    return c->size <= INT32_MAX && c->size <= left - 12;
}

static inline int has_right_sum(const chunk *c) {
    return libdeflate_crc32(0, c->kind, c->size + 4) == get32(c->body + c->size);
}

static inline int is_ancillary(const chunk *c) {
    for (int i = 0; i < 4; i++) {
        const uint8_t letter = c->kind[i] | 32;
        if (letter < 'a' || letter > 'z') return 0;
    }
    return c->kind[0] & 32;
}

enum transparency { TRANSPARENCY_NONE, TRANSPARENCY_FOUND, TRANSPARENCY_BROKEN };

// The last tRNS, wherever it stands; broken if the sum of any is wrong.
static inline enum transparency find_transparency(const uint8_t *data, size_t size, chunk *found) {
    enum transparency result = TRANSPARENCY_NONE;
    chunk c;
    for (size_t at = 8; at < size && chunk_at(data + at, size - at, &c) && !is(c.kind, "IEND"); at += 12 + c.size) {
        if (!is(c.kind, "tRNS")) continue;
        if (!has_right_sum(&c)) return TRANSPARENCY_BROKEN;
        *found = c;
        result = TRANSPARENCY_FOUND;
    }
    return result;
}

#endif
