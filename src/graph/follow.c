/* SPDX-License-Identifier: Apache-2.0
 *
 * follow - values that belong to a weight and go with it through every pass: momentum, masks, row lists. The one place that
 * knows how they are called: "<weight>.<what>".
 */
#include "graph/graph.h"

#include <stdio.h>

cop_status cop__follower_name(char name[COP_FOLLOWER], cop_ctx *cx, const char *weight, const char *what)
{
	int n = snprintf(name, COP_FOLLOWER, "%s.%s", weight, what);
	return n < COP_FOLLOWER ? COP_OK : cop__error(cx, COP_ARG, "'%.60s...': the name is longer than %d characters", weight,
		COP_FOLLOWER - 1 - (int)strlen(what) - 1);
}

cop_vid cop__follower(const cop_graph *g, cop_vid w, const char *what)
{
	char name[COP_FOLLOWER];

	if (!w || !g->value[w].name || snprintf(name, sizeof name, "%s.%s", g->value[w].name, what) >= COP_FOLLOWER) return 0;
	cop_vid v = cop__find(g, name);
	return v && g->value[v].of == w ? v : 0;
}

cop_vid cop__follow(cop_graph *g, cop_vid w, cop_role role, const char *what, const cop_type *t, const void *data)
{
	char name[COP_FOLLOWER];
	cop_vid v = cop__follower(g, w, what);

	if (v || !w || cop__follower_name(name, g->cx, g->value[w].name, what)) return v;
	v = cop__data(g, role, name, t, data);
	if (v) g->value[v].of = w;
	return v;
}
