/* SPDX-License-Identifier: Apache-2.0
 *
 * batch - order, augmentation and normalisation of samples (batch.h has the rules). After cop__batch_new nothing is
 * allocated. An 8-bit sample becomes f32 by one look-up, in which scaling and normalising are folded.
 */
#include "data/augment.h"
#include "data/batch.h"
#include "data/data.h"
#include "data/fit.h"

struct cop_batches {
	cop_ctx *cx;
	cop_dataset *d;           /* as it was given: perhaps fitted */
	cop_fit *fit;             /* NULL: it is not */
	cop_store *s, *own;       /* own: the f32 copy of a caller's set, NULL for ours */
	float *raw;               /* [size, each] rows before they are scaled and turned; NULL: they are not */
	int32_t size, epoch, count, h, w, c; /* count: samples; c: channels, the last axis */
	uint64_t seed;
	bool in_order, moves, norm;
	cop_augment how;
	int32_t *order, kept;     /* of samples; how many of them the epoch has, the first ones */
	const float *share;       /* [count] how much each counts; NULL: all the same */
	float *other;             /* [size, each] samples to mix with; NULL: they are not mixed */
	float *weight;            /* [classes]; NULL: all count the same */
	float *mean, *std, *inv, *zero; /* [c]; zero: what 0 becomes */
	float *table;             /* [c, 256] for 8-bit sets */
};

/* ---- making ---- */

/* Augmentation looks at a sample as [h, w, c]. */
static cop_status suits(const cop_batches *b, const char *text)
{
	const cop_type *x = &b->s->d.x;

	if (b->moves && x->rank < 2) return cop__error(b->cx, COP_ARG, "augment '%s': needs images, the samples of %s have one axis", text, b->d->name);
	if ((b->moves || b->how.normalise) && cop__channel_axis(x) != x->rank - 1)
		return cop__error(b->cx, COP_ARG, "augment '%s': the samples of %s have their channels first; it needs them last", text, b->d->name);
	if ((b->how.mix > 0 || b->how.balance) && !b->d->classes)
		return cop__error(b->cx, COP_ARG, "augment '%s': mix and balance need classes, %s has none", text, b->d->name);
	return COP_OK;
}

static cop_status options(cop_batches *b, const cop_batch_args *a)
{
	const char *text = a->augment ? a->augment : "none";
	cop_augment *how = &b->how;

	COP_TRY(cop__augment_parse(how, b->cx, text));
	b->moves = cop__augment_moves(how);
	COP_TRY(suits(b, text));
	if (a->in_order) *how = (cop_augment){.normalise = how->normalise}, b->moves = false;
	if ((how->mix > 0 || how->balance) && !a->soft)
		return cop__error(b->cx, COP_ARG,
			"augment '%s': mix and balance need a loss against parts of classes, and this one is against one class", text);
	return COP_OK;
}

/* By the network's number; -1: none of its classes. */
static int32_t class_of(const cop_batches *b, int32_t sample)
{
	int32_t k = cop__fit_label(b->fit, b->s->label[sample]);
	return k < b->d->classes ? k : -1;
}

static cop_status no_class(const cop_batches *b, int32_t sample)
{
	return cop__error(b->cx, COP_ARG, "%s: the label of sample %d is %d, which is none of %d classes", b->d->name, sample, b->s->label[sample], b->d->classes);
}

/* count / (classes * samples of the class), so that the mean over all samples is 1 (King and Zeng 2001). */
static cop_status weights(cop_batches *b)
{
	int32_t there = 0, k;

	if (!b->how.balance) return COP_OK;
	if (!(b->weight = cop__alloc(b->cx, sizeof *b->weight * (size_t)b->d->classes))) return COP_NOMEM;
	for (int32_t i = 0; i < b->count; i++) {
		COP_TRY(cop__store_fill(b->s, i));
		if ((k = class_of(b, i)) < 0) return no_class(b, i);
		b->weight[k]++;
	}
	for (k = 0; k < b->d->classes; k++) there += b->weight[k] > 0;
	for (k = 0; k < b->d->classes; k++)
		if (b->weight[k] > 0) b->weight[k] = (float)b->count / ((float)there * b->weight[k]);
	return COP_OK;
}

static cop_status norms(cop_batches *b, const cop_batch_args *a)
{
	size_t n = (size_t)b->c;
	float *m = cop__alloc(b->cx, n * 4 * sizeof *m);

	if (!m) return COP_NOMEM;
	b->mean = m, b->std = m + n, b->inv = m + 2 * n, b->zero = m + 3 * n;
	b->norm = b->how.normalise || a->mean;
	for (size_t k = 0; k < n; k++) {
		b->mean[k] = a->mean ? a->mean[k] : 0;
		b->std[k] = a->mean && a->std ? a->std[k] : 1;
		if (!(b->std[k] > 0))
			return cop__error(b->cx, COP_ARG,
			        "normalise: the deviation of channel %zu is %g, it must be positive", k,
			        (double)b->std[k]);
	}
	if (b->how.normalise && !a->mean) COP_TRY(cop__store_stats(b->mean, b->std, b->s, b->c));
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

/* Rows before they are scaled and turned, and those that are mixed in. */
static cop_status room(cop_batches *b)
{
	const size_t bytes = sizeof *b->raw * (size_t)b->size * (size_t)b->s->each;

	if (b->fit && cop__fit_changes(b->fit) && !(b->raw = cop__alloc(b->cx, bytes))) return COP_NOMEM;
	if (b->how.mix > 0 && !(b->other = cop__alloc(b->cx, bytes))) return COP_NOMEM;
	b->order = cop__alloc(b->cx, (size_t)b->count * sizeof *b->order);
	return b->order ? COP_OK : COP_NOMEM;
}

static cop_status build(cop_batches *b, const cop_batch_args *a)
{
	if (b->d->count < 1) return cop__error(b->cx, COP_ARG, "%s: has no samples", b->d->name);
	if (a->size < 1)
		return cop__error(b->cx, COP_ARG, "a batch of %d was asked for, 1 or more is expected", a->size);
	b->fit = cop__fit_of(b->d);
	if (!(b->s = cop__store_of(cop__fit_under(b->d)))) {
		COP_TRY(cop__store_wrap(&b->own, b->cx, cop__fit_under(b->d)));
		b->s = b->own;
	}
	sides(b);
	COP_TRY(options(b, a));
	COP_TRY(room(b));
	COP_TRY(weights(b));
	COP_TRY(norms(b, a));
	COP_TRY(table(b));
	return cop__batch_epoch(b, 0);
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
	cop__free(b->cx, b->other);
	cop__free(b->cx, b->weight);
	cop__free(b->cx, b->mean);
	cop__free(b->cx, b->table);
	cop__free(b->cx, b);
}

int32_t cop__batch_count(const cop_batches *b) { return (b->kept - 1) / b->size + 1; }
const int32_t *cop__batch_order(const cop_batches *b) { return b->order; }

cop_status cop__batch_epoch(cop_batches *b, int32_t epoch)
{
	if (epoch < 0) return cop__error(b->cx, COP_ARG, "epoch %d was asked for", epoch);
	b->epoch = epoch;
	b->kept = b->count;
	b->share = NULL;
	for (int32_t i = 0; i < b->count; i++) b->order[i] = i;
	if (!b->in_order) cop__shuffle(b->order, b->count, b->seed, cop__hash_text("batch.order") + (uint32_t)epoch);
	return COP_OK;
}

cop_status cop__batch_keep(cop_batches *b, const float *weight)
{
	int32_t n = 0;

	for (int32_t i = 0; i < b->count; i++)
		if (weight[b->order[i]] > 0) b->order[n++] = b->order[i];
	if (!n) return cop__error(b->cx, COP_ARG, "%s: no sample is left of epoch %d", b->d->name, b->epoch + 1);
	b->kept = n;
	b->share = weight;
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

/* Place i behind the border as the mirrored picture has it; the pixel at the border itself is not repeated. */
static int32_t mirrored(int32_t i, int32_t n)
{
	while (n > 1 && (i < 0 || i >= n)) i = i < 0 ? -i : 2 * (n - 1) - i;
	return n > 1 ? i : 0;
}

/* Pixels [from, to) of row sy that come from behind the border. */
static void come_in(float *x, const cop_batches *b, size_t at, int32_t sy, int32_t from, int32_t to, const cop_move *m)
{
	if (!b->how.reflect) {
		blank(x + (size_t)from * b->c, b, to - from);
		return;
	}
	for (int32_t k = from; k < to; k++) {
		int32_t sx = mirrored(k + m->dx, b->w);
		convert(x + (size_t)k * b->c, b, at + ((size_t)sy * b->w + (m->flip ? b->w - 1 - sx : sx)) * b->c, 1, false);
	}
}

/* Row y of a moved image: what comes in, pixels, what comes in. */
static void moved_row(float *x, const cop_batches *b, size_t at, int32_t y, const cop_move *m)
{
	int32_t sy = y + m->dy, w = b->w, lo = COP_MIN(COP_MAX(-m->dx, 0), w), hi = COP_MAX(COP_MIN(w - m->dx, w), lo);

	if (b->how.reflect) sy = mirrored(sy, b->h);
	if (sy < 0 || sy >= b->h) {
		blank(x, b, w);
		return;
	}
	int32_t first = m->flip ? w - 1 - (lo + m->dx) : lo + m->dx;
	come_in(x, b, at, sy, 0, lo, m);
	if (hi > lo) convert(x + (size_t)lo * b->c, b, at + ((size_t)sy * w + first) * b->c, hi - lo, m->flip);
	come_in(x, b, at, sy, hi, w, m);
}

static void erase(float *x, const cop_batches *b, const cop_move *m)
{
	int32_t x0 = COP_MAX(m->ex, 0), x1 = COP_MIN(m->ex + b->how.erase, b->w);

	for (int32_t y = COP_MAX(m->ey, 0); y < COP_MIN(m->ey + b->how.erase, b->h); y++)
		if (x1 > x0) blank(x + ((size_t)y * b->w + x0) * b->c, b, x1 - x0);
}

static void fill(float *x, const cop_batches *b, int32_t sample)
{
	size_t at = (size_t)sample * b->s->each;

	if (!b->moves) {
		convert(x, b, at, b->s->each / b->c, false);
		return;
	}
	cop_move m = cop__augment_move(&b->how, b->seed, b->epoch, sample, b->h, b->w);
	for (int32_t y = 0; y < b->h; y++) moved_row(x + (size_t)y * b->w * b->c, b, at, y, &m);
	if (b->how.erase) erase(x, b, &m);
}

/* Both samples are moved, each in its own way, before they are mixed. */
static cop_status mixed(float *x, float *other, const cop_batches *b, int32_t sample)
{
	const cop_mix m = cop__augment_mix(&b->how, b->seed, b->epoch, sample, b->count);

	COP_TRY(cop__store_fill(b->s, sample));
	fill(x, b, sample);
	if (!other || m.other == sample) return COP_OK;
	COP_TRY(cop__store_fill(b->s, m.other));
	fill(other, b, m.other);
	for (int32_t k = 0; k < b->s->each; k++) x[k] = m.share * x[k] + (1 - m.share) * other[k];
	return COP_OK;
}

/* Of row r of batch i in the order; -1: none. */
static int64_t place(const cop_batches *b, int32_t i, int32_t r)
{
	int64_t k = (int64_t)i * b->size + r;

	if (k < b->kept) return k;
	return b->in_order ? -1 : k % b->kept;
}

int32_t cop__batch_samples(int32_t *sample, const cop_batches *b, int32_t i)
{
	for (int32_t r = 0; r < b->size; r++) {
		int64_t k = place(b, i, r);
		sample[r] = k < 0 ? -1 : b->order[k];
	}
	return COP_MIN(b->size, b->kept - i * b->size);
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
		const size_t here = (size_t)r * (size_t)b->s->each;
		float *raw = b->raw ? b->raw + here : row;
		COP_TRY(mixed(raw, b->other ? b->other + here : NULL, b, b->order[k]));
		if (raw != row) cop__fit_row(row, b->fit, raw);
		label[r] = b->d->classes ? cop__fit_label(b->fit, b->s->label[b->order[k]]) : 0;
	}
	return COP_OK;
}

cop_status cop__batch_labels(int32_t *label, cop_batches *b, int32_t i)
{
	for (int32_t r = 0; r < b->size; r++) {
		int64_t k = place(b, i, r);
		if (k >= 0) COP_TRY(cop__store_fill(b->s, b->order[k]));
		label[r] = k < 0 ? -1 : b->d->classes ? cop__fit_label(b->fit, b->s->label[b->order[k]]) : 0;
	}
	return COP_OK;
}

bool cop__batch_varies(const cop_batches *b) { return b->moves || b->how.mix > 0; }

cop_status cop__batch_targets(float *y, cop_batches *b, int32_t i)
{
	const size_t n = (size_t)b->d->targets;

	memset(y, 0, sizeof *y * n * (size_t)b->size);
	for (int32_t r = 0; r < b->size && place(b, i, r) >= 0; r++) COP_TRY(b->d->target(b->d->ud, b->order[place(b, i, r)], y + (size_t)r * n));
	return COP_OK;
}

bool cop__batch_is_soft(const cop_batches *b) { return b->how.mix > 0 || b->how.balance; }

cop_status cop__batch_soft(float *y, cop_batches *b, int32_t i)
{
	const int32_t n = b->d->classes;

	memset(y, 0, sizeof *y * (size_t)n * (size_t)b->size);
	for (int32_t r = 0; r < b->size && place(b, i, r) >= 0; r++, y += n) {
		int32_t sample = b->order[place(b, i, r)];
		const cop_mix m = cop__augment_mix(&b->how, b->seed, b->epoch, sample, b->count);
		COP_TRY(cop__store_fill(b->s, sample));
		COP_TRY(cop__store_fill(b->s, m.other));
		int32_t own = class_of(b, sample), other = class_of(b, m.other);
		if (own < 0 || other < 0) return no_class(b, own < 0 ? sample : m.other);
		const float share = b->share ? b->share[sample] : 1;
		y[own] += share * m.share * (b->weight ? b->weight[own] : 1);
		y[other] += share * (1 - m.share) * (b->weight ? b->weight[other] : 1);
	}
	return COP_OK;
}
