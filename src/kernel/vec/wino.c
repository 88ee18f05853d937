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

bool VN(wino_fits)(const int32_t *k) { return wino_pays(k) && !wino_narrow(k, k[CK_O]); }
/* With more padding the first windows would begin inside of dy. Without any, dx of a 5 x 5 layer has many more pixels than dy, and each of them costs 9 products here. */
bool VN(wino_dx_fits)(const int32_t *k)
{
	return wino_pays(k) && !wino_narrow(k, k[CK_C]) && k[CK_PL] < k[CK_KW] && (k[CK_KH] == 3 || 14 * k[CK_H] * k[CK_W] <= 25 * k[CK_OH] * k[CK_OW]);
}

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

/* G g of r values. */
AI void weights6(const int r, v *y, long step, const v *g)
{
	v near = g[0] + 0.5f * g[2], far = g[0] + 2 * g[2], near1 = g[1], far1 = g[1];

	if (r == 5) near += 0.25f * g[4], far += 4 * g[4], near1 += 0.5f * g[3], far1 += 2 * g[3];
	y[0] = g[0];
	y[step] = (near + P * near1) * (-1 / 1.5f);
	y[2 * step] = (near - P * near1) * (-1 / 1.5f);
	y[3 * step] = (far + Q * far1) * (1 / 6.f);
	y[4 * step] = (far - Q * far1) * (1 / 6.f);
	y[5 * step] = g[r - 1];
}

/* VW channels that lie next to each other in w, taps i down and j across: point p to d + p * step. */
AI void move_taps(const int r, float *d, long step, const float *w, long i, long j)
{
	v t[6 * 5], g[5], y[6];

	UNROLL
	for (int n = 0; n < r; n++) {
		UNROLL
		for (int m = 0; m < r; m++) g[m] = LD(w + m * i + n * j);
		weights6(r, t + n, r, g); /* t[row][n] */
	}
	UNROLL
	for (int n = 0; n < 6; n++) {
		weights6(r, y, 1, t + n * r);
		UNROLL
		for (int m = 0; m < 6; m++) ST(d + (n * 6 + m) * step, y[m]);
	}
}
static NOINLINE void move_3(float *d, long step, const float *w, long i, long j) { move_taps(3, d, step, w, i, j); }
static NOINLINE void move_5(float *d, long step, const float *w, long i, long j) { move_taps(5, d, step, w, i, j); }
AI void move_weight(const cv *g, float *d, long step, const float *w) { (g->kh == 3 ? move_3 : move_5)(d, step, w, g->wi, g->wj); }

/* Vectors of input channels, turned. */
static void pack_panel(const cv *g, float *d, const float *w, long o0, long nn)
{
	float t[POINTS * VW * VW]; /* [36][VW of o][VW of c] */

	for (long j = 0; j < nn; j += VW)
		for (long i = 0; i < g->c; i += VW) {
			long on = lmin(VW, g->o - o0 - j);
			for (long o = 0; o < on; o++) move_weight(g, t + o * VW, VW * VW, w + (o0 + j + o) * g->wo + i);
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
			for (long j = 0; j < nn; j += VW) move_weight(g, d + i * nn + j, g->c * nn, w + i * g->wc + o0 + j);
	}
}

/* ---- results ---- */

/* A^T m of six values. */
AI void back(const int n, v *y, long step, const v m[6])
{
	v a = m[1] + m[2], d = m[1] - m[2], b = m[3] + m[4], e = m[3] - m[4];

	y[0] = m[0] + a + b;
	if (n == 2) {
		y[step] = P * d + Q * e + m[5];
		return;
	}
	y[step] = P * d + Q * e;
	y[2 * step] = 0.5f * a + 2 * b;
	y[3 * step] = 0.5f * P * d + 2 * Q * e + m[5];
}

/* One tile of n x n, one vector of channels, cols of which exist; rows by width pixels of the tile do. */
AI void back_pixels(const int n, const cv *g, const float *m, long point, float *y, v bias, long rows, long width, long cols)
{
	const v lo = splat(g->lo), hi = splat(g->hi);
	v t[24], s[6], r[16];

	UNROLL
	for (int i = 0; i < 6; i++) {
		UNROLL
		for (int j = 0; j < 6; j++) s[j] = LD(m + (i * 6 + j) * point);
		back(n, t + i, 6, s); /* t[column][i] */
	}
	UNROLL
	for (int j = 0; j < n; j++) back(n, r + j, n, t + j * 6); /* r[row][column] */
	for (long i = 0; i < rows; i++)
		for (long j = 0; j < width; j++) {
			float *d = y + (i * g->ow + j) * g->o;
			v x = clamp(r[i * n + j] + bias, lo, hi);
			if (LIKELY(cols >= VW)) ST(d, x);
			else stn(d, x, cols);
		}
}
static NOINLINE void back_4(const cv *g, const float *m, long point, float *y, v bias, long rows, long width, long cols)
{
	back_pixels(4, g, m, point, y, bias, rows, width, cols);
}
static NOINLINE void back_2(const cv *g, const float *m, long point, float *y, v bias, long rows, long width, long cols)
{
	back_pixels(2, g, m, point, y, bias, rows, width, cols);
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
			const long at = r + i / t->tw, h = at % t->th * t->m, s = i % t->tw * t->m;
			float *to = y + ((at / t->th * g->oh + h) * g->ow + s) * g->o + o0 + j * VW;
			(t->m == 4 ? back_4 : back_2)(g, m + i * nn + j * VW, mp, to, bias, lmin(t->m, g->oh - h), lmin(t->m, g->ow - s), g->o - o0 - j * VW);
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
