/* SPDX-License-Identifier: Apache-2.0
 *
 * match - patterns of names: "conv*|fc1.w".
 */
#include "core/core.h"

static bool match_one(const char *p, const char *end, const char *s)
{
	if (p == end) return !*s;
	if (*p == '*') return match_one(p + 1, end, s) || (*s && match_one(p, end, s + 1));
	return *s == *p && match_one(p + 1, end, s + 1);
}

bool cop__match(const char *pattern, const char *name)
{
	for (const char *p = pattern;; p++) {
		const char *end = p + strcspn(p, "|");
		if (match_one(p, end, name)) return true;
		if (!*end) return false;
		p = end;
	}
}
