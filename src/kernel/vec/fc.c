/* SPDX-License-Identifier: Apache-2.0
 *
 * fc - y[n,o] = b[o] + sum_i w[o,i] x[n,i], and its gradients. w is read as it lies and never packed.
 *
 * Forward: few samples are dot products along i. For more, x (the smaller matrix) is transposed by the pack
 * function, y comes out transposed a strip at a time and is turned back with the bias.
 * dX and dW need nothing: their sums run over rows of w and x. With one sample they are bound by reading or
 * writing w once.
 */
#include "kernel/vec/dot.h"
#include "kernel/vec/mk.h"
#include "kernel/vec/pack.h"

enum { STRIP = 32 }; /* output channels whose y is transposed at a time */

AI bool by_dots(long n) { return n < VW / 2 + 1; }

/* ---- forward ---- */

size_t VN(fc_pack_bytes)(const int32_t *k)
{
	long n = k[FK_N];
	return by_dots(n) ? 0 : (size_t)(vectors(n) * VW * k[FK_IN]) * sizeof(float);
}

/* x as panels [i][nv * VW] of samples. */
void VN(fc_pack)(const cop_call *c)
{
	long n = c->k[FK_N], in = c->k[FK_IN];
	int32_t from = cop_from(c, (int32_t)in, VW), to = cop_to(c, (int32_t)in, VW);
	const float *x = c->buf[1];
	float *d = c->work;

	if (by_dots(n)) return;
	for (long p = 0; p < panels(n); p++) {
		long n0 = panel_at(n, p) * VW, nn = panel_nv(n, p) * VW;
		VN(transpose)(d + n0 * in + from * nn, nn, x + n0 * in + from, in, lmin(nn, n - n0), to - from, nn);
	}
}

size_t VN(fc_work)(const int32_t *k)
{
	long n = k[FK_N];
	return by_dots(n) ? 0 : (size_t)(STRIP * (vectors(n) * VW + n) + 16) * sizeof(float);
}

/* y[n][o0..o1) from strip[o1 - o0][ld]. */
static void turn(
	float *y, const float *strip, long ld, const int32_t *k, const float *bias, long o0, long o1, float *row)
{
	long n = k[FK_N], out = k[FK_OUT], m = o1 - o0;
	v lo = splat(cop_f(k[FK_LO])), hi = splat(cop_f(k[FK_HI]));

	VN(transpose)(row, m, strip, ld, m, n, m);
	for (long s = 0; s < n; s++, row += m)
		for (long j = 0; j < m; j += VW) {
			v t = LD(row + j);
			if (bias) t += LD(bias + o0 + j);
			stn(y + s * out + o0 + j, clamp(t, lo, hi), lmin(VW, m - j));
		}
}

static void forward_panels(const cop_call *c, long o0, long o1)
{
	long n = c->k[FK_N], in = c->k[FK_IN], ld = vectors(n) * VW;
	const float *w = c->buf[2], *x = c->pack;
	float *strip = c->work, *row = strip + STRIP * ld;
	mk_args p = {.n2 = 1, .n1 = 1, .k = in, .as = in, .ldc = ld};

	for (long o = o0; o < o1; o += STRIP) {
		long m = lmin(STRIP, o1 - o);
		for (long q = 0; q < panels(n); q++) {
			long n0 = panel_at(n, q) * VW, nv = panel_nv(n, q);
			p.cols = p.ldb = nv * VW;
			mk_run(VN(mk_nn)[nv], mk_cap(nv), m, &p, w + o * in, in, x + n0 * in, strip + n0);
		}
		turn(c->buf[0], strip, ld, c->k, c->buf[3], o, o + m, row);
	}
}

void VN(fc_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	long n = k[FK_N], out = k[FK_OUT], in = k[FK_IN];
	long o0 = cop_from(c, (int32_t)out, DOT_O), o1 = cop_to(c, (int32_t)out, DOT_O);

	if (by_dots(n))
		dots(c->buf[0], out, c->buf[1], in, c->buf[2], in, n, o0, o1, in, c->buf[3], cop_f(k[FK_LO]),
			cop_f(k[FK_HI]));
	else
		forward_panels(c, o0, o1);
}

/* ---- dx[n,i] = sum_o dy[n,o] w[o,i] ---- */

/* One sample: rows of w, four at a time, added up in dx, which stays in the first cache. */
static void sum_rows(float *dx, const float *dy, const float *w, long in, long out, long i0, long i1)
{
	vzero(dx + i0, i1 - i0);
	for (long o = 0; o < out; o += 4) {
		long m = lmin(4, out - o), i = i0;
		const float *r = w + o * in;
		if (m == 4)
			for (; i + VW <= i1; i += VW)
				ST(dx + i, LD(dx + i) + dy[o] * LD(r + i) + dy[o + 1] * LD(r + in + i)
						+ dy[o + 2] * LD(r + 2 * in + i) + dy[o + 3] * LD(r + 3 * in + i));
		for (; i < i1; i += VW) {
			v t = LD(dx + i);
			for (long j = 0; j < m; j++) t += dy[o + j] * LD(r + j * in + i);
			stn(dx + i, t, lmin(VW, i1 - i));
		}
	}
}

void VN(fc_dx_f32)(const cop_call *c)
{
	long n = c->k[FK_N], in = c->k[FK_IN], out = c->k[FK_OUT];
	const float *dy = c->buf[1], *w = c->buf[2];
	float *dx = c->buf[0];
	mk_args p = {.n2 = 1, .n1 = 1, .k = out, .as = out, .ldb = in, .ldc = in};

	if (n == 1) {
		sum_rows(dx, dy, w, in, out, cop_from(c, (int32_t)in, 4 * VW), cop_to(c, (int32_t)in, 4 * VW));
		return;
	}
	for (long q = cop_from(c, (int32_t)panels(in), 1); q < cop_to(c, (int32_t)panels(in), 1); q++) {
		long i0 = panel_at(in, q) * VW, nv = panel_nv(in, q);
		p.cols = lmin(nv * VW, in - i0);
		mk_run(VN(mk_nn)[nv], mk_cap(nv), n, &p, dy, out, w + i0, dx + i0);
	}
}

/* ---- dw[o,i] = sum_n dy[n,o] x[n,i], the listed o only when there is a list: they are put next to each other first ---- */

void cop_fc_dw_f32(const cop_call *c);

size_t VN(fc_dw_work)(const int32_t *k) { return sizeof(float) * ((size_t)k[FK_N] * (size_t)k[FK_CAP] + VW); }

static void one_row(float *dw, const float *x, float t, long in)
{
	const v tt = splat(t);
	long i = 0;

	for (; i + VW <= in; i += VW) ST(dw + i, tt * LD(x + i));
	if (i < in) stn(dw + i, tt * LD(x + i), in - i);
}

void VN(fc_dw_f32)(const cop_call *c)
{
	long n = c->k[FK_N], in = c->k[FK_IN], out = c->k[FK_OUT], step = c->k[FK_CAP];
	const float *dy = c->buf[1], *x = c->buf[2];
	const int32_t *rows = c->buf[3];
	int32_t n_out = rows ? rows[0] : (int32_t)out;
	long o0 = cop_from(c, n_out, 4), o1 = cop_to(c, n_out, 4);
	float *dw = c->buf[0], *listed = c->work;
	if (!vrows_fit(rows, c->k[FK_CAP], (int32_t)out)) {
		cop_fc_dw_f32(c);
		return;
	}
	for (long i = 0; rows && i < n; i++)
		for (long o = o0; o < o1; o++) listed[i * step + o] = dy[i * out + rows[1 + o]];
	if (rows) dy = listed;
	mk_args p = {.n2 = 1, .n1 = 1, .k = n, .as = rows ? step : out, .ldb = in, .ldc = in};

	for (long o = o0; o < o1 && n == 1; o++) one_row(dw + o * in, x, dy[o], in);
	for (long q = 0; q < panels(in) && o0 < o1 && n > 1; q++) {
		long i0 = panel_at(in, q) * VW, nv = panel_nv(in, q);
		p.cols = lmin(nv * VW, in - i0);
		mk_run(VN(mk_tn)[nv], mk_cap(nv), o1 - o0, &p, dy + o0, 1, x + i0, dw + o0 * in + i0);
	}
}
