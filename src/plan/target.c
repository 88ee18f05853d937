/* SPDX-License-Identifier: Apache-2.0
 *
 * target - the machines a plan can be made for.
 */
#include "core/need.h"
#include "plan/plan.h"

static const struct { cop_row row; cop_target t; } targets[] = {
#define T(n, text, isa_, ram_, fast, flash_, align_) {COP_ROW(n, text), {.name = n, .isa = isa_, .ram = ram_, .fast_most = fast, .flash = flash_, .align = align_, .threads = 1}},
#include "plan/target.def"
#undef T
};

const char *cop_target_name(int i, const char **summary)
{
	if (i < 0 || i >= LEN(targets)) return NULL;
	if (summary) *summary = targets[i].row.summary;
	return targets[i].row.name;
}

static const cop_row *row(int i) { return i >= 0 && i < LEN(targets) ? &targets[i].row : NULL; }
const cop_table cop__targets = {"targets", "target", "machines that a plan can be made for", row};

static const char *known_name(void *ud, int i)
{
	(void)ud;
	return cop_target_name(i, NULL);
}

cop_status cop_target_find(cop_target *out, cop_ctx *cx, const char *name)
{
	COP_NEED(cx, out);
	COP_NEED(cx, name);
	cop_text known;
	cop_hint hint;

	for (int i = 0; i < LEN(targets); i++) {
		if (strcmp(targets[i].row.name, name)) continue;
		*out = targets[i].t;
		if (!i) out->isa = cx->isa;
		return COP_OK;
	}
	cop__text_init(&known, cx);
	for (int i = 0; i < LEN(targets); i++) cop__text_add(&known, "%s%s", i ? ", " : "", targets[i].row.name);
	cop_status st = cop__error(cx, COP_ARG, "target '%s' is not known; there are: %s%s", name,
		known.status ? "" : known.data, cop__hint(&hint, name, known_name, NULL));
	cop__text_free(&known);
	return st;
}
