/* SPDX-License-Identifier: Apache-2.0
 *
 * conv_dx - dx[n,h,w,c] = sum over o and the windows that saw it of dy[n,oh,ow,o] w[o,kh,kw,c].
 *
 * A pixel of dx belongs to one of sh * sw phases by its place modulo the stride. The taps that reach a phase are a
 * small kernel of their own, so each phase is a pass of conv.h over dy with those taps in reverse; no zeros are
 * inserted. Two cases go without packing: 1 x 1 is a product with w as it lies, and a large kernel without
 * padding multiplies dy by all of w and adds each result, a run of kw * c floats, where its window was.
 */
#include "kernel/vec/wino.h"

typedef enum dx_form { DX_PHASES, DX_FLAT, DX_SCATTER } dx_form;

static dx_form form(const cv *f)
{
	if (cv_flat(f)) return DX_FLAT;
	if (f->sh == 1 && f->sw == 1 && !f->pt && !f->pl && f->oh == f->h - f->kh + 1 && f->ow == f->w - f->kw + 1
		&& f->kh * f->kw > 9) return DX_SCATTER;
	return DX_PHASES;
}

bool VN(conv_dx_fits)(const int32_t *k) { return cv_dense(k) && !wino_narrow(k, k[CK_C]); }

/* ---- scatter ---- */

static long scatter_row(const cv *f) { return vectors(f->wo) * VW; }

/* Whole images only: neighbouring rows of dx share rows of dy. */
static void scatter_image(const cv *f, float *dx, const float *dy, const float *w, float *t)
{
	long row = scatter_row(f), run = f->kw * f->c;
	mk_args p = {.n2 = 1, .n1 = 1, .k = f->o, .as = f->o, .ldb = f->wo, .ldc = row};

	vzero(dx, f->h * f->w * f->c);
	for (long h = 0; h < f->oh; h++) {
		for (long q = 0; q < panels(f->wo); q++) {
			long c0 = panel_at(f->wo, q) * VW, nv = panel_nv(f->wo, q);
			p.cols = nv * VW;
			mk_run(VN(mk_nn)[nv], mk_cap(nv), f->ow, &p, dy + h * f->ow * f->o, f->o, w + c0, t + c0);
		}
		for (long i = 0; i < f->kh; i++)
			for (long x = 0; x < f->ow; x++) {
				float *d = dx + ((h + i) * f->w + x) * f->c;
				const float *s = t + x * row + i * run;
				long k = 0;
				for (; k + VW <= run; k += VW) ST(d + k, LD(d + k) + LD(s + k));
				if (k < run) stn(d + k, LD(d + k) + LD(s + k), run - k);
			}
	}
}

/* ---- the kernel ---- */

size_t VN(conv_dx_work)(const int32_t *k)
{
	cv f = cv_forward(k);
	size_t most = 0;
	long offset, tap;

	if (form(&f) == DX_FLAT) return 0;
	if (form(&f) == DX_SCATTER) return (size_t)(f.ow * scatter_row(&f) + 16) * sizeof(float);
	for (long i = 0; i < f.sh; i++)
		for (long j = 0; j < f.sw; j++) {
			cv g = cv_phase(&f, i, j, &offset, &tap);
			size_t n = g.oh && g.ow ? cv_work(&g) : 0;
			most = n > most ? n : most;
		}
	return most * sizeof(float);
}

size_t VN(conv_dx_pack_bytes)(const int32_t *k)
{
	cv f = cv_forward(k);
	size_t n = 0;
	long offset, tap;

	if (form(&f) == DX_SCATTER) return 0;
	for (long i = 0; i < f.sh; i++)
		for (long j = 0; j < f.sw; j++) {
			cv g = cv_phase(&f, i, j, &offset, &tap);
			if (form(&f) == DX_FLAT && cv_choose(&g) == CV_PANEL) return 0;
			n += cv_pack_floats(&g);
		}
	return n * sizeof(float);
}

void VN(conv_dx_pack)(const cop_call *c)
{
	cv f = cv_forward(c->k);
	float *d = c->work;
	long offset, tap;

	if (VN(conv_dx_pack_bytes)(c->k) == 0) return;
	for (long i = 0; i < f.sh; i++)
		for (long j = 0; j < f.sw; j++) {
			cv g = cv_phase(&f, i, j, &offset, &tap);
			VN(cv_pack)(&g, d, (const float *)c->buf[2] + tap, c->part, c->parts);
			d += cv_pack_floats(&g);
		}
}

static void run_flat(const cop_call *c, const cv *f, bool heavy)
{
	long offset, tap, r0, r1, p0, p1;
	cv g = cv_phase(f, 0, 0, &offset, &tap);
	bool packed = cv_choose(&g) != CV_PANEL;

	cv_share(c, g.n * g.h * g.w, g.o, heavy, &r0, &r1, &p0, &p1);
	VN(cv_run_flat)(&g, c->buf[0], c->buf[1], packed ? c->pack : c->buf[2], packed ? 0 : g.o, r0, r1, p0, p1);
}

/* Rows are shared out in groups of sh rows of dx, one of each phase; image by image where there are several
 * phases, so that they fill the same lines of dx while those are near. */
static void run_phases(const cop_call *c, const cv *f, bool heavy)
{
	long groups = (f->h + f->sh - 1) / f->sh, r0, r1, p0, p1, offset, tap;

	cv_share(c, f->n * groups, f->c, heavy, &r0, &r1, &p0, &p1);
	for (long r = r0; r < r1;) {
		long n = r / groups, h = r % groups, h1 = f->sh * f->sw == 1 ? h + r1 - r : lmin(groups, h + r1 - r);
		const float *packed = c->pack;
		for (long i = 0; i < f->sh; i++)
			for (long j = 0; j < f->sw; j++) {
				cv g = cv_phase(f, i, j, &offset, &tap);
				if (g.oh && g.ow)
					VN(cv_run)(&g, (float *)c->buf[0] + offset, c->buf[1], packed,
						n * g.oh + lmin(h, g.oh), n * g.oh + (f->sh == 1 ? h1 : lmin(h1, g.oh)),
						p0, p1, c->work);
				packed += cv_pack_floats(&g);
			}
		r += h1 - h;
	}
}

void VN(conv_dx_f32)(const cop_call *c)
{
	cv f = cv_forward(c->k);
	bool heavy = f.o * f.wo > f.n * f.h * f.w * f.c;

	switch (form(&f)) {
	case DX_FLAT: run_flat(c, &f, heavy); break;
	case DX_PHASES: run_phases(c, &f, heavy); break;
	case DX_SCATTER:
		for (long n = cop_from(c, (int32_t)f.n, 1); n < cop_to(c, (int32_t)f.n, 1); n++)
			scatter_image(&f, (float *)c->buf[0] + n * f.h * f.w * f.c,
				(const float *)c->buf[1] + n * f.oh * f.ow * f.o, c->buf[2], c->work);
		break;
	}
}
