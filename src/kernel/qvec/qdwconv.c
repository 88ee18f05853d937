/* SPDX-License-Identifier: Apache-2.0
 *
 * qdwconv - depthwise int8 convolution (groups = channels in = channels out), any window up to 15 high, stride and padding.
 *
 * A sum runs down a column of the window: G input rows are staged together, [column][channel][G], so that lanes are
 * channels in their natural order and a multiply takes G taps. At stride 1 two output rows share what is staged: the second
 * one's weights are the first one's, a row further down. At G = 2 each step of two input rows stages one new group.
 */
#include "kernel/qvec/qvec.h"

enum { MOST = 15, LINES = 16 / G + 1 };

typedef struct job {
	const qe *line[LINES];
	const qw *w[2];      /* by output row: [lines][kw][cp][G] */
	long n, kw, sw, c, cp, ow;
	const int32_t *bias, *fix, *m, *s;
	int8_t *y[2];
	rule r;
} job;

typedef struct shape { long c, cp, cols, rows, lines, kh, kw; } shape;

static shape shape_of(const int32_t *k)
{
	shape g = {.c = k[CK_C], .cp = up_to(k[CK_C], VW), .rows = k[CK_SH] == 1 ? 2 : 1, .kh = k[CK_KH], .kw = k[CK_KW]};

	g.cols = lmax(k[CK_W] + k[CK_PL], (k[CK_OW] - 1) * k[CK_SW] + g.kw);
	g.lines = (g.kh + g.rows - 1 + G - 1) / G;
	return g;
}

static long line_size(const shape *g) { return up_to(g->cols * g->cp * G, 16) + 16 * G; }

bool VN(qdwconv_fits)(const int32_t *k)
{
	return k[CK_G] > 1 && k[CK_G] == k[CK_C] && k[CK_C] == k[CK_O] && k[CK_KH] <= MOST && k[CK_DH] == 1 && k[CK_DW] == 1 && (!NARROW || k[CK_C] <= VW);
}

size_t VN(qdwconv_work)(const int32_t *k)
{
	shape g = shape_of(k);
	return (size_t)(g.lines * line_size(&g)) * sizeof(qe);
}

/* ---- packing ---- */

static size_t weights(const shape *g) { return (size_t)(g->lines * g->kw * g->cp * G); }

size_t VN(qdwconv_pack_bytes)(const int32_t *k)
{
	shape g = shape_of(k);
	return (size_t)g.rows * weights(&g) * sizeof(qw) + (size_t)g.cp * sizeof(int32_t);
}

/* Element g of a channel within a group, both within a line. */
static long place(long c, long g)
{
#if PAIRS && VW == 4
	return c / VW * VW * G + g * VW + c % VW;
#else
	return c * G + g;
#endif
}

static void pack(const cop_call *call, int bits)
{
	shape g = shape_of(call->k);
	qw *d = call->work;
	const int8_t *w = call->buf[2];
	int32_t *fix = (void *)(d + (size_t)g.rows * weights(&g));

	for (long c = 0; c < g.cp; c++) {
		fix[c] = 0;
		for (long f = 0; f < g.rows; f++)
			for (long r = 0; r < g.lines * G; r++)
				for (long j = 0; j < g.kw; j++) {
					long kh = r - f, at = (c * g.kh + kh) * g.kw + j;
					int8_t t = 0;
					if (kh >= 0 && kh < g.kh && c < g.c) t = weight_at(w, bits, at, 1, 0);
					d[f * weights(&g) + (size_t)((r / G * g.kw + j) * g.cp * G + place(c, r % G))] = t;
					if (!f) fix[c] += OFFSET * t;
				}
	}
}

void VN(qdwconv_pack)(const cop_call *c)
{
	if (!c->part) pack(c, 8);
}
void VN(qdwconv_pack4)(const cop_call *c)
{
	if (!c->part) pack(c, 4);
}
void VN(qdwconv_pack2)(const cop_call *c)
{
	if (!c->part) pack(c, 2);
}

/* ---- staging ---- */

#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define LOW(a, b) SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b) SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW2(a, b) SHUFFLE(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23)
#define HIGH2(a, b) SHUFFLE(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31)
#define LOW4(a, b) SHUFFLE(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23)
#define HIGH4(a, b) SHUFFLE(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31)

/* 16 channels of G rows. */
AI void weave(qe *d, const b16 *r)
{
#if PAIRS && VW == 4
	stage16(d, LOW4(r[0], r[1]));
	stage16(d + 16, HIGH4(r[0], r[1]));
#elif PAIRS
	stage16(d, LOW(r[0], r[1]));
	stage16(d + 16, HIGH(r[0], r[1]));
#else
	b16 a = LOW(r[0], r[1]), b = LOW(r[2], r[3]), e = HIGH(r[0], r[1]), f = HIGH(r[2], r[3]);
	stage16(d, LOW2(a, b));
	stage16(d + 16, HIGH2(a, b));
	stage16(d + 32, LOW2(e, f));
	stage16(d + 48, HIGH2(e, f));
#endif
}

/* n channels; a row that is NULL lies in the padding. Writes up to 16 channels more. */
AI void weave_run(qe *d, const int8_t *const *x, long at, long n, b16 zero)
{
	for (long i = 0; i < n; i += 16) {
		b16 r[G];
		UNROLL
		for (int g = 0; g < G; g++) r[g] = x[g] ? LDB(x[g] + at + i) : zero;
		weave(d + i * G, r);
	}
}

static void stage_line(const shape *g, qe *d, const int8_t *x, long top, const int32_t *k)
{
	static const int8_t *const none[G];
	const int8_t *row[G];
	const b16 zero = (b16){0} + (int8_t)k[QK_ZX];
	const long w = k[CK_W], pl = k[CK_PL], right = g->cols - pl - w;

	for (long i = 0; i < G; i++) row[i] = top + i >= 0 && top + i < k[CK_H] ? x + (top + i) * w * g->c : NULL;
	if (pl) weave_run(d, none, 0, pl * g->cp, zero);
	if (g->c == g->cp) weave_run(d + pl * g->cp * G, row, 0, w * g->c, zero);
	else
		for (long j = 0; j < w; j++) weave_run(d + (pl + j) * g->cp * G, row, j * g->c, g->c, zero);
	if (right > 0) weave_run(d + (pl + w) * g->cp * G, none, 0, right * g->cp, zero);
}

/* ---- one row, or two ---- */

AI void block(const int R, const int NP, const job *j, long o, long c)
{
	const long step = j->sw * j->cp * G, tap = j->cp * G;
	const long n = lmin(VW, j->c - c);
	vi acc[2 * 8], bias = LDI(j->bias + c);

	if (OFFSET) bias -= LDI(j->fix + c);
	UNROLL
	for (int i = 0; i < R * NP; i++) acc[i] = bias;
	for (long l = 0, at = c * G; l < j->n; l++) {
		const qe *x = j->line[l] + o * step + c * G;
		for (long t = 0; t < j->kw; t++, x += tap, at += tap) {
			vi w[2];
			UNROLL
			for (int f = 0; f < R; f++) w[f] = load_qw(j->w[f] + at);
			UNROLL
			for (int p = 0; p < NP; p++) {
				vi xx = LDI(x + p * step);
				UNROLL
				for (int f = 0; f < R; f++) acc[f * NP + p] = dot(acc[f * NP + p], xx, w[f]);
			}
		}
	}
	requant(R * NP, 1, acc, j->m + c, j->s + c, &j->r);
	UNROLL
	for (int f = 0; f < R; f++) {
		int8_t *y = j->y[f] + o * j->c + c;
		const vi *a = acc + f * NP;
		UNROLL
		for (int p = 0; p + 1 < NP; p += 2) put_both(y + p * j->c, y + (p + 1) * j->c, a[p], a[p + 1], n, &j->r);
		if (NP & 1) put(y + (NP - 1) * j->c, a[NP - 1], n, &j->r);
	}
}

AI void blocks(const int R, const int NP, const job *j, long o)
{
	for (long c = 0; c < j->c; c += VW) block(R, NP, j, o, c);
}

/* The last pixels of a row together: alone, each would fetch the weights and the multipliers again. */
static NOINLINE void one_row(const job *j)
{
	const job own = *j; /* whose address stays here: no store can change it */
	long o = 0;

	for (; o + 8 <= own.ow; o += 8) blocks(1, 8, &own, o);
	if (own.ow & 4) blocks(1, 4, &own, o), o += 4;
	if (own.ow - o == 3) blocks(1, 3, &own, o);
	else if (own.ow - o == 2) blocks(1, 2, &own, o);
	else if (own.ow - o == 1) blocks(1, 1, &own, o);
}

static NOINLINE void two_rows(const job *j)
{
	const job own = *j;
	long o = 0;

	for (; o + 4 <= own.ow && own.ow - o != 5; o += 4) blocks(2, 4, &own, o);
	if (own.ow - o == 5 || own.ow - o == 3) blocks(2, 3, &own, o), o += 3;
	if (own.ow - o == 2) blocks(2, 2, &own, o);
	else if (own.ow - o == 1) blocks(2, 1, &own, o);
}

/* Output rows [from, to) of one image. */
static void run(const shape *g, job *j, const cop_call *c, long image, long from, long to)
{
	const int32_t *k = c->k;
	const int8_t *x = (const int8_t *)c->buf[1] + image * k[CK_H] * k[CK_W] * g->c;
	const long pitch = j->ow * g->c, advance = g->rows * k[CK_SH];
	long have = 0; /* lines that stay from the step before */
	qe *line[LINES];

	for (long l = 0; l < g->lines; l++) line[l] = (qe *)c->work + l * line_size(g);
	for (long h = from; h < to; h += g->rows) {
		for (long l = have; l < g->lines; l++) stage_line(g, line[l], x, h * k[CK_SH] - k[CK_PT] + l * G, k);
		for (long l = 0; l < g->lines; l++) j->line[l] = line[l];
		for (long f = 0; f < 2; f++) j->y[f] = (int8_t *)c->buf[0] + (image * k[CK_OH] + h + f) * pitch;
		if (g->rows == 2 && h + 1 < to) two_rows(j);
		else one_row(j);
		if (advance != G) continue;
		qe *first = line[0];
		for (long l = 0; l + 1 < g->lines; l++) line[l] = line[l + 1];
		line[g->lines - 1] = first;
		have = g->lines - 1;
	}
}

void VN(qdwconv_i8)(const cop_call *c)
{
	const int32_t *k = c->k, *m = c->buf[4];
	shape g = shape_of(k);
	const qw *w = c->pack;
	bool plain = k[QK_TWICE] && plain_shifts(m + g.c, c->buf[3], g.c, g.kh * g.kw);
	job j = {.w = {w, w + weights(&g)}, .n = g.lines, .kw = g.kw, .sw = k[CK_SW], .c = g.c, .cp = g.cp, .ow = k[CK_OW], .bias = c->buf[3],
		.fix = (const void *)(w + (size_t)g.rows * weights(&g)), .m = m, .s = k[QK_TWICE] ? m + g.c : m,
		.r = {.zy = k[QK_ZY], .up = k[QK_UP], .twice = k[QK_TWICE], .plain = plain, .lo = (int8_t)k[CK_LO], .hi = (int8_t)k[CK_HI]}};
	long oh = k[CK_OH], to = cop_to(c, k[CK_N] * k[CK_OH], (int32_t)g.rows);

	for (long r = cop_from(c, k[CK_N] * k[CK_OH], (int32_t)g.rows), n; r < to; r += n) {
		n = lmin(to - r, oh - r % oh);
		run(&g, &j, c, r / oh, r % oh, r % oh + n);
	}
}
