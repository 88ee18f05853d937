/* SPDX-License-Identifier: Apache-2.0
 *
 * args - "key=value" options, separated by commas or blanks: the words of passes, schedules and recipes.
 */
#include "core/core.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_gap(char c) { return c == ',' || c == ' ' || c == '\t' || c == '\n'; }

/* The next "key=value" (value empty without '='); false at the end. */
static bool next(const cop_args *a, size_t *at, const char **key, int *klen, const char **val, int *vlen)
{
	size_t i = *at;

	while (i < a->len && is_gap(a->text[i])) i++;
	if (i >= a->len) return false;
	size_t start = i, eq = 0;
	for (; i < a->len && !is_gap(a->text[i]); i++)
		if (a->text[i] == '=' && !eq) eq = i;
	*at = i;
	*key = a->text + start;
	*klen = (int)((eq ? eq : i) - start);
	*val = eq ? a->text + eq + 1 : a->text + i;
	*vlen = eq ? (int)(i - eq - 1) : 0;
	return true;
}

/* `known` holds names, each perhaps with ":kind". */
static bool is_known(const char *known, const char *key, int klen)
{
	for (const char *p = known; *p;) {
		while (*p == ' ') p++;
		size_t n = strcspn(p, " "), name = strcspn(p, " :");
		if (name == (size_t)klen && !memcmp(p, key, name) && klen) return true;
		p += n;
	}
	return false;
}

cop_status cop__args_check(const cop_args *a, const char *known)
{
	const char *key, *val;
	cop_hint hint;
	int klen, vlen;

	for (size_t at = 0; next(a, &at, &key, &klen, &val, &vlen);)
		if (!is_known(known, key, klen))
			return cop__error(a->cx, COP_ARG, "%s: unknown option '%.*s'; it takes: %s%s", a->what, klen, key, *known ? known : "none", cop__hint_in(&hint, key, (size_t)klen, known));
	return COP_OK;
}

static bool find(const cop_args *a, const char *name, const char **val, int *vlen)
{
	const char *key;
	int klen;

	for (size_t at = 0; next(a, &at, &key, &klen, val, vlen);)
		if ((size_t)klen == strlen(name) && !memcmp(key, name, (size_t)klen)) return true;
	return false;
}

bool cop__args_has(const cop_args *a, const char *key)
{
	const char *val;
	int vlen;
	return find(a, key, &val, &vlen);
}

cop_status cop__args_s(const cop_args *a, const char *key, char *v, size_t size)
{
	const char *val;
	int vlen;

	if (!find(a, key, &val, &vlen)) return COP_OK;
	if ((size_t)vlen >= size) return cop__error(a->cx, COP_ARG, "%s: '%s' is longer than %zu characters", a->what, key, size - 1);
	memcpy(v, val, (size_t)vlen);
	v[vlen] = 0;
	return COP_OK;
}

cop_status cop__args_f(const cop_args *a, const char *key, float lo, float hi, float *v)
{
	char text[32] = "", *end;

	if (!cop__args_has(a, key)) return COP_OK;
	COP_TRY(cop__args_s(a, key, text, sizeof text));
	float f = cop__float_parse(text, &end);
	if (end == text || *end || !(f >= lo && f <= hi))
		return cop__error(a->cx, COP_ARG, "%s: '%s=%s' must be a number from %g to %g", a->what, key, text, (double)lo, (double)hi);
	*v = f;
	return COP_OK;
}

cop_status cop__args_i(const cop_args *a, const char *key, int32_t lo, int32_t hi, int32_t *v)
{
	char text[32] = "", *end;

	if (!cop__args_has(a, key)) return COP_OK;
	COP_TRY(cop__args_s(a, key, text, sizeof text));
	long n = strtol(text, &end, 10);
	if (end == text || *end || n < lo || n > hi)
		return cop__error(a->cx, COP_ARG, "%s: '%s=%s' must be a whole number from %d to %d", a->what, key, text, lo, hi);
	*v = (int32_t)n;
	return COP_OK;
}
