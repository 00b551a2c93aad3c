// JPEG through libjpeg-turbo. Stricter than the library's default: a warning that pixel data is missing or corrupt is
// an error. Everything by which no pixel is wrong is forgiven; `on_warning` has the table.
#include "internal.h"
#include "jpeg_smooth.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jpeglib.h>
// jerror.h needs jpeglib.h before it.
#include <jerror.h>

// Cameras pad data before its marker. More stray bytes than this, other than zeros and FF, mean that the decoder lost
// its place.
#define PADDING 64
// The decoder reads ahead by at most this many bytes, and counts them among those that it skips at the next marker that
// it has to look for.
#define READ_AHEAD 8
// Lower codes mark nothing in a picture (ITU-T T.81, table B.1: TEM and reserved ones).
#define FIRST_MARKER 0xC0

typedef struct {
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct codec;
    jmp_buf out;
    cc_limits limits;
    cc_report *report;
    const uint8_t *data;
    int status;
    int in_data; // the last segment was a scan's header, so that coded data follows
    int64_t unreported; // pieces of coded data that ended since stray bytes were last reported
    int ended; // the file ended before EOI
    int lost; // a piece of coded data had stray bytes that aren't padding at its end
    uint32_t seen; // bit c: a scan held component c
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

// Stray bytes before a marker that was looked for. Between the segments of a header they are what a wrong length left
// over. After the last row they come too late for any pixel. After other coded data they are padding, or data that the
// decoder should have used.
static void check_stray(decoder *d, int64_t count, int marker) {
    // Those right before the marker; the others may have been read ahead of markers before it.
    const int64_t certain = count - READ_AHEAD * (d->unreported + 1);
    d->unreported = 0;
    if (!d->in_data || d->ended || marker == JPEG_EOI || certain <= PADDING) return;
    const JOCTET *end = d->source.next_input_byte;
    for (int64_t i = 1; i <= certain && i <= end - d->data; i++) {
        if (end[-i] == 0 || end[-i] == 0xFF) continue;
        // Not an error yet: a missing restart marker is the better reason, and behind the last scan EOI may be missing.
        d->lost = 1;
        d->errors.format_message((j_common_ptr)&d->codec, d->report->message);
        return;
    }
}

// A refinement adds one bit to coefficients that are known down to the bit above it. On others, a scan before it is
// missing. Scans that come early or once more, with all their bits, leave the coefficients as they should be.
static int is_refinement_without_base(const decoder *d, int coefficient) {
    const int is_order_of_dc_and_ac = coefficient == 0 && d->codec.Ss > 0;
    return d->codec.Ah > 0 && !is_order_of_dc_and_ac;
}

// Every warning of the library (jerror.h), by one question: can a pixel be wrong by it?
//
//   ADOBE_XFORM        no     an unknown colour transform is taken as YCbCr or YCCK, as Pillow does
//   BOGUS_ICC          no     colour profiles are not read
//   JFIF_MAJOR         no     the version of the JFIF header has no bearing on pixels
//   NOT_SEQUENTIAL     no     spectral selection means nothing in a sequential scan, all coefficients are there
//   JPEG_EOF           no     where data is missing too, HIT_MARKER, MUST_RESYNC or check_scans tell
//   EXTRANEOUS_DATA    maybe  see check_stray
//   BOGUS_PROGRESSION  maybe  see is_refinement_without_base
//   HIT_MARKER         yes    data ends within its blocks, the rest would be zeros
//   HUFF_BAD_CODE      yes    a coefficient is guessed
//   ARITH_BAD_CODE     yes    the same, and all others up to the next restart
//   MUST_RESYNC        yes    a restart marker is missing or out of order, the blocks between are guessed
//   TOO_MUCH_DATA      yes    rows beyond the last are asked for, which never happens here
static void on_warning(decoder *d, j_common_ptr info) {
    const int *numbers = info->err->msg_parm.i;
    switch (info->err->msg_code) {
    case JWRN_JPEG_EOF: d->ended = 1; return;
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL: return;
    case JWRN_EXTRANEOUS_DATA: check_stray(d, numbers[0], numbers[1]); return;
    case JWRN_BOGUS_PROGRESSION:
        if (is_refinement_without_base(d, numbers[1])) on_error(info);
        return;
    default: on_error(info);
    }
}

// The library's traces tell where in the file it is.
static void on_trace(decoder *d, int code) {
    switch (code) {
    case JTRC_RST:
        if (d->lost) leave(d, CC_BROKEN);
        d->unreported++;
        return;
    case JTRC_SOS:
        d->unreported++;
        d->in_data = 1;
        return;
    case JTRC_ADOBE:
    case JTRC_APP0:
    case JTRC_APP14:
    case JTRC_DAC:
    case JTRC_DHT:
    case JTRC_DQT:
    case JTRC_DRI:
    case JTRC_JFIF:
    case JTRC_JFIF_EXTENSION:
    case JTRC_MISC_MARKER:
    case JTRC_THUMB_JPEG:
    case JTRC_THUMB_PALETTE:
    case JTRC_THUMB_RGB: d->in_data = 0; return;
    default: return;
    }
}

static void on_message(j_common_ptr info, int level) {
    decoder *d = info->client_data;
    if (level < 0) {
        on_warning(d, info);
    } else {
        on_trace(d, info->err->msg_code);
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

// Called for a marker other than the restart marker that is due. Bytes of padding may look like a marker that doesn't
// exist; behind any other, blocks are missing.
static boolean source_resync(j_decompress_ptr info, int due) {
    struct jpeg_source_mgr *source = info->src;
    const JOCTET *at = source->next_input_byte;
    if (info->unread_marker < FIRST_MARKER) {
        for (size_t i = 0; i <= PADDING && i + 2 <= source->bytes_in_buffer; i++) {
            if (at[i] != 0xFF || at[i + 1] < FIRST_MARKER || at[i + 1] == 0xFF) continue;
            if (at[i + 1] != JPEG_RST0 + due) break;
            source_skip(info, (long)i + 2);
            info->unread_marker = 0;
            return TRUE;
        }
    }
    WARNMS2(info, JWRN_MUST_RESYNC, info->unread_marker, due);
    return FALSE;
}

static void on_progress(j_common_ptr info) {
    decoder *d = info->client_data;
    const int64_t scans = d->codec.input_scan_number;
    d->report->scans = scans;
    if (scans > d->limits.max_scans || (scans > 1 && scans > d->limits.max_scan_pixels / d->pixels)) leave(d, CC_SCANS);
    for (int i = 0; i < d->codec.comps_in_scan; i++) d->seen |= 1u << d->codec.cur_comp_info[i]->component_index;
    if (past(d->limits.deadline)) leave(d, CC_DEADLINE);
}

static _Noreturn void broken(decoder *d, const char *words) {
    say(d->report, "%s", words);
    leave(d, CC_BROKEN);
}

// Each coefficient must have come: what a missing scan leaves out would be made up. Its last bits need not (ITU-T T.81,
// annex G, asks for no last precision), but where EOI is missing too, the file was cut.
static void check_scans(decoder *d) {
    for (int c = 0; c < d->codec.num_components; c++) {
        if (!(d->seen >> c & 1)) broken(d, "premature end of JPEG file: a colour component has no scan");
        for (int i = 0; d->codec.coef_bits && i < DCTSIZE2; i++) {
            const int missing_bits = d->codec.coef_bits[c][i];
            if (missing_bits < 0) broken(d, "premature end of JPEG file: coefficients have no scan");
            if (missing_bits > 0 && d->ended) broken(d, "premature end of JPEG file: refinement scans are missing");
        }
    }
}

// All scans are taken in before any row comes out, so that coefficients can be looked at between.
static void read_scans(decoder *d) {
    do on_progress((j_common_ptr)&d->codec);
    while (jpeg_consume_input(&d->codec) != JPEG_REACHED_EOI);
    check_scans(d);
    cc_smooth(&d->codec, jpeg_read_coefficients(&d->codec));
    jpeg_start_output(&d->codec, d->codec.input_scan_number);
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
    codec->do_block_smoothing = FALSE;
    d->seen = 0;
    codec->buffered_image = jpeg_has_multiple_scans(codec);
    jpeg_start_decompress(codec);
    if (codec->buffered_image) read_scans(d);
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

int cc_jpeg_decode(const uint8_t *data, size_t size, int64_t width, int64_t height, const cc_limits *limits,
                   uint8_t *rgb, cc_report *report) {
    decoder d;
    volatile int complete = 0;
    memset(&d, 0, sizeof d);
    memset(report, 0, sizeof *report);
    d.limits = *limits;
    d.report = report;
    d.data = data;
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
    d.source.resync_to_restart = source_resync;
    d.source.term_source = source_begin;
    d.codec.src = &d.source;
    begin(&d, width, height);
    read_rows(&d, width, rgb);
    complete = 1;
    if (d.codec.buffered_image) jpeg_finish_output(&d.codec);
    jpeg_finish_decompress(&d.codec);
    jpeg_destroy_decompress(&d.codec);
    return d.lost && !d.ended ? CC_BROKEN : CC_OK;
}
