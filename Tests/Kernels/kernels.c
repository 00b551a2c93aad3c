// The C kernels against their definitions in double precision, without Swift: for processors that Swift has no modules
// for here. Prints a line for each kernel; exit 1 where one is wrong. `scripts/arm64` runs it on 64-bit ARM.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ckernels.h"

static int failures;

// Numbers in [-1, 1), the same everywhere.
static float *noise(long count, uint64_t seed) {
    float *x = tk_allocate((size_t)(count > 0 ? count : 1) * sizeof *x);
    uint64_t state = seed * 0x9e3779b97f4a7c15u | 1;
    for (long i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        x[i] = (float)(state >> 40) * 0x1p-23f - 1;
    }
    return x;
}

static void say(const char *name, double error, double bound) {
    int isRight = error <= bound;
    failures += !isRight;
    printf("%-28s largest error %.2e, bound %.0e: %s\n", name, error, bound, isRight ? "ok" : "FAILED");
}

static double larger(double a, double b) { return b > a || isnan(b) ? b : a; }

static void layer_norms(void) {
    enum { ROWS = 37, WIDTH = 100 };
    float *x = noise(ROWS * WIDTH, 1), *gain = noise(WIDTH, 2), *bias = noise(WIDTH, 3), *y = noise(ROWS * WIDTH, 4);
    double layer = 0, rms = 0;
    tk_layer_norm(x, ROWS, WIDTH, gain, bias, 1e-5f, y);
    for (long r = 0; r < ROWS; r++) {
        double mean = 0, variance = 0;
        for (long i = 0; i < WIDTH; i++) mean += x[r * WIDTH + i] / (double)WIDTH;
        for (long i = 0; i < WIDTH; i++) variance += pow(x[r * WIDTH + i] - mean, 2) / WIDTH;
        for (long i = 0; i < WIDTH; i++)
            layer = larger(
                layer, fabs((x[r * WIDTH + i] - mean) / sqrt(variance + 1e-5) * gain[i] + bias[i] - y[r * WIDTH + i]));
    }
    tk_rms_norm(x, x, ROWS, WIDTH, gain, bias, 1e-5f, 1, y);
    for (long r = 0; r < ROWS; r++) {
        double square = 0;
        for (long i = 0; i < WIDTH; i++) square += pow(x[r * WIDTH + i], 2) / WIDTH;
        for (long i = 0; i < WIDTH; i++) {
            double v = x[r * WIDTH + i] + x[r * WIDTH + i] / sqrt(square + 1e-5) * gain[i] + bias[i];
            rms = larger(rms, fabs((v > 0 ? v : 0) - y[r * WIDTH + i]));
        }
    }
    say("layer norm", layer, 1e-5);
    say("RMS norm, residual, ReLU", rms, 1e-5);
    // Of bfloat16: 8 bits, to nearest.
    uint16_t *half = tk_allocate(ROWS * WIDTH * sizeof *half);
    tk_to_bfloat16(x, ROWS * WIDTH, half);
    double rounding = 0;
    for (long i = 0; i < ROWS * WIDTH; i++) {
        uint32_t bits = (uint32_t)half[i] << 16;
        float back;
        memcpy(&back, &bits, sizeof back);
        rounding = larger(rounding, fabs(back - x[i]) / fabs(x[i]));
    }
    say("bfloat16, relative", rounding, 1.0 / 256);
}

static double activated(double x, int activation) {
    switch (activation) {
    case TK_GELU: return 0.5 * x * (1 + erf(x / sqrt(2)));
    case TK_TANH: return tanh(x);
    case TK_SILU: return x / (1 + exp(-x));
    case TK_RELU: return x > 0 ? x : 0;
    default: return x;
    }
}

static void products(void) {
    enum { M = 33, N = 200, K = 70 };
    float *a = noise(M * K, 1), *w = noise(N * K, 2), *bias = noise(N, 3), *c = noise(M * N, 4);
    for (int activation = TK_NONE; activation <= TK_RELU; activation++) {
        double error = 0;
        tk_linear(M, N, K, a, w, bias, activation, 0, c, N);
        for (long i = 0; i < M; i++)
            for (long j = 0; j < N; j++) {
                double sum = bias[j];
                for (long k = 0; k < K; k++) sum += (double)a[i * K + k] * w[j * K + k];
                error = larger(error, fabs(activated(sum, activation) - c[i * N + j]));
            }
        char name[40];
        snprintf(name, sizeof name, "product, activation %d", activation);
        say(name, error, 2e-5);
    }
}

static void attentions(void) {
    enum { LENGTH = 67, HEADS = 2, WIDTH = HEADS * 64 };
    float *qkv = noise(LENGTH * 3 * WIDTH, 5), *out = noise(LENGTH * WIDTH, 6);
    tk_attention(qkv, 3 * WIDTH, LENGTH, qkv + WIDTH, qkv + 2 * WIDTH, 3 * WIDTH, LENGTH, HEADS, out);
    double error = 0;
    for (long head = 0; head < HEADS; head++)
        for (long q = 0; q < LENGTH; q++) {
            double weights[LENGTH], total = 0;
            for (long k = 0; k < LENGTH; k++) {
                double score = 0;
                for (long i = 0; i < 64; i++)
                    score += (double)qkv[q * 3 * WIDTH + head * 64 + i] * qkv[(k * 3 + 1) * WIDTH + head * 64 + i];
                total += weights[k] = exp(score / 8);
            }
            for (long i = 0; i < 64; i++) {
                double sum = 0;
                for (long k = 0; k < LENGTH; k++) sum += weights[k] * qkv[(k * 3 + 2) * WIDTH + head * 64 + i];
                error = larger(error, fabs(sum / total - out[q * WIDTH + head * 64 + i]));
            }
        }
    say("softmax attention", error, 1e-5);
    enum { PIXELS = 50 };
    float *in = noise(PIXELS * 96, 7);
    tk_linear_attention(in, PIXELS, 1, out);
    error = 0;
    for (long q = 0; q < PIXELS; q++) {
        double total = 1e-15, sums[32] = {0};
        for (long k = 0; k < PIXELS; k++) {
            double weight = 0;
            for (long i = 0; i < 32; i++) weight += fmax(in[q * 96 + i], 0) * fmax(in[k * 96 + 32 + i], 0);
            total += weight;
            for (long i = 0; i < 32; i++) sums[i] += weight * in[k * 96 + 64 + i];
        }
        for (long i = 0; i < 32; i++) error = larger(error, fabs(sums[i] / total - out[q * 32 + i]));
    }
    say("linear attention", error, 2e-5);
}

// A 3x3 convolution's pixel by definition, of the picture or of it doubled.
static double convolved(const float *x, const float *w, long height, long width, long inputs, long o, long row,
                        long column, int doubles) {
    double sum = 0;
    for (long i = 0; i < 3; i++)
        for (long j = 0; j < 3; j++) {
            long y = row + i - 1, z = column + j - 1;
            if (y < 0 || y >= height || z < 0 || z >= width) continue;
            const float *pixel = doubles ? x + (y / 2 * (width / 2) + z / 2) * inputs : x + (y * width + z) * inputs;
            for (long c = 0; c < inputs; c++) sum += (double)pixel[c] * w[(o * inputs + c) * 9 + i * 3 + j];
        }
    return sum;
}

static void convolutions(void) {
    enum { INPUTS = 32, OUTPUTS = 64, HEIGHT = 10, WIDTH = 14 };
    float *x = noise(HEIGHT * WIDTH * INPUTS, 1), *w = noise(OUTPUTS * INPUTS * 9, 2), *bias = noise(OUTPUTS, 3);
    float *y = noise(HEIGHT * WIDTH * OUTPUTS, 4);
    for (long i = 0; i < OUTPUTS * INPUTS * 9; i++) w[i] /= 16;
    for (int doubles = 0; doubles < 2; doubles++) {
        tk_winograd *layer = tk_winograd_create(HEIGHT, WIDTH, INPUTS, OUTPUTS, w, 0, bias, TK_NONE, 0, doubles, 0);
        tk_winograd_run(layer, x, y);
        double error = 0;
        for (long row = 0; row < HEIGHT; row++)
            for (long column = 0; column < WIDTH; column++)
                for (long o = 0; o < OUTPUTS; o++)
                    error = larger(error, fabs(convolved(x, w, HEIGHT, WIDTH, INPUTS, o, row, column, doubles) +
                                               bias[o] - y[(row * WIDTH + column) * OUTPUTS + o]));
        tk_winograd_free(layer);
        say(doubles ? "Winograd, doubled picture" : "Winograd", error, 2e-5);
    }
    float *kernel = noise(25 * INPUTS, 5);
    tk_depthwise(x, HEIGHT, WIDTH, INPUTS, INPUTS, 5, kernel, bias, y);
    double error = 0;
    for (long row = 0; row < HEIGHT; row++)
        for (long column = 0; column < WIDTH; column++)
            for (long c = 0; c < INPUTS; c++) {
                double sum = bias[c];
                for (long i = 0; i < 25; i++) {
                    long r = row + i / 5 - 2, z = column + i % 5 - 2;
                    if (r >= 0 && r < HEIGHT && z >= 0 && z < WIDTH)
                        sum += (double)x[(r * WIDTH + z) * INPUTS + c] * kernel[i * INPUTS + c];
                }
                error = larger(error, fabs(sum - y[(row * WIDTH + column) * INPUTS + c]));
            }
    say("depthwise", error, 1e-5);
}

static void rows(void) {
    enum { PIXELS = 1500, CHANNELS = 64, GROUPS = 32, EACH = CHANNELS / GROUPS };
    float *x = noise(PIXELS * CHANNELS, 1), *gain = noise(CHANNELS, 2), *bias = noise(CHANNELS, 3);
    float *y = noise(PIXELS * CHANNELS, 4);
    double *scratch = tk_allocate((size_t)tk_group_norm_scratch(PIXELS, CHANNELS) * sizeof *scratch), error = 0;
    tk_group_norm_silu(x, PIXELS, CHANNELS, GROUPS, gain, bias, 1e-6f, scratch, y);
    for (long g = 0; g < GROUPS; g++) {
        double mean = 0, variance = 0;
        for (long p = 0; p < PIXELS; p++)
            for (long c = g * EACH; c < (g + 1) * EACH; c++) mean += x[p * CHANNELS + c] / (double)(PIXELS * EACH);
        for (long p = 0; p < PIXELS; p++)
            for (long c = g * EACH; c < (g + 1) * EACH; c++)
                variance += pow(x[p * CHANNELS + c] - mean, 2) / (PIXELS * EACH);
        for (long p = 0; p < PIXELS; p++)
            for (long c = g * EACH; c < (g + 1) * EACH; c++) {
                double v = (x[p * CHANNELS + c] - mean) / sqrt(variance + 1e-6) * gain[c] + bias[c];
                error = larger(error, fabs(activated(v, TK_SILU) - y[p * CHANNELS + c]));
            }
    }
    say("group norm, SiLU", error, 1e-5);
    tk_gated(x, 100, 70, y);
    error = 0;
    for (long r = 0; r < 100; r++)
        for (long i = 0; i < 70; i++)
            error = larger(error, fabs(x[r * 140 + i] * activated(x[r * 140 + 70 + i], TK_SILU) - y[r * 70 + i]));
    say("gated", error, 1e-5);
    memcpy(y, x, 100 * 70 * sizeof *y);
    tk_softmax(y, 100, 70);
    error = 0;
    for (long r = 0; r < 100; r++) {
        double total = 0;
        for (long i = 0; i < 70; i++) total += exp(x[r * 70 + i]);
        for (long i = 0; i < 70; i++) error = larger(error, fabs(exp(x[r * 70 + i]) / total - y[r * 70 + i]));
    }
    say("softmax", error, 1e-6);
}

static void codes(void) {
    enum { QUERIES = 64, CODES = 5000, D = 8 };
    float *queries = noise(QUERIES * D, 1), *book = noise(CODES * D, 2);
    float *transposed = tk_allocate(CODES * D * sizeof *transposed), best[2][QUERIES], second[2][QUERIES];
    int32_t ids[2][QUERIES];
    for (long c = 0; c < CODES; c++)
        for (long i = 0; i < D; i++) transposed[i * CODES + c] = book[c * D + i];
    tk_nearest(queries, QUERIES, D, transposed, 1, CODES, ids[0], best[0], second[0]);
    double wrong = 0, different = 0;
    for (long q = 0; q < QUERIES; q++) {
        double least = INFINITY, found = INFINITY;
        for (long c = 0; c < CODES; c++) {
            double sum = 0;
            for (long i = 0; i < D; i++) sum += pow((double)queries[q * D + i] - book[c * D + i], 2);
            if (sum < least) least = sum;
            if (c == ids[0][q]) found = sum;
        }
        wrong = larger(wrong, found - least);
    }
    tk_tree *tree = tk_tree_create(book, 1, CODES, D);
    tk_tree_nearest(tree, queries, QUERIES, ids[1], best[1], second[1]);
    for (long q = 0; q < QUERIES; q++)
        different += ids[0][q] != ids[1][q] || best[0][q] != best[1][q] || second[0][q] != second[1][q];
    tk_tree_free(tree);
    say("nearest code, distance lost", wrong, 1e-6);
    say("tree, other than exhaustive", different, 0);
}

int main(void) {
    tk_set_threads(2);
    for (int level = TK_LEVEL_SSE2; level <= tk_best_level(); level++) {
        printf("level %d of %d\n", tk_set_level(level), tk_best_level());
        layer_norms();
        products();
        attentions();
        convolutions();
        rows();
        codes();
    }
    printf("%d checks failed\n", failures);
    return failures != 0;
}
