/* SPDX-License-Identifier: Apache-2.0
 *
 * wino - one pass of Winograd's algorithm (wino.h): products [tiles, c] by [c, o]. dX is the pass over dy with the taps of w in reverse.
 */
#include "kernel/vec/wino.h"
#include "kernel/vec/pack.h"

enum { MOVED = 40960 /* floats of transformed activations at a time: some second-level cache */, TILES = 32 /* or so many tiles, since each block reads all weights */ };

static wino forward(const int32_t *k) { return wino_of(cv_forward(k)); }
static wino backward(const int32_t *k, long *tap)
{
	const cv f = cv_forward(k);
	long offset;
	return wino_of(cv_phase(&f, 0, 0, &offset, tap));
}

bool VN(wino_fits)(const int32_t *k) { return wino_pays(k); }
/* With more padding the first windows would begin inside of dy. */
bool VN(wino_dx_fits)(const int32_t *k) { return wino_pays(k) && k[CK_PL] <= 2; }

/* Tile rows transformed at a time, of one or several images. */
static long block(const wino *t) { return lmax(1, lmin(t->g.n * t->th, lmax(MOVED / (POINTS * t->tw * t->cp), TILES / t->tw))); }
static long rows(const wino *t) { return padded(t, lmin(block(t), t->th)); }

/* Scratch: padded rows, transformed activations [36][tile][cp], products [36][tile][columns of a panel]. */
static long moved(const wino *t) { return POINTS * apart(block(t) * t->tw * t->cp); }
static size_t work(const wino *t) { return (size_t)(rows(t) + moved(t) + POINTS * apart(block(t) * t->tw * 3 * VW)) * sizeof(float); }
size_t VN(wino_work)(const int32_t *k)
{
	const wino t = forward(k);
	return work(&t);
}
size_t VN(wino_dx_work)(const int32_t *k)
{
	long tap;
	const wino t = backward(k, &tap);
	return work(&t);
}

/* ---- weights: [panel][36][c][nv * VW] ---- */

static size_t pack_bytes(const wino *t) { return (size_t)(vectors(t->g.o) * VW * t->g.c * POINTS) * sizeof(float); }
size_t VN(wino_pack_bytes)(const int32_t *k)
{
	const wino t = forward(k);
	return pack_bytes(&t);
}
size_t VN(wino_dx_pack_bytes)(const int32_t *k)
{
	long tap;
	const wino t = backward(k, &tap);
	return pack_bytes(&t);
}

/* G g of three values. */
AI void weights6(v *y, long step, v g0, v g1, v g2)
{
	v near = g0 + 0.5f * g2, far = g0 + 2 * g2;

	y[0] = g0;
	y[step] = (near + P * g1) * (-1 / 1.5f);
	y[2 * step] = (near - P * g1) * (-1 / 1.5f);
	y[3 * step] = (far + Q * g1) * (1 / 6.f);
	y[4 * step] = (far - Q * g1) * (1 / 6.f);
	y[5 * step] = g2;
}

/* VW channels that lie next to each other in w, taps i down and j across: point p to d + p * step. */
AI void move_weight(float *d, long step, const float *w, long i, long j)
{
	v t[18], y[6];

	UNROLL
	for (int n = 0; n < 3; n++) weights6(t + n, 3, LD(w + n * j), LD(w + i + n * j), LD(w + 2 * i + n * j)); /* t[row][n] */
	UNROLL
	for (int n = 0; n < 6; n++) {
		weights6(y, 1, t[n * 3], t[n * 3 + 1], t[n * 3 + 2]);
		UNROLL
		for (int m = 0; m < 6; m++) ST(d + (n * 6 + m) * step, y[m]);
	}
}

/* Vectors of input channels, turned. */
static void pack_panel(const cv *g, float *d, const float *w, long o0, long nn)
{
	float t[POINTS * VW * VW]; /* [36][VW of o][VW of c] */

	for (long j = 0; j < nn; j += VW)
		for (long i = 0; i < g->c; i += VW) {
			long on = lmin(VW, g->o - o0 - j);
			for (long o = 0; o < on; o++) move_weight(t + o * VW, VW * VW, w + (o0 + j + o) * g->wo + i, g->wi, g->wj);
			for (long p = 0; p < POINTS; p++) VN(transpose)(d + (p * g->c + i) * nn + j, nn, t + p * VW * VW, VW, on, lmin(VW, g->c - i), VW);
		}
}

void VN(wino_pack)(const cop_call *c)
{
	const cv g = cv_forward(c->k);
	const long np = panels(g.o);

	for (long q = cop_from(c, (int32_t)np, 1); q < cop_to(c, (int32_t)np, 1); q++) {
		const long o0 = panel_at(g.o, q) * VW;
		pack_panel(&g, (float *)c->work + o0 * g.c * POINTS, c->buf[2], o0, panel_nv(g.o, q) * VW);
	}
}

/* Vectors of output channels, as they lie. What the last one has behind the last channel goes into columns that nobody stores. */
void VN(wino_dx_pack)(const cop_call *c)
{
	long tap;
	const wino t = backward(c->k, &tap);
	const cv *g = &t.g;
	const float *w = (const float *)c->buf[2] + tap;
	const long np = panels(g->o);

	for (long q = cop_from(c, (int32_t)np, 1); q < cop_to(c, (int32_t)np, 1); q++) {
		const long o0 = panel_at(g->o, q) * VW, nn = panel_nv(g->o, q) * VW;
		float *d = (float *)c->work + o0 * g->c * POINTS;
		for (long i = 0; i < g->c; i++)
			for (long j = 0; j < nn; j += VW) move_weight(d + i * nn + j, g->c * nn, w + i * g->wc + o0 + j, g->wi, g->wj);
	}
}

/* ---- results ---- */

/* A^T m of six values. */
AI void back4(v *y, long step, const v m[6])
{
	v a = m[1] + m[2], d = m[1] - m[2], b = m[3] + m[4], e = m[3] - m[4];

	y[0] = m[0] + a + b;
	y[step] = P * d + Q * e;
	y[2 * step] = 0.5f * a + 2 * b;
	y[3 * step] = 0.5f * P * d + 2 * Q * e + m[5];
}

/* One tile, one vector of channels, cols of which exist; rows by width pixels of the tile do. */
static NOINLINE void back_tile(const cv *g, const float *m, long point, float *y, v bias, long rows, long width, long cols)
{
	const v lo = splat(g->lo), hi = splat(g->hi);
	v t[24], s[6], r[16];

	UNROLL
	for (int i = 0; i < 6; i++) {
		UNROLL
		for (int j = 0; j < 6; j++) s[j] = LD(m + (i * 6 + j) * point);
		back4(t + i, 6, s); /* t[column][i] */
	}
	UNROLL
	for (int j = 0; j < 4; j++) back4(r + j, 4, t + j * 6); /* r[row][column] */
	for (long i = 0; i < rows; i++)
		for (long j = 0; j < width; j++) {
			float *d = y + (i * g->ow + j) * g->o;
			v x = clamp(r[i * 4 + j] + bias, lo, hi);
			if (LIKELY(cols >= VW)) ST(d, x);
			else stn(d, x, cols);
		}
}

/* Tile rows [r, end). */
static void run_panel(const wino *t, long q, const float *w, const float *u, float *m, float *y, long r, long end)
{
	const cv *g = &t->g;
	long o0 = panel_at(g->o, q) * VW, nv = panel_nv(g->o, q), nn = nv * VW, tiles = (end - r) * t->tw, mp = apart(tiles * nn), up = apart(tiles * t->cp);
	mk_args p = {.n2 = 1, .n1 = 1, .k = g->c, .as = t->cp, .ldb = nn, .ldc = nn, .cols = nn};

	w += o0 * g->c * POINTS;
	for (long x = 0; x < POINTS; x++)
		mk_run(VN(mk_nn)[nv], mk_cap(nv), tiles, &p, u + x * up, t->cp, w + x * g->c * nn, m + x * mp);
	for (long j = 0; j < nv; j++) {
		v bias = g->bias ? LD(g->bias + o0 + j * VW) : (v){0};
		for (long i = 0; i < tiles; i++) {
			const long at = r + i / t->tw, h = at % t->th * 4, s = i % t->tw * 4;
			float *to = y + ((at / t->th * g->oh + h) * g->ow + s) * g->o + o0 + j * VW;
			back_tile(g, m + i * nn + j * VW, mp, to, bias, lmin(4, g->oh - h), lmin(4, g->ow - s), g->o - o0 - j * VW);
		}
	}
}

static void run(const wino *t, const cop_call *c)
{
	const cv *g = &t->g;
	long to, r, p0, p1;
	float *u = (float *)c->work + rows(t), *m = u + moved(t);

	cv_share(c, g->n * t->th, g->o, false, &r, &to, &p0, &p1);
	for (long end; r < to; r = end) {
		end = lmin(r + block(t), to);
		move_block(t, u, apart((end - r) * t->tw * t->cp), c->buf[1], r, end, c->work);
		for (long q = p0; q < p1; q++) run_panel(t, q, c->pack, u, m, c->buf[0], r, end);
	}
}

void VN(wino_f32)(const cop_call *c)
{
	wino t = forward(c->k);
	t.g.bias = c->buf[3];
	run(&t, c);
}

void VN(wino_dx_f32)(const cop_call *c)
{
	long tap;
	wino t = backward(c->k, &tap);
	t.g.lo = -__builtin_inff(), t.g.hi = __builtin_inff();
	run(&t, c);
}
