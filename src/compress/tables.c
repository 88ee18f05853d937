/* SPDX-License-Identifier: Apache-2.0
 *
 * tables - the tables of methods that can be named, for whoever lists them: one function for all.
 */
#include "core/options.h"

#define TABLE(symbol) extern const cop_table symbol;
#include "compress/tables.def"
#undef TABLE

static const cop_table *const tables[] = {
#define TABLE(symbol) &symbol,
#include "compress/tables.def"
#undef TABLE
};

const char *cop_table_name(int i, const char **summary)
{
	if (i < 0 || i >= LEN(tables)) return NULL;
	if (summary) *summary = tables[i]->summary;
	return tables[i]->name;
}

static const cop_row *row_of(const char *table, int i)
{
	for (int t = 0; table && t < LEN(tables); t++)
		if (!strcmp(tables[t]->name, table)) return tables[t]->row(i);
	return NULL;
}

bool cop_table_row(cop_method *out, const char *table, int i)
{
	const cop_row *r = row_of(table, i);

	if (r && out) *out = (cop_method){r->name, r->summary, r->source};
	return r && out;
}

bool cop_table_option(cop_method_option *out, const char *table, int i, int k)
{
	static const char *const kinds[] = {[COP_WHOLE] = "whole", [COP_REAL] = "real", [COP_FLAG] = "flag",
		[COP_WORD] = "word", [COP_TEXT] = "text", [COP_NAMES] = "names", [COP_RATES] = "rates", [COP_CHOICE] = "choice"};
	const cop_row *r = row_of(table, i);
	const cop_option *o = r ? r->options : NULL;
	cop_values values;

	for (; o && o->name && k > 0; k--) o++;
	if (!o || !o->name || k < 0 || !out) return false;
	*out = (cop_method_option){.name = o->name, .meaning = o->help, .kind = kinds[o->kind], .fallback = o->value,
		.needed = o->needed, .among = o->kind == COP_CHOICE ? o->among->name : NULL};
	memcpy(out->values, cop__option_values(&values, o), sizeof values);
	return true;
}
