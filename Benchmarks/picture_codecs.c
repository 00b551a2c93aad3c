// Times the product's codecs beside their rivals on one picture; picture_codecs.py builds it, runs it and sums it up.
//
//     codecs WIDTH HEIGHT RGB PNG JPEG ROUNDS SIDE FOLDER
//
// RGB: raw samples. PNG: a file of them by another hand. JPEG: any file of that size. Files that are encoded go to
// FOLDER; SIDE is what the picture is resampled to, 0 for not at all. In each round the rivals take turns, in an order
// that rotates. Prints "operation rival nanoseconds" for each run, in processor time of the thread. Exits with 1 if any
// encoder's file, read by any decoder, isn't the picture.
#include "ccodecs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emmintrin.h>
#include <libdeflate.h>
#include <spng.h>
#include <zlib.h>

typedef struct {
    uint8_t *data;
    size_t size;
} bytes;

typedef struct {
    int64_t width, height;
    uint8_t *rgb;
} picture;

static _Noreturn void fail(const char *what, const char *which) {
    fprintf(stderr, "codecs: %s: %s\n", which, what);
    exit(1);
}

static void require(int holds, const char *what, const char *which) {
    if (!holds) fail(what, which);
}

static void *room(size_t size) {
    void *p = malloc(size);
    require(p != NULL, "no memory", "malloc");
    return p;
}

// MARK: The product's

static const cc_limits limits = {INT64_MAX, 1000, INT64_MAX};

static bytes encode_ours(const picture *p) {
    bytes png;
    require(cc_png_encode(p->rgb, p->width, p->height, &png.data, &png.size) == CC_OK, "encoding", "ours");
    return png;
}

static void decode_ours(bytes png, const picture *p, uint8_t *out) {
    cc_report report;
    require(cc_png_decode(png.data, png.size, p->width, p->height, &limits, CC_ALPHA_WHITE, out, &report) == CC_OK,
            "decoding", "ours");
}

// MARK: libspng

static bytes encode_spng(const picture *p) {
    struct spng_ihdr header = {.width = (uint32_t)p->width,
                               .height = (uint32_t)p->height,
                               .bit_depth = 8,
                               .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    spng_ctx *spng = spng_ctx_new(SPNG_CTX_ENCODER);
    require(spng != NULL, "no memory", "spng");
    spng_set_option(spng, SPNG_ENCODE_TO_BUFFER, 1);
    spng_set_option(spng, SPNG_IMG_COMPRESSION_LEVEL, 3);
    spng_set_option(spng, SPNG_IMG_COMPRESSION_STRATEGY, Z_RLE);
    spng_set_option(spng, SPNG_FILTER_CHOICE, SPNG_FILTER_CHOICE_PAETH);
    spng_set_ihdr(spng, &header);
    int error = spng_encode_image(spng, p->rgb, (size_t)(p->width * p->height * 3), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    require(error == 0, spng_strerror(error), "spng");
    bytes png;
    png.data = spng_get_png_buffer(spng, &png.size, &error);
    require(error == 0, spng_strerror(error), "spng");
    spng_ctx_free(spng);
    return png;
}

static void decode_spng(bytes png, const picture *p, uint8_t *out) {
    spng_ctx *spng = spng_ctx_new(0);
    require(spng != NULL, "no memory", "spng");
    spng_set_png_buffer(spng, png.data, png.size);
    const int error = spng_decode_image(spng, out, (size_t)(p->width * p->height * 3), SPNG_FMT_RGB8, 0);
    require(error == 0, spng_strerror(error), "spng");
    spng_ctx_free(spng);
}

// MARK: libdeflate, with filters and a container by hand

static inline int absolute(int v) { return v < 0 ? -v : v; }

static inline uint8_t paeth(int a, int b, int c) {
    const int pa = absolute(b - c), pb = absolute(a - c), pc = absolute(a + b - 2 * c);
    const int bc = pb <= pc ? b : c;
    return (uint8_t)(((pa <= pb) & (pa <= pc)) ? a : bc);
}

// Of the first pixel, the left is 0, which leaves the one above.
static void filter_row(const uint8_t *restrict row, const uint8_t *restrict up, int64_t stride, uint8_t *restrict out) {
    for (int64_t i = 0; i < 3 && i < stride; i++) out[i] = (uint8_t)(row[i] - up[i]);
    for (int64_t i = 3; i < stride; i++) out[i] = (uint8_t)(row[i] - paeth(row[i - 3], up[i], up[i - 3]));
}

static uint8_t *put32(uint8_t *to, uint32_t v) {
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(v >> (24 - 8 * i));
    return to + 4;
}

static uint32_t get32(const uint8_t *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

// The body already stands at `to` + 8.
static uint8_t *put_chunk(uint8_t *to, const char *kind, size_t size) {
    put32(to, (uint32_t)size);
    memcpy(to + 4, kind, 4);
    return put32(to + 8 + size, libdeflate_crc32(0, to + 4, size + 4));
}

static const uint8_t signature[8] = {137, 'P', 'N', 'G', 13, 10, 26, 10};

static bytes encode_deflate(const picture *p, int level) {
    const int64_t stride = p->width * 3, filtered = p->height * (stride + 1);
    uint8_t *lines = room((size_t)filtered), *above = calloc((size_t)stride, 1);
    struct libdeflate_compressor *deflate = libdeflate_alloc_compressor(level);
    require(above && deflate, "no memory", "libdeflate");
    for (int64_t y = 0; y < p->height; y++) {
        uint8_t *line = lines + y * (stride + 1);
        line[0] = 4;
        filter_row(p->rgb + y * stride, y ? p->rgb + (y - 1) * stride : above, stride, line + 1);
    }
    const size_t bound = libdeflate_zlib_compress_bound(deflate, (size_t)filtered);
    bytes png = {room(bound + 57), 0};
    uint8_t *to = png.data;
    memcpy(to, signature, 8);
    put32(put32(to + 16, (uint32_t)p->width), (uint32_t)p->height);
    memcpy(to + 24, (const uint8_t[]){8, 2, 0, 0, 0}, 5);
    to = put_chunk(to + 8, "IHDR", 13);
    const size_t size = libdeflate_zlib_compress(deflate, lines, (size_t)filtered, to + 8, bound);
    require(size > 0, "encoding", "libdeflate");
    to = put_chunk(put_chunk(to, "IDAT", size), "IEND", 0);
    png.size = (size_t)(to - png.data);
    libdeflate_free_compressor(deflate);
    free(lines);
    free(above);
    return png;
}

static bytes encode_deflate1(const picture *p) { return encode_deflate(p, 1); }

static inline __m128i load3(const uint8_t *p) {
    const uint32_t v = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
    return _mm_unpacklo_epi8(_mm_cvtsi32_si128((int)v), _mm_setzero_si128());
}

static inline __m128i magnitude(__m128i v) { return _mm_max_epi16(v, _mm_sub_epi16(_mm_setzero_si128(), v)); }

static inline __m128i either(__m128i mask, __m128i yes, __m128i no) {
    return _mm_or_si128(_mm_and_si128(mask, yes), _mm_andnot_si128(mask, no));
}

// Three channels at once, as libpng's own for SSE2: each pixel waits for the one to its left.
static void unfilter_paeth(const uint8_t *from, const uint8_t *up, int64_t stride, uint8_t *out) {
    __m128i a = _mm_setzero_si128(), c = a;
    for (int64_t i = 0; i < stride; i += 3) {
        const __m128i b = load3(up + i);
        const __m128i da = _mm_sub_epi16(b, c), db = _mm_sub_epi16(a, c);
        const __m128i pa = magnitude(da), pb = magnitude(db), pc = magnitude(_mm_add_epi16(da, db));
        const __m128i least = _mm_min_epi16(pc, _mm_min_epi16(pa, pb));
        const __m128i near = either(_mm_cmpeq_epi16(least, pa), a, either(_mm_cmpeq_epi16(least, pb), b, c));
        a = _mm_add_epi8(load3(from + i), near);
        c = b;
        const uint32_t v = (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(a, a));
        out[i] = (uint8_t)v;
        out[i + 1] = (uint8_t)(v >> 8);
        out[i + 2] = (uint8_t)(v >> 16);
    }
}

static void unfilter_row(const uint8_t *line, const uint8_t *restrict up, int64_t stride, uint8_t *out) {
    const uint8_t *from = line + 1;
    switch (line[0]) {
    case 0: memcpy(out, from, (size_t)stride); return;
    case 1:
        memcpy(out, from, 3);
        for (int64_t i = 3; i < stride; i++) out[i] = (uint8_t)(from[i] + out[i - 3]);
        return;
    case 2:
        for (int64_t i = 0; i < stride; i++) out[i] = (uint8_t)(from[i] + up[i]);
        return;
    case 3:
        for (int64_t i = 0; i < 3; i++) out[i] = (uint8_t)(from[i] + up[i] / 2);
        for (int64_t i = 3; i < stride; i++) out[i] = (uint8_t)(from[i] + (out[i - 3] + up[i]) / 2);
        return;
    case 4: unfilter_paeth(from, up, stride, out); return;
    default: fail("filter", "libdeflate");
    }
}

// Gathers the bodies of IDAT chunks; checks every chunk's CRC.
static bytes gather(bytes png) {
    bytes body = {room(png.size), 0};
    require(png.size > 8 && memcmp(png.data, signature, 8) == 0, "signature", "libdeflate");
    for (size_t at = 8; at + 12 <= png.size;) {
        const uint8_t *chunk = png.data + at;
        const size_t size = get32(chunk);
        require(size <= png.size - at - 12, "size of a chunk", "libdeflate");
        require(libdeflate_crc32(0, chunk + 4, size + 4) == get32(chunk + 8 + size), "CRC", "libdeflate");
        if (memcmp(chunk + 4, "IDAT", 4) == 0) {
            memcpy(body.data + body.size, chunk + 8, size);
            body.size += size;
        }
        at += size + 12;
    }
    return body;
}

static void decode_deflate(bytes png, const picture *p, uint8_t *out) {
    const int64_t stride = p->width * 3, filtered = p->height * (stride + 1);
    uint8_t *lines = room((size_t)filtered), *above = calloc((size_t)stride, 1);
    struct libdeflate_decompressor *inflate = libdeflate_alloc_decompressor();
    require(above && inflate, "no memory", "libdeflate");
    bytes body = gather(png);
    size_t size = 0;
    const enum libdeflate_result result =
        libdeflate_zlib_decompress(inflate, body.data, body.size, lines, (size_t)filtered, &size);
    require(result == LIBDEFLATE_SUCCESS && size == (size_t)filtered, "decoding", "libdeflate");
    for (int64_t y = 0; y < p->height; y++)
        unfilter_row(lines + y * (stride + 1), y ? out + (y - 1) * stride : above, stride, out + y * stride);
    libdeflate_free_decompressor(inflate);
    free(body.data);
    free(lines);
    free(above);
}

// MARK: Runs

static const struct {
    const char *name;
    bytes (*encode)(const picture *);
    void (*decode)(bytes, const picture *, uint8_t *);
} rivals[] = {
    {"ours", encode_ours, decode_ours},
    {"libspng", encode_spng, decode_spng},
    {"libdeflate", encode_deflate1, decode_deflate},
};
enum { RIVALS = sizeof rivals / sizeof rivals[0] };

static bytes read_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    require(file && fseek(file, 0, SEEK_END) == 0, "reading", path);
    bytes b = {NULL, (size_t)ftell(file)};
    require(size == 0 || b.size == size, "size", path);
    rewind(file);
    b.data = room(b.size);
    require(fread(b.data, 1, b.size, file) == b.size, "reading", path);
    fclose(file);
    return b;
}

static void write_file(const char *folder, const char *name, bytes b) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.png", folder, name);
    FILE *file = fopen(path, "wb");
    require(file && fwrite(b.data, 1, b.size, file) == b.size && fclose(file) == 0, "writing", path);
}

static void check(bytes png, const picture *p, uint8_t *out) {
    const size_t count = (size_t)(p->width * p->height * 3);
    for (int r = 0; r < RIVALS; r++) {
        memset(out, 0, count);
        rivals[r].decode(png, p, out);
        require(memcmp(out, p->rgb, count) == 0, "another picture", rivals[r].name);
    }
}

static void report(const char *operation, const char *rival, int64_t since) {
    printf("%s %s %lld\n", operation, rival, (long long)(cc_thread_time() - since));
}

static void encode_once(const picture *p, int r) {
    const int64_t start = cc_thread_time();
    bytes png = rivals[r].encode(p);
    report("encode", rivals[r].name, start);
    free(png.data);
}

static void decode_once(const char *operation, bytes png, const picture *p, int r, uint8_t *out) {
    const int64_t start = cc_thread_time();
    rivals[r].decode(png, p, out);
    report(operation, rivals[r].name, start);
}

static void others_once(bytes jpeg, const picture *p, int64_t side, uint8_t *out) {
    cc_report words;
    int64_t start = cc_thread_time();
    require(cc_jpeg_decode(jpeg.data, jpeg.size, p->width, p->height, &limits, out, &words) == CC_OK, "decoding",
            "JPEG");
    report("jpeg", "ours", start);
    if (side == 0) return;
    const cc_axis x = {p->width, side, 0, side}, y = {p->height, side, 0, side};
    start = cc_thread_time();
    require(cc_resample(p->rgb, x, y, CC_BICUBIC, out) == CC_OK, "resampling", "ours");
    report("resample", "ours", start);
}

int main(int count, char **arguments) {
    require(count == 9, "expected WIDTH HEIGHT RGB PNG JPEG ROUNDS SIDE FOLDER", "arguments");
    picture p = {atoll(arguments[1]), atoll(arguments[2]), NULL};
    const size_t size = (size_t)(p.width * p.height * 3);
    p.rgb = read_file(arguments[3], size).data;
    const bytes theirs = read_file(arguments[4], 0), jpeg = read_file(arguments[5], 0), ours = encode_ours(&p);
    const int rounds = atoi(arguments[6]);
    uint8_t *out = room(size);
    check(theirs, &p, out);
    for (int r = 0; r < RIVALS; r++) {
        const bytes png = rivals[r].encode(&p);
        check(png, &p, out);
        write_file(arguments[8], rivals[r].name, png);
        free(png.data);
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < RIVALS; i++) encode_once(&p, (round + i) % RIVALS);
        for (int i = 0; i < RIVALS; i++) decode_once("decode", ours, &p, (round + i) % RIVALS, out);
        for (int i = 0; i < RIVALS; i++) decode_once("decode-theirs", theirs, &p, (round + i) % RIVALS, out);
        others_once(jpeg, &p, atoll(arguments[7]), out);
    }
    return 0;
}
