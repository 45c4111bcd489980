/* Attention over int8 keys and values; included by _native.c.
 *
 * Every vector of a head, a key or a value, is int8 with a scale of its own: half the bytes of float16, and products
 * of integers. Queries and probabilities are two int8 parts each, 15 and 16 bits, so that only the rounding of keys
 * and values is left.
 *
 * Of sixteen positions all heads lie side by side, and the heads of a row are attended to together: so a row reads one
 * run of keys and one of values, long enough for the hardware prefetcher. */

enum { POSITIONS = 16, RUN = 32 }; /* of a block; heads that are attended to together, at most */

/* One layer's keys and values of all slots.
 * keys: (slots, positions / 16, heads)[size / 4][16][4], stored + 128; values: (slots, positions / 16, heads)[4][size][4];
 * scales: (slots, 2, positions / 16, heads, 16), of keys and of values. */
typedef struct {
    uint8_t *keys;
    int8_t *values;
    float *scales;
    int64_t positions;
} Cache;

/* Heads of one slot, from some head on. Blocks are `heads` vectors of sixteen positions apart. */
typedef struct {
    uint8_t *keys;
    int8_t *values;
    float *key_scale, *value_scale;
    int64_t heads;
} Heads;

static inline Heads heads_of(const Cache *c, int64_t slot, int64_t heads, int64_t first, int64_t size) {
    const int64_t vectors = c->positions * heads, start = slot * vectors + first * POSITIONS;
    float *scales = c->scales + slot * vectors + start;
    Heads h = {c->keys + start * size, c->values + start * size, scales, scales + vectors, heads};
    return h;
}

static VNNI float max_abs(const float *x, int64_t count) {
    __m512 top = _mm512_setzero_ps();
    for (int64_t i = 0; i < count; i += 16) top = _mm512_max_ps(top, _mm512_abs_ps(_mm512_loadu_ps(x + i)));
    return fmaxf(_mm512_reduce_max_ps(top), 1e-30f);
}

/* Write key and value, `size` floats each, to a position of a head. */
static VNNI void store(const Heads *h, int64_t head, const float *key, const float *value, int64_t position,
                          int64_t size) {
    const int64_t block = (position / POSITIONS * h->heads + head) * POSITIONS, inside = position % POSITIONS;
    const float key_scale = max_abs(key, size) / LEVELS, value_scale = max_abs(value, size) / LEVELS;
    h->key_scale[block + inside] = key_scale;
    h->value_scale[block + inside] = value_scale;
    uint32_t *to = (uint32_t *)(h->keys + block * size) + inside;
    for (int64_t i = 0; i < size; i += 16) {
        __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(key + i), _mm512_set1_ps(1.0f / key_scale)));
        uint32_t fours[4];
        _mm_storeu_si128((__m128i *)fours, _mm512_cvtusepi32_epi8(_mm512_add_epi32(q, _mm512_set1_epi32(128))));
        for (int j = 0; j < 4; j++) to[(i / 4 + j) * POSITIONS] = fours[j];
    }
    int8_t *four = h->values + (block + (inside & ~3)) * size;
    const __mmask64 mine = 0x1111111111111111ull << (inside & 3);
    const __m128i left = _mm_cvtsi32_si128(8 * (int)(inside & 3));
    for (int64_t i = 0; i < size; i += 16) {
        __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(value + i), _mm512_set1_ps(1.0f / value_scale)));
        __m512i old = _mm512_loadu_si512(four + 4 * i);
        _mm512_storeu_si512(four + 4 * i, _mm512_mask_mov_epi8(old, mine, _mm512_sll_epi32(q, left)));
    }
}

/* A query, in two int8 parts of `size` bytes each. */
typedef struct {
    int8_t *parts;
    int32_t high_start, low_start; /* what takes the 128 off that keys are stored with */
    float factor;                  /* its scale / sqrt(size) */
} Query;

static VNNI inline Query make_query(const float *q, int64_t size, int8_t *parts) {
    const float scale = max_abs(q, size) / LEVELS;
    __m512i high_sum = _mm512_setzero_si512(), low_sum = _mm512_setzero_si512();
    for (int64_t i = 0; i < size; i += 16) {
        __m512 v = _mm512_mul_ps(_mm512_loadu_ps(q + i), _mm512_set1_ps(1.0f / scale));
        __m512i high = _mm512_cvtps_epi32(v);
        __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_sub_ps(v, _mm512_cvtepi32_ps(high)), _mm512_set1_ps(2.0f * LEVELS)));
        _mm_storeu_si128((__m128i *)(parts + i), _mm512_cvtepi32_epi8(high));
        _mm_storeu_si128((__m128i *)(parts + size + i), _mm512_cvtepi32_epi8(low));
        high_sum = _mm512_add_epi32(high_sum, high);
        low_sum = _mm512_add_epi32(low_sum, low);
    }
    Query query = {parts, -128 * _mm512_reduce_add_epi32(high_sum), -128 * _mm512_reduce_add_epi32(low_sum),
                   scale / sqrtf((float)size)};
    return query;
}

/* Scores q k / sqrt(size) of a block's sixteen positions. */
static VNNI inline __attribute__((always_inline)) __m512 score(const Query *q, const uint8_t *keys, const float *scale,
                                                               int64_t size) {
    __m512i high = _mm512_set1_epi32(q->high_start), low = _mm512_set1_epi32(q->low_start);
    for (int64_t i = 0; i < size; i += 4) {
        __m512i four = _mm512_loadu_si512(keys + POSITIONS * i);
        high = _mm512_dpbusd_epi32(high, four, _mm512_set1_epi32(*(const int32_t *)(q->parts + i)));
        low = _mm512_dpbusd_epi32(low, four, _mm512_set1_epi32(*(const int32_t *)(q->parts + size + i)));
    }
    __m512 s = _mm512_fmadd_ps(_mm512_cvtepi32_ps(low), _mm512_set1_ps(0.5f / LEVELS), _mm512_cvtepi32_ps(high));
    return _mm512_mul_ps(s, _mm512_mul_ps(_mm512_set1_ps(q->factor), _mm512_loadu_ps(scale)));
}

/* The positions of the block at `t` that are among the first `count`. */
static inline __mmask16 inside_of(int64_t t, int64_t count) {
    return count - t >= POSITIONS ? 0xffff : (__mmask16)((1 << (count - t)) - 1);
}

/* Scores to probabilities times their values' scales (a block's are `apart` floats after the one's before), in 16
 * bits: `high` and `low` hold a byte a position, in sixteens. Returns what a unit of them stands for. */
static VNNI float softmax_weights(float *scores, const float *value_scale, int64_t apart, int64_t count, uint8_t *high,
                        uint8_t *low) {
    __m512 top = _mm512_set1_ps(-INFINITY), total = _mm512_setzero_ps(), largest = _mm512_setzero_ps();
    for (int64_t t = 0; t < count; t += POSITIONS)
        top = _mm512_mask_max_ps(top, inside_of(t, count), top, _mm512_loadu_ps(scores + t));
    top = _mm512_set1_ps(_mm512_reduce_max_ps(top));
    for (int64_t t = 0; t < count; t += POSITIONS, value_scale += apart) {
        const __mmask16 inside = inside_of(t, count);
        __m512 e = _mm512_maskz_mov_ps(inside, exp_ps(_mm512_sub_ps(_mm512_loadu_ps(scores + t), top)));
        total = _mm512_add_ps(total, e);
        e = _mm512_mul_ps(e, _mm512_maskz_loadu_ps(inside, value_scale));
        _mm512_storeu_ps(scores + t, e);
        largest = _mm512_max_ps(largest, e);
    }
    const float unit = fmaxf(_mm512_reduce_max_ps(largest), 1e-30f) / 65535;
    const __m512 factor = _mm512_set1_ps(1.0f / unit);
    for (int64_t t = 0; t < count; t += POSITIONS) {
        __m512i p = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(scores + t), factor));
        p = _mm512_min_epi32(p, _mm512_set1_epi32(65535));
        _mm_storeu_si128((__m128i *)(high + t), _mm512_cvtepi32_epi8(_mm512_srli_epi32(p, 8)));
        _mm_storeu_si128((__m128i *)(low + t), _mm512_cvtepi32_epi8(p));
    }
    return unit / _mm512_reduce_add_ps(total);
}

/* Add a block's values, times the weights of their positions, to `sums`: size of the high parts, size of the low ones. */
static VNNI inline __attribute__((always_inline)) void gather(const int8_t *values, const uint8_t *high,
                                                              const uint8_t *low, int64_t size, int32_t *sums) {
    for (int64_t i = 0; i < size; i += 16) {
        __m512i highs = _mm512_loadu_si512(sums + i), lows = _mm512_loadu_si512(sums + size + i);
        for (int64_t t = 0; t < POSITIONS; t += 4) {
            __m512i four = _mm512_loadu_si512(values + t * size + 4 * i);
            highs = _mm512_dpbusd_epi32(highs, _mm512_set1_epi32(*(const int32_t *)(high + t)), four);
            lows = _mm512_dpbusd_epi32(lows, _mm512_set1_epi32(*(const int32_t *)(low + t)), four);
        }
        _mm512_storeu_si512(sums + i, highs);
        _mm512_storeu_si512(sums + size + i, lows);
    }
}

/* softmax(q k / sqrt(size)) v over the first `count` positions of `run` heads, at most RUN. Inlined with a constant
 * `size` where it is 64: all heads of MusicGen's decoders are that wide. `q` and `out` hold size floats a head, `spare`
 * 6 * (count + 16) + 10 * size bytes a head. */
static VNNI inline __attribute__((always_inline)) void attend_as(const float *q, const Heads *h, int64_t run,
                                                                 int64_t count, int64_t size, float *spare,
                                                                 float *out) {
    const int64_t padded = (count + POSITIONS - 1) / POSITIONS * POSITIONS, apart = h->heads * POSITIONS;
    int32_t *sums = (int32_t *)(spare + run * padded);
    uint8_t *high = (uint8_t *)(sums + run * 2 * size), *low = high + run * padded;
    int8_t *parts = (int8_t *)(low + run * padded);
    Query queries[RUN];
    float unit[RUN];
    for (int64_t j = 0; j < run; j++) queries[j] = make_query(q + j * size, size, parts + j * 2 * size);
    for (int64_t t = 0; t < count; t += POSITIONS)
        for (int64_t j = 0; j < run; j++) {
            const int64_t block = t / POSITIONS * apart + j * POSITIONS;
            _mm512_storeu_ps(spare + j * padded + t, score(queries + j, h->keys + block * size, h->key_scale + block, size));
        }
    for (int64_t j = 0; j < run; j++)
        unit[j] = softmax_weights(spare + j * padded, h->value_scale + j * POSITIONS, apart, count, high + j * padded, low + j * padded);
    for (int64_t i = 0; i < run * 2 * size; i += 16) _mm512_storeu_si512(sums + i, _mm512_setzero_si512());
    for (int64_t t = 0; t < count; t += POSITIONS)
        for (int64_t j = 0; j < run; j++)
            gather(h->values + (t / POSITIONS * apart + j * POSITIONS) * size, high + j * padded + t, low + j * padded + t, size,
                   sums + j * 2 * size);
    for (int64_t j = 0; j < run; j++)
        for (int64_t i = 0; i < size; i += 16) {
            const int32_t *sum = sums + j * 2 * size + i;
            __m512 y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(sum)), _mm512_set1_ps(256.0f),
                                       _mm512_cvtepi32_ps(_mm512_loadu_si512(sum + size)));
            _mm512_storeu_ps(out + j * size + i, _mm512_mul_ps(y, _mm512_set1_ps(unit[j])));
        }
}

static VNNI void attend(const float *q, const Heads *h, int64_t run, int64_t count, int64_t size, float *spare,
                        float *out) {
    if (size == 64)
        attend_as(q, h, run, count, 64, spare, out);
    else
        attend_as(q, h, run, count, size, spare, out);
}
