// Convolutions on oneDNN. Pictures are (height, width, channels); weights are
// packed once, and nothing changes its layout at run time.
#ifndef CONEDNN_H
#define CONEDNN_H

#include <stddef.h>

enum { TD_NONE = 0, TD_SILU = 1, TD_RELU = 2 };
enum { TD_F32 = 0, TD_BF16 = 1 };

/// The library's version, down to its source's revision. Lives for ever.
const char *td_version(void);
/// Whether it computes with AVX-512, which the processor or DNNL_MAX_CPU_ISA may keep from it. Without, it has no
/// bfloat16.
int td_has_avx512(void);

/// A layer's weights and bias as it computes with them; they live as long as the layer.
struct td_packed {
    const void *weights;
    size_t bytes;
    /// NULL where there is none.
    const float *bias;
    /// How the library lays these weights out: of two layers that are made alike, the bytes of one fit the other where
    /// their texts are equal.
    const char *layout;
};

struct td_shape {
    long in_channels, out_channels, height, width; // of the input
    long kernel_height, kernel_width, stride;
    long pad_top, pad_left, pad_bottom, pad_right;
};

/// A convolution with its weights packed. Opaque. One thread at a time, not always the same.
typedef struct td_convolution td_convolution;

/// weights (out, in, kh, kw), bias (out) or NULL; both are copied, the weights as `type`. Where `packed_bytes`
/// isn't 0, weights are what `td_packed_weights` gave, so many bytes: both stay where they are, are only read, and must
/// outlive the convolution; it is for the caller to compare `layout` before it runs. `accumulate` adds the result to
/// what is in `y` (after nothing else: no activation then). NULL on failure, with `*status` oneDNN's status.
td_convolution *td_create(const struct td_shape *shape, const void *weights, size_t packed_bytes, const float *bias,
                          int activation, int accumulate, int type, int *status);
struct td_packed td_packed_weights(const td_convolution *convolution);
/// x (height, width, in), of the weights' type -> y (out height, out width, out). Returns oneDNN's status: 0 is
/// success.
int td_run(td_convolution *convolution, const void *x, float *y);
/// Name of the implementation that oneDNN chose, such as "jit:avx2". Lives as long as the convolution.
const char *td_implementation(const td_convolution *convolution);
void td_free(td_convolution *convolution);

#endif
