/* SPDX-License-Identifier: Apache-2.0
 *
 * conv_dw - dw[o,kh,kw,c] = sum over pixels of dy[n,oh,ow,o] x[its window].
 *
 * The sum runs over pixels, read as they lie; the result lands in OHWI without a transposition. Accumulators are
 * kept over a block of at least 256 pixels: some rows of one image, or several small images. Blocks depend on
 * the geometry alone, and a part owns output channels, never pixels, so the bits are the same for any number of
 * parts, with a row list or without, and for each of the three forms:
 *   X      rows of the tile are channels of dy, columns are kw * c of x
 *   DY     the other way round, for few input channels: [kh * kw * c][o] in scratch, transposed at the end
 *   WHOLE  as DY with all kh * kw * c of a first layer in one tile (the cases below)
 * Parts of DY and WHOLE are cut at whole vectors of channels.
 *
 * With a row list, the listed channels of a block of dy are first put next to each other, and the rest is as if there were no others. Where all
 * channels are one vector, DY and WHOLE compute the others, too, in the same time, and only the listed ones are put into dw.
 */
#include "kernel/vec/conv.h"
#include "kernel/vec/pack.h"

typedef enum dw_form { DW_X, DW_DY, DW_WHOLE } dw_form;

typedef struct dw {
	cv g;
	dw_form form;
	bool copied;         /* x goes through a padded copy */
	long images, rows;   /* of a block */
	long pixels;         /* of a block that is one row of pixels (flat), else ow */
	long row;            /* floats of a row of x as the tiles see it */
	long o;              /* channels that are computed: those of the list, or all */
	bool listed;         /* those of the list, put together */
} dw;

/* ---- the tiles of WHOLE: KH rows of RUN floats of x times one vector of dy ---- */

typedef struct whole_args {
	long images, rows, pixels;
	long x_image, x_row, x_next, x_step; /* floats of x to the next image, tap row, output row, pixel */
	long dy_image, dy_row, dy_step, ldd;
	bool add;
} whole_args;
typedef void whole_fn(const whole_args *p, const float *x, const float *dy, float *d);

AI void whole(const int KH, const int RUN, const whole_args *p, const float *x, const float *dy, float *d)
{
	v acc[27];

	UNROLL
	for (int i = 0; i < KH * RUN; i++) acc[i] = (v){0};
	for (long n = p->images; n > 0; n--, x += p->x_image, dy += p->dy_image) {
		const float *xh = x, *yh = dy;
		for (long h = p->rows; h > 0; h--, xh += p->x_next, yh += p->dy_row) {
			const float *r[5], *y = yh;
			UNROLL
			for (int i = 0; i < KH; i++) r[i] = xh + i * p->x_row;
			for (long k = p->pixels; k > 0; k--, y += p->dy_step) {
				v t = LD(y);
				UNROLL
				for (int i = 0; i < KH; i++) {
					UNROLL
					for (int j = 0; j < RUN; j++) acc[i * RUN + j] += r[i][j] * t;
					r[i] += p->x_step;
				}
			}
		}
	}
	UNROLL
	for (int i = 0; i < KH * RUN; i++) ST(d + i * p->ldd, p->add ? acc[i] + LD(d + i * p->ldd) : acc[i]);
}

#define WHOLE_FN(kh, run)                                                                                           \
	static NOINLINE void whole_##kh##_##run(const whole_args *p, const float *x, const float *dy, float *d)     \
	{                                                                                                           \
		whole(kh, run, p, x, dy, d);                                                                        \
	}
WHOLE_FN(3, 9) WHOLE_FN(5, 5) WHOLE_FN(3, 3)

/* 27 accumulators want 32 registers of a good width. */
static whole_fn *whole_tile(const cv *g)
{
	if (VW != 16) return NULL;
	if (g->kh == 3 && g->kw * g->c == 9) return whole_3_9;
	if (g->kh == 5 && g->kw * g->c == 5) return whole_5_5;
	return g->kh == 3 && g->kw * g->c == 3 ? whole_3_3 : NULL;
}

/* ---- what a geometry is done with ---- */

/* Lanes paid for each column used; a single vector is loaded for every multiply. Sums of fewer than eight vectors wait for each other. */
static float price(long rows, long n)
{
	const float sums = (float)(rows * lmin(vectors(n), 2)), waits = sums < 8 ? 8 / sums : 1;
	return (float)(vectors(n) * VW) / (float)n * (vectors(n) == 1 ? 1.15f : 1.0f) * waits;
}

static dw setup(const int32_t *k)
{
	dw d = {.g = cv_forward(k)};
	cv *g = &d.g;
	bool flat = cv_flat(g);
	long right = cv_right(g), bottom = (g->oh - 1) * g->sh - g->pt + g->kh - g->h, run = g->kw * g->c, all;

	if (flat) {
		g->w = g->ow = g->n * g->h * g->w;
		g->n = g->h = g->oh = 1;
	}
	all = g->n * g->oh * g->ow;
	d.copied = g->pt > 0 || g->pl > 0 || right > 0 || bottom > 0;
	d.row = (g->pl + g->w + right) * g->c;
	d.images = lmax(1, lmin(g->n, (255 + g->oh * g->ow) / lmax(1, g->oh * g->ow)));
	d.rows = lmax((255 + g->ow) / g->ow, 8192 / (g->sh * d.row + g->ow * g->o));
	if (d.images > 1 || d.rows > g->oh) d.rows = g->oh;
	d.pixels = flat ? lmin(g->ow, lmax(128, 8192 / (g->c + g->o))) : g->ow;
	d.o = k[CK_CAP] ? k[CK_CAP] : g->o;
	const bool whole = whole_tile(g);
	if (price(d.o, run) > price(whole ? g->kh * run : run, d.o) * (1.0f + 64.0f / (float)all)) d.form = whole ? DW_WHOLE : DW_DY;
	if (d.form != DW_X && vectors(g->o) == 1) d.o = g->o;
	d.listed = k[CK_CAP] && (d.o != g->o || d.form == DW_X);
	return d;
}

static long acc_row(const dw *d) { return vectors(d->o) * VW; }
static long listed_floats(const dw *d) { return d->listed ? d->images * d->rows * lmin(d->pixels, d->g.ow) * acc_row(d) + VW : 0; }

static long copy_rows(const dw *d) { return (d->rows - 1) * d->g.sh + d->g.kh; }
static size_t copy_floats(const dw *d)
{
	return d->copied ? (size_t)(d->images * copy_rows(d) * d->row + 16) / 16 * 16 + 16 : 0;
}

bool VN(conv_dw_fits)(const int32_t *k) { return cv_dense(k); }

size_t VN(conv_dw_work)(const int32_t *k)
{
	dw d = setup(k);
	size_t n = copy_floats(&d);

	if (d.form != DW_X) n += (size_t)(d.g.wo * acc_row(&d) + 16);
	return (n + (size_t)listed_floats(&d)) * sizeof(float);
}

/* ---- one block ---- */

typedef struct block {
	const float *x, *dy; /* x: where row r0 of the first image is or would be; dy: row dy_h of the first image, pixel dy_p */
	long dy_h, dy_p, dy_image, dy_row, dy_step; /* floats of dy to the next image, row, pixel */
	long r0, x_image, images, h0, h1, p0, pixels;
	bool first;
} block;

/* Rows r0.. of the block's images, zeros around them. */
static void copy_block(const dw *d, float *to, const float *x, long r0, long images)
{
	const cv *g = &d->g;
	long rows = copy_rows(d), row = g->w * g->c, left = g->pl * g->c, right = d->row - left - row;

	for (long n = 0; n < images; n++, x += g->h * row)
		for (long r = r0; r < r0 + rows; r++, to += d->row) {
			if (r < 0 || r >= g->h) {
				vzero(to, d->row);
				continue;
			}
			vzero(to, left);
			vcopy(to + left, x + r * row, row);
			vzero(to + left + row, right);
		}
}

/* The output rows of the block that tap row i sees; x and dy of the first. */
static long seen(const dw *d, const block *b, long i, const float **x, const float **dy)
{
	const cv *g = &d->g;
	long above = g->pt - i, below = g->h - 1 + above;
	long from = lmax(b->h0, above > 0 ? (above + g->sh - 1) / g->sh : 0);
	long to = below < 0 ? 0 : lmin(b->h1, below / g->sh + 1);

	if (to <= from) {
		*x = b->x;
		*dy = b->dy;
		return 0;
	}
	*x = b->x + (from * g->sh - above - b->r0) * d->row + b->p0 * g->sw * g->c;
	*dy = b->dy + (from - b->dy_h) * b->dy_row + (b->p0 - b->dy_p) * b->dy_step;
	return to - from;
}

/* Channels [o0, o1) into rows o0.. of dw. */
static void block_x(const dw *d, const block *b, float *dw_, long o0, long o1)
{
	const cv *g = &d->g;
	long run = g->kw * g->c;
	mk_args p = {.n2 = b->images, .a2 = b->dy_image, .b2 = b->x_image, .a1 = b->dy_row,
		.b1 = g->sh * d->row, .k = b->pixels, .as = b->dy_step, .ldb = g->sw * g->c, .ldc = g->wo, .add = !b->first};

	for (long i = 0; i < g->kh; i++) {
		const float *x, *dy;
		p.n1 = seen(d, b, i, &x, &dy);
		for (long q = 0; q < panels(run); q++) {
			long c0 = panel_at(run, q) * VW, nv = panel_nv(run, q);
			float *c = dw_ + o0 * g->wo + i * run + c0;
			p.cols = lmin(nv * VW, run - c0);
			mk_run(VN(mk_tn)[nv], mk_cap(nv), o1 - o0, &p, dy + o0, 1, x + c0, c);
		}
	}
}

/* acc[kh * kw * c][ldo], columns [o0, o1). */
static void block_dy(const dw *d, const block *b, float *acc, long o0, long o1)
{
	const cv *g = &d->g;
	long run = g->kw * g->c, n = o1 - o0;
	mk_args p = {.n2 = b->images, .a2 = b->x_image, .b2 = b->dy_image, .a1 = g->sh * d->row,
		.b1 = b->dy_row, .k = b->pixels, .as = g->sw * g->c, .ldb = b->dy_step, .ldc = acc_row(d),
		.add = !b->first};

	for (long i = 0; i < g->kh; i++) {
		const float *x, *dy;
		p.n1 = seen(d, b, i, &x, &dy);
		for (long q = 0; q < panels(n); q++) {
			long c0 = o0 + panel_at(n, q) * VW, nv = panel_nv(n, q);
			p.cols = nv * VW;
			mk_run(VN(mk_tn)[nv], mk_cap(nv), run, &p, x, 1, dy + c0, acc + i * run * p.ldc + c0);
		}
	}
}

static void block_whole(const dw *d, const block *b, float *acc, long o0, long o1)
{
	const cv *g = &d->g;
	whole_fn *fn = whole_tile(g);
	whole_args p = {.images = b->images,
		.rows = b->h1 - b->h0,
		.pixels = b->pixels,
		.x_image = b->x_image,
		.x_row = d->row,
		.x_next = g->sh * d->row,
		.x_step = g->sw * g->c,
		.dy_image = b->dy_image,
		.dy_row = b->dy_row,
		.dy_step = b->dy_step,
		.ldd = acc_row(d),
		.add = !b->first};
	const float *x = b->x + (b->h0 * g->sh - g->pt - b->r0) * d->row, *dy = b->dy + (b->h0 - b->dy_h) * b->dy_row;

	for (long o = o0; o < o1; o += VW) fn(&p, x, dy + o, acc + o);
}

/* ---- the kernel ---- */

/* Of acc[kh * kw * c][one vector of all channels], those of the list. */
static void take_listed(const dw *d, float *out, const float *acc, const int32_t *list, long o0, long o1)
{
	for (long o = o0; o < o1; o++)
		for (long j = 0; j < d->g.wo; j++) out[o * d->g.wo + j] = acc[j * VW + list[o]];
}

#if VW == 16
/* Channels [o0, o1) of the list out of 32 at most, of one row of pixels; zeros up to `end`. */
static void pick(float *to, long step, const float *y, long o, long pixels, const int32_t *list, long o0, long o1, long end)
{
	const __mmask16 low = (__mmask16)(o < 16 ? (1 << o) - 1 : 0xffff), high = (__mmask16)((1 << lmax(0, o - 16)) - 1);

	for (long q = o0; q < o1; q += 16) {
		const __mmask16 use = (__mmask16)((1 << lmin(16, o1 - q)) - 1), fill = (__mmask16)((1 << lmin(16, end - q)) - 1);
		const __m512i at = _mm512_maskz_loadu_epi32(use, list + q);
		for (long p = 0; p < pixels; p++)
			_mm512_mask_storeu_ps(to + p * step + q, fill, _mm512_maskz_permutex2var_ps(use, _mm512_maskz_loadu_ps(low, y + p * o), at, _mm512_maskz_loadu_ps(high, y + p * o + 16)));
	}
}
#endif

/* Channels [o0, o1) of the list, of the block's part of dy, next to each other: what the block then reads. The last vector is filled with zeros: what lies
 * in memory by chance may be denormal, and each product of it would take a hundred cycles. */
static void put_together(const dw *d, block *b, float *to, const int32_t *list, long o0, long o1)
{
	const long step = acc_row(d), image = d->g.oh * d->g.ow * d->g.o, row = d->g.ow * d->g.o;
	const long end = lmin(step, vectors(o1) * VW);
	const float *first = b->dy + b->h0 * row + b->p0 * d->g.o;

	b->dy = to;
	b->dy_h = b->h0, b->dy_p = b->p0;
	b->dy_step = step, b->dy_row = b->pixels * step, b->dy_image = (b->h1 - b->h0) * b->dy_row;
	for (long n = 0; n < b->images; n++)
		for (long h = b->h0; h < b->h1; h++) {
			const float *y = first + n * image + (h - b->h0) * row;
#if VW == 16
			if (d->g.o <= 32) {
				pick(to, step, y, d->g.o, b->pixels, list, o0, o1, end);
				to += b->pixels * step;
				continue;
			}
#endif
			for (long p = b->pixels; p > 0; p--, y += d->g.o, to += step) {
				for (long o = o0; o < o1; o++) to[o] = y[list[o]];
				for (long o = o1; o < end; o++) to[o] = 0;
			}
		}
}

static void run_block(const dw *d, const block *b, float *dw_, float *acc, long o0, long o1)
{
	if (d->form == DW_X) block_x(d, b, dw_, o0, o1);
	else if (d->form == DW_DY) block_dy(d, b, acc, o0, o1);
	else block_whole(d, b, acc, o0, o1);
}

void cop_conv_dw_f32(const cop_call *c);

static void share(const cop_call *c, const dw *d, const int32_t *rows, long *from, long *to)
{
	int32_t n = rows ? rows[0] : (int32_t)d->g.o, by = d->form == DW_X ? 4 : VW;

	*from = cop_from(c, n, by);
	*to = cop_to(c, n, by);
}

/* Those of part c->part, without a list. */
void VN(conv_dw_rows)(const cop_call *c, long *from, long *to)
{
	dw d = setup(c->k);

	share(c, &d, NULL, from, to);
}

void VN(conv_dw_f32)(const cop_call *c)
{
	dw d = setup(c->k);
	const cv *g = &d.g;
	const int32_t *rows = c->buf[3];
	long o0, o1;
	float *copy = c->work, *acc = copy + copy_floats(&d), *out = c->buf[0];
	float *listed = acc + (d.form == DW_X ? 0 : g->wo * acc_row(&d) + 16);
	block b = {.first = true};

	if (!vrows_fit(rows, c->k[CK_CAP], c->k[CK_O])) {
		cop_conv_dw_f32(c);
		return;
	}
	const bool spread = rows && !d.listed; /* those of the list lie among others */
	share(c, &d, rows, &o0, &o1);
	if (o0 >= o1) return;
	for (long n = 0; n < g->n; n += d.images)
		for (b.h0 = 0; b.h0 < g->oh; b.h0 += d.rows) {
			b.images = lmin(d.images, g->n - n);
			b.h1 = lmin(b.h0 + d.rows, g->oh);
			b.x = (const float *)c->buf[2] + n * g->h * g->w * g->c;
			b.x_image = g->h * g->w * g->c;
			b.r0 = 0;
			if (d.copied) {
				b.r0 = b.h0 * g->sh - g->pt;
				copy_block(&d, copy, b.x, b.r0, b.images);
				b.x = copy;
				b.x_image = copy_rows(&d) * d.row;
			}
			for (b.p0 = 0; b.p0 < g->ow; b.p0 += d.pixels, b.first = false) {
				b.pixels = lmin(d.pixels, g->ow - b.p0);
				b.dy = (const float *)c->buf[1] + n * g->oh * g->ow * g->o;
				b.dy_h = b.dy_p = 0;
				b.dy_step = g->o, b.dy_row = g->ow * g->o, b.dy_image = g->oh * b.dy_row;
				if (rows && d.listed) put_together(&d, &b, listed, rows + 1, o0, o1);
				run_block(&d, &b, out, acc, spread ? 0 : o0, spread ? d.o : o1);
			}
		}
	if (spread) take_listed(&d, out, acc, rows + 1, o0, o1);
	else if (d.form != DW_X) VN(transpose)(out + o0 * g->wo, g->wo, acc + o0, acc_row(&d), g->wo, o1 - o0, g->wo);
}
