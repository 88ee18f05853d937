/* SPDX-License-Identifier: Apache-2.0
 *
 * log_read - the table that `coppice train --log` writes, a line for each epoch. Anybody may have edited it: a line that is none is
 * refused with its number, a figure that is not there is not known.
 */
#include "report/report.h"

#include <stdlib.h>

#define HEADER "stage,epoch,loss,accuracy,mse,rate,seconds"
#define COSTS ",flops,backward,published,step_ms" /* logs of older programs lack them */
enum { FIELDS = 11, WITHOUT_COSTS = 7, MOST_EPOCHS = 1 << 20, LONGEST = 64 };

typedef struct line { const char *at[FIELDS]; size_t len[FIELDS]; int n; } line;

/* The fields of a line; *p moves behind it. */
static void split(line *l, const char **p, const char *end)
{
	const char *stop = memchr(*p, '\n', (size_t)(end - *p));

	if (!stop) stop = end;
	l->n = 0;
	for (const char *at = *p, *next; at <= stop; at = next + 1, l->n++) {
		next = memchr(at, ',', (size_t)(stop - at));
		if (!next) next = stop;
		if (l->n >= FIELDS) continue; /* too many: they are only counted */
		l->at[l->n] = at;
		l->len[l->n] = (size_t)(next - at) - (next == stop && next > at && next[-1] == '\r');
	}
	*p = stop < end ? stop + 1 : end;
}

/* An empty field is `none`. */
static bool number(double *v, const line *l, int i, double none)
{
	char text[LONGEST], *end;

	*v = none;
	if (!l->len[i]) return true;
	if (l->len[i] >= LONGEST) return false;
	memcpy(text, l->at[i], l->len[i]);
	text[l->len[i]] = 0;
	*v = cop__real_parse(text, &end);
	return end > text && !*end && *v - *v == 0 && *v >= 0;
}

static cop_status point(cop_story_point *o, cop_story *s, const line *l, int32_t n)
{
	const bool costs = s->log_costs;
	bool ok = l->n == (costs ? FIELDS : WITHOUT_COSTS) && l->len[0] < LONGEST && l->len[1] && number(&o->epoch, l, 1, 0) &&
		number(&o->loss, l, 2, 0) && number(&o->accuracy, l, 3, -1) && number(&o->mse, l, 4, -1) &&
		number(&o->rate, l, 5, 0) && number(&o->seconds, l, 6, 0);

	o->flops = o->backward = o->published = o->step_ms = -1;
	if (costs) ok = ok && number(&o->flops, l, 7, -1) && number(&o->backward, l, 8, -1) && number(&o->published, l, 9, -1) && number(&o->step_ms, l, 10, -1);

	if (!ok) return cop__error(s->mem.cx, COP_FORMAT, "log, line %d: is no line of a training log, which has " HEADER, n);
	o->stage = cop__arena_str(&s->mem, l->at[0], l->len[0]);
	return o->stage ? COP_OK : COP_NOMEM;
}

static int32_t count_lines(const char *p, const char *end)
{
	int32_t n = 0;

	for (; p < end && n < MOST_EPOCHS; p++) n += *p == '\n';
	return n + 1;
}

cop_status cop__log_read(cop_story *s, const char *text, size_t size)
{
	const char *p = text, *end = text + size;
	const bool costs = size >= sizeof HEADER COSTS - 1 && !memcmp(text, HEADER COSTS, sizeof HEADER COSTS - 1);
	const size_t head = (costs ? sizeof HEADER COSTS : sizeof HEADER) - 1;
	line l;

	s->log_costs = costs;
	if (size < head || memcmp(text, HEADER, sizeof HEADER - 1) || (size > head && text[head] != '\n' && text[head] != '\r'))
		return cop__error(s->mem.cx, COP_FORMAT, "log: is no training log: it does not begin with the line " HEADER);
	s->point = cop__arena_get(&s->mem, sizeof *s->point * (size_t)count_lines(p, end));
	if (!s->point) return COP_NOMEM;
	s->n_point = 0;
	s->logged = true;
	split(&l, &p, end);
	for (int32_t n = 2; p < end && s->n_point < MOST_EPOCHS; n++) {
		split(&l, &p, end);
		COP_TRY(point(&s->point[s->n_point], s, &l, n));
		s->n_point++;
	}
	return COP_OK;
}

void cop__story_none(cop_story *out, cop_ctx *cx)
{
	*out = (cop_story){.recipe = "", .data = "", .date = "", .command = "", .seed = -1};
	cop__arena_init(&out->mem, cx);
}

int32_t cop__story_best(const cop_story *s)
{
	int32_t best = -1;

	for (int32_t i = 0; i < s->n_point; i++) {
		const cop_story_point *p = &s->point[i], *b = best < 0 ? NULL : &s->point[best];
		if (p->accuracy < 0 && p->mse < 0) continue;
		if (!b || (p->accuracy >= 0 ? p->accuracy > b->accuracy : b->accuracy < 0 && p->mse < b->mse)) best = i;
	}
	return best;
}
