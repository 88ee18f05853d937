/* SPDX-License-Identifier: Apache-2.0
 *
 * history_read - the JSON of a recipe's run into plain structures. The file may have been edited by anybody: what is
 * missing reads as 0 or "", what has the wrong form at its root is refused.
 */
#include "report/report.h"

#if COP_HAVE_JANSSON
#include <jansson.h>

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static double item(const json_t *o, const char *key, size_t i)
{
	return json_number_value(json_array_get(json_object_get(o, key), i));
}

static const char *text(cop_story *s, const json_t *o, const char *key)
{
	const char *v = json_string_value(json_object_get(o, key));
	const char *copy = v ? cop__arena_str(&s->mem, v, strlen(v)) : NULL;
	return copy ? copy : "";
}

static cop_story_side side(const json_t *o)
{
	return (cop_story_side){number(o, "accuracy"), number(o, "parameters"), number(o, "nonzero"), number(o, "macs"),
	        number(o, "file_bytes"), number(o, "flash_bytes"), number(o, "ram_bytes"), number(o, "energy_nj"),
	        number(o, "microseconds")};
}

static cop_status stages(cop_story *s, const json_t *list, cop_story_stage **stage, int32_t *n)
{
	size_t i;
	json_t *o;

	*stage = cop__arena_get(&s->mem, sizeof **stage * (json_array_size(list) + 1));
	if (!*stage) return COP_NOMEM;
	json_array_foreach(list, i, o)
	{
		(*stage)[(*n)++] = (cop_story_stage){.stage = text(s, o, "stage"),
		        .why = text(s, o, "why"),
		        .seconds = number(o, "seconds"),
		        .accuracy = {item(o, "accuracy", 0), item(o, "accuracy", 1)},
		        .loss = {item(o, "loss", 0), item(o, "loss", 1)},
		        .bytes = {item(o, "bytes", 0), item(o, "bytes", 1)},
		        .kept = json_is_true(json_object_get(o, "kept"))};
	}
	return COP_OK;
}

static cop_status orders(cop_story *s, const json_t *list, const char *best)
{
	size_t i;
	json_t *o;

	s->order = cop__arena_get(&s->mem, sizeof *s->order * (json_array_size(list) + 1));
	if (!s->order) return COP_NOMEM;
	json_array_foreach(list, i, o)
	{
		cop_story_order *to = &s->order[s->n_order++];
		*to = (cop_story_order){.order = text(s, o, "order"), .accuracy = number(o, "accuracy"), .loss = number(o, "loss"),
			.lost = number(o, "lost"), .bytes = number(o, "bytes"), .kept = number(o, "kept"), .seconds = number(o, "seconds"),
			.fits = json_is_true(json_object_get(o, "fits"))};
		to->best = *best && !strcmp(to->order, best);
		COP_TRY(stages(s, json_object_get(o, "stages"), &to->stage, &to->n_stage));
	}
	return COP_OK;
}

static cop_status points(cop_story *s, const json_t *list)
{
	size_t i;
	json_t *o;

	s->point = cop__arena_get(&s->mem, sizeof *s->point * (json_array_size(list) + 1));
	if (!s->point) return COP_NOMEM;
	json_array_foreach(list, i, o)
	{
		cop_story_point *last = s->n_point ? &s->point[s->n_point - 1] : NULL;
		/* an epoch may be noted before it is scored, and again after */
		if (last && last->epoch == number(o, "epoch") && !strcmp(last->stage, text(s, o, "stage")))
			s->n_point--;
		s->point[s->n_point++] = (cop_story_point){.stage = text(s, o, "stage"), .epoch = number(o, "epoch"),
			.loss = number(o, "loss"), .accuracy = number(o, "accuracy"), .mse = -1};
	}
	return COP_OK;
}

static cop_status layers(cop_story *s, const json_t *list)
{
	size_t i;
	json_t *o;

	s->layer = cop__arena_get(&s->mem, sizeof *s->layer * (json_array_size(list) + 1));
	if (!s->layer) return COP_NOMEM;
	json_array_foreach(list, i, o)
	{
		cop_story_layer *l = &s->layer[s->n_layer++];
		*l = (cop_story_layer){.name = text(s, o, "name"),
		        .count = number(o, "count"),
		        .nonzero = number(o, "nonzero"),
		        .range = number(o, "range"),
		        .bytes = number(o, "bytes")};
		for (size_t b = 0; b < COP_REPORT_BINS; b++) {
			l->bin[0][b] = item(o, "before", b);
			l->bin[1][b] = item(o, "after", b);
		}
	}
	return COP_OK;
}

cop_status cop__story_read(cop_story *out, cop_ctx *cx, const char *json, size_t size)
{
	json_error_t e;
	json_t *root = json_loadb(json, size, 0, &e);
	cop_status st = COP_OK;

	cop__story_none(out, cx);
	if (!root) return cop__error(cx, COP_FORMAT, "history, line %d: %s", e.line, e.text);
	if (!json_is_object(json_object_get(root, "before")) || !json_is_object(json_object_get(root, "after")))
		st = cop__error(cx, COP_FORMAT,
		        "history: it has no figures before and after; it is not what `coppice compress` wrote");
	if (!st) {
		const json_t *run = json_object_get(root, "run");
		out->recipe = text(out, root, "recipe");
		out->data = text(out, run, "data");
		out->date = text(out, run, "date");
		out->command = text(out, run, "command");
		out->seed = json_is_number(json_object_get(run, "seed")) ? number(run, "seed") : -1;
		out->before = side(json_object_get(root, "before"));
		out->after = side(json_object_get(root, "after"));
		st = stages(out, json_object_get(root, "stages"), &out->stage, &out->n_stage);
	}
	if (!st) st = orders(out, json_object_get(root, "orders"), text(out, root, "order"));
	if (!st) st = points(out, json_object_get(root, "curve"));
	if (!st) st = layers(out, json_object_get(root, "layers"));
	json_decref(root);
	return st;
}

cop_status cop__board_read(cop_board *out, cop_ctx *cx, const char *json, size_t size)
{
	json_error_t e;
	json_t *o = json_loadb(json, size, 0, &e);

	if (!o) return cop__error(cx, COP_FORMAT, "the result of `coppice check`, line %d: %s", e.line, e.text);
	*out = (cop_board){number(o, "runs"), number(o, "instructions"), number(o, "static_bytes"), number(o, "stack_bytes"),
		number(o, "ram_bytes"), number(o, "fast_ram_bytes"),
		number(o, "code_bytes"), number(o, "weight_bytes"), number(o, "flash_bytes")};
	json_decref(o);
	return out->runs > 0 ? COP_OK : cop__error(cx, COP_FORMAT, "the result of `coppice check` names no runs");
}

#else

cop_status cop__board_read(cop_board *out, cop_ctx *cx, const char *json, size_t size)
{
	(void)out, (void)json, (void)size;
	return cop__error(cx, COP_ARG, "the result of `coppice check` is JSON, and this build has no jansson");
}

cop_status cop__story_read(cop_story *out, cop_ctx *cx, const char *json, size_t size)
{
	(void)json, (void)size;
	cop__story_none(out, cx);
	return cop__error(cx, COP_ARG, "the history of a recipe is JSON, and this build has no jansson");
}

#endif

void cop__story_free(cop_story *s)
{
	cop__arena_free(&s->mem);
}
