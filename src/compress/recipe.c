/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe - reads a recipe: YAML, a list of stages, each a map of options. What is not known is refused by name and
 * line, so is what is out of range. The options are those of the rows of stage.def; docs/recipes.md lists them.
 */
#include "compress/compress.h"

#include <stdio.h>

#define STAGE(name) extern const cop_stage_row cop_stage_##name;
#include "compress/stage.def"
#undef STAGE
static const cop_stage_row *const rows[] = {
#define STAGE(name) &cop_stage_##name,
#include "compress/stage.def"
#undef STAGE
};
static const cop_row *row(int i) { return i >= 0 && i < LEN(rows) ? &rows[i]->row : NULL; }
const cop_table cop__stages = {"stages", "stage", "steps of a recipe that makes a network smaller", row};

/* ---- what stages have in common ---- */

#define TERMS \
	COP_OPT_REAL(cop_terms, may_cost, -100, 100, "0.5", "points of accuracy that the stage may lose on the validation set; without labels, percent of the loss"), \
	COP_OPT_REAL(cop_terms, must_gain, 0, 1e6, "1", "factor by which the file must shrink"), \
	COP_OPT_END
const cop_option cop__terms[] = {COP_OPT_NAMES(cop_terms, layers, "*", "which weights: names, `*` for any run, `|` between alternatives"), TERMS};
const cop_option cop__terms_whole[] = {TERMS};

#define TRAINING \
	COP_OPT_WHOLE(cop_training, epochs, 0, 100000, NULL, "of training; 0: as many as the command line says"), \
	COP_OPT_REAL(cop_training, lr, 0, 1000, NULL, "the learning rate; 0: the command line's"), \
	COP_OPT_TEXT(cop_training, update, NULL, "the rule of updates, else the command line's"), \
	COP_OPT_END
const cop_option cop__training[] = {COP_OPT_TEXT(cop_training, schedule, NULL, "of the learning rate, else the command line's"), TRAINING};
const cop_option cop__training_unscheduled[] = {TRAINING};

static const cop_row common[] = {
	{"every stage", "what a stage may cost and must gain, and which weights it works on", NULL, cop__terms, sizeof(cop_terms)},
	{"stages that train", "how a stage trains, where it is not as the command line says", NULL, cop__training, sizeof(cop_training)},
};
static const cop_row *common_row(int i) { return i >= 0 && i < LEN(common) ? &common[i] : NULL; }
const cop_table cop__common = {"common", "group of options", "what stages have in common", common_row};

void cop__stage_default(cop_stage *s, const cop_stage_row *row)
{
	*s = (cop_stage){.row = row};
	cop__options_default(cop__terms, &s->terms);
	cop__options_default(row->row.options, s->own.bytes);
}

bool cop__stage_given(const cop_stage *s, const char *option)
{
	for (const cop_option *o = s->row->row.options; o && o->name; o++)
		if (!strcmp(o->name, option)) return s->given >> (o - s->row->row.options) & 1;
	return false;
}

#if COP_HAVE_YAML
#include <yaml.h>

typedef struct reader { cop_ctx *cx; yaml_document_t doc; } reader;

static int line_of(const yaml_node_t *n) { return (int)n->start_mark.line + 1; }

static const char *scalar(const yaml_node_t *n) { return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL; }

/* ---- options ---- */

static const char *place(char where[80], const cop_stage *s, int line)
{
	snprintf(where, 80, "recipe, line %d: %s", line, s->row->row.name);
	return where;
}

/* keep: {conv*: 0.5, fc*: 0.08} */
static cop_status rates(reader *r, const cop_stage *s, cop_options *o, const char *key, const yaml_node_t *n)
{
	char where[80];

	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		const char *pattern = scalar(yaml_document_get_node(&r->doc, p->key)), *value = scalar(yaml_document_get_node(&r->doc, p->value));
		o->where = place(where, s, line_of(yaml_document_get_node(&r->doc, p->key)));
		if (!pattern || !value) return cop__error(r->cx, COP_ARG, "%s: %s: a pattern and a number were expected", o->where, key);
		COP_TRY(cop__option_rate(o, key, pattern, value));
	}
	return n->data.mapping.pairs.start < n->data.mapping.pairs.top ? COP_OK : cop__error(r->cx, COP_ARG, "%s: %s: the map is empty", o->where, key);
}

static cop_status option(reader *r, const cop_stage *s, cop_options *o, const yaml_node_t *k, const yaml_node_t *v)
{
	const char *key = scalar(k), *value = scalar(v);

	if (v->type == YAML_MAPPING_NODE) return rates(r, s, o, key, v);
	if (!value) return cop__error(r->cx, COP_ARG, "%s: %s takes one value, not a list", o->where, key);
	return cop__option_set(o, key, strlen(key), value, strlen(value));
}

/* Choices first: they say which other options there are. */
static cop_status options(reader *r, const yaml_node_t *map, cop_stage *s)
{
	char where[80];
	cop_options o = {.cx = r->cx,
		.part = {{.option = s->row->row.options, .to = s->own.bytes}, {.option = s->row->training, .to = &s->training},
		{.option = s->row->terms, .to = &s->terms}}};

	for (int others = 0; others < 2; others++)
		for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
			const yaml_node_t *k = yaml_document_get_node(&r->doc, p->key), *v = yaml_document_get_node(&r->doc, p->value);
			const char *key = scalar(k);
			o.where = place(where, s, line_of(k));
			if (!key) return cop__error(r->cx, COP_ARG, "%s: an option's name was expected", where);
			if (cop__option_is_choice(&o, key, strlen(key)) == !others) COP_TRY(option(r, s, &o, k, v));
		}
	o.where = place(where, s, s->line);
	COP_TRY(cop__options_end(&o));
	s->given = o.part[0].given;
	return s->row->check ? s->row->check(r->cx, where, s->own.bytes) : COP_OK;
}

/* ---- stages ---- */

static cop_status stage(reader *r, const yaml_node_t *n, cop_stage *s)
{
	char where[40];

	snprintf(where, sizeof where, "recipe, line %d", line_of(n));
	if (n->type != YAML_MAPPING_NODE || n->data.mapping.pairs.top - n->data.mapping.pairs.start != 1)
		return cop__error(r->cx, COP_ARG, "%s: a stage is one name with its options, as prune: {keep: 0.1}", where);
	const yaml_node_t *k = yaml_document_get_node(&r->doc, n->data.mapping.pairs.start->key),
		*v = yaml_document_get_node(&r->doc, n->data.mapping.pairs.start->value);
	const char *name = scalar(k) ? scalar(k) : "?";
	int i = cop__row_index(&cop__stages, name, strlen(name));
	snprintf(where, sizeof where, "recipe, line %d", line_of(k));
	if (i < 0) return cop__no_row(r->cx, where, &cop__stages, name, strlen(name));
	if (v->type != YAML_MAPPING_NODE) return cop__error(r->cx, COP_ARG, "recipe, line %d: the options of %s must be a map", line_of(v), name);
	cop__stage_default(s, rows[i]);
	s->line = line_of(k);
	return options(r, v, s);
}

static cop_status stages(reader *r, const yaml_node_t *n, cop_recipe *out)
{
	if (n->type != YAML_SEQUENCE_NODE) return cop__error(r->cx, COP_ARG, "recipe, line %d: stages must be a list", line_of(n));
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++) {
		if (out->n_stage == COP_MAX_STAGES) return cop__error(r->cx, COP_ARG, "recipe, line %d: more than %d stages", line_of(n), COP_MAX_STAGES);
		COP_TRY(stage(r, yaml_document_get_node(&r->doc, *i), &out->stage[out->n_stage++]));
	}
	return COP_OK;
}

static cop_status name_of(reader *r, const yaml_node_t *n, cop_recipe *out)
{
	const char *s = scalar(n);

	if (!s || strlen(s) >= sizeof out->name)
		return cop__error(r->cx, COP_ARG, "recipe, line %d: name must be a text of fewer than %zu characters", line_of(n),
			sizeof out->name);
	memcpy(out->name, s, strlen(s) + 1);
	return COP_OK;
}

static cop_status order_of(reader *r, const yaml_node_t *n, cop_recipe *out)
{
	const char *s = scalar(n);

	out->search = s && !strcmp(s, "search");
	if (out->search || (s && !strcmp(s, "written"))) return COP_OK;
	return cop__error(r->cx, COP_ARG, "recipe, line %d: order must be written or search", line_of(n));
}

static cop_status drop_of(reader *r, const yaml_node_t *n, cop_recipe *out)
{
	const char *s = scalar(n);
	char *end = NULL;

	out->bounded = true;
	out->max_drop = s ? (float)cop__real_parse(s, &end) : -1;
	if (s && end != s && !*end && out->max_drop >= 0 && out->max_drop <= 100) return COP_OK;
	return cop__error(r->cx, COP_ARG, "recipe, line %d: max_drop must be a number from 0 to 100", line_of(n));
}

static cop_status key_of(reader *r, const yaml_node_t *k, const yaml_node_t *v, cop_recipe *out)
{
	static const struct { const char *key; cop_status (*read)(reader *r, const yaml_node_t *v, cop_recipe *out); } keys[] =
		{{"name", name_of}, {"stages", stages}, {"order", order_of}, {"max_drop", drop_of}};
	const char *key = scalar(k) ? scalar(k) : "";
	cop_hint hint;

	for (int i = 0; i < LEN(keys); i++)
		if (!strcmp(key, keys[i].key)) return keys[i].read(r, v, out);
	return cop__error(r->cx, COP_ARG, "recipe, line %d: unknown key '%s'; the keys are name, stages, order and max_drop%s", line_of(k),
		*key ? key : "?", cop__hint_in(&hint, key, strlen(key), "name stages order max_drop"));
}

static cop_status document(reader *r, cop_recipe *out)
{
	const yaml_node_t *root = yaml_document_get_root_node(&r->doc);

	if (!root || root->type != YAML_MAPPING_NODE) return cop__error(r->cx, COP_ARG, "recipe: a map with name and stages was expected");
	for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++)
		COP_TRY(key_of(r, yaml_document_get_node(&r->doc, p->key), yaml_document_get_node(&r->doc, p->value), out));
	if (out->bounded && !out->search)
		return cop__error(r->cx, COP_ARG, "recipe: max_drop chooses among orders and needs order: search; may_cost bounds what a stage may lose");
	return out->n_stage ? COP_OK : cop__error(r->cx, COP_ARG, "recipe: it has no stages");
}

cop_status cop__recipe_parse(cop_recipe *out, cop_ctx *cx, const char *bytes, size_t size)
{
	yaml_parser_t parser;
	reader r = {.cx = cx};
	cop_status st;

	*out = (cop_recipe){.name = "recipe"};
	if (size > 1 << 20) return cop__error(cx, COP_ARG, "recipe: %zu bytes long, at most 1 MiB is read", size);
	if (!yaml_parser_initialize(&parser)) return cop__error(cx, COP_NOMEM, "recipe: out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, size);
	if (yaml_parser_load(&parser, &r.doc)) {
		st = document(&r, out);
		yaml_document_delete(&r.doc);
	} else {
		st = cop__error(cx, COP_ARG, "recipe, line %d: %s", (int)parser.problem_mark.line + 1, parser.problem ? parser.problem : "not YAML");
	}
	yaml_parser_delete(&parser);
	return st;
}

#else

cop_status cop__recipe_parse(cop_recipe *out, cop_ctx *cx, const char *bytes, size_t size)
{
	(void)out, (void)bytes, (void)size;
	return cop__error(cx, COP_ARG, "recipes are YAML, and this build has no libyaml");
}

#endif
