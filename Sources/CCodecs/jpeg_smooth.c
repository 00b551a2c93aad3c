// Interblock smoothing as libjpeg-turbo 3.0.1 and later do it (decompress_smooth_data in jdcoefct.c, after ITU-T T.81,
// K.8), which is what Pillow's wheels hold. Earlier releases, which distributions have, take other blocks at some
// edges. Only known means are used and only frequencies changed, so that it is done in place.
#include "jpeg_smooth.h"

#include <stdint.h>

#define ROWS 5

// By their places in zigzag order, which are those of `coef_bits`.
enum { AC01 = 1, AC10, AC20, AC11, AC02 };
static const int natural[] = {0, 1, 8, 16, 9, 2};
// Where the library divides by quantizers, also in cases that don't come up here.
static const int divisors[] = {0, 1, 8, 16, 9, 2, 3, 10, 17, 24};

typedef struct {
    const int *bits; // by coefficient in zigzag order: how many are missing
    const UINT16 *quanta; // in natural order
    JDIMENSION last; // column
    int64_t mean[ROWS][ROWS];
} window;

static int is_useful(j_decompress_ptr codec) {
    int useful = 0;
    for (int c = 0; c < codec->num_components; c++) {
        const JQUANT_TBL *table = codec->comp_info[c].quant_table;
        if (!table) return 0;
        for (size_t i = 0; i < sizeof divisors / sizeof *divisors; i++) {
            if (table->quantval[divisors[i]] == 0) return 0;
        }
        for (int i = AC01; i <= AC02; i++) useful |= codec->coef_bits[c][i] != 0;
    }
    return useful;
}

// `sum` weighs the means around; the estimate may not reach what would have come with the bits that are known.
static void estimate(const window *w, JCOEF *block, int which, int64_t sum) {
    const int at = natural[which], bits = w->bits[which];
    if (bits == 0 || block[at] != 0) return;
    const int64_t q = w->quanta[at], value = w->quanta[0] * sum;
    int64_t size = ((q << 7) + (value < 0 ? -value : value)) / (q << 8);
    if (size >= (int64_t)1 << bits) size = ((int64_t)1 << bits) - 1;
    block[at] = (JCOEF)(value < 0 ? -size : size);
}

static void smooth_block(window *w, JBLOCKROW rows[ROWS], JDIMENSION column) {
    for (int y = 0; y < ROWS; y++) {
        for (int x = 0; x < ROWS; x++) {
            const int64_t at = (int64_t)column + x - 2;
            w->mean[y][x] = rows[y][at < 0 ? 0 : at > w->last ? w->last : at][0];
        }
    }
    const int64_t *a = w->mean[0], *b = w->mean[1], *c = w->mean[2], *d = w->mean[3], *e = w->mean[4];
    JCOEF *block = rows[2][column];
    estimate(w, block, AC01, -7 * c[0] + 50 * c[1] - 50 * c[3] + 7 * c[4]);
    estimate(w, block, AC10, -7 * a[2] + 50 * b[2] - 50 * d[2] + 7 * e[2]);
    estimate(w, block, AC20, -a[2] + 13 * b[2] - 24 * c[2] + 13 * d[2] - e[2]);
    estimate(w, block, AC11,
             b[4] + d[0] - 10 * d[1] + 10 * d[3] - a[1] - d[4] + e[1] - e[3] + a[3] - b[0] + 10 * b[1] - 10 * b[3]);
    estimate(w, block, AC02, -c[0] + 13 * c[1] - 24 * c[2] + 13 * c[3] - c[4]);
}

// One row of blocks. `place` of `count` says how many there are above and below, as the library counts them.
static void smooth_row(j_decompress_ptr codec, window *w, jvirt_barray_ptr blocks, JDIMENSION row, JDIMENSION place,
                       JDIMENSION count) {
    const JDIMENSION above = place > 1 ? 2 : place, left = count - 1 - place, below = left > 1 ? 2 : left;
    JBLOCKARRAY near =
        codec->mem->access_virt_barray((j_common_ptr)codec, blocks, row - above, above + 1 + below, TRUE);
    JBLOCKROW rows[ROWS] = {near[0], near[above > 0 ? above - 1 : 0], near[above], near[above + (below > 0)],
                            near[above + below]};
    for (JDIMENSION column = 0; column <= w->last; column++) smooth_block(w, rows, column);
}

void cc_smooth(j_decompress_ptr codec, jvirt_barray_ptr *blocks) {
    if (!codec->coef_bits || !is_useful(codec)) return;
    const JDIMENSION units = codec->total_iMCU_rows;
    for (int c = 0; c < codec->num_components; c++) {
        const jpeg_component_info *component = &codec->comp_info[c];
        window w = {.bits = codec->coef_bits[c],
                    .quanta = component->quant_table->quantval,
                    .last = component->width_in_blocks - 1};
        const JDIMENSION each = (JDIMENSION)component->v_samp_factor, rest = component->height_in_blocks % each;
        for (JDIMENSION unit = 0; unit < units; unit++) {
            // The library counts rows in the last unit by how many that unit holds.
            const JDIMENSION held = unit + 1 < units || rest == 0 ? each : rest;
            for (JDIMENSION i = 0; i < held; i++)
                smooth_row(codec, &w, blocks[c], unit * each + i, unit * held + i, held * units);
        }
    }
}
