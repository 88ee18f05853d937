/* SPDX-License-Identifier: Apache-2.0
 *
 * fit - see fit.h.
 */
#include "data/fit.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- shapes ---- */

static void shape_text(char out[64], const int32_t *dim, int32_t rank)
{
	int at = snprintf(out, 64, "[");

	for (int32_t i = 0; i < rank && at < 50; i++) at += snprintf(out + at, 64 - (size_t)at, i ? ",%d" : "%d", dim[i]);
	snprintf(out + at, 64 - (size_t)at, "]");
}

typedef struct shape { int32_t rank, dim[COP_MAX_DIM]; } shape;

static shape of_sample(const cop_type *x)
{
	shape s = {x->rank, {0}};
	memcpy(s.dim, x->dim, sizeof s.dim);
	return s;
}

static shape of_input(const cop_type *in)
{
	shape s = {COP_MAX(in->rank - 1, 0), {0}};
	for (int32_t i = 0; i < s.rank; i++) s.dim[i] = in->dim[i + 1];
	return s;
}

static shape without_ones(const shape *s)
{
	shape t = {0};

	for (int32_t i = 0; i < s->rank; i++)
		if (s->dim[i] != 1) t.dim[t.rank++] = s->dim[i];
	return t;
}

static bool same(const shape *a, const shape *b)
{
	return a->rank == b->rank && !memcmp(a->dim, b->dim, sizeof *a->dim * (size_t)a->rank);
}

static int64_t count(const shape *s)
{
	int64_t n = 1;
	for (int32_t i = 0; i < s->rank; i++) n *= s->dim[i];
	return n;
}

/* The last axis first, or the first last. */
static shape rotated(const shape *s, bool first)
{
	shape t = {s->rank, {0}};
	for (int32_t i = 0; i < s->rank; i++) t.dim[(i + (first ? 1 : s->rank - 1)) % s->rank] = s->dim[i];
	return t;
}

int32_t cop__channel_axis(const cop_type *x)
{
	bool first = x->rank == 3 && (x->dim[0] == 1 || x->dim[0] == 3) && x->dim[2] != 1 && x->dim[2] != 3 && x->dim[2] != 4;
	return first ? 0 : x->rank - 1;
}

int32_t cop__scale_axis(const cop_type *x, int32_t n)
{
	int32_t axis = cop__channel_axis(x);
	return n > 1 && axis > 0 && x->dim[axis] == 1 && x->dim[axis - 1] == n ? axis - 1 : axis;
}

/* ---- how a sample lies in the input ---- */

static void turn(cop_fit *f, const shape *s, bool first)
{
	int32_t n = (int32_t)count(s), edge = s->dim[first ? s->rank - 1 : 0];

	f->rows = first ? n / edge : edge;
	f->cols = n / f->rows;
}

static void say(cop_fit *f, const char *fmt, ...) COP_PRINTF(2, 3);

static void say(cop_fit *f, const char *fmt, ...)
{
	size_t at = strlen(f->note);
	va_list ap;

	if (at + 2 >= sizeof f->note) return;
	if (at) f->note[at++] = '\n';
	va_start(ap, fmt);
	cop__vformat(f->note + at, sizeof f->note - at, fmt, ap);
	va_end(ap);
}

static cop_status refuse(const cop_fit *f, const cop_taker *t, const char *why)
{
	char have[64], want[64];
	shape s = of_sample(&f->of->x), n = of_input(&t->in);

	shape_text(have, s.dim, s.rank);
	shape_text(want, n.dim, n.rank);
	return cop__error(f->cx, COP_SHAPE, "samples of '%s' are %s, the network '%s' takes %s%s", f->of->name, have, t->name, want, why);
}

static const char open_order[] = ": how the numbers lie is not certain; say --layout keep, first (the last axis comes "
	"first) or last (the first axis goes last)";

/* The two as they are compared: pictures with their channels, so that height and width are not taken for each other; a sample of two axes
 * that has a third of length 1 is one of two. */
static void compared(shape *a, shape *b, const shape *s, const shape *n)
{
	bool pictures = s->rank == 3 && n->rank == 3;

	*a = pictures ? *s : without_ones(s);
	*b = pictures ? *n : without_ones(n);
}

/* Where the caller says how. A flat sample for a network that takes axes is one that was flattened before its turn. */
static cop_status as_told(cop_fit *f, const cop_taker *t, const shape *s, const shape *n)
{
	bool first = t->how.layout == COP_LAYOUT_FIRST;
	shape a, b;

	if (count(s) != count(n)) return refuse(f, t, "");
	if (t->how.layout == COP_LAYOUT_KEEP) return COP_OK;
	compared(&a, &b, s, n);
	shape r = rotated(&a, first), was = rotated(&b, !first);
	if (a.rank > 1 && b.rank > 1 && !same(&r, &b))
		return refuse(f, t, first ? "; --layout first makes it no shape that fits"
			: "; --layout last makes it no shape that fits");
	if (a.rank > 1) turn(f, &a, first);
	else if (b.rank > 1) turn(f, &was, first);
	return COP_OK;
}

static bool find_turn(cop_fit *f, const shape *s, const shape *n)
{
	shape a, b;

	compared(&a, &b, s, n);
	for (int first = 1; first >= 0 && a.rank > 1; first--) {
		shape r = rotated(&a, first);
		if (!same(&r, &b)) continue;
		turn(f, &a, first);
		return true;
	}
	return false;
}

static cop_status lie(cop_fit *f, const cop_taker *t)
{
	shape s = of_sample(&f->of->x), n = of_input(&t->in), s1 = without_ones(&s), n1 = without_ones(&n);
	char have[64], want[64];

	shape_text(have, s.dim, s.rank);
	shape_text(want, n.dim, n.rank);
	if (t->how.layout != COP_LAYOUT_FIT) COP_TRY(as_told(f, t, &s, &n));
	else if (same(&s1, &n1)) return COP_OK;
	else if (count(&s) != count(&n)) return refuse(f, t, "");
	else if (!find_turn(f, &s, &n)) {
		if (s1.rank > 1 && n1.rank > 1) return refuse(f, t, open_order);
		if (s1.rank <= 1 && n1.rank > 2) return refuse(f, t, open_order);
		if (s1.rank > 2) say(f, "samples are %s; the network takes %s: flattened as they lie, the last axis fastest", have, want);
		else if (s1.rank <= 1) say(f, "samples are %s; the network takes %s: taken row by row", have, want);
		return COP_OK;
	}
	if (f->rows > 1 && f->cols > 1) say(f, "samples are %s; the network takes %s: transposed", have, want);
	return COP_OK;
}

/* ---- scaling ---- */

static cop_status scale(cop_fit *f, const cop_taker *t)
{
	const cop_samples *h = &t->how;
	const cop_type *x = &f->of->x;
	float times = h->times > 0 ? h->times : 1;
	int32_t n = COP_MAX(h->channels, 1), axis = cop__scale_axis(x, n);

	if (times == 1 && !h->channels) return COP_OK;
	if (n > 1 && (!x->rank || x->dim[axis] != n)) return refuse(f, t, ": mean and std have a number for each channel (or, of one channel, for each column), of which the samples have another number");
	f->inner = 1;
	for (int32_t i = axis + 1; i < x->rank; i++) f->inner *= x->dim[i];
	f->channels = n;
	if (!(f->off = cop__alloc(f->cx, sizeof *f->off * (size_t)n * 2))) return COP_NOMEM;
	f->mult = f->off + n;
	for (int32_t c = 0; c < n; c++) {
		f->off[c] = h->channels ? h->mean[c] / times : 0;
		f->mult[c] = h->channels ? times / h->std[c] : times;
	}
	if (!h->channels) say(f, "samples are multiplied by %g", (double)times);
	else if (times != 1)
		say(f, "samples are multiplied by %g, then less mean and divided by std (the first: %g and %g)", (double)times,
			(double)h->mean[0], (double)h->std[0]);
	else say(f, "samples are taken less mean and divided by std (the first: %g and %g)", (double)h->mean[0], (double)h->std[0]);
	return COP_OK;
}

cop_dataset *cop__fit_under(cop_dataset *d)
{
	cop_fit *f = cop__fit_of(d);
	return f ? f->of : d;
}

bool cop__fit_changes(const cop_fit *f) { return f->channels || (f->rows > 1 && f->cols > 1); }

static inline int32_t channel_of(const cop_fit *f, int32_t k) { return f->channels > 1 ? k / f->inner % f->channels : 0; }

void cop__fit_row(float *to, const cop_fit *f, const float *from)
{
	int32_t n = (int32_t)cop_type_count(&f->of->x), rows = f->rows ? f->rows : 1, cols = f->rows ? f->cols : n;

	for (int32_t i = 0; i < rows; i++)
		for (int32_t j = 0; j < cols; j++) {
			int32_t k = i * cols + j, c = channel_of(f, k);
			to[j * rows + i] = f->channels ? (from[k] - f->off[c]) * f->mult[c] : from[k];
		}
}

void cop__fit_back(float *to, const cop_fit *f, const float *from)
{
	int32_t n = (int32_t)cop_type_count(&f->of->x), rows = f->rows ? f->rows : 1, cols = f->rows ? f->cols : n;

	for (int32_t i = 0; i < rows; i++)
		for (int32_t j = 0; j < cols; j++) {
			int32_t k = i * cols + j;
			to[k] = f->channels ? from[j * rows + i] * f->mult[channel_of(f, k)] : from[j * rows + i];
		}
}

/* ---- classes ---- */

static int32_t find_name(const char *const *name, int32_t n, const char *text)
{
	for (int32_t i = 0; i < n; i++)
		if (!strcmp(name[i], text)) return i;
	return -1;
}

/* "0" to outputs-1, as a number is written; else -1. */
static int32_t number_of(const char *text, int32_t outputs)
{
	char again[16];
	long v = strtol(text, NULL, 10);

	snprintf(again, sizeof again, "%d", (int)(v >= 0 && v < outputs ? v : -1));
	return strcmp(again, text) ? -1 : (int32_t)v;
}

static cop_status unknown_class(const cop_fit *f, const cop_taker *t, const char *name)
{
	char known[160] = "";
	size_t at = 0;

	for (int32_t i = 0; i < t->classes && at < 100; i++) at += (size_t)snprintf(known + at, sizeof known - at, "%s%.40s", i ? ", " : "", t->class_name[i]);
	return cop__error(f->cx, COP_ARG,
		"class '%.60s' of '%s' is not one of the %d classes that the network '%s' knows: %s%s", name, f->of->name, t->classes,
		t->name, known,
		at >= 100 ? " ..." : "");
}

static cop_status classes(cop_fit *f, const cop_taker *t)
{
	const cop_dataset *d = f->of;
	bool numbers = !t->classes && d->class_name;

	if (t->classes == 0 && t->targets)
		return cop__error(f->cx, COP_ARG,
			"data set '%s' has classes, but the network '%s' predicts numbers (--task regress uses the labels as numbers)",
			d->name, t->name);
	for (int32_t i = 0; numbers && i < d->classes; i++) numbers = number_of(d->class_name[i], t->outputs) >= 0;
	bool by_name = t->classes && d->class_name;
	if (!by_name && !numbers && d->classes > t->outputs)
		return cop__error(f->cx, COP_SHAPE, "data set '%s' has %d classes, but the network '%s' distinguishes %d (the pass head gives it a new last layer: "
			"coppice apply NET head:classes=%d -o NEW)", d->name, d->classes, t->name, t->outputs, d->classes);
	if (!by_name && !numbers && d->class_name && d->classes < t->outputs)
		say(f, "the network '%s' has no names of classes: the %d of '%s' are taken for the first of its "
			"%d outputs (--classes FILE gives it names)", t->name, d->classes, d->name, t->outputs);
	if (!(f->label = cop__alloc(f->cx, sizeof *f->label * (size_t)d->classes))) return COP_NOMEM;
	for (int32_t i = 0; i < d->classes; i++) {
		f->label[i] = by_name ? find_name(t->class_name, t->classes, d->class_name[i]) : numbers ? number_of(d->class_name[i], t->outputs) : i;
		if (f->label[i] < 0) return unknown_class(f, t, d->class_name[i]);
	}
	f->d.classes = t->outputs;
	f->d.class_name = NULL; /* labels are the network's numbers now */
	return COP_OK;
}

static cop_status targets(const cop_fit *f, const cop_taker *t)
{
	const cop_dataset *d = f->of;

	if (t->classes)
		return cop__error(f->cx, COP_ARG, "data set '%s' has numbers to predict, but the network '%s' distinguishes classes "
			"(--task class turns the numbers into classes)", d->name, t->name);
	if (d->targets != t->outputs)
		return cop__error(f->cx, COP_SHAPE, "data set '%s' has %d numbers to predict, but the network '%s' gives %d", d->name,
			d->targets, t->name, t->outputs);
	for (int32_t i = 0; t->targets == d->targets && d->target_name && i < d->targets; i++) {
		int32_t at = find_name(t->target_name, t->targets, d->target_name[i]);
		if (at >= 0 && at != i)
			return cop__error(f->cx, COP_ARG, "target '%.60s' of '%s' is number %d, the network '%s' has it as number %d",
				d->target_name[i], d->name, i + 1, t->name, at + 1);
	}
	return COP_OK;
}

/* ---- the data set ---- */

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_fit *f = ud;
	float *room = cop__fit_changes(f) ? cop__alloc(f->cx, sizeof *room * (size_t)cop_type_count(&f->of->x)) : x; /* samples may be asked for at the same time */

	if (!room) return COP_NOMEM;
	cop_status st = f->of->get(f->of->ud, i, room, label);
	if (!st) *label = f->of->classes ? cop__fit_label(f, *label) : *label;
	if (!st && room != x) cop__fit_row(x, f, room);
	if (room != x) cop__free(f->cx, room);
	return st;
}

static cop_status get_target(void *ud, int32_t i, float *y)
{
	const cop_fit *f = ud;
	return f->of->target(f->of->ud, i, y);
}

static void free_it(void *ud)
{
	cop_fit *f = ud;

	cop__free(f->cx, f->off);
	cop__free(f->cx, f->label);
	cop__free(f->cx, f);
}

cop_fit *cop__fit_of(cop_dataset *d) { return d->get == get ? d->ud : NULL; }

cop_status cop__fit_new(cop_fit **out, cop_ctx *cx, cop_dataset *d, const cop_taker *t)
{
	cop_fit *f = *out = cop__alloc(cx, sizeof *f);
	shape n = of_input(&t->in);

	if (!f) return COP_NOMEM;
	*f = (cop_fit){.d = *d, .of = d, .cx = cx};
	f->d.get = get;
	f->d.target = d->targets ? get_target : NULL;
	f->d.free = free_it;
	f->d.ud = f;
	cop_status st = lie(f, t);
	if (!st) st = scale(f, t);
	if (!st && d->classes) st = classes(f, t);
	if (!st && d->targets) st = targets(f, t);
	f->d.x.rank = n.rank;
	memcpy(f->d.x.dim, n.dim, sizeof n.dim);
	if (st) free_it(f), *out = NULL;
	return st;
}
