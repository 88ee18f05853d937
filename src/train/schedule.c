/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule - see schedule.h.
 */
#include "train/schedule.h"

#include <math.h>

cop_status cop__schedule_parse(cop_schedule *s, cop_ctx *cx, const char *text)
{
	static const char *const kinds[] = {"constant", "step", "cosine"};
	const char *t = text ? text : "cosine";
	size_t name = strcspn(t, ":, ");
	cop_hint hint;
	cop_args a = {cx, "schedule", t + name + (t[name] != 0), strlen(t + name + (t[name] != 0))};

	*s = (cop_schedule){.every = 10, .by = 0.1f};
	int k = 0;
	while (k < LEN(kinds) && (strlen(kinds[k]) != name || memcmp(kinds[k], t, name))) k++;
	if (k == LEN(kinds)) return cop__error(cx, COP_ARG, "schedule '%.*s': must be constant, step or cosine%s", (int)name, t, cop__hint_in(&hint, t, name, "constant step cosine"));
	s->kind = k == 0 ? COP_CONSTANT : k == 1 ? COP_STEP : COP_COSINE;
	COP_TRY(cop__args_check(&a, "every by to warmup"));
	COP_TRY(cop__args_f(&a, "every", 0.001f, 1e6f, &s->every));
	COP_TRY(cop__args_f(&a, "by", 0, 10, &s->by));
	COP_TRY(cop__args_f(&a, "to", 0, 1, &s->to));
	return cop__args_f(&a, "warmup", 0, 1e6f, &s->warmup);
}

float cop__schedule_at(const cop_schedule *s, double epoch, double epochs)
{
	double up = s->warmup > 0 && epoch < (double)s->warmup ? epoch / (double)s->warmup : 1;

	if (s->kind == COP_CONSTANT) return (float)up;
	if (s->kind == COP_STEP) return (float)(up * pow((double)s->by, floor(epoch / (double)s->every)));
	double to = (double)s->to;
	return (float)(up * (to + (1 - to) * 0.5 * (1 + cos(3.141592653589793 * COP_MIN(epoch / epochs, 1.0)))));
}
