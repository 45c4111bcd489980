/* Attention over int8 keys and values; included by _native.c.
 *
 * Every vector of a head, a key or a value, is int8 with a scale of its own: half the bytes of float16, and products
 * of integers. Queries and probabilities are two int8 parts each, 15 and 16 bits, so that only the rounding of keys
 * and values is left.
 *
 * A head is read in two runs, too short for the processor to see where they lead: so its values are asked for while
 * its keys are read, and the next head's keys while its values are. */

/* One layer's keys and values of all slots: places come in sixteens.
 * keys: (slots, heads)[places / 16][size / 4][16][4], stored + 128; values: (slots, heads)[places / 4][size][4];
 * scales: (slots, heads, 2, places), of keys and of values. */
typedef struct {
    uint8_t *keys;
    int8_t *values;
    float *scales;
    int64_t places;
} Cache;

/* One head of one slot. */
typedef struct {
    uint8_t *keys;
    int8_t *values;
    float *key_scale, *value_scale;
    int64_t apart; /* bytes to the next head's keys */
} Head;

static inline Head head_of(const Cache *c, int64_t index, int64_t size) {
    Head h = {c->keys + index * c->places * size, c->values + index * c->places * size,
              c->scales + index * 2 * c->places, c->scales + (index * 2 + 1) * c->places, c->places * size};
    return h;
}

static VNNI float loudest(const float *x, int64_t count) {
    __m512 top = _mm512_setzero_ps();
    for (int64_t i = 0; i < count; i += 16) top = _mm512_max_ps(top, _mm512_abs_ps(_mm512_loadu_ps(x + i)));
    return fmaxf(_mm512_reduce_max_ps(top), 1e-30f);
}

/* Write key and value, `size` floats each, to a place of a head. */
static VNNI void remember(const Head *h, const float *key, const float *value, int64_t place, int64_t size) {
    const float key_scale = loudest(key, size) / LEVELS, value_scale = loudest(value, size) / LEVELS;
    h->key_scale[place] = key_scale;
    h->value_scale[place] = value_scale;
    uint32_t *to = (uint32_t *)(h->keys + (place & ~15) * size) + (place & 15);
    for (int64_t i = 0; i < size; i += 16) {
        __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(key + i), _mm512_set1_ps(1.0f / key_scale)));
        uint32_t fours[4];
        _mm_storeu_si128((__m128i *)fours, _mm512_cvtusepi32_epi8(_mm512_add_epi32(q, _mm512_set1_epi32(128))));
        for (int j = 0; j < 4; j++) to[(i / 4 + j) * 16] = fours[j];
    }
    int8_t *four = h->values + (place & ~3) * size;
    const __mmask64 mine = 0x1111111111111111ull << (place & 3);
    const __m128i left = _mm_cvtsi32_si128(8 * (int)(place & 3));
    for (int64_t i = 0; i < size; i += 16) {
        __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(value + i), _mm512_set1_ps(1.0f / value_scale)));
        __m512i old = _mm512_loadu_si512(four + 4 * i);
        _mm512_storeu_si512(four + 4 * i, _mm512_mask_mov_epi8(old, mine, _mm512_sll_epi32(q, left)));
    }
}

/* Scores q k / sqrt(size) of `count` places, padded to sixteens with -infinity; returns the largest.
 * `parts` holds 2 * size bytes. */
static VNNI inline __attribute__((always_inline)) float score(const float *q, const Head *h, int64_t count,
                                                              int64_t size, int8_t *parts, float *scores) {
    const float scale = loudest(q, size) / LEVELS;
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
    /* Keys are stored + 128. */
    const __m512i high_start = _mm512_set1_epi32(-128 * _mm512_reduce_add_epi32(high_sum));
    const __m512i low_start = _mm512_set1_epi32(-128 * _mm512_reduce_add_epi32(low_sum));
    const __m512 factor = _mm512_set1_ps(scale / sqrtf((float)size));
    __m512 top = _mm512_set1_ps(-INFINITY);
    for (int64_t t = 0; t < count; t += 16) {
        __m512i high = high_start, low = low_start;
        for (int64_t i = 0; i < size; i += 4) {
            __m512i four = _mm512_loadu_si512(h->keys + t * size + 16 * i);
            _mm_prefetch((const char *)h->values + t * size + 16 * i, _MM_HINT_T1);
            high = _mm512_dpbusd_epi32(high, four, _mm512_set1_epi32(*(const int32_t *)(parts + i)));
            low = _mm512_dpbusd_epi32(low, four, _mm512_set1_epi32(*(const int32_t *)(parts + size + i)));
        }
        __m512 s = _mm512_fmadd_ps(_mm512_cvtepi32_ps(low), _mm512_set1_ps(0.5f / LEVELS), _mm512_cvtepi32_ps(high));
        s = _mm512_mul_ps(s, _mm512_mul_ps(factor, _mm512_loadu_ps(h->key_scale + t)));
        __mmask16 inside = count - t >= 16 ? 0xffff : (__mmask16)((1 << (count - t)) - 1);
        s = _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), inside, s);
        _mm512_storeu_ps(scores + t, s);
        top = _mm512_max_ps(top, s);
    }
    return _mm512_reduce_max_ps(top);
}

/* Scores to probabilities times their values' scales, in 16 bits: `high` and `low` hold a byte a place, in sixteens.
 * Returns what a unit of them stands for. */
static VNNI float weigh(float *scores, float top, const float *value_scale, int64_t count, uint8_t *high, uint8_t *low) {
    const __m512 before = _mm512_set1_ps(top);
    __m512 total = _mm512_setzero_ps(), largest = _mm512_setzero_ps();
    for (int64_t t = 0; t < count; t += 16) {
        __mmask16 inside = count - t >= 16 ? 0xffff : (__mmask16)((1 << (count - t)) - 1);
        __m512 e = _mm512_maskz_mov_ps(inside, exp_ps(_mm512_sub_ps(_mm512_loadu_ps(scores + t), before)));
        total = _mm512_add_ps(total, e);
        e = _mm512_mul_ps(e, _mm512_maskz_loadu_ps(inside, value_scale + t));
        _mm512_storeu_ps(scores + t, e);
        largest = _mm512_max_ps(largest, e);
    }
    const float unit = fmaxf(_mm512_reduce_max_ps(largest), 1e-30f) / 65535;
    const __m512 factor = _mm512_set1_ps(1.0f / unit);
    for (int64_t t = 0; t < count; t += 16) {
        __m512i p = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(scores + t), factor));
        p = _mm512_min_epi32(p, _mm512_set1_epi32(65535));
        _mm_storeu_si128((__m128i *)(high + t), _mm512_cvtepi32_epi8(_mm512_srli_epi32(p, 8)));
        _mm_storeu_si128((__m128i *)(low + t), _mm512_cvtepi32_epi8(p));
    }
    return unit / _mm512_reduce_add_ps(total);
}

/* softmax(q k / sqrt(size)) v over the first `count` places of a head. Inlined with a constant `size` where it is 64:
 * all heads of MusicGen's decoders are that wide. `spare` holds 6 * (count + 16) + 2 * size bytes. */
static VNNI inline __attribute__((always_inline)) void attend_as(const float *q, const Head *h, int64_t count,
                                                                 int64_t size, float *spare, float *out) {
    const int64_t padded = (count + 15) & ~15;
    uint8_t *high = (uint8_t *)(spare + padded), *low = high + padded;
    const float top = score(q, h, count, size, (int8_t *)(low + padded), spare);
    const float unit = weigh(spare, top, h->value_scale, count, high, low);
    for (int64_t first = 0; first < size; first += 64) {
        const int64_t vectors = (size - first < 64 ? size - first : 64) / 16;
        __m512i highs[4], lows[4];
        for (int i = 0; i < 4; i++) highs[i] = lows[i] = _mm512_setzero_si512();
        for (int64_t t = 0; t < count; t += 4) {
            __m512i p = _mm512_set1_epi32(*(const int32_t *)(high + t)), r = _mm512_set1_epi32(*(const int32_t *)(low + t));
            for (int64_t i = 0; i < vectors; i++) {
                __m512i four = _mm512_loadu_si512(h->values + t * size + 4 * first + 64 * i);
                _mm_prefetch((const char *)h->keys + h->apart + t * size + 4 * first + 64 * i, _MM_HINT_T1);
                highs[i] = _mm512_dpbusd_epi32(highs[i], p, four);
                lows[i] = _mm512_dpbusd_epi32(lows[i], r, four);
            }
        }
        for (int64_t i = 0; i < vectors; i++) {
            __m512 sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(highs[i]), _mm512_set1_ps(256.0f), _mm512_cvtepi32_ps(lows[i]));
            _mm512_storeu_ps(out + first + 16 * i, _mm512_mul_ps(sum, _mm512_set1_ps(unit)));
        }
    }
}

static VNNI void attend(const float *q, const Head *h, int64_t count, int64_t size, float *spare, float *out) {
    if (size == 64)
        attend_as(q, h, count, 64, spare, out);
    else
        attend_as(q, h, count, size, spare, out);
}
