// Kernels that neither OpenBLAS nor oneDNN has or has as fast, float32 unless they say otherwise, and float32 matrix
// products on OpenBLAS with a fused epilogue.
//
// Layouts: matrices are row-major with a leading dimension `ld` in elements; pictures are (height, width, channels),
// so a picture is the matrix (height * width, channels). All sizes are in elements. Scratch per thread is taken where a
// kernel needs it, and a process without memory for it ends; nothing else fails: callers check shapes at load.
//
// Results don't depend on the number of threads: where work is cut by it (Winograd's strips, rows of products of 8 and
// 16 bits), the pieces are computed independently of each other; elsewhere it is cut by shape alone.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// MARK: threads and instruction sets

/// Threads that kernels and oneDNN share (libgomp's team of the calling thread). At least 1.
void tk_set_threads(int count);
/// Gives the C library's free memory back to the system.
void tk_return_memory(void);
/// Memory aligned to 64 bytes, for `free`, in huge pages where there are such; never NULL: it ends the process with a
/// line where there is none.
void *tk_allocate(size_t bytes);
int tk_threads(void);
/// Index of the calling thread among those of `tk_parallel`, 0 ..< tk_threads().
int tk_thread_index(void);

/// Processors in this process's affinity mask. At least 1.
int tk_processors(void);

/// 0 = SSE2, 1 = AVX2 + FMA, 2 = AVX-512 (F, BW, DQ, VL), 3 = and VNNI, 4 = and BF16.
enum { TK_LEVEL_SSE2 = 0, TK_LEVEL_AVX2 = 1, TK_LEVEL_AVX512 = 2, TK_LEVEL_AVX512_VNNI = 3, TK_LEVEL_AVX512_BF16 = 4 };
/// The best level this processor has.
int tk_best_level(void);
/// Forces a level for the calling thread's work (tests); the best one is used otherwise. Returns the level in force:
/// never above the best.
int tk_set_level(int level);
int tk_level(void);

/// Calls `body(context, i)` for i in 0..<count, in any order, on the threads of the pool. Within the body of
/// a call with a count above 1, on the calling thread alone: so every kernel can be used there.
void tk_parallel(long count, void (*body)(void *context, long index), void *context);

// MARK: matrix products

enum { TK_NONE = 0, TK_GELU = 1, TK_TANH = 2, TK_SILU = 3, TK_RELU = 4 };

/// c (m, n), with leading dimension `ldc`, = activation(a (m, k) * w (n, k)^T + bias (n)), added to what is in c where
/// `adds`: then without an activation. `bias` may be NULL.
void tk_linear(long m, long n, long k, const float *a, const float *w, const float *bias, int activation, int adds,
               float *c, long ldc);

/// Rows side by side, of float32 or, where that isn't NULL, of bfloat16 numbers.
struct tk_rows {
    float *float32;
    uint16_t *bfloat16;
};

/// A matrix product with its weights packed, rounded to 8 bits or to bfloat16 numbers, or as they are. Opaque; belongs
/// to the level that is in force when it is made.
typedef struct tk_product tk_product;

/// `bits`: 8, 16 or 32. weights (outputs, inputs) and bias (outputs), which may be NULL, are copied; of 8 bits a weight
/// becomes a step of its output times -127 to 127. Where `packed_bytes` isn't 0, weights are what `tk_product_weights`
/// gave, so many bytes: they and the bias stay where they are, are only read, and must outlive the product. NULL below
/// TK_LEVEL_AVX512_VNNI, of 16 bits below TK_LEVEL_AVX512_BF16, of 32 below TK_LEVEL_AVX512; of 8 bits for more than
/// 66,311 inputs, whose sums could overflow; for no inputs or outputs; or where packed weights would be of another
/// size.
tk_product *tk_product_create(int bits, long outputs, long inputs, const void *weights, size_t packed_bytes,
                              const float *bias);
/// As they are computed with, `*bytes` of them, and the bias or NULL; they live as long as the product.
const void *tk_product_weights(const tk_product *product, size_t *bytes, const float **bias);
/// How packed weights of so many bits lie: those of another text are other weights. Lives for ever.
const char *tk_product_layout(int bits);
/// y (rows, outputs) = activation(x (rows, inputs) w^T + bias), added to what is in y where `adds`: then without an
/// activation and of float32 numbers. Of 8 bits, a row of x becomes its least number plus a step of its own times 0 to
/// 255, and sums are of 32 bits and exact. Of 16 bits, x is of bfloat16 numbers and sums are float32. Of 32, x and y
/// are of float32 numbers.
void tk_product_run(const tk_product *product, long rows, struct tk_rows x, int activation, int adds, struct tk_rows y);
void tk_product_free(tk_product *product);

/// Softmax attention. q: columns [0, heads * 64) of a matrix of `count` rows with leading dimension `ldq`; k, v: of two
/// matrices of `length` rows with leading dimension `ld`. out (count, heads * 64). Scale 1 / sqrt(64).
void tk_attention(const float *q, long ldq, long count, const float *k, const float *v, long ld, long length,
                  long heads, float *out);

/// The same of bfloat16 numbers with sums and softmax in float32, at TK_LEVEL_AVX512_BF16 only.
void tk_attention_bfloat16(const uint16_t *q, long ldq, long count, const uint16_t *k, const uint16_t *v, long ld,
                           long length, long heads, uint16_t *out);

/// DC-AE's ReLU attention (arXiv 2410.10733). qkv (pixels, heads * 96): each head owns q | k | v of 32 columns.
/// out (pixels, heads * 32). Linear form where pixels > 32, else the quadratic form.
void tk_linear_attention(const float *qkv, long pixels, long heads, float *out);

/// Grouped 1x1 convolution: for g in 0..<groups: c[:, 32g ..< 32g+32] = a[:, 32g ..< 32g+32] * w[g] (32, 32)^T.
void tk_grouped_pointwise(const float *a, long lda, const float *w, long pixels, long groups, float *c, long ldc);

// MARK: normalisations and activations

/// y = (x - mean) / sqrt(var + eps) * gain + bias over rows of `width`. In place allowed.
void tk_layer_norm(const float *x, long rows, long width, const float *gain, const float *bias, float eps, float *y);

/// The same, rounded.
void tk_layer_norm_bfloat16(const float *x, long rows, long width, const float *gain, const float *bias, float eps,
                            uint16_t *y);

/// y = residual + x / sqrt(mean(x^2) + eps) * gain + bias over rows; `residual` may be NULL; `relu` clamps y at 0.
void tk_rms_norm(const float *x, const float *residual, long rows, long width, const float *gain, const float *bias,
                 float eps, int relu, float *y);

/// y = silu(group_norm(x)). x (pixels, channels), `groups` groups of consecutive channels. In place allowed.
/// `scratch` holds at least `tk_group_norm_scratch(pixels, channels)` doubles.
void tk_group_norm_silu(const float *x, long pixels, long channels, long groups, const float *gain, const float *bias,
                        float eps, double *scratch, float *y);
long tk_group_norm_scratch(long pixels, long channels);

/// y = x as bfloat16, rounded to nearest even.
void tk_to_bfloat16(const float *x, long count, uint16_t *y);

/// Softmax over rows of length `width`, in place.
void tk_softmax(float *x, long rows, long width);

/// y (rows, width) = x[:, :width] * silu(x[:, width:]); x (rows, 2 * width).
void tk_gated(const float *x, long rows, long width, float *y);

// MARK: pictures

/// Depthwise convolution, stride 1, zero padding size / 2. x, y (height, width, channels); w (size * size, channels);
/// `bias` may be NULL.
void tk_depthwise(const float *x, long height, long width, long channels, long ldx, long size, const float *w,
                  const float *bias, float *y);

/// The four 2x2 convolutions of an upsampling put in place: y (2h, 2w, c); phases: four (h, w, c) planes in the order
/// (even row, even column), (even, odd), (odd, even), (odd, odd). Where `shortcut` is not NULL it is x (h, w, cx) and
/// pixel_shuffle(repeat_interleave(x)) is added.
void tk_interleave_phases(const float *phases, const float *shortcut, long shortcut_channels, long height, long width,
                          long channels, float *y);

/// y (2h, 2w, c) += pixel_shuffle(repeat_interleave(x (h, w, cx))), 4c a multiple of cx.
void tk_add_channels_to_space(const float *x, long height, long width, long x_channels, long channels, float *y);

/// y (2h, 2w, c) = pixel_shuffle(x (h, w, 4c)); `shortcut` as in tk_interleave_phases.
void tk_pixel_shuffle(const float *x, const float *shortcut, long shortcut_channels, long height, long width,
                      long channels, float *y);

/// y (h / 2, w / 2, 4c) = pixel_unshuffle(x (h, w, c)).
void tk_pixel_unshuffle(const float *x, long height, long width, long channels, float *y);

/// y (h / 2, w / 2, cy) += the means of groups of 4 * c / cy consecutive channels of pixel_unshuffle(x (h, w, c)).
void tk_add_unshuffled_means(const float *x, long height, long width, long channels, long out_channels, float *y);

/// y (pixels, cy) += means of groups of c / cy consecutive channels of x (pixels, c).
void tk_add_group_means(const float *x, long pixels, long channels, long out_channels, float *y);

/// y (pixels, cy)[p, i] += x (pixels, c)[p, i / (cy / c)].
void tk_add_repeated(const float *x, long pixels, long channels, long out_channels, float *y);

// MARK: 3x3 convolutions

/// A 3x3 convolution, stride 1, padding 1, by Winograd's F(4x4, 3x3) (arXiv 1509.09308): 4 times fewer products than by
/// definition. Opaque; belongs to the level that is in force when it is made.
typedef struct tk_winograd tk_winograd;

/// weights (outputs, inputs, 3, 3) and bias (outputs), which may be NULL, are copied. Where `packed_bytes` isn't 0,
/// weights are what `tk_winograd_weights` gave at this level, so many bytes: both stay where they are, are only read,
/// and must outlive the convolution. `accumulate` adds to what y holds. `doubles`: of a picture of half the height and
/// width, doubled by nearest neighbour. `rounded`: products of bfloat16 numbers, at TK_LEVEL_AVX512_BF16 only;
/// transforms and sums stay float32. NULL where the sizes don't fit the kernels: inputs not a multiple of 16, outputs
/// not one of 32, an odd size that is doubled; or where packed weights would be of another size.
tk_winograd *tk_winograd_create(long height, long width, long inputs, long outputs, const void *weights,
                                size_t packed_bytes, const float *bias, int activation, int accumulate, int doubles,
                                int rounded);
/// The weights as they are computed with, `*bytes` of them, and the bias or NULL; they live as long as the convolution.
const void *tk_winograd_weights(const tk_winograd *convolution, size_t *bytes, const float **bias);
/// x (height, width, inputs), or half of that -> y (height, width, outputs).
void tk_winograd_run(const tk_winograd *convolution, const float *x, float *y);
/// What packed weights are by kind and points: those of another text are other weights. Lives for ever.
const char *tk_winograd_layout(const tk_winograd *convolution);
void tk_winograd_free(tk_winograd *convolution);

// MARK: codes

/// For every query row (count, d): the code with the smallest squared Euclidean distance, float32, summed in the order
/// of the dimensions; the first of equals. `codes` is transposed: (d, codes). Query q uses codebook
/// q % codebooks, each d * code_count numbers. ids (count); best, second: squared distances of winner and runner-up.
void tk_nearest(const float *queries, long count, long d, const float *codes, long codebooks, long code_count,
                int32_t *ids, float *best, float *second);

/// The same codebooks as trees, which look at few of the codes: for those too large to be read for each query. It is
/// exact: ids and distances are those of `tk_nearest` on the same codes, bit for bit.
typedef struct tk_tree tk_tree;
/// codes (books, count, d); copied. `NULL` where they can't be trees: of another size, or not all finite.
tk_tree *tk_tree_create(const float *codes, long books, long count, long d);
/// A tree in memory that `tk_tree_memory` gave, aligned to 64 bytes, of which nothing is copied: it is only read, and
/// must outlive the tree. `NULL` where such books take another number of bytes. Of bytes that make no sense, it gives
/// results that make none.
tk_tree *tk_tree_open(const void *memory, size_t bytes, long books, long count, long d);
/// All that a tree is, `*bytes` of it; lives as long as the tree.
const void *tk_tree_memory(const tk_tree *tree, size_t *bytes);
void tk_tree_free(tk_tree *tree);
/// As `tk_nearest`.
void tk_tree_nearest(const tk_tree *tree, const float *queries, long count, int32_t *ids, float *best, float *second);
/// out (d): a code as it was given.
void tk_tree_copy(const tk_tree *tree, long book, long id, float *out);

/// Distances (not squared): out (count, codes) of queries (count, d) to a transposed codebook (d, codes).
void tk_distances(const float *queries, long count, long d, const float *codes, long code_count, float *out);

/// Sinkhorn of arXiv 2512.16910's released code. distances (count, codes) are overwritten, with each row's
/// probabilities up to a factor; ids (count).
void tk_sinkhorn(float *distances, long count, long codes, int32_t *ids);

/// Adds scale * gumbel noise: x[i] += scale * -log(max(-log(max(u[i], 1e-20)), 1e-20)).
void tk_add_gumbel(float *x, const float *uniforms, long count, float scale);

// MARK: training. One image, on the calling thread, unless it says otherwise. "d" before a name: the loss's derivative.

/// c (m, n) = op(a) (m, k) op(b) (k, n) + beta c.
void tk_matmul(int transpose_a, int transpose_b, long m, long n, long k, const float *a, long lda, const float *b,
               long ldb, float beta, float *c, long ldc);

/// y = silu(x). In place allowed.
void tk_silu(const float *x, long count, float *y);

/// dx = dy silu'(x). In place allowed.
void tk_silu_gradient(const float *x, const float *dy, long count, float *dx);

/// Of tk_gated: x, dx (rows, 2 * width), dy (rows, width).
void tk_gated_gradient(const float *x, const float *dy, long rows, long width, float *dx);

/// Of tk_rms_norm without residual and ReLU: dx is set, dgain and dbias (width) are added to. dx may be dy.
void tk_rms_norm_gradient(const float *x, const float *dy, long rows, long width, const float *gain, float eps,
                          float *dx, float *dgain, float *dbias);

/// sums (width) += the sums of x (rows, width) over rows.
void tk_add_column_sums(const float *x, long rows, long width, float *sums);

/// Of tk_depthwise with size up to 7: dw (size * size, channels) is added to. The input's gradient is tk_depthwise of
/// dy with the kernel turned by 180 degrees.
void tk_depthwise_weights_gradient(const float *x, const float *dy, long height, long width, long channels, long ldx,
                                   long size, float *dw);

/// patches (height * width, 9 * channels): the 3x3 window around each pixel of x (height, width, channels), zero
/// outside.
void tk_patches(const float *x, long height, long width, long channels, float *patches);
/// Its transpose: dx is set.
void tk_patches_gradient(const float *patches, long height, long width, long channels, float *dx);

/// Of tk_linear_attention, in its linear form: out is its result, dqkv (pixels, heads * 96) is set.
void tk_linear_attention_gradient(const float *qkv, const float *out, const float *dout, long pixels, long heads,
                                  float *dqkv);

/// What one step of AdamW (arXiv 1711.05101) does to every number: gradients are multiplied by `scale` (clipping);
/// `correction` is 1 - beta^t. Betas are doubles because 1 - beta loses digits in float32.
struct tk_adamw_step {
    double beta1, beta2;
    float rate, eps, decay, scale, correction1, correction2;
};

/// One step on the pool: parameters p, gradients g, moments m and v (count).
void tk_adamw(float *p, const float *g, float *m, float *v, long count, const struct tk_adamw_step *settings);

/// parts[0] += parts[1] + … in this order, on the pool.
void tk_add_parts(float *const *parts, long parts_count, long count);

double tk_sum_of_squares(const float *x, long count);

#endif
