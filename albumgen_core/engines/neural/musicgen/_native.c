/* Steps of MusicGen's decoder in int8, for CPUs with AVX-512 VNNI.
 *
 * Weights have one scale an output channel and activations one a row (_native_linear.h, the arithmetic of Int8Linear in
 * Python); keys and values have one a vector (_native_attention.h); everything else is float32. What is gained besides
 * is all that lies between the products: a layer is 14 barriers here and some two hundred calls in Python.
 *
 * Plain C called through ctypes. On other CPUs, or without a compiler, `albumgen_supported` says 0 or the library is
 * simply not there, and PyTorch does the work.
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
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma")))

#include "_native_team.h"
#include "_native_vector.h"
#include "_native_linear.h"
#include "_native_attention.h"

enum { VERSION = 2 };

typedef struct {
    Norm self_norm, cross_norm, final_norm;
    Linear qkv, self_out, cross_query, cross_out, up, down;
    Cache own, prompt; /* columns heard, a slot a clip and guidance half; prompts, a slot a clip */
} Layer;

/* Columns that are heard together: one of each clip and half, or several of one clip. */
typedef struct {
    int64_t rows, listeners; /* the first `listeners` rows hear their prompt */
    int64_t width, inner, heads;
    int64_t ahead;           /* whether a row's column is heard by later rows */
    const int64_t *slot;     /* (rows,): whose keys and values a row hears */
    const int64_t *place;    /* (rows,): columns heard before this one */
    const int64_t *clip;     /* (listeners,): whose prompt a row hears */
    const int64_t *prompts;  /* (clips,): tokens of each prompt */
    float *hidden;           /* (rows, width), in and out */
    float *work;             /* (rows, 3 * width + inner) and (threads, spare) */
    int64_t spare;
    Activations ready;
    int64_t threads;
} Step;

/* Normalise (with `norm`) or take as they are the rows of `from`, and make them ready for `w`. */
static VNNI void prepare(const Step *s, const Linear *w, const Norm *norm, float *from, int64_t stride, int64_t rows,
                         float *room, Team *team) {
#pragma omp for schedule(static) nowait
    for (int64_t row = 0; row < rows; row++) {
        float *x = from + row * stride;
        if (norm) {
            normalise(x, norm, s->width, room + row * 3 * s->width);
            x = room + row * 3 * s->width;
        }
        quantise(w, x, &s->ready, row, rows);
    }
    meet(team);
}

static VNNI void remember_rows(const Step *s, const Layer *l, const float *qkv, int64_t size, Team *team) {
#pragma omp for schedule(static) nowait
    for (int64_t task = 0; task < s->rows * s->heads; task++) {
        int64_t row = task / s->heads, head = task % s->heads;
        const float *key = qkv + row * 3 * s->width + s->width + head * size;
        const Head h = head_of(&l->own, s->slot[row] * s->heads + head, size);
        remember(&h, key, key + s->width, s->place[row], size);
    }
    meet(team);
}

static VNNI void hear_columns(const Step *s, const Layer *l, const float *qkv, float *out, int64_t size, float *spare,
                              Team *team) {
    if (s->ahead) remember_rows(s, l, qkv, size, team);
#pragma omp for schedule(static) nowait
    for (int64_t task = 0; task < s->rows * s->heads; task++) {
        int64_t row = task / s->heads, head = task % s->heads, place = s->place[row];
        const float *q = qkv + row * 3 * s->width + head * size;
        const Head h = head_of(&l->own, s->slot[row] * s->heads + head, size);
        if (!s->ahead) remember(&h, q + s->width, q + 2 * s->width, place, size);
        attend(q, &h, place + 1, size, spare, out + row * s->width + head * size);
    }
    meet(team);
}

static VNNI void hear_prompts(const Step *s, const Layer *l, const float *queries, float *out, int64_t size,
                              float *spare, Team *team) {
#pragma omp for schedule(static) nowait
    for (int64_t task = 0; task < s->listeners * s->heads; task++) {
        int64_t row = task / s->heads, head = task % s->heads, clip = s->clip[row];
        const Head h = head_of(&l->prompt, clip * s->heads + head, size);
        attend(queries + row * 3 * s->width + head * size, &h, s->prompts[clip], size, spare,
               out + row * s->width + head * size);
    }
    meet(team);
}

static VNNI void layer_step(const Step *s, const Layer *l, float *qkv, float *inner, float *spare, Team *team) {
    const int64_t width = s->width, size = width / s->heads, three = 3 * width;
    const Activations *ready = &s->ready;
    prepare(s, &l->qkv, &l->self_norm, s->hidden, width, s->rows, qkv, team);
    product(&l->qkv, ready, s->rows, qkv, three, STORE, team);
    hear_columns(s, l, qkv, inner, size, spare, team);
    prepare(s, &l->self_out, NULL, inner, width, s->rows, NULL, team);
    product(&l->self_out, ready, s->rows, s->hidden, width, ADD, team);
    prepare(s, &l->cross_query, &l->cross_norm, s->hidden, width, s->listeners, qkv, team);
    product(&l->cross_query, ready, s->listeners, qkv, three, STORE, team);
    hear_prompts(s, l, qkv, inner, size, spare, team);
    prepare(s, &l->cross_out, NULL, inner, width, s->listeners, NULL, team);
    product(&l->cross_out, ready, s->listeners, s->hidden, width, ADD, team);
    prepare(s, &l->up, &l->final_norm, s->hidden, width, s->rows, qkv, team);
    product(&l->up, ready, s->rows, inner, s->inner, GELU, team);
    prepare(s, &l->down, NULL, inner, s->inner, s->rows, NULL, team);
    product(&l->down, ready, s->rows, s->hidden, width, ADD, team);
}

/* The version of the structures above, where the CPU can run them; else 0. */
EXPORT int albumgen_supported(void) {
    return VERSION * (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni"));
}

/* All layers of one step; hidden states in and out are in s->hidden. */
EXPORT VNNI void albumgen_step(const Step *s, const Layer *layers, int64_t count) {
    float *qkv = s->work, *inner = qkv + s->rows * 3 * s->width;
    Barrier barrier = {0, 0, 0};
#pragma omp parallel num_threads(s->threads)
    {
        Team team = {&barrier, omp_get_num_threads(), PATIENCE_MOST};
        float *spare = inner + s->rows * s->inner + omp_get_thread_num() * s->spare;
        for (int64_t i = 0; i < count; i++) layer_step(s, layers + i, qkv, inner, spare, &team);
    }
}

/* Keys and values (slots, heads, count, size) to the first `count` places of a cache. */
EXPORT VNNI void albumgen_remember(const Cache *cache, const float *keys, const float *values, int64_t heads,
                                   int64_t count, int64_t size) {
    for (int64_t index = 0; index < heads; index++) {
        const Head h = head_of(cache, index, size);
        for (int64_t place = 0; place < count; place++) {
            const int64_t from = (index * count + place) * size;
            remember(&h, keys + from, values + from, place, size);
        }
    }
}

/* y (rows, out) = x (rows, in) @ w.T for any number of rows; x is spoilt. */
EXPORT VNNI void albumgen_product(const Linear *w, float *x, int64_t rows, const Activations *ready, float *y,
                                  int64_t threads) {
    Barrier barrier = {0, 0, 0};
#pragma omp parallel num_threads(threads)
    {
        Team team = {&barrier, omp_get_num_threads(), PATIENCE_MOST};
#pragma omp for schedule(static) nowait
        for (int64_t row = 0; row < rows; row++) quantise(w, x + row * w->in, ready, row, rows);
        meet(&team);
        product(w, ready, rows, y, w->out, STORE, &team);
    }
}

#else

EXPORT int albumgen_supported(void) { return 0; }

#endif
