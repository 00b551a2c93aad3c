// Convolutions on oneDNN: float32, one picture, (height, width, channels) in and out, no layout change at run time.
#ifndef CONEDNN_H
#define CONEDNN_H

enum { TD_NONE = 0, TD_SILU = 1, TD_RELU = 2 };

struct td_shape {
    long in_channels, out_channels, height, width; // of the input
    long kernel_height, kernel_width, stride;
    long pad_top, pad_left, pad_bottom, pad_right;
};

/// A convolution with its weights packed. Opaque. One thread at a time, not always the same.
typedef struct td_convolution td_convolution;

/// weights (out, in, kh, kw), bias (out) or NULL; both are copied. `accumulate` adds the result to what is in `y`
/// (after nothing else: no activation then). NULL on failure, with `*status` oneDNN's status.
td_convolution *td_create(const struct td_shape *shape, const float *weights, const float *bias, int activation,
                          int accumulate, int *status);
/// x (height, width, in) -> y (out height, out width, out). Returns oneDNN's status: 0 is success.
int td_run(td_convolution *convolution, const float *x, float *y);
/// Name of the implementation that oneDNN chose, such as "jit:avx2". Lives as long as the convolution.
const char *td_implementation(const td_convolution *convolution);
void td_free(td_convolution *convolution);

#endif
