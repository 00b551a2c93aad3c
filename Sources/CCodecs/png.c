// PNG through libpng. Samples are turned into RGB here, in Pillow's integer arithmetic.
#include "png_chunks.h"
#include "png_pixels.h"

#include <setjmp.h>
#include <stdlib.h>

#include <png.h>
#include <zlib.h>

typedef struct {
    const uint8_t *data;
    size_t left;
    const uint8_t *next; // where a chunk begins that may be skipped, NULL from the first IDAT on
    int indexed; // colours are in PLTE
    const cc_limits *limits;
    cc_report *report;
    int status;
    uint8_t *work; // rows that aren't RGB yet: one, or all of them if interlaced

    int64_t width;
    int64_t unlooked; // pixels since the last look at the clock
    int alpha;
    int kind; // colour type of the rows as libpng hands them over
    int wide; // two bytes per sample (grey only)
    int keyed; // one colour is transparent
    int key[3];
    enum transparency transparent;
    chunk transparency;
    uint8_t palette[256][4];
} decoder;

static void on_error(png_structp png, png_const_charp words) {
    decoder *d = png_get_error_ptr(png);
    say(d->report, "%s", words);
    d->status = strcmp(words, "Out of memory") == 0 ? CC_MEMORY : CC_BROKEN;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp words) {
    (void)png;
    (void)words;
}

// libpng isn't shown what touches no pixel, of which it refuses some: ancillary chunks and palettes that are
// suggestions. tRNS is read by `read_transparency`.
static void skip_chunks(decoder *d) {
    chunk c;
    int whole;
    while ((whole = chunk_at(d->data, d->left, &c)) && (is_ancillary(&c) || (is(c.kind, "PLTE") && !d->indexed))) {
        d->data += 12 + c.size;
        d->left -= 12 + c.size;
    }
    d->next = whole && !is(c.kind, "IDAT") ? d->data + 12 + c.size : NULL;
}

static void on_read(png_structp png, png_bytep out, size_t count) {
    decoder *d = png_get_io_ptr(png);
    if (d->data == d->next) skip_chunks(d);
    if (count > d->left) png_error(png, "premature end of PNG file");
    memcpy(out, d->data, count);
    d->data += count;
    d->left -= count;
}

static void grey_row(const decoder *d, const uint8_t *from, uint8_t *to) {
    for (int64_t x = 0; x < d->width; x++, to += 3) {
        const int sample = d->wide ? from[2 * x] << 8 | from[2 * x + 1] : from[x];
        const int v = d->wide ? (sample + 128) / 257 : sample;
        put(to, v, v, v, d->keyed && sample == d->key[0] ? 0 : 255, d->alpha);
    }
}

static void convert_row(const decoder *d, const uint8_t *from, uint8_t *to) {
    const int rule = d->alpha;
    switch (d->kind) {
    case PNG_COLOR_TYPE_GRAY: grey_row(d, from, to); return;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
        for (int64_t x = 0; x < d->width; x++, from += 2, to += 3) put(to, from[0], from[0], from[0], from[1], rule);
        return;
    case PNG_COLOR_TYPE_PALETTE:
        for (int64_t x = 0; x < d->width; x++, to += 3) {
            const uint8_t *entry = d->palette[from[x]];
            put(to, entry[0], entry[1], entry[2], entry[3], rule);
        }
        return;
    case PNG_COLOR_TYPE_RGB:
        for (int64_t x = 0; x < d->width; x++, from += 3, to += 3) {
            const int hit = d->keyed && from[0] == d->key[0] && from[1] == d->key[1] && from[2] == d->key[2];
            put(to, from[0], from[1], from[2], hit ? 0 : 255, rule);
        }
        return;
    default:
        for (int64_t x = 0; x < d->width; x++, from += 4, to += 3) put(to, from[0], from[1], from[2], from[3], rule);
    }
}

static void read_palette(png_structp png, png_infop info, decoder *d) {
    png_colorp colours = NULL;
    int count = 0;
    for (int i = 0; i < 256; i++) d->palette[i][3] = 255;
    if (!png_get_PLTE(png, info, &colours, &count)) return;
    for (int i = 0; i < count && i < 256; i++) {
        d->palette[i][0] = colours[i].red;
        d->palette[i][1] = colours[i].green;
        d->palette[i][2] = colours[i].blue;
    }
}

// libpng drops a tRNS that stands before PLTE or after IDAT, is longer than the palette, or comes twice. Pillow takes
// the last one of whatever length, if it isn't too short, so it is read here.
//
// Pillow compares the 8-bit sample with the low byte of the key as stored, whatever the depth, except for 1-bit grey.
// Its 16-bit grey isn't followed (it clips), so there the key is the 16-bit sample that the standard means.
static void read_transparency(png_structp png, decoder *d, int depth) {
    const chunk *c = &d->transparency;
    if (d->transparent == TRANSPARENCY_NONE || (d->kind & PNG_COLOR_MASK_ALPHA)) return;
    if (d->transparent == TRANSPARENCY_BROKEN) png_error(png, "tRNS: CRC error");
    if (d->kind == PNG_COLOR_TYPE_PALETTE) {
        if (c->size > 256) png_error(png, "tRNS: more than 256 entries");
        for (size_t i = 0; i < c->size; i++) d->palette[i][3] = c->body[i];
        return;
    }
    d->keyed = 1;
    if (d->kind == PNG_COLOR_TYPE_RGB) {
        if (c->size < 6) png_error(png, "tRNS: fewer than 3 samples");
        for (int i = 0; i < 3; i++) d->key[i] = c->body[2 * i + 1];
        return;
    }
    if (c->size < 2) png_error(png, "tRNS: no whole sample");
    const int grey = c->body[0] << 8 | c->body[1];
    d->key[0] = depth == 16 ? grey : depth == 1 ? (grey ? 255 : 0) : grey & 255;
}

// Reads the header, chooses the transformations and returns the number of passes.
static int begin(png_structp png, png_infop info, decoder *d, int64_t width, int64_t height) {
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_read_info(png, info);
    if (png_get_image_width(png, info) != (uint64_t)width || png_get_image_height(png, info) != (uint64_t)height)
        png_error(png, "the size in IHDR is ambiguous");
    const int depth = png_get_bit_depth(png, info);
    d->width = width;
    d->kind = png_get_color_type(png, info);
    d->wide = depth == 16 && d->kind == PNG_COLOR_TYPE_GRAY;
    if (d->kind == PNG_COLOR_TYPE_PALETTE) {
        read_palette(png, info, d);
        png_set_packing(png);
    } else {
        if (depth < 8) png_set_expand_gray_1_2_4_to_8(png);
        if (depth == 16 && !d->wide) png_set_strip_16(png);
    }
    read_transparency(png, d, depth);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return passes;
}

static void check(png_structp png, decoder *d) {
    d->unlooked += d->width;
    if (d->unlooked < PIXELS_PER_LOOK) return;
    d->unlooked = 0;
    if (!past(d->limits->deadline)) return;
    d->status = CC_DEADLINE;
    png_longjmp(png, 1);
}

static void read_rows(png_structp png, png_infop info, decoder *d, int64_t height, int passes, uint8_t *rgb) {
    const size_t stride = png_get_rowbytes(png, info);
    const int plain = d->kind == PNG_COLOR_TYPE_RGB && !d->keyed;
    if (!plain) {
        d->work = malloc(stride * (passes > 1 ? (size_t)height : 1));
        if (!d->work) png_error(png, "Out of memory");
    }
    for (int pass = 0; pass < passes; pass++) {
        for (int64_t y = 0; y < height; y++) {
            check(png, d);
            uint8_t *out = rgb + y * d->width * 3;
            uint8_t *row = plain ? out : d->work + (passes > 1 ? (size_t)y * stride : 0);
            png_read_row(png, row, NULL);
            if (!plain && pass == passes - 1) convert_row(d, row, out);
        }
    }
}

int cc_png_decode_libpng(const uint8_t *data, size_t size, int64_t width, int64_t height, const cc_limits *limits,
                         int alpha, uint8_t *rgb, cc_report *report) {
    decoder d;
    memset(&d, 0, sizeof d);
    memset(report, 0, sizeof *report);
    d.data = data;
    d.left = size;
    d.next = data + sizeof png_signature;
    d.indexed = size > 25 && data[25] == PNG_COLOR_TYPE_PALETTE;
    d.transparent = find_transparency(data, size, &d.transparency);
    d.limits = limits;
    d.report = report;
    d.alpha = alpha;
    d.unlooked = PIXELS_PER_LOOK;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return CC_MEMORY;
    }
    if (setjmp(png_jmpbuf(png)) == 0) {
        png_set_read_fn(png, &d, on_read);
        const int passes = begin(png, info, &d, width, height);
        // Chunks after the last row, IEND included, are not read: a missing end or stray bytes are forgiven.
        read_rows(png, info, &d, height, passes, rgb);
    }
    png_destroy_read_struct(&png, &info, NULL);
    free(d.work);
    return d.status;
}

int cc_png_decode(const uint8_t *data, size_t size, int64_t width, int64_t height, const cc_limits *limits, int alpha,
                  uint8_t *rgb, cc_report *report) {
    memset(report, 0, sizeof *report);
    if (cc_png_decode_plain(data, size, width, height, limits, alpha, rgb)) return CC_OK;
    return cc_png_decode_libpng(data, size, width, height, limits, alpha, rgb, report);
}

typedef struct {
    uint8_t *data;
    size_t count;
    size_t room;
} sink;

static void on_write(png_structp png, png_bytep bytes, size_t count) {
    sink *s = png_get_io_ptr(png);
    if (count > s->room - s->count) {
        const size_t room = (s->count + count) * 2;
        uint8_t *data = realloc(s->data, room);
        if (!data) png_error(png, "Out of memory");
        s->data = data;
        s->room = room;
    }
    memcpy(s->data + s->count, bytes, count);
    s->count += count;
}

static void on_flush(png_structp png) { (void)png; }

int cc_png_encode(const uint8_t *rgb, int64_t width, int64_t height, uint8_t **bytes, size_t *size) {
    cc_report report;
    decoder d;
    sink s;
    memset(&d, 0, sizeof d);
    memset(&s, 0, sizeof s);
    d.report = &report;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &d, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        return CC_MEMORY;
    }
    if (setjmp(png_jmpbuf(png)) == 0) {
        png_set_write_fn(png, &s, on_write, on_flush);
        png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
        // On pictures, Paeth and run lengths are both smaller and faster than filter heuristics and string matching.
        png_set_compression_level(png, 3);
        png_set_compression_strategy(png, Z_RLE);
        png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_PAETH);
        png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        png_write_info(png, info);
        for (int64_t y = 0; y < height; y++) png_write_row(png, (png_const_bytep)rgb + y * width * 3);
        png_write_end(png, NULL);
    }
    png_destroy_write_struct(&png, &info);
    if (d.status != CC_OK) free(s.data);
    *bytes = d.status == CC_OK ? s.data : NULL;
    *size = d.status == CC_OK ? s.count : 0;
    return d.status;
}
