#ifndef CCODECS_JPEG_SMOOTH_H
#define CCODECS_JPEG_SMOOTH_H

#include <stdio.h>

#include <jpeglib.h>

// Estimates low frequencies that a progressive file leaves at 0 for want of their last bits, from the means of the
// blocks around. Every coefficient must have come in some scan. `blocks` are the components' coefficients.
void cc_smooth(j_decompress_ptr codec, jvirt_barray_ptr *blocks);

#endif
