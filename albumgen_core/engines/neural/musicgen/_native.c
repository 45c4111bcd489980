/* One decoder step of MusicGen in int8, for CPUs with AVX-512 VNNI.
 *
 * The same arithmetic as Int8Linear and OwnSession in Python: activations are split into two int8 parts,
 * weights have one scale an output channel, everything else is float32, and keys and values are kept in
 * float16. What is gained is all that lies between the products: a layer is 14 barriers here and some two
 * hundred calls there.
 *
 * Plain C called through ctypes. On other CPUs, or without a compiler, `albumgen_supported` says 0 or the
 * library is simply not there, and PyTorch does the work.
 */

#include <math.h>
#include <stdint.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#if defined(__x86_64__) && defined(__GNUC__) && defined(_OPENMP)
#include <immintrin.h>
#include <limits.h>
#include <omp.h>
#include <sched.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma")))

enum { BLOCK = 16, LEVELS = 127, AHEAD = 4096 };

/* A weight matrix (out, in): out and in multiples of 16.
 * packed: [out / 16][in / 4][16][4], so that one load holds 16 outputs of four inputs. */
typedef struct {
    int64_t out, in;
    const int8_t *packed;
    const float *scale;    /* (out,) */
    const int32_t *offset; /* (out,): 128 * sum of the row, as activations are stored + 128 */
    const float *balance;  /* (in,) */
} Linear;

typedef struct {
    const float *gain, *bias;
} Norm;

typedef struct {
    Norm self_norm, cross_norm, final_norm;
    Linear qkv, self_out, cross_query, cross_out, up, down;
    uint16_t *keys, *values;                  /* float16 (rows, heads, capacity, size) */
    const float *prompt_keys, *prompt_values; /* (clips, heads, longest, size) */
} Layer;

typedef struct {
    int64_t rows, clips, width, inner, heads, capacity, longest;
    const int64_t *place;   /* (clips,): columns heard before this one */
    const int64_t *prompts; /* (clips,): tokens of each prompt */
    float *hidden;          /* (rows, width), in and out */
    float *work;            /* (rows, 3 * width + inner) and (threads, capacity + longest + 64) */
    uint8_t *parts;         /* rows * 2 * inner bytes */
    float *row_scale;       /* (rows,) */
    int64_t threads;
} Step;

/* Where threads wait for one another, some 300 times a step. OpenMP's own barriers spin for milliseconds: as soon
 * as another program wants a core, every one of them costs a time slice, and a step takes forty times as long as
 * it should. Here a thread spins briefly and then sleeps, and spins less the more often that was in vain. */
typedef struct {
    int arrived, round, asleep;
} Barrier;

typedef struct {
    Barrier *barrier;
    int threads, patience;
} Team;

enum { PATIENCE_MOST = 4000, PATIENCE_LEAST = 50 };

static void meet(Team *team) {
    Barrier *b = team->barrier;
    if (team->threads == 1) return;
    int round = __atomic_load_n(&b->round, __ATOMIC_SEQ_CST);
    if (__atomic_add_fetch(&b->arrived, 1, __ATOMIC_SEQ_CST) == team->threads) {
        __atomic_store_n(&b->arrived, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&b->round, round + 1, __ATOMIC_SEQ_CST);
#if defined(__linux__)
        /* Whoever is counted asleep only later finds the new round before it sleeps. */
        if (__atomic_load_n(&b->asleep, __ATOMIC_SEQ_CST))
            syscall(SYS_futex, &b->round, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#endif
        return;
    }
    for (int i = 0; i < team->patience; i++) {
        if (__atomic_load_n(&b->round, __ATOMIC_ACQUIRE) != round) {
            if (team->patience < PATIENCE_MOST) team->patience += 20;
            return;
        }
        _mm_pause();
    }
    team->patience = team->patience / 2 > PATIENCE_LEAST ? team->patience / 2 : PATIENCE_LEAST;
    __atomic_add_fetch(&b->asleep, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&b->round, __ATOMIC_SEQ_CST) == round) {
#if defined(__linux__)
        syscall(SYS_futex, &b->round, FUTEX_WAIT_PRIVATE, round, NULL, NULL, 0);
#else
        sched_yield();
#endif
    }
    __atomic_sub_fetch(&b->asleep, 1, __ATOMIC_SEQ_CST);
}

static VNNI inline __m512 exp_ps(__m512 x) {
    /* 2^k * e^r, |r| <= ln 2 / 2, with a Taylor polynomial of degree 7: relative error below 1e-7. */
    x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
    __m512 k = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
    __m512 r = _mm512_fnmadd_ps(k, _mm512_set1_ps(0.693359375f), x);
    r = _mm512_fnmadd_ps(k, _mm512_set1_ps(-2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.0f / 5040);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 720));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, k);
}

static VNNI inline __m512 gelu_ps(__m512 x) {
    /* x * Phi(x), the error function after Abramowitz and Stegun 7.1.26 (absolute error 1.5e-7). */
    __m512 z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.70710678f));
    __m512 one = _mm512_set1_ps(1.0f);
    __m512 t = _mm512_div_ps(one, _mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911f), one));
    __m512 p = _mm512_set1_ps(1.061405429f);
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-1.453152027f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(1.421413741f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.284496736f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.254829592f));
    __m512 tail = _mm512_mul_ps(_mm512_mul_ps(p, t), exp_ps(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(z, z))));
    __m512 half = _mm512_mul_ps(_mm512_set1_ps(0.5f), tail); /* 1 - Phi(|x|) */
    __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_mul_ps(x, _mm512_mask_blend_ps(negative, _mm512_sub_ps(one, half), half));
}

/* Rows that go through a product together: as many as registers hold sums for. */
static inline int64_t tile_rows(int64_t left) { return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1; }

/* One of `rows` rows to its two int8 parts, each stored + 128; returns the row's scale. `x` is spoilt.
 * Tiles of rows follow one another in `parts`, each as [in / 4][row, part][4]: the order a product reads. */
static VNNI float split_row(const Linear *w, float *x, uint8_t *parts, int64_t row, int64_t rows) {
    int64_t first = 0;
    while (first + tile_rows(rows - first) <= row) first += tile_rows(rows - first);
    const int64_t stride = 2 * tile_rows(rows - first);
    uint32_t *to = (uint32_t *)(parts + 2 * first * w->in) + 2 * (row - first);
    __m512 top = _mm512_setzero_ps();
    for (int64_t i = 0; i < w->in; i += 16) {
        __m512 v = _mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(w->balance + i));
        _mm512_storeu_ps(x + i, v);
        top = _mm512_max_ps(top, _mm512_abs_ps(v));
    }
    float scale = fmaxf(_mm512_reduce_max_ps(top), 1e-30f) / LEVELS;
    __m512 factor = _mm512_set1_ps(1.0f / scale), spread = _mm512_set1_ps(2.0f * LEVELS);
    __m512i shift = _mm512_set1_epi32(128);
    for (int64_t i = 0; i < w->in; i += 16) {
        __m512 v = _mm512_mul_ps(_mm512_loadu_ps(x + i), factor);
        __m512i high = _mm512_cvtps_epi32(v);
        __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_sub_ps(v, _mm512_cvtepi32_ps(high)), spread));
        uint32_t fours[8];
        _mm_storeu_si128((__m128i *)fours, _mm512_cvtusepi32_epi8(_mm512_add_epi32(high, shift)));
        _mm_storeu_si128((__m128i *)(fours + 4), _mm512_cvtusepi32_epi8(_mm512_add_epi32(low, shift)));
        for (int j = 0; j < 4; j++, to += stride) {
            to[0] = fours[j];
            to[1] = fours[4 + j];
        }
    }
    return scale;
}

enum { STORE, ADD, GELU };

/* A block of outputs of a tile of `rows` rows: y = x @ w.T. Inlined with a constant, so that all sums stay in
 * registers.
 *
 * Eight rows are sixteen sums, and wait for arithmetic rather than for memory: there the weights of AHEAD bytes
 * later are asked for meanwhile. Fewer rows leave memory busy as they are. */
static VNNI inline __attribute__((always_inline)) void product_tile(const Linear *w, int64_t block,
                                                                    const uint8_t *parts, const float *row_scale,
                                                                    int rows, float *out, int64_t stride, int mode) {
    const int8_t *weights = w->packed + block * BLOCK * w->in;
    const int64_t start = block * BLOCK;
    __m512i sum[16];
    for (int i = 0; i < 2 * rows; i++) sum[i] = _mm512_setzero_si512();
    for (int64_t k = 0; k < w->in; k += 4) {
        __m512i four = _mm512_loadu_si512(weights + k * BLOCK);
        if (rows == 8) _mm_prefetch((const char *)weights + k * BLOCK + AHEAD, _MM_HINT_T0);
        for (int part = 0; part < 2 * rows; part++) {
            __m512i x = _mm512_set1_epi32(*(const int32_t *)(parts + 2 * rows * k + 4 * part));
            sum[part] = _mm512_dpbusd_epi32(sum[part], x, four);
        }
    }
    __m512 scale = _mm512_loadu_ps(w->scale + start);
    __m512i offset = _mm512_loadu_si512(w->offset + start);
    for (int row = 0; row < rows; row++) {
        __m512 high = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum[2 * row], offset));
        __m512 low = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum[2 * row + 1], offset));
        __m512 y = _mm512_fmadd_ps(low, _mm512_set1_ps(0.5f / LEVELS), high);
        float *to = out + row * stride + start;
        y = _mm512_mul_ps(y, _mm512_mul_ps(scale, _mm512_set1_ps(row_scale[row])));
        if (mode == ADD)
            y = _mm512_add_ps(y, _mm512_loadu_ps(to));
        else if (mode == GELU)
            y = gelu_ps(y);
        _mm512_storeu_ps(to, y);
    }
}

/* out (+)= x @ w.T for rows prepared by split_row. As many rows as registers hold share one reading of a
 * block, so that arithmetic hides behind memory. */
static VNNI void product(const Linear *w, const uint8_t *parts, const float *row_scale, int64_t rows, float *out,
                         int64_t stride, int mode, Team *team) {
#pragma omp for schedule(static) nowait
    for (int64_t block = 0; block < w->out / BLOCK; block++) {
        for (int64_t row = 0, count; row < rows; row += count) {
            const uint8_t *x = parts + 2 * row * w->in;
            const float *scale = row_scale + row;
            float *y = out + row * stride;
            count = tile_rows(rows - row);
            if (count == 8)
                product_tile(w, block, x, scale, 8, y, stride, mode);
            else if (count == 4)
                product_tile(w, block, x, scale, 4, y, stride, mode);
            else if (count == 2)
                product_tile(w, block, x, scale, 2, y, stride, mode);
            else
                product_tile(w, block, x, scale, 1, y, stride, mode);
        }
    }
    meet(team);
}

static VNNI void normalise(const float *x, const Norm *norm, int64_t width, float *out) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t i = 0; i < width; i += 16) sum = _mm512_add_ps(sum, _mm512_loadu_ps(x + i));
    __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / width);
    __m512 square = _mm512_setzero_ps();
    for (int64_t i = 0; i < width; i += 16) {
        __m512 d = _mm512_sub_ps(_mm512_loadu_ps(x + i), mean);
        square = _mm512_fmadd_ps(d, d, square);
    }
    __m512 factor = _mm512_set1_ps(1.0f / sqrtf(_mm512_reduce_add_ps(square) / width + 1e-5f));
    for (int64_t i = 0; i < width; i += 16) {
        __m512 d = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + i), mean), factor);
        _mm512_storeu_ps(out + i, _mm512_fmadd_ps(d, _mm512_loadu_ps(norm->gain + i), _mm512_loadu_ps(norm->bias + i)));
    }
}

static VNNI inline __m512 load16(const void *base, int64_t index, int half) {
    if (half) return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)((const uint16_t *)base + index)));
    return _mm512_loadu_ps((const float *)base + index);
}

/* Sixteen vectors to one that holds the sum of each. `v` is spoilt. */
static VNNI inline __attribute__((always_inline)) __m512 sum_each(__m512 *v) {
    for (int i = 0; i < 8; i++) /* 2i and 2i + 1 share a vector: pairs of places, the two in turn */
        v[i] = _mm512_add_ps(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]), _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
    for (int i = 0; i < 4; i++)
        v[i] = _mm512_add_ps(_mm512_shuffle_ps(v[2 * i], v[2 * i + 1], 0x44), _mm512_shuffle_ps(v[2 * i], v[2 * i + 1], 0xee));
    for (int i = 0; i < 2; i++) /* each 128 bits now hold four sums of a quarter each */
        v[i] = _mm512_add_ps(_mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0x88), _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0xdd));
    return _mm512_add_ps(_mm512_shuffle_f32x4(v[0], v[1], 0x88), _mm512_shuffle_f32x4(v[0], v[1], 0xdd));
}

/* One head of one row: softmax(q k / sqrt(size)) v over `count` places; `scores` holds count + 16. Inlined with
 * constants for `half` and, where it is 64, `size`: all heads of MusicGen's decoders are that wide. */
static VNNI inline __attribute__((always_inline)) void attend_as(const float *q, const void *keys, const void *values,
                                                                 int half, int64_t count, int64_t size, float *scores,
                                                                 float *out) {
    const __m512 factor = _mm512_set1_ps(1.0f / sqrtf((float)size));
    __m512 top = _mm512_set1_ps(-INFINITY);
    for (int64_t t = 0; t < count; t += 16) {
        __m512 sum[16];
        for (int64_t j = 0; j < 16; j++) {
            int64_t from = (t + j < count ? t + j : count - 1) * size;
            sum[j] = _mm512_setzero_ps();
            for (int64_t i = 0; i < size; i += 16)
                sum[j] = _mm512_fmadd_ps(_mm512_loadu_ps(q + i), load16(keys, from + i, half), sum[j]);
        }
        __m512 score = _mm512_mul_ps(sum_each(sum), factor);
        _mm512_storeu_ps(scores + t, score);
        top = _mm512_max_ps(top, score); /* places beyond the last repeat it */
    }
    top = _mm512_set1_ps(_mm512_reduce_max_ps(top));
    __m512 total = _mm512_setzero_ps();
    for (int64_t t = 0; t < count; t += 16) {
        __mmask16 inside = count - t >= 16 ? 0xffff : (__mmask16)((1 << (count - t)) - 1);
        __m512 e = _mm512_maskz_mov_ps(inside, exp_ps(_mm512_sub_ps(_mm512_loadu_ps(scores + t), top)));
        _mm512_storeu_ps(scores + t, e);
        total = _mm512_add_ps(total, e);
    }
    __m512 share = _mm512_set1_ps(1.0f / _mm512_reduce_add_ps(total));
    for (int64_t first = 0; first < size; first += 64) {
        const int64_t vectors = (size - first < 64 ? size - first : 64) / 16;
        __m512 even[4], odd[4]; /* two chains of sums, so that neither waits for itself */
        for (int i = 0; i < 4; i++) even[i] = odd[i] = _mm512_setzero_ps();
        int64_t t = 0;
        for (; t + 1 < count; t += 2) {
            __m512 p = _mm512_set1_ps(scores[t]), r = _mm512_set1_ps(scores[t + 1]);
            for (int64_t i = 0; i < vectors; i++) {
                even[i] = _mm512_fmadd_ps(p, load16(values, t * size + first + 16 * i, half), even[i]);
                odd[i] = _mm512_fmadd_ps(r, load16(values, (t + 1) * size + first + 16 * i, half), odd[i]);
            }
        }
        if (t < count)
            for (int64_t i = 0; i < vectors; i++)
                even[i] = _mm512_fmadd_ps(_mm512_set1_ps(scores[t]), load16(values, t * size + first + 16 * i, half),
                                          even[i]);
        for (int64_t i = 0; i < vectors; i++)
            _mm512_storeu_ps(out + first + 16 * i, _mm512_mul_ps(_mm512_add_ps(even[i], odd[i]), share));
    }
}

static VNNI void attend(const float *q, const void *keys, const void *values, int half, int64_t count, int64_t size,
                        float *scores, float *out) {
    if (size == 64 && half)
        attend_as(q, keys, values, 1, count, 64, scores, out);
    else if (size == 64)
        attend_as(q, keys, values, 0, count, 64, scores, out);
    else
        attend_as(q, keys, values, half, count, size, scores, out);
}

static VNNI void narrow(const float *from, uint16_t *to, int64_t count) {
    for (int64_t i = 0; i < count; i += 16)
        _mm256_storeu_si256((__m256i *)(to + i), _mm512_cvtps_ph(_mm512_loadu_ps(from + i), 0));
}

/* Normalise (with `norm`) or take as they are the rows of `from`, and split them for `w`. */
static VNNI void prepare(const Step *s, const Linear *w, const Norm *norm, float *from, int64_t stride, int64_t rows,
                         float *spare, Team *team) {
#pragma omp for schedule(static) nowait
    for (int64_t row = 0; row < rows; row++) {
        float *x = from + row * stride;
        if (norm) {
            normalise(x, norm, s->width, spare + row * 3 * s->width);
            x = spare + row * 3 * s->width;
        }
        s->row_scale[row] = split_row(w, x, s->parts, row, rows);
    }
    meet(team);
}

static VNNI void layer_step(const Step *s, const Layer *l, float *qkv, float *inner, float *scores,
                            Team *team) {
    const int64_t width = s->width, size = width / s->heads, three = 3 * width;
    const uint8_t *parts = s->parts;
    prepare(s, &l->qkv, &l->self_norm, s->hidden, width, s->rows, qkv, team);
    product(&l->qkv, parts, s->row_scale, s->rows, qkv, three, STORE, team);
#pragma omp for schedule(static) nowait
    for (int64_t task = 0; task < s->rows * s->heads; task++) {
        int64_t row = task / s->heads, head = task % s->heads, place = s->place[row % s->clips];
        float *q = qkv + row * three + head * size;
        int64_t start = task * s->capacity * size;
        narrow(q + width, l->keys + start + place * size, size);
        narrow(q + 2 * width, l->values + start + place * size, size);
        attend(q, l->keys + start, l->values + start, 1, place + 1, size, scores, inner + row * width + head * size);
    }
    meet(team);
    prepare(s, &l->self_out, NULL, inner, width, s->rows, NULL, team);
    product(&l->self_out, parts, s->row_scale, s->rows, s->hidden, width, ADD, team);
    prepare(s, &l->cross_query, &l->cross_norm, s->hidden, width, s->clips, qkv, team);
    product(&l->cross_query, parts, s->row_scale, s->clips, qkv, three, STORE, team);
#pragma omp for schedule(static) nowait
    for (int64_t task = 0; task < s->clips * s->heads; task++) {
        int64_t clip = task / s->heads, head = task % s->heads, start = task * s->longest * size;
        attend(qkv + clip * three + head * size, l->prompt_keys + start, l->prompt_values + start, 0,
               s->prompts[clip], size, scores, inner + clip * width + head * size);
    }
    meet(team);
    prepare(s, &l->cross_out, NULL, inner, width, s->clips, NULL, team);
    product(&l->cross_out, parts, s->row_scale, s->clips, s->hidden, width, ADD, team);
    prepare(s, &l->up, &l->final_norm, s->hidden, width, s->rows, qkv, team);
    product(&l->up, parts, s->row_scale, s->rows, inner, s->inner, GELU, team);
    prepare(s, &l->down, NULL, inner, s->inner, s->rows, NULL, team);
    product(&l->down, parts, s->row_scale, s->rows, s->hidden, width, ADD, team);
}

EXPORT int albumgen_supported(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}

/* All layers of one step; hidden states in and out are in s->hidden. */
EXPORT VNNI void albumgen_step(const Step *s, const Layer *layers, int64_t count) {
    float *qkv = s->work, *inner = qkv + s->rows * 3 * s->width;
    Barrier barrier = {0, 0, 0};
#pragma omp parallel num_threads(s->threads)
    {
        Team team = {&barrier, omp_get_num_threads(), PATIENCE_MOST};
        float *scores = inner + s->rows * s->inner + omp_get_thread_num() * (s->capacity + s->longest + 64);
        for (int64_t i = 0; i < count; i++) layer_step(s, layers + i, qkv, inner, scores, &team);
    }
}

/* y (rows, out) = x (rows, in) @ w.T for any number of rows; x is spoilt, parts holds (rows, 2, in). */
EXPORT VNNI void albumgen_product(const Linear *w, float *x, int64_t rows, uint8_t *parts, float *row_scale, float *y,
                                  int64_t threads) {
    Barrier barrier = {0, 0, 0};
#pragma omp parallel num_threads(threads)
    {
        Team team = {&barrier, omp_get_num_threads(), PATIENCE_MOST};
#pragma omp for schedule(static) nowait
        for (int64_t row = 0; row < rows; row++)
            row_scale[row] = split_row(w, x + row * w->in, parts, row, rows);
        meet(&team);
        product(w, parts, row_scale, rows, y, w->out, STORE, &team);
    }
}

#else

EXPORT int albumgen_supported(void) { return 0; }

#endif
