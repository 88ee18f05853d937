/* SPDX-License-Identifier: Apache-2.0
 *
 * explain - what a network looked at: maps of single samples as a page and as numbers; beside another network, and with random weights.
 */
#include "explaining.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BEFORE = 0x3000, KEY_SAMPLE, KEY_CLASS, KEY_PATCH, KEY_STRIDE, KEY_SANITY, KEY_VALUES };

typedef struct job {
	const char *arg[1 + CLI_MOST_EXPLAINED], *out, *data, *before, *class;
	int32_t sample[CLI_MOST_EXPLAINED], samples;
	bool sanity, values;
	cop_explain_args a;
	cli_samples s;
	cli *c;
	cli_network net[2]; /* the one before, if there is one; the network */
	int nets, n;
	cli_explained of[CLI_MOST_EXPLAINED];
} job;

static const struct argp_option options[] = {
        {"output", 'o', "FILE", 0, "file for the page (.html)", 0},
        {"before", KEY_BEFORE, "FILE", 0, "the network before it was compressed: its maps stand beside, with how alike they are", 0},
        {"data", 'd', "NAME", 0, "data set to take samples from: its test part", 0},
        {"sample", KEY_SAMPLE, "N,...", 0, "which samples of the data set or of a file of several, from 0 (default: 0)", 0},
        {"class", KEY_CLASS, "NAME", 0, "class, by name or number, for whose score the maps are (default: the one that NET predicts)", 0},
        {"patch", KEY_PATCH, "N", 0, "side of the patch of occlusion, in pixels (default: an eighth of the picture's)", 0},
        {"stride", KEY_STRIDE, "N", 0, "pixels that the patch moves (default: half of itself)", 0},
        {"sanity", KEY_SANITY, NULL, 0, "draw the maps again with random weights, from the last layer on: maps that stay the same show nothing that was learnt", 0},
        {"values", KEY_VALUES, NULL, 0, "with --json: all numbers of the maps, too", 0},
        {0},
};

static void list(job *j, struct argp_state *state, const char *text)
{
	char one[16];

	for (const char *p = text;; p++) {
		size_t n = strcspn(p, ",");
		if (j->samples == CLI_MOST_EXPLAINED) cli_misuse(state, "--sample=%s: more than %d samples", text, CLI_MOST_EXPLAINED);
		snprintf(one, sizeof one, "%.*s", (int)n, p);
		j->sample[j->samples++] = cli_int(state, "--sample", one, 0, 1 << 30);
		p += n;
		if (!*p) return;
	}
}

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	switch (key) {
	case 'o': j->out = arg; return 0;
	case 'd': j->data = arg; return 0;
	case KEY_BEFORE: j->before = arg; return 0;
	case KEY_SAMPLE: return list(j, state, arg), 0;
	case KEY_CLASS: j->class = arg; return 0;
	case KEY_PATCH: j->a.patch = cli_int(state, "--patch", arg, 1, 1 << 14); return 0;
	case KEY_STRIDE: j->a.stride = cli_int(state, "--stride", arg, 1, 1 << 14); return 0;
	case KEY_SANITY: j->sanity = true; return 0;
	case KEY_VALUES: j->values = true; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* ---- the networks ---- */

static cop_status open_network(job *j, const char *file)
{
	cli_network *n = &j->net[j->nets];

	n->file = file;
	CLI_TRY(cli_model(&n->g, j->c, file));
	j->nets++;
	return cli_samples_set(j->c, n->g, &j->s);
}

static cop_status open_networks(job *j)
{
	if (j->before) CLI_TRY(open_network(j, j->before));
	CLI_TRY(open_network(j, j->arg[0]));
	const int32_t a = cli_outputs(j->net[0].g), b = cli_outputs(j->net[j->nets - 1].g);
	if (a == b) return COP_OK;
	return cli_fail(j->c, COP_SHAPE, "%s gives %d numbers and %s gives %d; two networks are compared by the score of the same class", j->net[0].file, a,
		j->net[1].file, b);
}

/* ---- a sample ---- */

typedef struct found { int32_t best, output; float *wanted; bool values; } found;

static cop_status look_at(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	found *f = ud;

	(void)i, (void)label;
	f->best = cli_best(y, n);
	if (f->output < 0) f->output = f->values ? 0 : f->best;
	*f->wanted = f->values || f->output >= n ? NAN : y[f->output];
	return COP_OK;
}

/* Numbers, no classes: of a regression, or the sample itself of an autoencoder. */
static bool gives_values(const cop_graph *g)
{
	cop_type in, out;

	if (cop_graph_target(g, 0)) return true;
	return !cop_graph_class(g, 0) && !cop_graph_io(g, &in, &out) && (cli_outputs(g) == 1 || cop_type_count(&in) == cop_type_count(&out));
}

/* The output of network i that has the class; as NET calls it, where both have names. */
static cop_status output_of(int32_t *out, const job *j, int i, int32_t output)
{
	const char *name = cop_graph_class(j->net[j->nets - 1].g, output);

	*out = output;
	return i < j->nets - 1 && name && cop_graph_class(j->net[i].g, 0) ? cli_class_find(out, j->c, &j->net[i], name) : COP_OK;
}

/* NET first: it decides whose score it is. */
static cop_status predict(job *j, cli_explained *e, cop_dataset *one)
{
	int32_t output = -1;

	if (j->class) CLI_TRY(cli_class_find(&output, j->c, &j->net[j->nets - 1], j->class));
	for (int i = j->nets - 1; i >= 0; i--) {
		cop_explained_by *by = &e->page.by[i];
		found f = {.output = output, .wanted = &by->share, .values = gives_values(j->net[i].g)};
		if (output >= 0) CLI_TRY(output_of(&f.output, j, i, output));
		CLI_TRY(cop_predict(j->net[i].g, one, 1, cli_threads(j->c), look_at, &f));
		if (!f.values) cli_class(e->predicted[i], j->net[i].g, f.best);
		by->predicted = f.values ? NULL : e->predicted[i];
		if (output < 0) output = f.output;
		e->maps[i].output = f.output;
	}
	cli_answer_name(e->class_name, j->net[j->nets - 1].g, output);
	return COP_OK;
}

static cop_status draw(job *j, cli_explained *e, cop_dataset *one)
{
	cop_explain_args a = j->a;

	for (int i = 0; i < j->nets; i++) {
		a.output = e->maps[i].output;
		CLI_TRY(cop_explain(&e->maps[i], j->net[i].g, one, &a));
		e->page.by[i].network = j->net[i].file;
		e->page.by[i].maps = &e->maps[i];
	}
	return COP_OK;
}

static cop_status alike(cop_likeness out[COP_MAPS], cop_ctx *cx, const cop_explanation *a, const cop_explanation *b)
{
	for (int m = 0; m < COP_MAPS; m++) {
		out[m] = (cop_likeness){NAN, NAN};
		if (a->map[m] && b->map[m]) CLI_TRY(cop_map_alike(&out[m], cx, a->map[m], b->map[m], a->h * a->w));
	}
	return COP_OK;
}

/* With the last weights replaced: one of them, ... all of them. */
static cop_status randomised(job *j, cli_explained *e, cop_dataset *one)
{
	const cop_explanation *now = &e->maps[j->nets - 1];
	const int32_t all = now->weights, n = all < CLI_MOST_RANDOM ? all : CLI_MOST_RANDOM;
	cop_explain_args a = j->a;

	if (!all) cli_note(j->c, "%s: --sanity has no weights to replace, because the network is one of integers without a form in floats", j->net[j->nets - 1].file);
	a.output = now->output;
	for (int32_t i = 0; i < n; i++) {
		cop_explained_random *r = &e->random[i];
		a.random = n > 1 ? 1 + (all - 1) * i / (n - 1) : 1;
		CLI_TRY(cop_explain(&e->drawn[i], j->net[j->nets - 1].g, one, &a));
		r->maps = &e->drawn[i];
		CLI_TRY(alike(r->alike, j->c->cx, now, r->maps));
		e->page.n_random = i + 1;
	}
	e->page.random = e->random;
	return COP_OK;
}

static cop_status label_of(job *j, cli_explained *e, cop_dataset *d)
{
	const cop_graph *g = j->net[j->nets - 1].g;
	cop_dataset *fitted;
	int32_t label = -1;

	if (!d->classes) return COP_OK;
	CLI_TRY(cop_data_fit(&fitted, NULL, g, d));
	float *x = malloc(sizeof *x * (size_t)cop_type_count(&fitted->x));
	cop_status st = x ? fitted->get(fitted->ud, e->sample, x, &label) : cli_fail(j->c, COP_NOMEM, "out of memory for a sample");
	free(x);
	cop_data_free(fitted);
	if (st || label < 0) return st;
	cli_class(e->label, g, label);
	e->page.label = e->label;
	return COP_OK;
}

static cop_status fits(const job *j, cop_dataset *one)
{
	cli *c = j->c;

	CLI_TRY(cli_data_fits(c, j->net[j->nets - 1].g, one));
	cop_status st = j->nets == 2 ? cli_data_fits(c, j->net[0].g, one) : COP_OK;
	return st ? cli_fail(c, st, "%s and %s do not take the same samples: %s", j->net[0].file, j->net[1].file, cop_error_text(c->cx)) : COP_OK;
}

static cop_status explain(job *j, const char *file, cop_dataset *d, int32_t sample)
{
	cli_explained *e = &j->of[j->n];
	cli_alone one;

	if (j->n == CLI_MOST_EXPLAINED) return cli_fail(j->c, COP_ARG, "more than %d samples; a page shows a few", CLI_MOST_EXPLAINED);
	if (sample >= d->count) return cli_fail(j->c, COP_ARG, "--sample %d: %s has %d samples, counted from 0", sample, file, d->count);
	*e = (cli_explained){.file = file, .sample = sample, .of = d->count};
	snprintf(e->name, sizeof e->name, d->count > 1 ? "%.260s, sample %d" : "%.260s", file, sample);
	j->n++;
	CLI_TRY(label_of(j, e, d));
	cli_alone_of(&one, d, sample);
	CLI_TRY(fits(j, &one.d));
	CLI_TRY(predict(j, e, &one.d));
	CLI_TRY(draw(j, e, &one.d));
	if (j->nets == 2) CLI_TRY(alike(e->page.alike, j->c->cx, &e->maps[0], &e->maps[1]));
	if (j->sanity) CLI_TRY(randomised(j, e, &one.d));
	e->page.name = e->name;
	e->page.class_name = e->class_name;
	e->page.n = j->nets;
	cli_explained_say(j->c, e, j->values);
	return COP_OK;
}

/* ---- samples ---- */

/* file: one of the line; or the data set. */
static cop_status each_of(job *j, const char *file, bool labelled)
{
	cli_samples s = j->s;
	cop_dataset *d;

	if (!labelled) s.task = COP_TASK_NONE;
	CLI_TRY(cli_data_open(&d, j->c, &s, j->net[j->nets - 1].g, file, NULL, 0));
	if (!labelled) d->classes = d->targets = 0; /* what the file says is not asked */
	if (d->count > 1 && !j->samples) cli_note(j->c, "%s has %d samples; the first is explained (--sample N for others)", file, d->count);
	cop_status st = COP_OK;
	for (int32_t i = 0; !st && i < (j->samples ? j->samples : 1); i++) st = explain(j, file, d, j->sample[i]);
	cop_data_free(d);
	return st;
}

static cop_status all_samples(job *j)
{
	cop_explained page[CLI_MOST_EXPLAINED];
	cop_status st = j->data ? each_of(j, j->data, true) : COP_OK;

	for (int i = 1; !st && i <= CLI_MOST_EXPLAINED && j->arg[i]; i++) st = each_of(j, j->arg[i], false);
	for (int i = 0; i < j->n; i++) page[i] = j->of[i].page;
	if (!st && j->out) st = cop_report_explained_html(j->out, j->c->cx, page, j->n);
	return st;
}

static void free_all(job *j)
{
	for (int i = 0; i < j->n; i++) {
		for (int k = 0; k < 2; k++) cop_explanation_free(&j->of[i].maps[k]);
		for (int k = 0; k < CLI_MOST_RANDOM; k++) cop_explanation_free(&j->of[i].drawn[k]);
	}
	for (int i = 0; i < j->nets; i++) cop_graph_free(j->net[i].g);
}

/* The page may take the place of nothing that is read. */
static cop_status page_is_apart(job *j)
{
	cli_path paths[CLI_MOST_EXPLAINED + 3] = {{"-o", j->out, true}, {"--before", j->before, false}, {"NET", j->arg[0], false}};

	for (int i = 0; i < CLI_MOST_EXPLAINED; i++) paths[3 + i] = (cli_path){"INPUT", j->arg[1 + i], false};
	if (j->out) CLI_TRY(cli_can_write(j->c, j->out));
	return cli_apart(j->c, paths, LEN(paths));
}

cop_status cmd_explain(cli *c, int argc, char **argv)
{
	static job j;
	const cli_line line = {options, "NET [INPUT...]",
		"Draws what a network looked at: for each sample the gradient of the class's score (saliency), the places that the last convolution found (Grad-CAM), and "
		"how the score falls when a patch covers a place (occlusion). `coppice maps` lists them.\v"
	        "INPUT is a picture (.png .jpg .ppm), a sound (.wav) or an array (.npy).\n"
	        "Example:\n  coppice explain small.cop cat.png --before net.cop -o explain.html\n"
	        "  coppice explain net.cop --data mnist --sample 3,17 --sanity -o explain.html", option, &j, j.arg, 1 + CLI_MOST_EXPLAINED, 1};

	j = (job){.c = c};
	CLI_TRY(cli_parse_samples(c, &line, &j.s, argc, argv));
	if (!j.data && !j.arg[1]) return cli_fail(c, COP_ARG, "there is nothing to explain: name a picture, a sound or an array, or --data NAME");
	CLI_TRY(page_is_apart(&j));
	cli_catch_signals(c);
	j.a.seed = c->seed;
	j.a.threads = cli_threads(c);
	cop_status st = open_networks(&j);
	cli_put_list(c, "explanations");
	if (!st) st = all_samples(&j);
	cli_put_end(c);
	if (!st && j.out) cli_put_text(c, "output", j.out), cli_out(c, "%s: written\n", j.out);
	free_all(&j);
	return st;
}
