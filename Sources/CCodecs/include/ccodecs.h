// Picture codecs and Pillow's resampling, behind plain C functions.
//
// libpng and libjpeg report errors with longjmp. Every jump starts and ends inside one of these functions, so that
// none ever crosses a Swift frame. Pixels are 8-bit RGB, row-major, without padding.
#ifndef CCODECS_H
#define CCODECS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cc_status {
    CC_OK = 0,
    CC_BROKEN = 1, // the picture can't be decoded; `message` holds the decoder's words
    CC_DEADLINE = 2, // the thread's processor time passed `deadline`
    CC_SCANS = 3, // more scans than `max_scans`, or more scans x pixels than `max_scan_pixels`
    CC_MEMORY = 4 // an allocation failed
};

enum cc_alpha { CC_ALPHA_WHITE = 0, CC_ALPHA_BLACK = 1, CC_ALPHA_DROP = 2 };

typedef struct {
    int64_t deadline; // in nanoseconds of `cc_thread_time` on the thread that decodes
    int64_t max_scans;
    int64_t max_scan_pixels;
} cc_limits;

typedef struct {
    int64_t scans; // scans begun when the decoder stopped (JPEG), else 0
    char message[256];
} cc_report;

/// Processor time of the calling thread in nanoseconds. Unlike a wall clock it stands while others have the processor,
/// so that a picture's limit doesn't depend on the machine's load.
int64_t cc_thread_time(void);

/// Decodes a JPEG of the given size to `height * width * 3` bytes: ISLOW DCT and fancy upsampling, as Pillow.
/// CMYK and YCCK are taken as Adobe-inverted. Missing or corrupt entropy-coded data is CC_BROKEN.
int cc_jpeg_decode(const uint8_t *data, size_t size, int64_t width, int64_t height, const cc_limits *limits,
                   uint8_t *rgb, cc_report *report);

/// Decodes a PNG of the given size to `height * width * 3` bytes; `alpha` is a `cc_alpha`.
/// Ancillary chunks other than tRNS are skipped unread, and so are palettes of pictures that have no use for one. The
/// last tRNS counts, wherever it stands, as in Pillow.
int cc_png_decode(const uint8_t *data, size_t size, int64_t width, int64_t height, const cc_limits *limits, int alpha,
                  uint8_t *rgb, cc_report *report);

/// The same by libpng alone, which decides for every file that isn't faultless and of a usual kind.
int cc_png_decode_libpng(const uint8_t *data, size_t size, int64_t width, int64_t height, const cc_limits *limits,
                         int alpha, uint8_t *rgb, cc_report *report);

/// The same by libdeflate alone. Returns 1, or 0 for a file that it leaves to libpng; `rgb` is then of no use.
int cc_png_decode_plain(const uint8_t *data, size_t size, int64_t width, int64_t height, const cc_limits *limits,
                        int alpha, uint8_t *rgb);

/// Encodes `height * width * 3` bytes as a PNG without ancillary chunks. `*png` is to be freed with `free`.
/// Fails only for want of memory.
int cc_png_encode(const uint8_t *rgb, int64_t width, int64_t height, uint8_t **png, size_t *size);

/// Applies an EXIF orientation 2...8 to a picture of `width` x `height`; 5...8 swap the sides of `out`.
void cc_orient(const uint8_t *rgb, int64_t width, int64_t height, int orientation, uint8_t *out);

enum cc_filter { CC_BILINEAR = 0, CC_BICUBIC = 1 };

typedef struct {
    int64_t source; // source pixels along the axis
    int64_t resized; // pixels of the whole resized picture along the axis
    int64_t start; // first resized pixel that is kept
    int64_t count; // number of resized pixels that are kept
} cc_axis;

/// Pillow's antialiased two-pass 8-bit resize of `rgb` (y.source x x.source), of which only the window given by
/// `start` and `count` is computed, into `y.count * x.count * 3` bytes. Returns CC_OK or CC_MEMORY.
int cc_resample(const uint8_t *rgb, cc_axis x, cc_axis y, int filter, uint8_t *out);

#ifdef __cplusplus
}
#endif

#endif
