/* SPDX-License-Identifier: Apache-2.0
 *
 * batch - order, augmentation and normalisation of samples (batch.h has the rules). After cop__batch_new nothing is
 * allocated. An 8-bit sample becomes f32 by one look-up, in which scaling and normalising are folded.
 */
#include "data/batch.h"
#include "data/data.h"
#include "data/fit.h"

#include <math.h>

struct cop_batches {
	cop_ctx *cx;
	cop_dataset *d;           /* as it was given: perhaps fitted */
	cop_fit *fit;             /* NULL: it is not */
	cop_store *s, *own;       /* own: the f32 copy of a caller's set, NULL for ours */
	float *raw;               /* [size, each] rows before they are scaled and turned; NULL: they are not */
	int32_t size, epoch, count, h, w, c; /* count: samples; c: channels, the last axis */
	uint64_t seed;
	bool in_order, flip, norm;
	int32_t reach, erase;     /* shift + crop */
	int32_t *order;
	float *mean, *std, *inv, *zero; /* [c]; zero: what 0 becomes */
	float *table;             /* [c, 256] for 8-bit sets */
};

/* ---- a caller's set ---- */

static cop_status copy_one(cop_store *s, int32_t i, uint8_t *code, float *value, int32_t *label)
{
	cop_dataset *d = s->make_ud;

	(void)code;
	return d->get(d->ud, i, value, label);
}

static cop_status wrap(cop_store **out, cop_ctx *cx, cop_dataset *d)
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

/* ---- statistics ---- */

/* The set under a fit, or d itself. */
static cop_dataset *bare(const cop_dataset *d)
{
	cop_fit *f = cop__fit_of((cop_dataset *)d);
	return f ? f->of : (cop_dataset *)d;
}

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

static cop_status stats(float *mean, float *std, cop_store *s, int32_t c)
{
	int64_t n;
	int32_t inner = 1;

	for (int32_t i = cop__channel_axis(&s->d.x) + 1; i < s->d.x.rank; i++) inner *= s->d.x.dim[i];
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

cop_status cop__batch_stats(float *mean, float *std, cop_ctx *cx, cop_dataset *d)
{
	const cop_fit *f = cop__fit_of(d);
	cop_store *s = cop__store_of(bare(d)), *own = NULL;
	int32_t c = cop__batch_channels(d);
	cop_status st = COP_OK;

	if (d->count < 1)
		return cop__error(cx, COP_ARG, "%s: mean and deviation of no samples were asked for", d->name);
	if (!s) COP_GO(wrap(&own, cx, bare(d)));
	COP_GO(stats(mean, std, s ? s : own, c));
	for (int32_t k = 0; f && f->channels && k < c; k++) {
		mean[k] = (mean[k] - f->off[f->channels > 1 ? k : 0]) * f->mult[f->channels > 1 ? k : 0];
		std[k] *= f->mult[f->channels > 1 ? k : 0];
	}
done:
	cop__store_free(own);
	return st;
}

/* ---- making ---- */

static cop_status options(cop_batches *b, const char *text, bool *normalise)
{
	cop_args o = {.cx = b->cx, .what = "augment", .text = text, .len = strlen(text)};
	int32_t shift = 0, crop = 0;

	COP_TRY(cop__args_check(&o, "none flip shift crop erase normalise"));
	COP_TRY(cop__args_i(&o, "shift", 0, 1024, &shift));
	COP_TRY(cop__args_i(&o, "crop", 0, 1024, &crop));
	COP_TRY(cop__args_i(&o, "erase", 0, 1024, &b->erase));
	*normalise = cop__args_has(&o, "normalise");
	b->flip = cop__args_has(&o, "flip");
	b->reach = shift + crop;
	if ((b->flip || b->reach || b->erase) && b->s->d.x.rank < 2)
		return cop__error(b->cx, COP_ARG, "augment '%s': needs images, the samples of %s have one axis", text,
		        b->d->name);
	if ((b->flip || b->reach || b->erase || *normalise) && cop__channel_axis(&b->s->d.x) != b->s->d.x.rank - 1)
		return cop__error(b->cx, COP_ARG, "augment '%s': the samples of %s have their channels first; it needs them last", text, b->d->name);
	if (b->in_order) b->flip = false, b->reach = b->erase = 0;
	return COP_OK;
}

static cop_status norms(cop_batches *b, const cop_batch_args *a, bool normalise)
{
	size_t n = (size_t)b->c;
	float *m = cop__alloc(b->cx, n * 4 * sizeof *m);

	if (!m) return COP_NOMEM;
	b->mean = m, b->std = m + n, b->inv = m + 2 * n, b->zero = m + 3 * n;
	b->norm = normalise || a->mean;
	for (size_t k = 0; k < n; k++) {
		b->mean[k] = a->mean ? a->mean[k] : 0;
		b->std[k] = a->mean && a->std ? a->std[k] : 1;
		if (!(b->std[k] > 0))
			return cop__error(b->cx, COP_ARG,
			        "normalise: the deviation of channel %zu is %g, it must be positive", k,
			        (double)b->std[k]);
	}
	if (normalise && !a->mean) COP_TRY(stats(b->mean, b->std, b->s, b->c));
	for (size_t k = 0; k < n; k++) {
		b->inv[k] = 1 / b->std[k];
		b->zero[k] = (0 - b->mean[k]) * b->inv[k];
	}
	return COP_OK;
}

static cop_status table(cop_batches *b)
{
	if (!b->s->code) return COP_OK;
	b->table = cop__alloc(b->cx, (size_t)b->c * 256 * sizeof *b->table);
	if (!b->table) return COP_NOMEM;
	for (int32_t k = 0; k < b->c; k++)
		for (int v = 0; v < 256; v++) b->table[k * 256 + v] = (b->s->lut[v] - b->mean[k]) * b->inv[k];
	return COP_OK;
}

/* [h, w, c]; [frames, c] moves along its frames alone; [c] is not moved. */
static void sides(cop_batches *b)
{
	const cop_type *x = &b->s->d.x;

	b->c = x->rank > 0 ? x->dim[x->rank - 1] : 1;
	b->w = x->rank == 3 ? x->dim[1] : 1;
	b->h = x->rank >= 2 ? x->dim[0] : 1;
}

static cop_status build(cop_batches *b, const cop_batch_args *a)
{
	bool normalise;

	if (b->d->count < 1) return cop__error(b->cx, COP_ARG, "%s: has no samples", b->d->name);
	if (a->size < 1)
		return cop__error(b->cx, COP_ARG, "a batch of %d was asked for, 1 or more is expected", a->size);
	b->fit = cop__fit_of(b->d);
	if (!(b->s = cop__store_of(bare(b->d)))) {
		COP_TRY(wrap(&b->own, b->cx, bare(b->d)));
		b->s = b->own;
	}
	if (b->fit && cop__fit_changes(b->fit) && !(b->raw = cop__alloc(b->cx, sizeof *b->raw * (size_t)b->size * (size_t)b->s->each))) return COP_NOMEM;
	sides(b);
	COP_TRY(options(b, a->augment ? a->augment : "none", &normalise));
	COP_TRY(norms(b, a, normalise));
	COP_TRY(table(b));
	b->order = cop__alloc(b->cx, (size_t)b->count * sizeof *b->order);
	return b->order ? cop__batch_epoch(b, 0) : COP_NOMEM;
}

cop_status cop__batch_new(cop_batches **out, cop_ctx *cx, cop_dataset *d, const cop_batch_args *a)
{
	cop_batches *b = *out = cop__alloc(cx, sizeof *b);

	if (!b) return COP_NOMEM;
	*b = (cop_batches){
	        .cx = cx, .d = d, .size = a->size, .count = d->count, .seed = a->seed, .in_order = a->in_order};
	cop_status st = build(b, a);
	if (st) {
		cop__batch_free(b);
		*out = NULL;
	}
	return st;
}

void cop__batch_free(cop_batches *b)
{
	if (!b) return;
	cop__store_free(b->own);
	cop__free(b->cx, b->order);
	cop__free(b->cx, b->raw);
	cop__free(b->cx, b->mean);
	cop__free(b->cx, b->table);
	cop__free(b->cx, b);
}

int32_t cop__batch_count(const cop_batches *b) { return (b->count - 1) / b->size + 1; }

cop_status cop__batch_epoch(cop_batches *b, int32_t epoch)
{
	if (epoch < 0) return cop__error(b->cx, COP_ARG, "epoch %d was asked for", epoch);
	b->epoch = epoch;
	for (int32_t i = 0; i < b->count; i++) b->order[i] = i;
	if (!b->in_order) cop__shuffle(b->order, b->count, b->seed, cop__hash_text("batch.order") + (uint32_t)epoch);
	return COP_OK;
}

bool cop__batch_norm(const cop_batches *b, const float **mean, const float **std, int32_t *channels)
{
	*mean = b->mean;
	*std = b->std;
	*channels = b->c;
	return b->norm;
}

/* ---- filling ---- */

typedef struct move { int32_t dy, dx, ey, ex; bool flip; } move; /* source = place + d; the erased square begins at e */

/* Four random numbers of (epoch, sample). */
static move draw(const cop_batches *b, int32_t sample)
{
	uint32_t stream = cop__hash_text("batch.augment"), span = 2 * (uint32_t)b->reach + 1;
	uint64_t at = ((uint64_t)b->epoch << 32 | (uint32_t)sample) * 4;
	uint32_t r = cop__rand(b->seed, stream, at);
	move m = {.flip = b->flip && r & 1};

	m.dy = (int32_t)((uint64_t)cop__rand(b->seed, stream, at + 1) * span >> 32) - b->reach;
	if (b->w > 1) m.dx = (int32_t)((uint64_t)cop__rand(b->seed, stream, at + 2) * span >> 32) - b->reach;
	r = cop__rand(b->seed, stream, at + 3);
	m.ey = (int32_t)((r >> 16) * (uint32_t)b->h >> 16) - b->erase / 2;
	m.ex = (int32_t)((r & 0xffff) * (uint32_t)b->w >> 16) - b->erase / 2;
	return m;
}

/* n pixels from element `at` of the store; step -c reads them backwards. */
static void convert(float *x, const cop_batches *b, size_t at, int32_t n, bool back)
{
	const int32_t c = b->c;

	if (b->table && c == 1 && !back) {
		const uint8_t *p = b->s->code + at;
		const float *t = b->table;
		for (int32_t i = 0; i < n; i++) x[i] = t[p[i]];
		return;
	}
	for (int32_t i = 0; i < n; i++, x += c) {
		size_t from = back ? at - (size_t)i * c : at + (size_t)i * c;
		if (b->table)
			for (int32_t k = 0; k < c; k++) x[k] = b->table[k * 256 + b->s->code[from + k]];
		else
			for (int32_t k = 0; k < c; k++) x[k] = (b->s->value[from + k] - b->mean[k]) * b->inv[k];
	}
}

static void blank(float *x, const cop_batches *b, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		for (int32_t k = 0; k < b->c; k++) *x++ = b->zero[k];
}

/* Row y of a moved image: zeros, pixels, zeros. */
static void moved_row(float *x, const cop_batches *b, size_t at, int32_t y, const move *m)
{
	int32_t sy = y + m->dy, w = b->w, lo = COP_MIN(COP_MAX(-m->dx, 0), w), hi = COP_MAX(COP_MIN(w - m->dx, w), lo);

	if (sy < 0 || sy >= b->h) {
		blank(x, b, w);
		return;
	}
	int32_t first = m->flip ? w - 1 - (lo + m->dx) : lo + m->dx;
	blank(x, b, lo);
	if (hi > lo) convert(x + (size_t)lo * b->c, b, at + ((size_t)sy * w + first) * b->c, hi - lo, m->flip);
	blank(x + (size_t)hi * b->c, b, w - hi);
}

static void erase(float *x, const cop_batches *b, const move *m)
{
	int32_t x0 = COP_MAX(m->ex, 0), x1 = COP_MIN(m->ex + b->erase, b->w);

	for (int32_t y = COP_MAX(m->ey, 0); y < COP_MIN(m->ey + b->erase, b->h); y++)
		if (x1 > x0) blank(x + ((size_t)y * b->w + x0) * b->c, b, x1 - x0);
}

static void fill(float *x, const cop_batches *b, int32_t sample)
{
	size_t at = (size_t)sample * b->s->each;

	if (!b->flip && !b->reach && !b->erase) {
		convert(x, b, at, b->s->each / b->c, false);
		return;
	}
	move m = draw(b, sample);
	for (int32_t y = 0; y < b->h; y++) moved_row(x + (size_t)y * b->w * b->c, b, at, y, &m);
	if (b->erase) erase(x, b, &m);
}

/* Of row r of batch i in the order; -1: none. */
static int64_t place(const cop_batches *b, int32_t i, int32_t r)
{
	int64_t k = (int64_t)i * b->size + r;

	if (k < b->count) return k;
	return b->in_order ? -1 : k % b->count;
}

cop_status cop__batch_get(float *x, int32_t *label, cop_batches *b, int32_t i, int32_t part, int32_t parts)
{
	int32_t from = (int32_t)((int64_t)b->size * part / parts),
	        to = (int32_t)((int64_t)b->size * (part + 1) / parts);

	if (i < 0 || i >= cop__batch_count(b))
		return cop__error(b->cx, COP_ARG, "batch %d of %d was asked for", i, cop__batch_count(b));
	for (int32_t r = from; r < to; r++) {
		float *row = x + (size_t)r * b->s->each;
		int64_t k = place(b, i, r);
		if (k < 0) {
			memset(row, 0, (size_t)b->s->each * sizeof *row);
			label[r] = -1;
			continue;
		}
		COP_TRY(cop__store_fill(b->s, b->order[k]));
		float *raw = b->raw ? b->raw + (size_t)r * (size_t)b->s->each : row;
		fill(raw, b, b->order[k]);
		if (raw != row) cop__fit_row(row, b->fit, raw);
		label[r] = b->d->classes ? cop__fit_label(b->fit, b->s->label[b->order[k]]) : 0;
	}
	return COP_OK;
}

cop_status cop__batch_targets(float *y, cop_batches *b, int32_t i)
{
	const size_t n = (size_t)b->d->targets;

	memset(y, 0, sizeof *y * n * (size_t)b->size);
	for (int32_t r = 0; r < b->size && place(b, i, r) >= 0; r++) COP_TRY(b->d->target(b->d->ud, b->order[place(b, i, r)], y + (size_t)r * n));
	return COP_OK;
}
