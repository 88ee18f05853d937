/* SPDX-License-Identifier: Apache-2.0
 *
 * conv.h - one pass of a dense convolution as forward and dX both need it: y (pixels at any spacing) from windows
 * of x, with the weights packed in one of three layouts. dX is one such pass for each phase of its stride.
 *
 * Activations are NHWC, so the taps of one window row and all their channels run along memory: a window is
 * kh runs of kw * c floats, and no im2col is made. Rows above and below the image are left out of the sum;
 * columns beside it are zeros in a copy of the rows, made just before they are used.
 */
#ifndef COP_CONV_H
#define COP_CONV_H

#include "kernel/vec/mk.h"

typedef struct cv {
	long n, h, w, c;          /* x */
	long oh, ow, o;           /* y, as this pass sees it */
	long kh, kw, sh, sw, pt, pl; /* padding may be negative: the first windows begin inside */
	long yn, yh, yw;          /* floats of y from image to image, row to row, pixel to pixel */
	long wo, wi, wj, wc;      /* steps in the weight for output channel, tap row, tap column, input channel */
	const float *bias;
	float lo, hi;
	bool act;
} cv;

/* The kernel and the layout of the weights it wants.
 *   PANEL  mk.h tiles                          [panel][kh][kw][c][nv * VW]
 *   ROW    o <= VW, three columns: one broadcast feeds three outputs    [kh][c][3][VW]
 *   PAIR   o <= VW / 2: a vector holds the outputs for two channels     [kh][kw * c / 2][VW / 2][2] */
typedef enum cv_kind { CV_PANEL, CV_ROW, CV_PAIR } cv_kind;

AI cv_kind cv_choose(const cv *g)
{
	if (g->o <= VW / 2 && g->kw * g->c % 2 == 0) return CV_PAIR;
	if (g->o <= VW && g->kw == 3 && g->kh > 1 && (g->sw == 1 || g->sw == 2)) return CV_ROW;
	return CV_PANEL;
}

/* A matrix product in disguise: the pixels are rows of length c. */
AI bool cv_flat(const cv *g)
{
	return g->kh == 1 && g->kw == 1 && g->sh == 1 && g->sw == 1 && !g->pt && !g->pl && g->oh == g->h &&
	       g->ow == g->w;
}

AI long cv_right(const cv *g) { return lmax(0, (g->ow - 1) * g->sw - g->pl + g->kw - g->w); }
AI long cv_left(const cv *g) { return lmax(0, g->pl); }

/* Output rows computed from one copy of input rows, so that the copy stays near. */
AI long cv_block(const cv *g)
{
	long row = (cv_left(g) + g->w + cv_right(g)) * g->c;
	long rows = (12288 / lmax(row, 1) - g->kh) / g->sh + 1;
	return lmax(lmin(rows, g->oh), lmin(4, g->oh));
}

/* Floats of scratch for one part. */
AI size_t cv_work(const cv *g)
{
	long row = (cv_left(g) + g->w + cv_right(g)) * g->c;
	if (cv_left(g) + cv_right(g) == 0) return 0;
	return (size_t)(((cv_block(g) - 1) * g->sh + g->kh) * row + 16);
}

/* Floats of packed weights, a multiple of 16. */
AI size_t cv_pack_floats(const cv *g)
{
	return (size_t)((vectors(g->o) * VW * g->kh * g->kw * g->c + 15) / 16 * 16);
}

void VN(cv_pack)(const cv *g, float *d, const float *w, int32_t part, int32_t parts);
/* Rows [from, to) of the n * oh rows of y, panels [p0, p1). */
void VN(cv_run)(const cv *g, float *y, const float *x, const float *packed, long from, long to, long p0, long p1,
	float *work);
/* The same for cv_flat; ldb: floats from one row of the packed weight to the next, 0 when it is packed. */
void VN(cv_run_flat)(const cv *g, float *y, const float *x, const float *packed, long ldb, long from, long to, long p0,
	long p1);

/* The geometry of the forward pass, from the words of conv, conv_dx and conv_dw alike. */
AI cv cv_forward(const int32_t *k)
{
	cv g = {.n = k[CK_N], .h = k[CK_H], .w = k[CK_W], .c = k[CK_C], .oh = k[CK_OH], .ow = k[CK_OW], .o = k[CK_O],
		.kh = k[CK_KH], .kw = k[CK_KW], .sh = k[CK_SH], .sw = k[CK_SW], .pt = k[CK_PT], .pl = k[CK_PL],
		.lo = cop_f(k[CK_LO]), .hi = cop_f(k[CK_HI])};

	g.yw = g.o;
	g.yh = g.ow * g.yw;
	g.yn = g.oh * g.yh;
	g.wc = 1;
	g.wj = g.c;
	g.wi = g.kw * g.c;
	g.wo = g.kh * g.wi;
	g.act = g.lo > -__builtin_inff() || g.hi < __builtin_inff();
	return g;
}

/* Phase i of s along one axis: its taps t, t - s, ..., how many, its first pixel, and the padding of the pass. */
typedef struct cv_axis { long taps, last, first, pad; } cv_axis;

AI cv_axis cv_axis_of(long i, long s, long k, long pad)
{
	cv_axis p = {.taps = i < k ? (k - 1 - i) / s + 1 : 0, .first = ((i - pad) % s + s) % s};

	p.last = i + (p.taps - 1) * s;
	p.pad = p.taps ? (p.last - pad - p.first) / s : 0;
	return p;
}

/* The pass of phase (i, j) of dX (conv_dx.c) for the forward geometry f; offset: of its first pixel in dx; tap: of its first tap in w. */
AI cv cv_phase(const cv *f, long i, long j, long *offset, long *tap)
{
	cv_axis a = cv_axis_of(i, f->sh, f->kh, f->pt), b = cv_axis_of(j, f->sw, f->kw, f->pl);
	cv g = {.n = f->n, .h = f->oh, .w = f->ow, .c = f->o, .o = f->c, .kh = b.taps ? a.taps : 0, .kw = b.taps,
		.sh = 1, .sw = 1, .pt = a.pad, .pl = b.pad};

	g.oh = a.first < f->h ? (f->h - a.first - 1) / f->sh + 1 : 0;
	g.ow = b.first < f->w ? (f->w - b.first - 1) / f->sw + 1 : 0;
	g.yw = f->sw * f->c;
	g.yh = f->sh * f->w * f->c;
	g.yn = f->h * f->w * f->c;
	g.wo = 1;
	g.wc = f->wo;
	g.wi = -f->sh * f->wi;
	g.wj = -f->sw * f->wj;
	*offset = (a.first * f->w + b.first) * f->c;
	*tap = g.kh ? a.last * f->wi + b.last * f->wj : 0;
	return g;
}

AI bool cv_dense(const int32_t *k)
{
	return k[CK_G] == 1 && k[CK_DH] == 1 && k[CK_DW] == 1;
}

/* How parts share m rows and the panels of n columns: by rows, unless there are few of them or reading all
 * the weights for each part would cost more than reading all of x. */
AI void cv_share(const cop_call *c, long m, long n, bool heavy, long *r0, long *r1, long *p0, long *p1)
{
	int32_t np = (int32_t)panels(n);
	bool by_panel = np >= c->parts && (m < c->parts || (heavy && (np % c->parts == 0 || np >= 4 * c->parts)));

	*r0 = by_panel ? 0 : cop_from(c, (int32_t)m, 1);
	*r1 = by_panel ? m : cop_to(c, (int32_t)m, 1);
	*p0 = by_panel ? cop_from(c, np, 1) : 0;
	*p1 = by_panel ? cop_to(c, np, 1) : np;
}

#endif
