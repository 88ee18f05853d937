/* SPDX-License-Identifier: Apache-2.0
 *
 * options - what all verbs parse alike: common options, positional arguments, numbers within bounds.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_JSON = 0x1000, KEY_SEED, KEY_THREADS, KEY_DIM, KEY_SHAPE };

static const struct argp_option common_options[] = {
        {"json", KEY_JSON, NULL, 0, "print one JSON object", 90},
        {"seed", KEY_SEED, "N", 0, "seed of all random numbers (default 1)", 90},
        {"threads", KEY_THREADS, "N", 0, "number of threads; it does not change the result (default: all processors)", 90},
        {"dim", KEY_DIM, "NAME=N", 0, "size of a dimension that an .onnx file leaves open under this name", 90},
        {"shape", KEY_SHAPE, "INPUT=AxBx...", 0, "shape of an input that an .onnx file leaves open", 90},
        {"quiet", 'q', NULL, 0, "print errors only", 90},
        {"verbose", 'v', NULL, 0, "print what is being done", 90},
        {0},
};

static void on_log(void *ud, cop_level level, const char *text)
{
	(void)level;
	cli_note(ud, "%s", text);
}

/* The text behind the last '=' of "NAME=...", which is cut off. */
static char *behind(struct argp_state *state, const char *option, char *arg)
{
	char *equals = strrchr(arg, '=');

	if (!equals || equals == arg) cli_misuse(state, "%s %s: NAME=... is expected", option, arg);
	*equals = 0;
	return equals + 1;
}

static void add_dim(cli *c, struct argp_state *state, char *arg)
{
	if (c->n_dim == LEN(c->dim)) cli_misuse(state, "--dim is given more than %d times", LEN(c->dim));
	const char *size = behind(state, "--dim", arg);
	c->dim[c->n_dim].name = arg;
	c->dim[c->n_dim++].size = cli_int(state, "--dim", size, 1, INT32_MAX);
}

static void add_shape(cli *c, struct argp_state *state, char *arg)
{
	cop_import_shape s = {.input = arg};

	if (c->n_shape == LEN(c->shape)) cli_misuse(state, "--shape is given more than %d times", LEN(c->shape));
	char *list = behind(state, "--shape", arg), *save = NULL;
	for (char *one = strtok_r(list, "x,", &save); one; one = strtok_r(NULL, "x,", &save)) {
		if (s.rank == LEN(s.dim)) cli_misuse(state, "--shape %s: more than %d dimensions", arg, LEN(s.dim));
		s.dim[s.rank++] = cli_int(state, "--shape", one, 0, INT32_MAX);
	}
	if (!s.rank) cli_misuse(state, "--shape %s: AxBx... is expected", arg);
	c->shape[c->n_shape++] = s;
}

static error_t common(int key, char *arg, struct argp_state *state)
{
	cli *c = state->input;
	char *end;

	switch (key) {
	case KEY_JSON:
		c->json = true;
		return 0;
	case KEY_THREADS:
		c->threads = cli_int(state, "--threads", arg, 1, 1024);
		return 0;
	case KEY_DIM:
		add_dim(c, state, arg);
		return 0;
	case KEY_SHAPE:
		add_shape(c, state, arg);
		return 0;
	case 'q':
		c->quiet = true;
		return 0;
	case 'v':
		c->verbose = true;
		return 0;
	case KEY_SEED:
		c->seed = strtoull(arg, &end, 0);
		if (end == arg || *end || *arg == '-')
			cli_misuse(state, "--seed=%s: must be a whole number, 0 or more", arg);
		return 0;
	case ARGP_KEY_END:
		if (c->verbose) cop_ctx_log(c->cx, COP_LOG_INFO, on_log, c);
		if (c->quiet) cop_ctx_log(c->cx, COP_LOG_ERROR, NULL, NULL);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp cli_common = {.options = common_options, .parser = common};

typedef struct both {
	cli *c;
	const cli_line *l;
	cli_samples *samples;
} both;

static error_t parser(int key, char *arg, struct argp_state *state)
{
	both *b = state->input;
	const cli_line *l = b->l;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = b->c;
		if (b->samples) state->child_inputs[1] = b->samples;
		if (b->c->form) state->child_inputs[b->samples ? 2 : 1] = b->c->form;
		return 0;
	case ARGP_KEY_ARG:
		if ((int)state->arg_num >= l->n) cli_misuse(state, "unexpected argument '%s'", arg);
		l->arg[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_END:
		if ((int)state->arg_num < l->least) cli_misuse(state, "expected %s", l->args);
		return 0;
	default:
		return l->option ? l->option(key, arg, state, l->ud) : ARGP_ERR_UNKNOWN;
	}
}

/* of: the options for s; NULL: there are none. */
static cop_status parse(cli *c, const cli_line *l, const struct argp *of, cli_samples *s, int argc, char **argv)
{
	const struct argp_child form = {c->form ? &cli_form_argp : NULL, 0, NULL, 0};
	const struct argp_child children[] = {{&cli_common, 0, "Every verb:", 90},
		s ? (struct argp_child){of, 0, "Samples:", 80} : form, s ? form : (struct argp_child){0}, {0}};
	const struct argp a = {
	        .options = l->options, .parser = parser, .args_doc = l->args, .doc = l->doc, .children = children};
	both b = {c, l, s};
	cli_check_options(c, &a, argc, argv);
	error_t e = argp_parse(&a, argc, argv, 0, NULL, &b);

	return e ? cli_fail(c, COP_ARG, "the command line could not be read: %s", strerror(e)) : COP_OK;
}

cop_status cli_parse_samples(cli *c, const cli_line *l, cli_samples *s, int argc, char **argv) { return parse(c, l, &cli_samples_argp, s, argc, argv); }

cop_status cli_parse_scaling(cli *c, const cli_line *l, cli_samples *s, int argc, char **argv) { return parse(c, l, &cli_scaling_argp, s, argc, argv); }

cop_status cli_parse_line(cli *c, const cli_line *l, int argc, char **argv) { return parse(c, l, NULL, NULL, argc, argv); }

int32_t cli_int(struct argp_state *state, const char *name, const char *text, int32_t lo, int32_t hi)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || *end || v < lo || v > hi)
		cli_misuse(state, "%s=%s: must be a whole number from %d to %d", name, text, lo, hi);
	return (int32_t)v;
}

float cli_real(struct argp_state *state, const char *name, const char *text, float lo, float hi)
{
	char *end;
	float v = strtof(text, &end);

	if (end == text || *end || !(v >= lo && v <= hi))
		cli_misuse(state, "%s=%s: must be a number from %g to %g", name, text, (double)lo, (double)hi);
	return v;
}

int cli_threads(const cli *c)
{
	long n = c->threads ? c->threads : sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > 64 ? 64 : (int)n;
}

/* "64K": with K or M for 1024 and 1024 * 1024. */
size_t cli_size(struct argp_state *state, const char *name, const char *text)
{
	char *end;
	unsigned long long n = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
	int shift = n && (*end == 'K' || *end == 'k') ? 10 : n && (*end == 'M' || *end == 'm') ? 20 : 0;

	if (!n || n > 1ull << 40 || end[shift != 0]) cli_misuse(state, "%s=%s: must be a number of bytes, such as 20000, 64K or 2M", name, text);
	return (size_t)n << shift;
}
