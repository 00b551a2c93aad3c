// Nearest codes without looking at most of them: a k-d tree over each codebook (Bentley, 1975), searched with the
// incremental bound of Arya and Mount ("Algorithms for fast vector quantization", 1993). Exact: winner, runner-up and
// their distances are bit for bit what the exhaustive search gives, for leaves are measured by the same kernel, and a
// branch is left out only where its nearest corner is farther than the runner-up.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

// Codes that are measured together; fewer make more turns, more measure what a deeper tree would leave out.
enum { LEAF = 64, MOST_DIMENSIONS = 32 };

struct tk_tree {
    long books, count, d;
    int levels;
    // By book, leaf by leaf, each (d, codes of the leaf).
    float *packed;
    // By book: the code at a place, and the place of a code.
    int32_t *order, *place;
    // By book, 2^levels - 1 inner nodes, the root first, children of i at 2i + 1 and 2i + 2: codes on the left are at
    // most `cut` along `axis`, codes on the right at least.
    float *cuts;
    uint8_t *axes;
    // All of these, one after another.
    char *memory;
    size_t bytes;
    int is_owned;
};

// A book on its way into the tree: rows of a code's numbers and, in one more place, its id. They are moved as a whole,
// so that each step reads what lies side by side.
struct rows {
    float *data;
    long d;
};

static float *row(const struct rows *r, long i) { return r->data + i * (r->d + 1); }

static int32_t id_of(const struct rows *r, long i) {
    int32_t id;
    memcpy(&id, row(r, i) + r->d, sizeof id);
    return id;
}

static void exchange(const struct rows *r, long i, long j) {
    if (i == j) return;
    float *restrict a = row(r, i), *restrict b = row(r, j);
    for (long k = 0; k <= r->d; k++) {
        float t = a[k];
        a[k] = b[k];
        b[k] = t;
    }
}

static float middle_of(float a, float b, float c) {
    if (a > b) {
        float t = a;
        a = b;
        b = t;
    }
    return c < a ? a : c > b ? b : c;
}

// About the median of the rows first ... last: of nine, the median of three medians.
static float pivot_of(const struct rows *r, long first, long last, int axis) {
    float three[3];
    long step = (last - first) / 8;
    for (long i = 0; i < 3; i++) {
        long at = first + 3 * i * step < last ? first + 3 * i * step : last;
        long next = at + step < last ? at + step : last, third = next + step < last ? next + step : last;
        three[i] = middle_of(row(r, at)[axis], row(r, next)[axis], row(r, third)[axis]);
    }
    return middle_of(three[0], three[1], three[2]);
}

// Quickselect: of the rows first ..< last those that are smallest along `axis` to the places before `middle`. Equal
// ones are exchanged too, so that many of them are cut in halves.
static void split(const struct rows *r, long first, long last, long middle, int axis) {
    long low = first, high = last - 1;
    while (low < high) {
        float pivot = pivot_of(r, low, high, axis);
        long i = low, j = high;
        while (i <= j) {
            while (row(r, i)[axis] < pivot) i++;
            while (pivot < row(r, j)[axis]) j--;
            if (i <= j) exchange(r, i++, j--);
        }
        if (middle <= j) high = j;
        else if (middle >= i) low = i;
        else return;
    }
}

// The axis along which a sample of the rows is spread most.
static int widest(const struct rows *r, long first, long last) {
    long step = (last - first) / 64 > 0 ? (last - first) / 64 : 1;
    int axis = 0;
    float most = -1;
    for (int j = 0; j < r->d; j++) {
        float low = INFINITY, high = -INFINITY;
        for (long i = first; i < last; i += step) {
            float v = row(r, i)[j];
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        if (high - low > most) {
            most = high - low;
            axis = j;
        }
    }
    return axis;
}

struct build {
    struct tk_tree *tree;
    const float *codes;
};

// In the order of their ids, for of equal distances the kernel takes the first.
static void finish_leaf(struct tk_tree *t, long book, const struct rows *r, long first, long last) {
    int32_t order[LEAF];
    long n = last - first;
    for (long i = 0; i < n; i++) {
        int32_t id = id_of(r, first + i);
        long at = i;
        for (; at > 0 && id_of(r, first + order[at - 1]) > id; at--) order[at] = order[at - 1];
        order[at] = (int32_t)i;
    }
    float *out = t->packed + (book * t->count + first) * t->d;
    for (long i = 0; i < n; i++) {
        const float *code = row(r, first + order[i]);
        int32_t id = id_of(r, first + order[i]);
        t->order[book * t->count + first + i] = id;
        t->place[book * t->count + id] = (int32_t)(first + i);
        for (long j = 0; j < t->d; j++) out[j * n + i] = code[j];
    }
}

static void grow(struct tk_tree *t, long book, const struct rows *r, long node, int level, long first, long last) {
    if (level == t->levels) {
        finish_leaf(t, book, r, first, last);
        return;
    }
    long middle = first + (last - first) / 2, inner = book * ((1L << t->levels) - 1) + node;
    int axis = widest(r, first, last);
    split(r, first, last, middle, axis);
    // `split` leaves what is at `middle` there, the smallest of the right half.
    t->axes[inner] = (uint8_t)axis;
    t->cuts[inner] = row(r, middle)[axis];
    grow(t, book, r, 2 * node + 1, level + 1, first, middle);
    grow(t, book, r, 2 * node + 2, level + 1, middle, last);
}

static void build_book(void *context, long book) {
    const struct build *b = context;
    long count = b->tree->count, d = b->tree->d;
    struct rows r = {tk_allocate((size_t)count * (size_t)(d + 1) * sizeof(float)), d};
    for (long i = 0; i < count; i++) {
        int32_t id = (int32_t)i;
        memcpy(row(&r, i), b->codes + (book * count + i) * d, (size_t)d * sizeof(float));
        memcpy(row(&r, i) + d, &id, sizeof id);
    }
    grow(b->tree, book, &r, 0, 0, 0, count);
    free(r.data);
}

// Whether codebooks of that size can be trees.
static int takes(long count, long d) {
    return count >= 2 * LEAF && count <= INT32_MAX && d >= 1 && d <= MOST_DIMENSIONS;
}

// Nothing can be cut along what isn't a number.
static int all_finite(const float *codes, long count) {
    int others = 0;
    for (long i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, codes + i, sizeof bits);
        others |= (bits & 0x7f800000) == 0x7f800000;
    }
    return !others;
}

// The next part of a tree, aligned to 64 bytes.
static void *part(struct tk_tree *t, size_t bytes) {
    char *here = t->memory ? t->memory + t->bytes : NULL;
    t->bytes += (bytes + 63) / 64 * 64;
    return here;
}

// Where everything is in the tree's memory, and how much there is of it, which doesn't need the memory.
static void lay_out(struct tk_tree *t) {
    size_t all = (size_t)t->books * (size_t)t->count, inner = (size_t)t->books * ((1UL << t->levels) - 1);
    t->bytes = 0;
    t->packed = part(t, all * (size_t)t->d * sizeof *t->packed);
    t->order = part(t, all * sizeof *t->order);
    t->place = part(t, all * sizeof *t->place);
    t->cuts = part(t, inner * sizeof *t->cuts);
    t->axes = part(t, inner);
}

static tk_tree *plan(long books, long count, long d) {
    struct tk_tree *t = tk_allocate(sizeof *t);
    *t = (struct tk_tree){.books = books, .count = count, .d = d};
    while (((long)LEAF << t->levels) < count) t->levels++;
    lay_out(t);
    return t;
}

// What lies between the parts is written to files too.
static void clear_ends(struct tk_tree *t) {
    char *ends[] = {(char *)t->order, (char *)t->place, (char *)t->cuts, (char *)t->axes, t->memory + t->bytes};
    for (int i = 0; i < 5; i++) memset(ends[i] - 64, 0, 64);
}

tk_tree *tk_tree_create(const float *codes, long books, long count, long d) {
    if (!takes(count, d) || !all_finite(codes, books * count * d)) return NULL;
    struct tk_tree *t = plan(books, count, d);
    t->memory = tk_allocate(t->bytes);
    t->is_owned = 1;
    lay_out(t);
    clear_ends(t);
    struct build b = {t, codes};
    tk_parallel(books, build_book, &b);
    return t;
}

tk_tree *tk_tree_open(const void *memory, size_t bytes, long books, long count, long d) {
    if (!takes(count, d)) return NULL;
    struct tk_tree *t = plan(books, count, d);
    if (t->bytes != bytes) {
        tk_tree_free(t);
        return NULL;
    }
    t->memory = (char *)memory;
    lay_out(t);
    return t;
}

const void *tk_tree_memory(const tk_tree *t, size_t *bytes) {
    *bytes = t->bytes;
    return t->memory;
}

void tk_tree_free(tk_tree *t) {
    if (!t) return;
    if (t->is_owned) free(t->memory);
    free(t);
}

void tk_tree_copy(const tk_tree *t, long book, long id, float *out) {
    long place = t->place[book * t->count + id], first = 0, last = t->count;
    // In a file that was damaged; see `tk_tree_open`.
    if (place < 0 || place >= last) place = 0;
    for (int level = 0; level < t->levels; level++) {
        long middle = first + (last - first) / 2;
        if (place < middle) last = middle;
        else first = middle;
    }
    const float *leaf = t->packed + (book * t->count + first) * t->d;
    for (long j = 0; j < t->d; j++) out[j] = leaf[j * (last - first) + place - first];
}

struct descent {
    const struct tk_tree *tree;
    const struct tk_kernels *kernels;
    const float *query;
    long book;
    // How far the query is outside of the node that is looked at, along each axis.
    float outside[MOST_DIMENSIONS];
    int32_t id;
    float best, second;
};

static void measure(struct descent *s, long first, long last) {
    const struct tk_tree *t = s->tree;
    int32_t at;
    float best, second;
    s->kernels->nearest(s->query, t->d, t->packed + (s->book * t->count + first) * t->d, last - first, 0, last - first,
                        &at, &best, &second);
    int32_t id = t->order[s->book * t->count + first + at];
    if (best < s->best || (best == s->best && id < s->id)) {
        s->second = s->best < second ? s->best : second;
        s->best = best;
        s->id = id;
    } else if (best < s->second) {
        s->second = best;
    }
}

static void descend(struct descent *s, long node, int level, long first, long last) {
    const struct tk_tree *t = s->tree;
    if (level == t->levels) {
        measure(s, first, last);
        return;
    }
    long middle = first + (last - first) / 2, inner = s->book * ((1L << t->levels) - 1) + node;
    int axis = t->axes[inner];
    // In a file that was damaged; see `tk_tree_open`.
    if (axis >= t->d) axis = 0;
    float beyond = s->query[axis] - t->cuts[inner], before = s->outside[axis];
    if (beyond < 0) descend(s, 2 * node + 1, level + 1, first, middle);
    else descend(s, 2 * node + 2, level + 1, middle, last);
    s->outside[axis] = fabsf(beyond);
    float bound = 0;
    for (long j = 0; j < t->d; j++) bound += s->outside[j] * s->outside[j];
    // The kernel may sum with other roundings, by less than that.
    if (!(bound * 0.99999f > s->second)) {
        if (beyond < 0) descend(s, 2 * node + 2, level + 1, middle, last);
        else descend(s, 2 * node + 1, level + 1, first, middle);
    }
    s->outside[axis] = before;
}

struct lookup {
    const struct tk_tree *tree;
    const float *queries;
    int32_t *ids;
    float *best, *second;
};

static void look_up(void *context, long q) {
    const struct lookup *l = context;
    struct descent s = {.tree = l->tree,
                        .kernels = tk_active(),
                        .query = l->queries + q * l->tree->d,
                        .book = q % l->tree->books,
                        .id = INT32_MAX,
                        .best = INFINITY,
                        .second = INFINITY};
    descend(&s, 0, 0, 0, l->tree->count);
    l->ids[q] = s.id;
    l->best[q] = s.best;
    l->second[q] = s.second;
}

void tk_tree_nearest(const tk_tree *t, const float *queries, long count, int32_t *ids, float *best, float *second) {
    struct lookup l = {.tree = t, .queries = queries, .ids = ids, .best = best, .second = second};
    tk_parallel(count, look_up, &l);
}
