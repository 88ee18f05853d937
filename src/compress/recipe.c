/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe - reads a recipe: YAML, a list of stages, each a map of options. What is not known is refused by name and
 * line, so is what is out of range; docs/recipes.md lists the options.
 */
#include "compress/compress.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const kinds[] = {"prune", "share", "encode", "train", "quantize"};
const char *cop__stage_text(cop_stage_kind k) { return kinds[k]; }

float cop__stage_rate(const cop_stage *s, const char *weight, float otherwise)
{
	for (int32_t i = 0; i < s->n_rate; i++)
		if (cop__match(s->rate[i].layers, weight)) return s->rate[i].value;
	return otherwise;
}

#if COP_HAVE_YAML
#include <yaml.h>

typedef struct reader { cop_ctx *cx; yaml_document_t doc; } reader;

static int line_of(const yaml_node_t *n) { return (int)n->start_mark.line + 1; }

static const char *scalar(const yaml_node_t *n) { return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL; }

static cop_status number(reader *r, const yaml_node_t *n, const char *key, float lo, float hi, float *v)
{
	const char *s = scalar(n);
	char *end = NULL;
	float f = s ? cop__float_parse(s, &end) : 0;

	if (!s || end == s || *end || !(f >= lo && f <= hi))
		return cop__error(r->cx, COP_ARG, "recipe, line %d: %s must be a number from %g to %g%s%s", line_of(n), key, (double)lo, (double)hi, s ? ", not " : "", s ? s : "");
	*v = f;
	return COP_OK;
}

static cop_status whole(reader *r, const yaml_node_t *n, const char *key, float lo, float hi, int32_t *v)
{
	float f = 0;
	COP_TRY(number(r, n, key, lo, hi, &f));
	if (f != (float)(int32_t)f) return cop__error(r->cx, COP_ARG, "recipe, line %d: %s must be a whole number", line_of(n), key);
	*v = (int32_t)f;
	return COP_OK;
}

static cop_status text(reader *r, const yaml_node_t *n, const char *key, char *v, size_t size)
{
	const char *s = scalar(n);

	if (!s || strlen(s) >= size) return cop__error(r->cx, COP_ARG, "recipe, line %d: %s must be a text of fewer than %zu characters", line_of(n), key, size);
	memcpy(v, s, strlen(s) + 1);
	return COP_OK;
}

/* "a|b|c" */
static cop_status choice(reader *r, const yaml_node_t *n, const char *key, const char *among, char *v, size_t size)
{
	COP_TRY(text(r, n, key, v, size));
	if (!strpbrk(v, "*|") && cop__match(among, v)) return COP_OK;
	cop_hint hint;
	return cop__error(r->cx, COP_ARG, "recipe, line %d: %s: %s must be one of %s%s", line_of(n), key, v, among, cop__hint_in(&hint, v, strlen(v), among));
}

/* keep: 0.1, or keep: {conv*: 0.5, fc*: 0.08} */
static cop_status rates(reader *r, const yaml_node_t *n, const char *key, float lo, float hi, cop_stage *s)
{
	if (n->type != YAML_MAPPING_NODE) {
		s->n_rate = 1;
		snprintf(s->rate[0].layers, sizeof s->rate[0].layers, "*");
		return number(r, n, key, lo, hi, &s->rate[0].value);
	}
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		if (s->n_rate == COP_MAX_RATES) return cop__error(r->cx, COP_ARG, "recipe, line %d: more than %d rates", line_of(n), COP_MAX_RATES);
		cop_rate *rate = &s->rate[s->n_rate++];
		COP_TRY(text(r, yaml_document_get_node(&r->doc, p->key), key, rate->layers, sizeof rate->layers));
		COP_TRY(number(r, yaml_document_get_node(&r->doc, p->value), rate->layers, lo, hi, &rate->value));
	}
	return COP_OK;
}

static cop_status yes_or_no(reader *r, const yaml_node_t *n, const char *key, bool *v)
{
	char word[8];

	COP_TRY(choice(r, n, key, "yes|no|true|false", word, sizeof word));
	*v = word[0] == 'y' || word[0] == 't';
	return COP_OK;
}

/* "a" or "b": *v says whether it is b. */
static cop_status either(reader *r, const yaml_node_t *n, const char *key, const char *among, const char *b, bool *v)
{
	char word[16];

	COP_TRY(choice(r, n, key, among, word, sizeof word));
	*v = !strcmp(word, b);
	return COP_OK;
}

/* The options of each kind of stage, for the nearest one; all have the first. */
static const char *const options_of[] = {[COP_STAGE_PRUNE] = "by keep over every scope schedule", [COP_STAGE_SHARE] = "levels schedule", [COP_STAGE_ENCODE] = "codec schedule",
	[COP_STAGE_TRAIN] = "schedule", [COP_STAGE_QUANTIZE] = "scheme range keep limit max_drop per round symmetric equalize bias_correct schedule"};

static cop_status no_option(reader *r, const yaml_node_t *k, const cop_stage *s)
{
	const char *key = scalar(k);
	char known[256];
	cop_hint hint;

	snprintf(known, sizeof known, "epochs lr update layers may_cost must_gain %s", options_of[s->kind]);
	return cop__error(r->cx, COP_ARG, "recipe, line %d: a %s stage has no option '%s'%s", line_of(k), kinds[s->kind], key, cop__hint_in(&hint, key, strlen(key), known));
}

static cop_status quantize_option(reader *r, const yaml_node_t *k, const yaml_node_t *v, cop_stage *s)
{
	const char *key = scalar(k);

	if (!strcmp(key, "scheme")) return choice(r, v, key, "w8a8|w4a8|w4a4|w8|fp16", s->scheme, sizeof s->scheme);
	if (!strcmp(key, "range")) return choice(r, v, key, "minmax|percentile|mse|kl", s->range, sizeof s->range);
	if (!strcmp(key, "keep")) return text(r, v, key, s->keep_float, sizeof s->keep_float);
	if (!strcmp(key, "limit")) return whole(r, v, key, 0, 1e6f, &s->limit);
	if (!strcmp(key, "max_drop")) return number(r, v, key, 0, 100, &s->max_drop);
	if (!strcmp(key, "per")) return either(r, v, key, "channel|tensor", "tensor", &s->per_tensor);
	if (!strcmp(key, "round")) return either(r, v, key, "nearest|adaround", "adaround", &s->adaround);
	if (!strcmp(key, "symmetric")) return yes_or_no(r, v, key, &s->symmetric);
	if (!strcmp(key, "equalize")) return yes_or_no(r, v, key, &s->equalize);
	if (!strcmp(key, "bias_correct")) return yes_or_no(r, v, key, &s->bias_correct);
	return no_option(r, k, s);
}

static cop_status option(reader *r, const yaml_node_t *k, const yaml_node_t *v, cop_stage *s)
{
	const char *key = scalar(k);
	char word[16];
	bool prune = s->kind == COP_STAGE_PRUNE;

	if (!key) return cop__error(r->cx, COP_ARG, "recipe, line %d: an option's name was expected", line_of(k));
	if (!strcmp(key, "epochs")) return whole(r, v, key, 0, 100000, &s->epochs);
	if (!strcmp(key, "lr")) return number(r, v, key, 0, 1000, &s->lr);
	if (!strcmp(key, "update")) return text(r, v, key, s->update, sizeof s->update);
	if (!strcmp(key, "schedule") && !prune) return text(r, v, key, s->schedule, sizeof s->schedule);
	if (!strcmp(key, "layers")) return text(r, v, key, s->layers, sizeof s->layers);
	if (!strcmp(key, "may_cost")) return number(r, v, key, -100, 100, &s->may_cost);
	if (!strcmp(key, "must_gain")) return number(r, v, key, 0, 1e6f, &s->must_gain);
	if (prune && !strcmp(key, "by")) return choice(r, v, key, "magnitude|random", s->by, sizeof s->by);
	if (prune && !strcmp(key, "keep")) return rates(r, v, key, 0.0001f, 1, s);
	if (prune && !strcmp(key, "over")) return number(r, v, key, 0, 1, &s->over);
	if (prune && !strcmp(key, "every")) return whole(r, v, key, 1, 1e6f, &s->steps_between);
	if (prune && !strcmp(key, "scope")) {
		COP_TRY(choice(r, v, key, "global|layer", word, sizeof word));
		s->global = !strcmp(word, "global");
		return COP_OK;
	}
	if (prune && !strcmp(key, "schedule")) {
		COP_TRY(choice(r, v, key, "cubic|once", word, sizeof word));
		s->once = !strcmp(word, "once");
		return COP_OK;
	}
	if (s->kind == COP_STAGE_QUANTIZE) return quantize_option(r, k, v, s);
	if (s->kind == COP_STAGE_SHARE && !strcmp(key, "levels")) return rates(r, v, key, 2, 256, s);
	if (s->kind == COP_STAGE_ENCODE && !strcmp(key, "codec")) return choice(r, v, key, "smallest|huffman|range|raw", s->codec, sizeof s->codec);
	return no_option(r, k, s);
}

static cop_status stage(reader *r, const yaml_node_t *n, cop_stage *s)
{
	if (n->type != YAML_MAPPING_NODE || n->data.mapping.pairs.top - n->data.mapping.pairs.start != 1)
		return cop__error(r->cx, COP_ARG, "recipe, line %d: a stage is one of prune, share, encode, train, quantize with its options", line_of(n));
	const yaml_node_t *k = yaml_document_get_node(&r->doc, n->data.mapping.pairs.start->key), *v = yaml_document_get_node(&r->doc, n->data.mapping.pairs.start->value);
	const char *name = scalar(k);
	cop_hint hint;
	int kind = 0;
	while (kind < LEN(kinds) && (!name || strcmp(kinds[kind], name))) kind++;
	if (kind == LEN(kinds)) return cop__error(r->cx, COP_ARG, "recipe, line %d: unknown stage '%s'; there are prune, share, encode, train, quantize%s", line_of(k), name ? name : "?",
		cop__hint_in(&hint, name ? name : "", name ? strlen(name) : 0, "prune share encode train quantize"));
	*s = (cop_stage){.kind = (cop_stage_kind)kind, .line = line_of(k), .by = "magnitude", .global = true, .over = 0.6f, .steps_between = 50, .codec = "smallest", .scheme = "w8a8", .range = "mse", .limit = 256, .max_drop = -1, .layers = "*",
		.may_cost = 0.5f, .must_gain = 1};
	if (v->type != YAML_MAPPING_NODE) return cop__error(r->cx, COP_ARG, "recipe, line %d: the options of %s must be a map", line_of(v), name);
	for (yaml_node_pair_t *p = v->data.mapping.pairs.start; p < v->data.mapping.pairs.top; p++)
		COP_TRY(option(r, yaml_document_get_node(&r->doc, p->key), yaml_document_get_node(&r->doc, p->value), s));
	if (s->kind == COP_STAGE_PRUNE && !s->n_rate) return cop__error(r->cx, COP_ARG, "recipe, line %d: prune needs keep: the part of the weights that stays", line_of(k));
	if (s->kind == COP_STAGE_PRUNE && s->global && (s->n_rate > 1 || strcmp(s->rate[0].layers, "*")))
		return cop__error(r->cx, COP_ARG, "recipe, line %d: scope: global has one keep for all; give scope: layer for several", line_of(k));
	return COP_OK;
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

static cop_status document(reader *r, cop_recipe *out)
{
	const yaml_node_t *root = yaml_document_get_root_node(&r->doc);
	cop_hint hint;

	if (!root || root->type != YAML_MAPPING_NODE) return cop__error(r->cx, COP_ARG, "recipe: a map with name and stages was expected");
	for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
		const yaml_node_t *k = yaml_document_get_node(&r->doc, p->key), *v = yaml_document_get_node(&r->doc, p->value);
		const char *key = scalar(k);
		if (key && !strcmp(key, "name")) COP_TRY(text(r, v, "name", out->name, sizeof out->name));
		else if (key && !strcmp(key, "stages")) COP_TRY(stages(r, v, out));
		else return cop__error(r->cx, COP_ARG, "recipe, line %d: unknown key '%s'; the keys are name and stages%s", line_of(k), key ? key : "?", cop__hint_in(&hint, key ? key : "", key ? strlen(key) : 0, "name stages"));
	}
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
