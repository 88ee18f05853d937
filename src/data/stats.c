/* SPDX-License-Identifier: Apache-2.0
 *
 * stats - mean and deviation of a data set by channel. A caller's own set is looked at through a store that copies it once.
 */
#include "data/batch.h"
#include "data/data.h"
#include "data/fit.h"

#include <math.h>

static cop_status copy_one(cop_store *s, int32_t i, uint8_t *code, float *value, int32_t *label)
{
	cop_dataset *d = s->make_ud;

	(void)code;
	return d->get(d->ud, i, value, label);
}

cop_status cop__store_wrap(cop_store **out, cop_ctx *cx, cop_dataset *d)
{
	COP_TRY(cop__store_new(out, cx, d->name ? d->name : "data"));
	cop_store *s = *out;
	COP_TRY(cop__store_shape(s, d->x.rank, d->x.dim, true));
	COP_TRY(cop__store_room(s, d->count));
	s->make = copy_one;
	s->make_ud = d;
	s->have = cop__alloc(cx, (size_t)COP_MAX(d->count, 1));
	return s->have ? COP_OK : COP_NOMEM;
}

static cop_dataset *bare(const cop_dataset *d) { return cop__fit_under((cop_dataset *)d); }

int32_t cop__batch_channels(const cop_dataset *d)
{
	const cop_type *x = &bare(d)->x;
	return x->rank > 0 ? x->dim[cop__channel_axis(x)] : 1;
}

/* sum: [2, c]. Of an 8-bit set the codes are counted first, which is exact and quick. inner: neighbours of one channel. */
static cop_status sums(double *sum, int64_t *n, uint32_t (*seen)[256], cop_store *s, int32_t c, int32_t inner)
{
	for (int32_t i = 0; i < s->d.count; i++) {
		COP_TRY(cop__store_fill(s, i));
		size_t at = (size_t)i * s->each;
		for (int32_t k = 0, ch = 0, left = inner; k < s->each; k++) {
			if (s->code) {
				seen[ch][s->code[at + k]]++;
			} else {
				double v = (double)s->value[at + k];
				sum[ch] += v;
				sum[c + ch] += v * v;
			}
			if (!--left) ch = ch + 1 == c ? 0 : ch + 1, left = inner;
		}
		if (s->code && (i + 1) % 128 && i + 1 < s->d.count)
			continue; /* 128 * 2^24: a counter cannot overflow */
		for (int32_t ch = 0; s->code && ch < c; ch++)
			for (int v = 0; v < 256; v++) {
				double x = (double)s->lut[v];
				sum[ch] += seen[ch][v] * x;
				sum[c + ch] += seen[ch][v] * x * x;
				seen[ch][v] = 0;
			}
	}
	*n = (int64_t)s->d.count * (s->each / c);
	return COP_OK;
}

cop_status cop__store_stats(float *mean, float *std, cop_store *s, int32_t c)
{
	int64_t n;
	int32_t inner = 1;

	for (int32_t i = cop__scale_axis(&s->d.x, c) + 1; i < s->d.x.rank; i++) inner *= s->d.x.dim[i];
	double *sum = cop__alloc(s->cx, (size_t)c * 2 * sizeof *sum);
	uint32_t (*seen)[256] = s->code ? cop__alloc(s->cx, (size_t)c * sizeof *seen) : NULL;
	cop_status st = sum && (seen || !s->code) ? sums(sum, &n, seen, s, c, inner) : COP_NOMEM;

	for (int32_t k = 0; !st && k < c; k++) {
		double m = sum[k] / (double)n, var = sum[c + k] / (double)n - m * m;
		mean[k] = (float)m;
		std[k] = var > 1e-12 ? (float)sqrt(var) : 1.0f;
	}
	cop__free(s->cx, sum);
	cop__free(s->cx, seen);
	return st;
}

cop_status cop__batch_stats(float *mean, float *std, int32_t c, cop_ctx *cx, cop_dataset *d)
{
	const cop_fit *f = cop__fit_of(d);
	cop_store *s = cop__store_of(bare(d)), *own = NULL;
	cop_status st = COP_OK;

	if (d->count < 1)
		return cop__error(cx, COP_ARG, "%s: mean and deviation of no samples were asked for", d->name);
	if (!s) COP_GO(cop__store_wrap(&own, cx, bare(d)));
	COP_GO(cop__store_stats(mean, std, s ? s : own, c));
	for (int32_t k = 0; f && f->channels && k < c; k++) {
		mean[k] = (mean[k] - f->off[f->channels > 1 ? k : 0]) * f->mult[f->channels > 1 ? k : 0];
		std[k] *= f->mult[f->channels > 1 ? k : 0];
	}
done:
	cop__store_free(own);
	return st;
}
