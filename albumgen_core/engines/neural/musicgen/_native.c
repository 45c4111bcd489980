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

enum { VERSION = 3 };

typedef struct {
    Norm self_norm, cross_norm, final_norm;
    Linear qkv, self_out, cross_query, cross_out, up, down;
    Cache own, prompt; /* self-attention: a slot a row of the CFG batch; cross-attention: a slot a clip */
} Layer;

/* Columns that go through together: one of each row of the CFG batch, or several of one clip. */
typedef struct {
    int64_t rows, conditional; /* the first `conditional` rows have a prompt */
    int64_t width, inner, heads;
    int64_t ahead;           /* whether later rows attend to a row's column */
    const int64_t *slot;     /* (rows,): which keys and values a row attends to */
    const int64_t *position; /* (rows,): columns before this one */
    const int64_t *clip;     /* (conditional,): whose prompt a row attends to */
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

/* Some heads of one row. */
typedef struct {
    int64_t row, first, count;
} Run;

/* The next run of a thread's share of all heads of `rows` rows, from the head numbered `from` on; `until` ends it. */
static inline Run next_run(const Step *s, int64_t from, int64_t until) {
    Run run = {from / s->heads, from % s->heads, until - from};
    if (run.count > s->heads - run.first) run.count = s->heads - run.first;
    if (run.count > RUN) run.count = RUN;
    return run;
}

static inline int64_t share(int64_t tasks, int64_t thread, const Team *team) { return tasks * thread / team->threads; }

static VNNI void store_run(const Step *s, const Layer *l, const Run *run, const float *qkv, int64_t size) {
    const Heads h = heads_of(&l->own, s->slot[run->row], s->heads, run->first, size);
    const float *keys = qkv + run->row * 3 * s->width + s->width + run->first * size;
    for (int64_t head = 0; head < run->count; head++)
        store(&h, head, keys + head * size, keys + s->width + head * size, s->position[run->row], size);
}

static VNNI void self_attention(const Step *s, const Layer *l, const float *qkv, float *out, int64_t size, float *spare,
                              Team *team) {
    const int64_t tasks = s->rows * s->heads, thread = omp_get_thread_num();
    const int64_t begin = share(tasks, thread, team), until = share(tasks, thread + 1, team);
    Run run;
    for (int64_t task = begin; task < until; task += run.count) {
        run = next_run(s, task, until);
        store_run(s, l, &run, qkv, size);
    }
    if (s->ahead) meet(team);
    for (int64_t task = begin; task < until; task += run.count) {
        run = next_run(s, task, until);
        const Heads h = heads_of(&l->own, s->slot[run.row], s->heads, run.first, size);
        attend(qkv + run.row * 3 * s->width + run.first * size, &h, run.count, s->position[run.row] + 1, size, spare,
               out + run.row * s->width + run.first * size);
    }
    meet(team);
}

static VNNI void cross_attention(const Step *s, const Layer *l, const float *queries, float *out, int64_t size,
                              float *spare, Team *team) {
    const int64_t tasks = s->conditional * s->heads, thread = omp_get_thread_num();
    const int64_t until = share(tasks, thread + 1, team);
    Run run;
    for (int64_t task = share(tasks, thread, team); task < until; task += run.count) {
        run = next_run(s, task, until);
        const int64_t clip = s->clip[run.row];
        const Heads h = heads_of(&l->prompt, clip, s->heads, run.first, size);
        attend(queries + run.row * 3 * s->width + run.first * size, &h, run.count, s->prompts[clip], size, spare,
               out + run.row * s->width + run.first * size);
    }
    meet(team);
}

static VNNI void layer_step(const Step *s, const Layer *l, float *qkv, float *inner, float *spare, Team *team) {
    const int64_t width = s->width, size = width / s->heads, three = 3 * width;
    const Activations *ready = &s->ready;
    prepare(s, &l->qkv, &l->self_norm, s->hidden, width, s->rows, qkv, team);
    product(&l->qkv, ready, s->rows, qkv, three, STORE, team);
    self_attention(s, l, qkv, inner, size, spare, team);
    prepare(s, &l->self_out, NULL, inner, width, s->rows, NULL, team);
    product(&l->self_out, ready, s->rows, s->hidden, width, ADD, team);
    prepare(s, &l->cross_query, &l->cross_norm, s->hidden, width, s->conditional, qkv, team);
    product(&l->cross_query, ready, s->conditional, qkv, three, STORE, team);
    cross_attention(s, l, qkv, inner, size, spare, team);
    prepare(s, &l->cross_out, NULL, inner, width, s->conditional, NULL, team);
    product(&l->cross_out, ready, s->conditional, s->hidden, width, ADD, team);
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

/* Keys and values (slots, heads, count, size) to the first `count` positions of a cache. */
EXPORT VNNI void albumgen_remember(const Cache *cache, const float *keys, const float *values, int64_t slots,
                                   int64_t heads, int64_t count, int64_t size) {
    for (int64_t slot = 0; slot < slots; slot++) {
        const Heads h = heads_of(cache, slot, heads, 0, size);
        for (int64_t head = 0; head < heads; head++)
            for (int64_t position = 0; position < count; position++) {
                const int64_t from = ((slot * heads + head) * count + position) * size;
                store(&h, head, keys + from, values + from, position, size);
            }
    }
}

/* y (rows, out) = x (rows, in) @ w.T for any number of rows; x is overwritten. */
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
