/* SPDX-License-Identifier: Apache-2.0
 *
 * samples - the options that say how samples fit a network, for every verb that reads data; opening a data set for a network; and what
 * is said about it: how samples were turned and scaled, and that an accuracy looks wrong.
 */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_TIMES = 0x4000, KEY_MEAN, KEY_STD, KEY_LAYOUT, KEY_TASK, KEY_TARGET, KEY_CLASSES, KEY_GROUP, KEY_ONLY };

static const struct argp_option scaling[] = {
	{"times", KEY_TIMES, "X", 0, "multiply every number of a sample by X. Data sets give pixels as 0 to 1; some networks expect 0 to 255", 80},
	{"mean", KEY_MEAN, "X,...", 0, "then subtract this: one number, or one for each channel (of a sound: for each coefficient)", 80},
	{"std", KEY_STD, "X,...", 0, "then divide by this, as many numbers", 80},
	{"layout", KEY_LAYOUT, "WORD", 0,
		"order of the axes of a sample in the network's input: keep, first (move the last axis, "
		"the channels, to the front) or last (move the first axis to the end). Default: found "
		"from the shapes, if they allow only one way", 80},
	{"classes", KEY_CLASSES, "FILE", 0, "file with the names of the classes, one per line, in the order of the outputs", 80},
	{0},
};

static const struct argp_option reading[] = {
	{"task", KEY_TASK, "WORD", 0,
		"what the target column of a table means: class or regress (default: regress if it holds "
		"reals or many different numbers); or rebuild: labels are not looked at, and the network gives its samples back", 80},
	{"target-column", KEY_TARGET, "COLUMN,...", 0,
		"columns of a table to predict, by name or by number from 1 (default: label, class, target or y, else the last)", 80},
	{"group", KEY_GROUP, "GROUPS", 0, "put classes together: \"pet=cat,dog;other=*\". '*' is all that are in no group", 80},
	{"only", KEY_ONLY, "CLASS,...", 0, "read only the samples of these classes (of groups, if there are any)", 80},
	{0},
};

/* "0.5,0.25": how many there are; ends the program where it is anything else. */
static int32_t list(struct argp_state *state, const char *name, const char *text, float *v)
{
	char *end;
	int32_t n = 0;

	for (const char *s = text;; s = end + 1) {
		if (n == COP_MOST_CHANNELS) cli_misuse(state, "%s=%s: more than %d numbers", name, text, COP_MOST_CHANNELS);
		v[n++] = strtof(s, &end);
		if (end == s || (*end && *end != ',') || !isfinite(v[n - 1])) cli_misuse(state, "%s=%s: must be numbers separated by commas", name, text);
		if (!*end) return n;
	}
}

static cop_layout layout(struct argp_state *state, const char *arg)
{
	if (!strcmp(arg, "keep")) return COP_LAYOUT_KEEP;
	if (!strcmp(arg, "last")) return COP_LAYOUT_LAST;
	if (strcmp(arg, "first")) cli_misuse(state, "--layout=%s: must be keep, first or last", arg);
	return COP_LAYOUT_FIRST;
}

static cop_task task(struct argp_state *state, const char *arg)
{
	if (!strcmp(arg, "class")) return COP_TASK_CLASS;
	if (!strcmp(arg, "rebuild")) return COP_TASK_REBUILD;
	if (strcmp(arg, "regress")) cli_misuse(state, "--task=%s: must be class, regress or rebuild", arg);
	return COP_TASK_REGRESS;
}

static error_t scaling_option(int key, char *arg, struct argp_state *state)
{
	cli_samples *s = state->input;

	switch (key) {
	case KEY_TIMES: s->times = cli_real(state, "--times", arg, 1e-6f, 1e6f); return 0;
	case KEY_MEAN: s->means = list(state, "--mean", arg, s->mean); return 0;
	case KEY_STD:
		s->stds = list(state, "--std", arg, s->std);
		for (int32_t i = 0; i < s->stds; i++)
			if (!(s->std[i] > 0)) cli_misuse(state, "--std=%s: must be above 0", arg);
		return 0;
	case KEY_LAYOUT: s->layout = layout(state, arg); return 0;
	case KEY_CLASSES: s->classes = arg; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static error_t reading_option(int key, char *arg, struct argp_state *state)
{
	cli_samples *s = state->input;

	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = s; return 0;
	case KEY_TASK: s->task = task(state, arg); return 0;
	case KEY_TARGET: s->target = arg; return 0;
	case KEY_GROUP: s->group = arg; return 0;
	case KEY_ONLY: s->only = arg; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

const struct argp cli_scaling_argp = {.options = scaling, .parser = scaling_option};
static const struct argp_child with_scaling[] = {{&cli_scaling_argp, 0, NULL, 80}, {0}};
const struct argp cli_samples_argp = {.options = reading, .parser = reading_option, .children = with_scaling};

/* ---- into the network ---- */

cop_status cli_classes_set(cli *c, cop_graph *g, const char *path)
{
	static const char *name[1 << 16];
	void *bytes;
	size_t size;
	int32_t n = 0;

	CLI_TRY(cop_file_read(&bytes, &size, c->cx, path, 16 << 20));
	for (char *p = bytes, *end; *p; p = end) {
		end = p + strcspn(p, "\r\n");
		bool more = *end;
		*end = 0;
		if (*p && n < LEN(name)) name[n++] = p;
		end += more;
	}
	cop_status st = n ? cop_graph_classes_set(g, name, n) : cli_fail(c, COP_FORMAT, "%s: this file holds no names of classes; one per line is expected", path);
	cop_free(c->cx, bytes);
	return st;
}

/* One number for all channels where the other list has several. */
static cop_status merge_lists(cli *c, cop_samples *to, const cli_samples *s)
{
	int32_t n = s->means > s->stds ? s->means : s->stds;

	if (s->means > 1 && s->stds > 1 && s->means != s->stds)
		return cli_fail(c, COP_ARG, "--mean has %d numbers, --std %d; give one, or as many as there are channels", s->means,
			s->stds);
	for (int32_t i = 0; i < n; i++) {
		to->mean[i] = !s->means ? 0 : s->mean[s->means > 1 ? i : 0];
		to->std[i] = !s->stds ? 1 : s->std[s->stds > 1 ? i : 0];
	}
	to->channels = n;
	return COP_OK;
}

bool cli_samples_scale(const cli_samples *s) { return s->times > 0 || s->means || s->stds || s->layout; }

cop_status cli_samples_set(cli *c, cop_graph *g, const cli_samples *s)
{
	cop_samples was, now;

	if (s->classes) CLI_TRY(cli_classes_set(c, g, s->classes));
	if (!cli_samples_scale(s)) return COP_OK;
	cop_graph_samples(g, &was);
	now = was;
	if (s->times > 0) now.times = s->times;
	if (s->layout) now.layout = s->layout;
	if (s->means || s->stds) CLI_TRY(merge_lists(c, &now, s));
	bool had = (was.times > 0 && was.times != 1) || was.channels || was.layout;
	if (had && memcmp(&was, &now, sizeof was)) cli_note(c, "your options replace the scaling and layout that are stored in the network");
	return cop_graph_samples_set(g, &now);
}

/* ---- data sets for a network ---- */

static void say_lines(const cli *c, const char *text)
{
	for (const char *p = text; p && *p;) {
		int n = (int)strcspn(p, "\n");
		cli_note(c, "%.*s", n, p);
		p += n + (p[n] != 0);
	}
}

/* Pictures of the size that the network takes. */
static void picture_size(cop_data_args *a, const cop_type *in)
{
	const int32_t *d = in->dim;

	if (in->rank != 4) return;
	bool last = d[3] == 1 || d[3] == 3;
	if (!last && d[1] != 1 && d[1] != 3) return;
	a->height = d[last ? 1 : 2];
	a->width = d[last ? 2 : 3];
	a->channels = d[last ? 3 : 1];
}

static void of_network(cop_data_args *a, const cop_graph *g)
{
	cop_type in;

	if (cop_graph_io(g, &in, NULL)) return;
	if (!a->task) a->task = cop_graph_target(g, 0) ? COP_TASK_REGRESS : cop_graph_class(g, 0) ? COP_TASK_CLASS : COP_TASK_AUTO;
	picture_size(a, &in);
	if (in.rank && in.dim[0] > 0) a->features = (int32_t)(cop_type_count(&in) / in.dim[0]);
}

/* Without names of classes or targets, and as many results as it takes numbers, which are not the classes of d: an autoencoder. */
static bool gives_back(const cop_graph *g, const cop_dataset *d)
{
	cop_type in, out;
	return !cop_graph_class(g, 0) && !cop_graph_target(g, 0) && !cop_graph_io(g, &in, &out) && cop_type_count(&in) == cop_type_count(&out) && d->classes != cli_outputs(g);
}

cop_status cli_data_open(cop_dataset **out, cli *c, const cli_samples *s, const cop_graph *g, const char *name, const char *split, int32_t limit)
{
	cop_data_args a = {.split = split, .limit = limit, .task = s->task, .target = s->target, .valid = s->valid, .group = s->group, .only = s->only};

	if (!name) return cli_fail(c, COP_ARG, "--data NAME is missing; `coppice data list` shows the data sets");
	if (g) of_network(&a, g);
	CLI_TRY(cop_data_open_as(out, c->cx, name, &a));
	if (g && !s->task && (*out)->classes && gives_back(g, *out)) (*out)->classes = 0;
	if (!c->said_data) say_lines(c, (*out)->note);
	c->said_data = true;
	return COP_OK;
}

cop_status cli_data_fits(cli *c, const cop_graph *g, cop_dataset *d)
{
	char note[COP_NOTE];
	cop_dataset *fitted;

	CLI_TRY(cop_data_fit(&fitted, note, g, d));
	if (!c->said_fit) say_lines(c, note);
	c->said_fit = true;
	cop_data_free(fitted);
	return COP_OK;
}

/* ---- accuracies that look wrong ---- */

static const char advice[] = "check the scaling of the samples (--times, --mean, --std), their layout (--layout) and the classes (--classes)";

void cli_doubt(const cli *c, const char *what, double accuracy, int32_t classes, int32_t count, double before)
{
	double chance = classes > 1 ? 1.0 / classes : 0;

	if (accuracy < 0 || count < 30) return;
	if (before > 0 && accuracy < before / 2) cli_note(c, "warning: %s is %.2f %%, and it was %.2f %%: %s", what, 100 * accuracy, 100 * before, advice);
	else if (chance > 0 && accuracy < chance + 0.02 + 2.5 * sqrt(chance * (1 - chance) / count))
		cli_note(c, "warning: %s is %.2f %%, no better than guessing among %d classes: %s", what, 100 * accuracy, classes, advice);
}

void cli_class(char out[CLI_CLASS], const cop_graph *g, int32_t k)
{
	const char *name = cop_graph_class(g, k);

	snprintf(out, CLI_CLASS, "%d", k);
	if (name) snprintf(out, CLI_CLASS, "%s", name);
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127) *p = '?';
}

int32_t cli_best(const float *y, int32_t n)
{
	int32_t best = 0;

	for (int32_t i = 1; i < n; i++)
		if (y[i] > y[best]) best = i;
	return best;
}

int32_t cli_outputs(const cop_graph *g)
{
	cop_type in, out;
	return cop_graph_io(g, &in, &out) || !in.rank || in.dim[0] < 1 ? 0 : (int32_t)(cop_type_count(&out) / in.dim[0]);
}
