/* Products with int8 weights; included by _native.c.
 *
 * A row of activations becomes int8 in steps of its own, which reach as far as `outlier_threshold`
 * times the row's mean magnitude at most: the few larger channels are clipped, and what was clipped off is added in
 * float32, channel by channel. So an outlier channel costs the others no precision (Dettmers et al. 2022,
 * "LLM.int8()"), and a product costs one multiplication a weight. */

enum { BLOCK = 16, LEVELS = 127, AHEAD = 4096, TILE = 16 };

/* A weight matrix (out, in): out and in multiples of 16.
 * packed: [out / 16][in / 4][16][4], so that one load holds 16 outputs of four inputs. */
typedef struct {
    int64_t out, in;
    const int8_t *packed;
    const float *scale;    /* (out,) */
    const int32_t *offset; /* (out,): 128 * sum of the row, as activations are stored + 128 */
    const float *balance;  /* (in,) */
    float outlier_threshold; /* where activations are clipped, in mean magnitudes of their row */
} Linear;

/* Rows made ready for a product. */
typedef struct {
    uint8_t *bytes;    /* tiles of rows one after another, each [in / 4][row][4], stored + 128 */
    float *scale;      /* (rows,) */
    int64_t *outliers; /* (rows,): clipped channels */
    int32_t *channel;  /* (rows, most): which */
    float *rest;       /* (rows, most): and what was clipped off */
    int64_t most;
} Activations;

/* Rows that go through a product together. */
static inline int64_t tile_rows(int64_t left) {
    return left >= 16 ? 16 : left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* Make row `row` of `rows` ready. `x` is overwritten. */
static VNNI void quantise(const Linear *w, float *x, const Activations *a, int64_t row, int64_t rows) {
    int64_t first = 0;
    while (first + tile_rows(rows - first) <= row) first += tile_rows(rows - first);
    const int64_t stride = tile_rows(rows - first);
    uint32_t *to = (uint32_t *)(a->bytes + first * w->in) + (row - first);
    __m512 top = _mm512_setzero_ps(), sum = _mm512_setzero_ps();
    for (int64_t i = 0; i < w->in; i += 16) {
        __m512 v = _mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(w->balance + i));
        _mm512_storeu_ps(x + i, v);
        top = _mm512_max_ps(top, _mm512_abs_ps(v));
        sum = _mm512_add_ps(sum, _mm512_abs_ps(v));
    }
    const float range = fminf(_mm512_reduce_max_ps(top), w->outlier_threshold * _mm512_reduce_add_ps(sum) / w->in);
    const float scale = fmaxf(range, 1e-30f) / LEVELS;
    const __m512 factor = _mm512_set1_ps(1.0f / scale), step = _mm512_set1_ps(scale);
    const __m512i most = _mm512_set1_epi32(LEVELS), shift = _mm512_set1_epi32(128);
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    int32_t *channel = a->channel + row * a->most;
    float *rest = a->rest + row * a->most;
    int64_t outliers = 0;
    for (int64_t i = 0; i < w->in; i += 16) {
        __m512 v = _mm512_loadu_ps(x + i);
        __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(v, factor));
        __mmask16 outside = _mm512_cmpgt_epi32_mask(_mm512_abs_epi32(q), most);
        if (outside) {
            q = _mm512_max_epi32(_mm512_min_epi32(q, most), _mm512_set1_epi32(-LEVELS));
            __m512 left = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(q), step, v);
            _mm512_storeu_si512(channel + outliers, _mm512_maskz_compress_epi32(outside, _mm512_add_epi32(lanes, _mm512_set1_epi32(i))));
            _mm512_storeu_ps(rest + outliers, _mm512_maskz_compress_ps(outside, left));
            outliers += __builtin_popcount(outside);
        }
        uint32_t fours[4];
        _mm_storeu_si128((__m128i *)fours, _mm512_cvtusepi32_epi8(_mm512_add_epi32(q, shift)));
        for (int j = 0; j < 4; j++, to += stride) *to = fours[j];
    }
    a->scale[row] = scale;
    a->outliers[row] = outliers;
}

/* What the clipped channels of a row add to a block of outputs, before the weights' scales. */
static VNNI inline __m512 outlier_sum(const int8_t *weights, const int32_t *channel, const float *rest, int64_t outliers) {
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (int64_t i = 0; i < outliers; i++) {
        __m512i four = _mm512_loadu_si512(weights + (channel[i] & ~3) * BLOCK);
        __m512i one = _mm512_srai_epi32(_mm512_sll_epi32(four, _mm_cvtsi32_si128(24 - 8 * (channel[i] & 3))), 24);
        sum[i & 1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(one), _mm512_set1_ps(rest[i]), sum[i & 1]);
    }
    return _mm512_add_ps(sum[0], sum[1]);
}

enum { STORE, ADD, GELU };

/* A block of outputs of `rows` rows, the first of which is `first`: y = x @ w.T. Inlined with a constant number of
 * rows, so that all sums stay in registers. Many rows wait for arithmetic rather than for memory: there the weights
 * of AHEAD bytes later are asked for meanwhile. Fewer rows leave memory busy as they are. */
static VNNI inline __attribute__((always_inline)) void product_tile(const Linear *w, int64_t block, const Activations *a,
                                                                    int64_t first, int rows, float *out,
                                                                    int64_t stride, int mode) {
    const int8_t *weights = w->packed + block * BLOCK * w->in;
    const uint8_t *bytes = a->bytes + first * w->in;
    const int64_t start = block * BLOCK;
    __m512i sum[TILE];
    for (int i = 0; i < rows; i++) sum[i] = _mm512_setzero_si512();
    for (int64_t k = 0; k < w->in; k += 4) {
        __m512i four = _mm512_loadu_si512(weights + k * BLOCK);
        if (rows >= 8) _mm_prefetch((const char *)weights + k * BLOCK + AHEAD, _MM_HINT_T0);
        for (int row = 0; row < rows; row++) {
            __m512i x = _mm512_set1_epi32(*(const int32_t *)(bytes + rows * k + 4 * row));
            sum[row] = _mm512_dpbusd_epi32(sum[row], x, four);
        }
    }
    __m512 scale = _mm512_loadu_ps(w->scale + start);
    __m512i offset = _mm512_loadu_si512(w->offset + start);
    for (int row = 0; row < rows; row++) {
        const int64_t outliers = a->outliers[first + row], from = (first + row) * a->most;
        __m512 y = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(sum[row], offset)), _mm512_set1_ps(a->scale[first + row]));
        if (outliers) y = _mm512_add_ps(y, outlier_sum(weights, a->channel + from, a->rest + from, outliers));
        float *to = out + (first + row) * stride + start;
        y = _mm512_mul_ps(y, scale);
        if (mode == ADD)
            y = _mm512_add_ps(y, _mm512_loadu_ps(to));
        else if (mode == GELU)
            y = gelu_ps(y);
        _mm512_storeu_ps(to, y);
    }
}

/* out (+)= x @ w.T for rows made ready by `quantise`. As many rows as registers hold sums for share one reading of a
 * block, so that arithmetic hides behind memory. */
static VNNI void product(const Linear *w, const Activations *a, int64_t rows, float *out, int64_t stride, int mode,
                         Team *team) {
#pragma omp for schedule(static) nowait
    for (int64_t block = 0; block < w->out / BLOCK; block++) {
        for (int64_t row = 0, count; row < rows; row += count) {
            count = tile_rows(rows - row);
            if (count == 16)
                product_tile(w, block, a, row, 16, out, stride, mode);
            else if (count == 8)
                product_tile(w, block, a, row, 8, out, stride, mode);
            else if (count == 4)
                product_tile(w, block, a, row, 4, out, stride, mode);
            else if (count == 2)
                product_tile(w, block, a, row, 2, out, stride, mode);
            else
                product_tile(w, block, a, row, 1, out, stride, mode);
        }
    }
    meet(team);
}
