// JPEG through libjpeg-turbo. Stricter than the library's default: a warning that pixel data is missing or corrupt is
// an error. More lenient where no pixel is touched: a missing EOI, stray bytes after the picture, odd header fields.
#include "internal.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jpeglib.h>
// jerror.h needs jpeglib.h before it.
#include <jerror.h>

// Some cameras pad the last scan; more stray bytes than this before a marker mean that the decoder lost its place.
#define PADDING 64

typedef struct {
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct codec;
    jmp_buf out;
    cc_limits limits;
    cc_report *report;
    int status;
    int ended;              // the file ended before EOI
    int padded;             // more than PADDING stray bytes were skipped
    uint32_t seen;          // bit c: a scan held component c
    int64_t pixels;
    JOCTET fake[2];
} decoder;

int64_t cc_thread_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static _Noreturn void leave(decoder *d, int status) {
    d->status = status;
    longjmp(d->out, 1);
}

static void on_error(j_common_ptr info) {
    decoder *d = info->client_data;
    char words[JMSG_LENGTH_MAX];
    info->err->format_message(info, words);
    say(d->report, "%s", words);
    leave(d, info->err->msg_code == JERR_OUT_OF_MEMORY ? CC_MEMORY : CC_BROKEN);
}

static void on_message(j_common_ptr info, int level) {
    decoder *d = info->client_data;
    if (level >= 0) return;
    switch (info->err->msg_code) {
    case JWRN_JPEG_EOF: d->ended = 1; return;
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL: return;
    case JWRN_EXTRANEOUS_DATA: {
        const int count = info->err->msg_parm.i[0], marker = info->err->msg_parm.i[1];
        if (marker >= JPEG_RST0 && marker < JPEG_RST0 + 8) on_error(info);
        if (d->codec.input_scan_number > 0 && count > PADDING && !d->padded) {
            d->padded = 1;
            info->err->format_message(info, d->report->message);
        }
        return;
    }
    default: on_error(info);
    }
}

static void on_output(j_common_ptr info) { (void)info; }

static void source_begin(j_decompress_ptr info) { (void)info; }

static boolean source_fill(j_decompress_ptr info) {
    decoder *d = info->client_data;
    WARNMS(info, JWRN_JPEG_EOF);
    d->source.next_input_byte = d->fake;
    d->source.bytes_in_buffer = sizeof d->fake;
    return TRUE;
}

static void source_skip(j_decompress_ptr info, long count) {
    struct jpeg_source_mgr *source = info->src;
    if (count <= 0) return;
    const size_t step = (size_t)count < source->bytes_in_buffer ? (size_t)count : source->bytes_in_buffer;
    source->next_input_byte += step;
    source->bytes_in_buffer -= step;
}

static void on_progress(j_common_ptr info) {
    decoder *d = info->client_data;
    const int64_t scans = d->codec.input_scan_number;
    d->report->scans = scans;
    if (scans > d->limits.max_scans || (scans > 1 && scans > d->limits.max_scan_pixels / d->pixels))
        leave(d, CC_SCANS);
    for (int i = 0; i < d->codec.comps_in_scan; i++) d->seen |= 1u << d->codec.cur_comp_info[i]->component_index;
    if (past(d->limits.deadline)) leave(d, CC_DEADLINE);
}

static _Noreturn void broken(decoder *d, const char *words) {
    say(d->report, "%s", words);
    leave(d, CC_BROKEN);
}

// A file of several scans has been read to its end when output begins. Each component's coefficients must all have come
// in full: what a missing scan leaves out, the library would fill with smoothed blocks.
static void check_scans(decoder *d) {
    for (int c = 0; c < d->codec.num_components; c++) {
        if (!(d->seen >> c & 1)) broken(d, "premature end of JPEG file: a colour component has no scan");
        for (int i = 0; d->codec.coef_bits && i < DCTSIZE2; i++) {
            if (d->codec.coef_bits[c][i] != 0) broken(d, "premature end of JPEG file: refinement scans are missing");
        }
    }
}

// Pillow's CMYK -> RGB, of which the file stores the complement: r = k' - (255 - c')k'/255, rounded.
static void from_inverted_cmyk(const uint8_t *from, int64_t width, uint8_t *to) {
    for (int64_t x = 0; x < width; x++, from += 4, to += 3) {
        const int k = from[3];
        for (int c = 0; c < 3; c++) {
            const int product = (255 - from[c]) * k + 128;
            const int value = k - (((product >> 8) + product) >> 8);
            to[c] = (uint8_t)(value < 0 ? 0 : value);
        }
    }
}

static void begin(decoder *d, int64_t width, int64_t height) {
    j_decompress_ptr codec = &d->codec;
    jpeg_read_header(codec, TRUE);
    if (codec->image_width != (uint64_t)width || codec->image_height != (uint64_t)height)
        broken(d, "the size in the frame header is ambiguous");
    if (codec->num_components != 1 && codec->num_components != 3 && codec->num_components != 4) {
        say(d->report, "%d colour components; expected 1, 3 or 4", codec->num_components);
        leave(d, CC_BROKEN);
    }
    codec->out_color_space = codec->num_components == 4 ? JCS_CMYK : JCS_RGB;
    codec->dct_method = JDCT_ISLOW;
    codec->do_fancy_upsampling = TRUE;
    d->seen = 0;
    jpeg_start_decompress(codec);
    if (jpeg_has_multiple_scans(codec)) check_scans(d);
}

static void read_rows(decoder *d, int64_t width, uint8_t *rgb) {
    j_decompress_ptr codec = &d->codec;
    JSAMPARRAY inks = NULL;
    if (codec->num_components == 4)
        inks = codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE, (JDIMENSION)width * 4, 1);
    while (codec->output_scanline < codec->output_height) {
        uint8_t *out = rgb + (int64_t)codec->output_scanline * width * 3;
        JSAMPROW row = inks ? inks[0] : out;
        if (jpeg_read_scanlines(codec, &row, 1) != 1) broken(d, "a row is missing");
        if (inks) from_inverted_cmyk(inks[0], width, out);
    }
    if (d->ended && codec->arith_code) broken(d, "premature end of JPEG file");
}

int cc_jpeg_decode(
    const uint8_t *data, size_t size, int64_t width, int64_t height, const cc_limits *limits, uint8_t *rgb,
    cc_report *report) {
    decoder d;
    volatile int complete = 0;
    memset(&d, 0, sizeof d);
    memset(report, 0, sizeof *report);
    d.limits = *limits;
    d.report = report;
    d.pixels = width * height;
    d.fake[0] = 0xFF;
    d.fake[1] = JPEG_EOI;
    d.codec.err = jpeg_std_error(&d.errors);
    d.codec.client_data = &d;
    d.errors.error_exit = on_error;
    d.errors.emit_message = on_message;
    d.errors.output_message = on_output;
    if (setjmp(d.out)) {
        jpeg_destroy_decompress(&d.codec);
        return complete ? CC_OK : d.status;
    }
    jpeg_create_decompress(&d.codec);
    d.progress.progress_monitor = on_progress;
    d.codec.progress = &d.progress;
    d.source.next_input_byte = data;
    d.source.bytes_in_buffer = size;
    d.source.init_source = source_begin;
    d.source.fill_input_buffer = source_fill;
    d.source.skip_input_data = source_skip;
    d.source.resync_to_restart = jpeg_resync_to_restart;
    d.source.term_source = source_begin;
    d.codec.src = &d.source;
    begin(&d, width, height);
    read_rows(&d, width, rgb);
    complete = 1;
    jpeg_finish_decompress(&d.codec);
    jpeg_destroy_decompress(&d.codec);
    return d.padded && !d.ended ? CC_BROKEN : CC_OK;
}
