// PNG of the usual kinds through libdeflate: 8 bits a sample, rows in their order, neither palette nor tRNS.
//
// Only a file without fault is read here. All else, whether this knows it or not, is left to libpng from the first byte
// on, so that what is forgiven and what errors say stays libpng's.
#include "png_chunks.h"
#include "png_pixels.h"

#include <stdlib.h>

// libpng's own bound on what it doesn't need; beyond it, it warns or fails as it was built.
#define LARGEST_ANCILLARY 8000000
// A pixel of any kind is loaded as four bytes.
#define SLACK 4

typedef struct {
    const uint8_t *data;
    size_t size;
    size_t at; // where the next chunk begins

    int64_t width, height;
    size_t channels;
    size_t line; // bytes of a filtered row, the filter's number included
    uint8_t *lines; // a row of zeros, then all rows
    uint8_t *joined; // the stream, if several chunks hold it
} plain;

// False at the end, and for a chunk that is cut or whose sum is wrong.
static int next_chunk(plain *p, chunk *c) {
    if (!chunk_at(p->data + p->at, p->size - p->at, c)) return 0;
    p->at += 12 + c->size;
    return has_right_sum(c);
}

static int read_header(plain *p, int64_t width, int64_t height) {
    static const uint8_t channels[] = {1, 0, 3, 0, 2, 0, 4}; // by colour type
    chunk c;
    if (p->size < 8 || memcmp(p->data, png_signature, 8) != 0) return 0;
    p->at = 8;
    if (!next_chunk(p, &c) || !is(c.kind, "IHDR") || c.size != 13) return 0;
    if (width < 1 || height < 1 || get32(c.body) != (uint64_t)width || get32(c.body + 4) != (uint64_t)height) return 0;
    const uint8_t *rest = c.body + 8; // bit depth, colour type, and three that are 0
    if (rest[0] != 8 || rest[1] >= sizeof channels || rest[2] || rest[3] || rest[4]) return 0;
    p->width = width;
    p->height = height;
    p->channels = channels[rest[1]];
    p->line = (size_t)width * p->channels + 1;
    return p->channels > 0;
}

static int is_skipped(const chunk *c) {
    const int reserved = c->kind[2] & 32;
    return is_ancillary(c) && !reserved && c->size <= LARGEST_ANCILLARY;
}

static int find_data(plain *p, chunk *c) {
    while (next_chunk(p, c)) {
        if (is(c->kind, "IDAT")) return 1;
        if (!is_skipped(c)) return 0;
    }
    return 0;
}

static int next_data(plain *p, chunk *c) {
    return p->size - p->at >= 12 && is(p->data + p->at + 4, "IDAT") && next_chunk(p, c);
}

// Makes `stream` all of the stream that begins in it. Like libpng's, it ends at the first chunk of another kind. Should
// it end before a faulty one, it is whole without that or not at all.
static int join(plain *p, chunk *stream) {
    const size_t begin = p->at;
    size_t size = stream->size;
    chunk c;
    while (next_data(p, &c)) size += c.size;
    if (size == stream->size) return 1;
    p->joined = malloc(size);
    if (!p->joined) return 0;
    memcpy(p->joined, stream->body, stream->size);
    for (size_t at = begin, to = stream->size; to < size;) {
        const size_t count = get32(p->data + at);
        memcpy(p->joined + to, p->data + at + 8, count);
        to += count;
        at += 12 + count;
    }
    *stream = (chunk){stream->kind, p->joined, size};
    return 1;
}

// What a stream may have beyond its rows as they are: more is empty blocks, which take time and give nothing.
static int is_too_long(size_t size, size_t rows) { return size > rows + rows / 8 + 1024; }

// zlib refuses distances beyond the window that the stream claims, libdeflate allows all.
static int is_narrow(const chunk *stream, size_t rows) {
    const int bits = (stream->body[0] >> 4) + 8;
    return bits < 15 && rows > (size_t)1 << bits;
}

static int inflate_rows(plain *p, const chunk *stream) {
    const size_t rows = p->line * (size_t)p->height;
    if (stream->size < 2 || is_too_long(stream->size, rows) || is_narrow(stream, rows)) return 0;
    struct libdeflate_decompressor *inflate = libdeflate_alloc_decompressor();
    p->lines = malloc(p->line + rows + SLACK);
    size_t in = 0, out = 0;
    int whole = 0;
    if (inflate && p->lines) {
        memset(p->lines, 0, p->line);
        const enum libdeflate_result result =
            libdeflate_zlib_decompress_ex(inflate, stream->body, stream->size, p->lines + p->line, rows, &in, &out);
        whole = result == LIBDEFLATE_SUCCESS && in == stream->size && out == rows;
    }
    if (inflate) libdeflate_free_decompressor(inflate);
    return whole;
}

// MARK: Filters (PNG, third edition, 9.2)

enum { NONE, SUB, UP, AVERAGE, PAETH };

typedef uint8_t u8x4 __attribute__((vector_size(4)));
typedef int16_t i16x4 __attribute__((vector_size(8)));

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS i16x4 load(const uint8_t *from) {
    u8x4 s;
    memcpy(&s, from, sizeof s);
    return __builtin_convertvector(s, i16x4);
}

ALWAYS i16x4 magnitude(i16x4 v) {
    const i16x4 sign = v >> 15;
    return (v ^ sign) - sign;
}

ALWAYS i16x4 either(i16x4 mask, i16x4 yes, i16x4 no) { return (mask & yes) | (~mask & no); }

ALWAYS i16x4 paeth(i16x4 a, i16x4 b, i16x4 c) {
    const i16x4 da = b - c, db = a - c;
    const i16x4 pa = magnitude(da), pb = magnitude(db), pc = magnitude(da + db);
    return either((pa > pb) | (pa > pc), either(pb > pc, c, b), a);
}

// All samples of a pixel at once: each waits for the one to its left.
ALWAYS void undo(uint8_t *row, const uint8_t *up, size_t stride, size_t channels, int filter) {
    i16x4 a = {0}, c = {0};
    for (size_t i = 0; i < stride; i += channels) {
        const i16x4 b = filter == SUB ? c : load(up + i);
        const i16x4 near = filter == SUB ? a : filter == AVERAGE ? (a + b) >> 1 : paeth(a, b, c);
        a = (load(row + i) + near) & 255;
        c = b;
        const u8x4 s = __builtin_convertvector(a, u8x4);
        memcpy(row + i, &s, channels);
    }
}

// `channels` is a constant to the compiler, `filter` becomes one.
ALWAYS int undo_pixels(uint8_t *row, const uint8_t *up, size_t stride, size_t channels, int filter) {
    switch (filter) {
    case SUB: undo(row, up, stride, channels, SUB); return 1;
    case AVERAGE: undo(row, up, stride, channels, AVERAGE); return 1;
    case PAETH: undo(row, up, stride, channels, PAETH); return 1;
    default: return 0;
    }
}

static int undo_row(uint8_t *row, const uint8_t *up, size_t stride, size_t channels, int filter) {
    if (filter == NONE) return 1;
    if (filter == UP) {
        for (size_t i = 0; i < stride; i++) row[i] = (uint8_t)(row[i] + up[i]);
        return 1;
    }
    switch (channels) {
    case 1: return undo_pixels(row, up, stride, 1, filter);
    case 2: return undo_pixels(row, up, stride, 2, filter);
    case 3: return undo_pixels(row, up, stride, 3, filter);
    default: return undo_pixels(row, up, stride, 4, filter);
    }
}

// MARK: Rows

static void convert_row(const plain *p, const uint8_t *from, int rule, uint8_t *to) {
    const int64_t width = p->width;
    switch (p->channels) {
    case 1:
        for (int64_t x = 0; x < width; x++, from++, to += 3) to[0] = to[1] = to[2] = from[0];
        return;
    case 2:
        for (int64_t x = 0; x < width; x++, from += 2, to += 3) put(to, from[0], from[0], from[0], from[1], rule);
        return;
    case 3: memcpy(to, from, (size_t)width * 3); return;
    default:
        for (int64_t x = 0; x < width; x++, from += 4, to += 3) put(to, from[0], from[1], from[2], from[3], rule);
    }
}

static int make_rows(plain *p, int64_t deadline, int rule, uint8_t *rgb) {
    int64_t unlooked = PIXELS_PER_LOOK;
    uint8_t *line = p->lines + p->line;
    for (int64_t y = 0; y < p->height; y++, line += p->line) {
        unlooked += p->width;
        if (unlooked >= PIXELS_PER_LOOK) {
            if (past(deadline)) return 0;
            unlooked = 0;
        }
        if (!undo_row(line + 1, line + 1 - p->line, p->line - 1, p->channels, line[0])) return 0;
        convert_row(p, line + 1, rule, rgb + y * p->width * 3);
    }
    return 1;
}

int cc_png_decode_plain(const uint8_t *data, size_t size, int64_t width, int64_t height, const cc_limits *limits,
                        int alpha, uint8_t *rgb) {
    plain p = {.data = data, .size = size};
    chunk stream, key;
    // Past the deadline libpng, asked next, says so.
    const int done = read_header(&p, width, height) && find_data(&p, &stream) &&
                     find_transparency(data, size, &key) == TRANSPARENCY_NONE && join(&p, &stream) &&
                     !past(limits->deadline) && inflate_rows(&p, &stream) &&
                     make_rows(&p, limits->deadline, alpha, rgb);
    free(p.joined);
    free(p.lines);
    return done;
}
