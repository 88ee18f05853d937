/* SPDX-License-Identifier: Apache-2.0
 *
 * encoded - fc and conv that read their weights in place from a PALETTE, SPARSE or VECTORS blob (layouts in blob.h).
 *
 * Each sum starts at the bias and runs over ascending indices: the result is that of the dense kernels of fc.c
 * and conv.c, where a product with a zero weight changes nothing (as long as the input is finite).
 * The sparse ones also read dense weights that were packed so, because most of them are zero (pack_sparse.c).
 * Speed comes from several sums at a time: four output rows for fc, a tile of output columns for conv.
 * The blob was checked when it was loaded; conv takes one group only (its rows say so).
 */
#include "kernel/blob.h"
#include "kernel/kernel.h"
#include "kernel/math.h"

enum { ROWS = 4, TILE = 16 };

static float start(const float *bias, int32_t o)
{
	return bias ? bias[o] : 0;
}

/* ---- fc ---- */

/* Adds the products of four rows with x[0..n) to s. Four sums, because each addition waits for the one before it.
 * bits is a constant where this is called, so that the inner loop unrolls. */
static inline void four_rows(
        float s[ROWS], const float *x, const uint8_t *const c[ROWS], const float *book, int32_t bits, int32_t n)
{
	const uint8_t *c0 = c[0], *c1 = c[1], *c2 = c[2], *c3 = c[3];
	float s0 = s[0], s1 = s[1], s2 = s[2], s3 = s[3];
	int32_t mask = (1 << bits) - 1, i = 0, j, step;

	for (; i < n; i += step) {
		int32_t v0 = *c0++, v1 = *c1++, v2 = *c2++, v3 = *c3++;
		step = n - i < 8 / bits ? n - i : 8 / bits;
		for (j = 0; j < step; j++, x++) {
			s0 += book[v0 & mask] * *x, v0 >>= bits;
			s1 += book[v1 & mask] * *x, v1 >>= bits;
			s2 += book[v2 & mask] * *x, v2 >>= bits;
			s3 += book[v3 & mask] * *x, v3 >>= bits;
		}
	}
	s[0] = s0, s[1] = s1, s[2] = s2, s[3] = s3;
}

/* y[o .. o+3] of one sample, which share a codebook; rows past the last repeat it and are not written. */
static void palette_rows(
        float *y, const float *x, const cop_palette_blob *p, const float *bias, int32_t o, int32_t to, const int32_t *k)
{
	const float *book = cop_palette_book(p, o);
	const uint8_t *c[ROWS];
	float s[ROWS];
	int32_t r;

	for (r = 0; r < ROWS; r++) {
		int32_t row = o + r < to ? o + r : to - 1;
		c[r] = p->codes + row * p->stride;
		s[r] = start(bias, row);
	}
	switch (p->bits) {
	case 8:
		four_rows(s, x, c, book, 8, k[FK_IN]);
		break;
	case 4:
		four_rows(s, x, c, book, 4, k[FK_IN]);
		break;
	case 2:
		four_rows(s, x, c, book, 2, k[FK_IN]);
		break;
	default:
		four_rows(s, x, c, book, 1, k[FK_IN]);
	}
	for (r = 0; r < ROWS && o + r < to; r++) y[o + r] = cop_clampf(s[r], cop_f(k[FK_LO]), cop_f(k[FK_HI]));
}

void cop_fc_palette(const cop_call *c)
{
	float *y = c->buf[0];
	const float *x = c->buf[1], *bias = c->buf[3];
	const int32_t *k = c->k;
	cop_palette_blob p = cop_palette_of(c->buf[2], k[FK_OUT], k[FK_IN]);
	int32_t out = k[FK_OUT], from = cop_from(c, out, ROWS), to = cop_to(c, out, ROWS), n, o, end;

	for (n = 0; n < k[FK_N]; n++)
		for (o = from; o < to; o = end) {
			end = (o / p.per + 1) * p.per;
			if (end > o + ROWS) end = o + ROWS;
			if (end > to) end = to;
			palette_rows(y + n * out, x + n * k[FK_IN], &p, bias, o, end, k);
		}
}

/* Of one row. */
static float vectors_sum(float s, const cop_vectors_blob *v, const float *x, int32_t row, int32_t n)
{
	int32_t i, j, most;

	for (i = 0; i < n; i += v->width) {
		const float *w = v->code.book + (cop_palette_code(&v->code, row, i >> v->shift) << v->shift);
		most = n - i < v->width ? n - i : v->width;
		for (j = 0; j < most; j++) s += w[j] * x[i + j];
	}
	return s;
}

void cop_fc_vectors(const cop_call *c)
{
	float *y = c->buf[0];
	const float *x = c->buf[1];
	const int32_t *k = c->k;
	cop_vectors_blob v = cop_vectors_of(c->buf[2], k[FK_IN]);
	int32_t out = k[FK_OUT], in = k[FK_IN], from = cop_from(c, out, 1), to = cop_to(c, out, 1), n, o;

	for (n = 0; n < k[FK_N]; n++, x += in, y += out)
		for (o = from; o < to; o++)
			y[o] = cop_clampf(vectors_sum(start(c->buf[3], o), &v, x, o, in), cop_f(k[FK_LO]), cop_f(k[FK_HI]));
}

/* s and the entries [e, to) of a row whose last position was pos. */
static float sparse_sum(float s, const cop_sparse_blob *w, const float *x, uint32_t e, uint32_t to, int32_t pos)
{
	if (w->value) {
		for (; e < to; e++) {
			pos += w->gap[e] + 1;
			s += w->value[e] * x[pos];
		}
	} else {
		for (; e < to; e++) {
			pos += w->gap[e] + 1;
			s += w->book[w->code[e]] * x[pos];
		}
	}
	return s;
}

/* Two rows at a time as far as the shorter reaches: each addition waits for the one before it, the other row fills the
 * wait. */
static void sparse_pair(float s[2], const cop_sparse_blob *w, const float *x, int32_t o)
{
	uint32_t a = w->start[o], b = w->start[o + 1], na = b - a, nb = w->start[o + 2] - b, n = na < nb ? na : nb, e;
	const uint8_t *ga = w->gap + a, *gb = w->gap + b, *ca = w->code + a, *cb = w->code + b;
	const float *book = w->book;
	int32_t pa = -1, pb = -1;
	float sa = s[0], sb = s[1];

	if (w->value) n = 0;
	for (e = 0; e < n; e++) {
		pa += ga[e] + 1;
		pb += gb[e] + 1;
		sa += book[ca[e]] * x[pa];
		sb += book[cb[e]] * x[pb];
	}
	s[0] = sparse_sum(sa, w, x, a + n, b, pa);
	s[1] = sparse_sum(sb, w, x, b + n, b + nb, pb);
}

void cop_fc_sparse(const cop_call *c)
{
	float *y = c->buf[0], s[2];
	const float *x = c->buf[1], *bias = c->buf[3];
	const int32_t *k = c->k;
	cop_sparse_blob w = cop_sparse_of(c->pack ? c->pack : c->buf[2]);
	float lo = cop_f(k[FK_LO]), hi = cop_f(k[FK_HI]);
	int32_t out = k[FK_OUT], in = k[FK_IN], from = cop_from(c, out, 2), to = cop_to(c, out, 2), n, o;

	for (n = 0; n < k[FK_N]; n++, x += in, y += out) {
		for (o = from; o + 2 <= to; o += 2) {
			s[0] = start(bias, o);
			s[1] = start(bias, o + 1);
			sparse_pair(s, &w, x, o);
			y[o] = cop_clampf(s[0], lo, hi);
			y[o + 1] = cop_clampf(s[1], lo, hi);
		}
		if (o < to)
			y[o] = cop_clampf(sparse_sum(start(bias, o), &w, x, w.start[o], w.start[o + 1], -1), lo, hi);
	}
}

/* ---- conv: a tile of up to 16 output columns is summed at once, so that each weight is decoded once for all of them
 * ---- */

typedef struct tile {
	const int32_t *k;
	const float *x;    /* of this sample */
	int32_t oh, ow, n; /* output row, first column, columns */
	int32_t from, to;  /* columns of the tile that a kernel column reaches inside the image */
	const float *at;   /* x[ih, iw of column `from`, 0]; 0 when the kernel row lies in the padding */
	float sum[TILE];
} tile;

/* Prepares kernel position (kh, kw). */
static void reach(tile *t, int32_t kh, int32_t kw)
{
	const int32_t *k = t->k;
	int32_t ih = t->oh * k[CK_SH] - k[CK_PT] + kh * k[CK_DH], iw = t->ow * k[CK_SW] - k[CK_PL] + kw * k[CK_DW],
	        sw = k[CK_SW], past;

	t->at = 0;
	if (ih < 0 || ih >= k[CK_H]) return;
	t->from = iw < 0 ? (-iw + sw - 1) / sw : 0;
	past = k[CK_W] - iw; /* columns with j * sw < past lie before the right edge */
	t->to = past <= 0 ? 0 : (past + sw - 1) / sw;
	if (t->to > t->n) t->to = t->n;
	if (t->from < t->to) t->at = t->x + ((int64_t)ih * k[CK_W] + iw + t->from * sw) * k[CK_C];
}

static void tile_add(tile *t, float w, int32_t ch)
{
	const float *x = t->at + ch;
	int32_t step = t->k[CK_SW] * t->k[CK_C], j;

	for (j = t->from; j < t->to; j++, x += step) t->sum[j] += w * *x;
}

/* Adds the products of output channel o with the weights w, a blob of one of the encodings. */
typedef void channel(tile *t, const void *w, int32_t o);

static void palette_channel(tile *t, const void *weights, int32_t o)
{
	const cop_palette_blob *p = weights;
	const int32_t *k = t->k;
	const uint8_t *c = p->codes + o * p->stride;
	const float *book = cop_palette_book(p, o);
	int32_t mask = (1 << p->bits) - 1, kh, kw, ch, i = 0;

	for (kh = 0; kh < k[CK_KH]; kh++)
		for (kw = 0; kw < k[CK_KW]; kw++, i += k[CK_C]) {
			reach(t, kh, kw);
			if (!t->at) continue;
			for (ch = 0; ch < k[CK_C]; ch++) {
				int32_t bit = (i + ch) * p->bits;
				float w = book[c[bit >> 3] >> (bit & 7) & mask];
				if (w != 0) tile_add(t, w, ch);
			}
		}
}

static void vectors_channel(tile *t, const void *weights, int32_t o)
{
	const cop_vectors_blob *v = weights;
	const int32_t *k = t->k;
	int32_t kh, kw, ch, i = 0;

	for (kh = 0; kh < k[CK_KH]; kh++)
		for (kw = 0; kw < k[CK_KW]; kw++, i += k[CK_C]) {
			reach(t, kh, kw);
			if (!t->at) continue;
			for (ch = 0; ch < k[CK_C]; ch++) {
				float w = cop_vectors_at(v, o, i + ch);
				if (w != 0) tile_add(t, w, ch);
			}
		}
}

static void sparse_channel(tile *t, const void *weights, int32_t o)
{
	const cop_sparse_blob *s = weights;
	const int32_t *k = t->k;
	int32_t ch = -1, kw = 0, kh = 0;
	uint32_t e, to = s->start[o + 1];

	reach(t, 0, 0);
	for (e = s->start[o]; e < to; e++) {
		ch += s->gap[e] + 1;
		if (ch >= k[CK_C]) {
			for (; ch >= k[CK_C]; ch -= k[CK_C]) kw++;
			for (; kw >= k[CK_KW]; kw -= k[CK_KW]) kh++;
			reach(t, kh, kw);
		}
		if (t->at) tile_add(t, s->value ? s->value[e] : s->book[s->code[e]], ch);
	}
}

/* One row of the output. */
static void conv_row(float *y, tile *t, channel *add, const void *w, const float *bias)
{
	const int32_t *k = t->k;
	int32_t o, j;

	for (t->ow = 0; t->ow < k[CK_OW]; t->ow += TILE) {
		t->n = k[CK_OW] - t->ow < TILE ? k[CK_OW] - t->ow : TILE;
		for (o = 0; o < k[CK_O]; o++) {
			for (j = 0; j < TILE; j++) t->sum[j] = start(bias, o);
			add(t, w, o);
			for (j = 0; j < t->n; j++)
				y[(t->ow + j) * k[CK_O] + o] = cop_clampf(t->sum[j], cop_f(k[CK_LO]), cop_f(k[CK_HI]));
		}
	}
}

static void conv(const cop_call *c, channel *add, const void *w)
{
	const int32_t *k = c->k;
	int32_t rows = k[CK_N] * k[CK_OH], r, to = cop_to(c, rows, 1);
	tile t = {.k = k};

	for (r = cop_from(c, rows, 1); r < to; r++) {
		t.x = (const float *)c->buf[1] + (int64_t)(r / k[CK_OH]) * k[CK_H] * k[CK_W] * k[CK_C];
		t.oh = r % k[CK_OH];
		conv_row((float *)c->buf[0] + (int64_t)r * k[CK_OW] * k[CK_O], &t, add, w, c->buf[3]);
	}
}

void cop_conv_palette(const cop_call *c)
{
	cop_palette_blob p = cop_palette_of(c->buf[2], c->k[CK_O], c->k[CK_KH] * c->k[CK_KW] * c->k[CK_C]);
	conv(c, palette_channel, &p);
}

void cop_conv_sparse(const cop_call *c)
{
	cop_sparse_blob s = cop_sparse_of(c->pack ? c->pack : c->buf[2]);
	conv(c, sparse_channel, &s);
}

void cop_conv_vectors(const cop_call *c)
{
	cop_vectors_blob v = cop_vectors_of(c->buf[2], c->k[CK_KH] * c->k[CK_KW] * c->k[CK_C]);
	conv(c, vectors_channel, &v);
}
