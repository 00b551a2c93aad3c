// Convolutions and matrix products on oneDNN. Pictures are (height, width, channels), matrices row-major; weights are
// packed once, and nothing changes its layout at run time.
#ifndef CONEDNN_H
#define CONEDNN_H

enum { TD_NONE = 0, TD_SILU = 1, TD_RELU = 2, TD_GELU = 3, TD_TANH = 4 };
enum { TD_F32 = 0, TD_BF16 = 1 };

struct td_shape {
    long in_channels, out_channels, height, width; // of the input
    long kernel_height, kernel_width, stride;
    long pad_top, pad_left, pad_bottom, pad_right;
};

/// A convolution with its weights packed. Opaque. One thread at a time, not always the same.
typedef struct td_convolution td_convolution;

/// weights (out, in, kh, kw), bias (out) or NULL; both are copied, the weights as `type`. `accumulate` adds the result to
/// what is in `y` (after nothing else: no activation then). NULL on failure, with `*status` oneDNN's status.
td_convolution *td_create(const struct td_shape *shape, const float *weights, const float *bias, int activation,
                          int accumulate, int type, int *status);
/// x (height, width, in), of the weights' type -> y (out height, out width, out). Returns oneDNN's status: 0 is success.
int td_run(td_convolution *convolution, const void *x, float *y);
/// Name of the implementation that oneDNN chose, such as "jit:avx2". Lives as long as the convolution.
const char *td_implementation(const td_convolution *convolution);
void td_free(td_convolution *convolution);

/// A matrix product with its weights packed. Opaque. One thread at a time, not always the same.
typedef struct td_matmul td_matmul;

/// weights (outputs, inputs), bias (outputs) or NULL; both are copied, the weights as `type`. `rows` is what it will
/// mostly be used on. NULL on failure, with `*status` oneDNN's status.
td_matmul *td_matmul_create(long rows, long outputs, long inputs, const float *weights, const float *bias, int type,
                            int *status);
/// y (rows, outputs) = activation(x (rows, inputs) w^T + bias), added to what is in y where `accumulate`. x is of the
/// weights' type, y of `y_type`; sums are float32. The library compiles a product for each number of rows and each form that
/// it is run in, and keeps them: callers use few. Returns oneDNN's status: 0 is success.
int td_matmul_run(td_matmul *matmul, long rows, const void *x, int activation, int accumulate, void *y, int y_type);
void td_matmul_free(td_matmul *matmul);

#endif
