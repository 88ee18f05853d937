/* SPDX-License-Identifier: Apache-2.0
 *
 * inspect - layers, totals, the plan or the text of a network.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

enum { KEY_GRAPH = 0x3000, KEY_PLAN, KEY_TARGET, KEY_FAST };

typedef struct job {
	bool graph, plan;
	int32_t batch;
	const char *target, *file;
	size_t fast;
} job;

static const struct argp_option options[] = {
        {"graph", KEY_GRAPH, NULL, 0, "print the graph as text, one line per operator", 0},
        {"plan", KEY_PLAN, NULL, 0, "print the steps of the plan: the kernel of each, and the bytes in use while it runs", 0},
        {"batch", 'b', "N", 0, "samples in one run (default: as in the file)", 0},
        {"target", KEY_TARGET, "NAME", 0, "machine to plan for, from `coppice targets` (default: host)", 0},
        {"fast-ram", KEY_FAST, "SIZE", 0, "size of a second, faster RAM, as in `coppice emit`", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;

	switch (key) {
	case KEY_GRAPH:
		j->graph = true;
		return 0;
	case KEY_PLAN:
		j->plan = true;
		return 0;
	case KEY_TARGET:
		j->target = arg;
		return 0;
	case KEY_FAST:
		j->fast = cli_size(state, "--fast-ram", arg);
		return 0;
	case 'b':
		j->batch = cli_int(state, "--batch", arg, 1, 65536);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static cop_status to_stdout(void *ud, const void *bytes, size_t size)
{
	(void)ud;
	return fwrite(bytes, 1, size, stdout) == size ? COP_OK : COP_IO;
}

/* A name within a row of a table: a line's end in it is shown as \x0a. */
static const char *one_line(char out[120], const char *name)
{
	cop_text_shown(out, 120, name ? name : "");
	return out;
}

static void layer_json(cli *c, const cop_layer *l, const char *shape)
{
	cli_put_item(c, NULL);
	cli_put_text(c, "op", l->op);
	cli_put_text(c, "name", l->name ? l->name : "");
	cli_put_text(c, "shape", shape);
	cli_put_int(c, "parameters", l->parameters);
	cli_put_int(c, "nonzero", l->nonzero);
	cli_put_int(c, "macs", l->macs);
	cli_put_int(c, "weight_bytes", (int64_t)l->weight_bytes);
	cli_put_int(c, "out_bytes", (int64_t)l->out_bytes);
	cli_put_item_end(c);
}

static void layer_line(cli *c, const cop_layer *l, const char *shape)
{
	char n[4][32], kept[16] = "", name[120];

	cli_number_text(n[0], (double)l->parameters);
	cli_number_text(n[1], (double)l->macs);
	cli_number_text(n[2], (double)l->weight_bytes);
	cli_number_text(n[3], (double)l->out_bytes);
	if (l->parameters) snprintf(kept, sizeof kept, "%.1f %%", 100 * (double)l->nonzero / (double)l->parameters);
	cli_out(c, "%-12s %-22s %-16s %12s %8s %14s %14s %12s\n", l->op, one_line(name, l->name), shape,
	        l->parameters ? n[0] : "", kept, l->macs ? n[1] : "", l->weight_bytes ? n[2] : "", n[3]);
}

static cop_status layers(cli *c, const cop_graph *g)
{
	cop_layer l;
	char shape[64];

	cli_put_list(c, "layers");
	cli_out(c, "%-12s %-22s %-16s %12s %8s %14s %14s %12s\n", "op", "name", "output", "parameters", "kept",
	        "dense MACs", "weight bytes", "out bytes");
	for (int32_t i = 0; i < cop_graph_layers(g); i++) {
		CLI_TRY(cop_graph_layer(g, i, &l));
		cli_shape(shape, sizeof shape, &l.out);
		layer_json(c, &l, shape);
		layer_line(c, &l, shape);
	}
	cli_put_end(c);
	return COP_OK;
}

static void total(cli *c, const char *key, const char *label, int64_t v, const char *unit)
{
	char n[32];

	cli_put_int(c, key, v);
	cli_number_text(n, (double)v);
	cli_out(c, "%-26s %15s %s\n", label, n, unit);
}

static void fast_part(cli *c, const cop_plan *p)
{
	char note[64];

	snprintf(note, sizeof note, "bytes beside them: %.1f %% of what a run touches", 100 * cop_plan_fast_part(p));
	total(c, "fast_bytes", "  arena in fast RAM", (int64_t)cop_plan_fast(p), note);
	cli_put_real(c, "fast_part", cop_plan_fast_part(p));
}

static cop_status totals(cli *c, const job *j, const cop_graph *g, const cop_plan *p, const cop_target *t)
{
	cop_figures f;
	int64_t file = cli_file_size(j->file);
	size_t ram = cop_plan_bytes(p, COP_TEMP) + cop_plan_fast(p) + cop_plan_bytes(p, COP_PARAM) + cop_plan_bytes(p, COP_STATE);
	char label[64], note[128];

	CLI_TRY(cop_measure(&f, g, t));
	cli_out(c, "\n");
	total(c, "parameters", "parameters", f.parameters, "");
	total(c, "nonzero", "not zero", f.nonzero, "");
	snprintf(label, sizeof label, cop_graph_batch(g) > 1 ? "RAM, %d samples" : "RAM, one sample", cop_graph_batch(g));
	snprintf(note, sizeof note, j->plan ? "bytes on %s, with the kernels above, without the stack"
		: "bytes on %s, with the kernels of emitted code, without the stack", t->name);
	bool run = !j->batch && cop_graph_batch(g) > 1; /* as many as the file fixes */
	total(c, "macs", run ? "operations, one run" : "operations, one sample", f.macs, "multiply-accumulates (MACs) that the kernels do");
	if (f.shifts) total(c, "shifts", "  shifts", f.shifts, "of them are a shift and an addition on a board, not a multiplication");
	else cli_put_int(c, "shifts", 0);
	if (file >= 0) total(c, "file_bytes", "file", file, "bytes");
	total(c, "dense_bytes", "dense, for comparison", 4 * f.parameters, "bytes at 4 per parameter");
	total(c, "flash_bytes", "flash", (int64_t)f.flash_bytes, "bytes of weights, as emitted code stores them");
	total(c, "ram_bytes", label, (int64_t)ram, note);
	total(c, "arena_bytes", "  arena", (int64_t)cop_plan_bytes(p, COP_TEMP),
	        "bytes of activations, inputs and outputs, as the plan places them");
	if (j->fast) fast_part(c, p);
	total(c, "live_bytes", "  largest live set", (int64_t)cop_plan_live(p), "bytes; no arena can be smaller");
	total(c, "param_bytes", "  parameters in RAM", (int64_t)cop_plan_bytes(p, COP_PARAM), "bytes");
	total(c, "state_bytes", "  state", (int64_t)cop_plan_bytes(p, COP_STATE), "bytes");
	cli_put_real(c, "energy_nj_estimate", f.energy_nj);
	cli_out(c, "%-26s %15.1f nJ for one sample (estimate: 45 nm, Horowitz 2014)\n", "energy", f.energy_nj);
	return COP_OK;
}

/* In which form the weights of a step are used, and why: "sparse: 9 % kept, 0.31 of the dense time". */
static const char *form_text(char buf[96], const cop_step_info *s)
{
	int n = snprintf(buf, 96, "%s", s->form ? s->form : "");

	if (s->code) {
		n = snprintf(buf, 96, "coded (%s) in %zu bytes, decoded to %zu", cli_code_name(s->code), s->code_bytes, s->decoded_bytes);
		if (s->parts > 1) snprintf(buf + n, 96 - (size_t)n, " in each of %d parts", s->parts);
		return buf;
	}
	if (s->form && s->kept < 0.9) n += snprintf(buf + n, 96 - (size_t)n, ": %.0f %% kept", 100 * s->kept);
	if (s->form && s->kept < 0.9 && s->sparse_time > 0)
		snprintf(buf + n, 96 - (size_t)n, s->sparse_time < 1 ? ", %.2f of the dense time"
			: "; sparse it would take %.2f times as long", s->sparse_time);
	return buf;
}

static void steps(cli *c, const cop_plan *p, bool two)
{
	cop_step_info s;
	char live[32], fast[32], macs[32], name[120], form[96];

	cli_put_list(c, "steps");
	cli_out(c, "%5s %-12s %-26s %-32s %12s%s %14s  %s\n", "step", "op", "name", "kernel", "live bytes", two ? "  in fast RAM" : "", "MACs", "weights");
	for (int32_t i = 0; cop_plan_step(p, 0, i, &s); i++) {
		cli_put_item(c, NULL);
		cli_put_text(c, "op", s.op);
		cli_put_text(c, "name", s.name ? s.name : "");
		cli_put_text(c, "kernel", s.kernel ? s.kernel : "");
		cli_put_int(c, "live_bytes", (int64_t)s.live_bytes);
		if (two) cli_put_int(c, "fast_bytes", (int64_t)s.fast_bytes);
		cli_put_int(c, "macs", s.macs);
		cli_put_int(c, "outputs", s.outputs);
		cli_put_int(c, "inputs", s.inputs);
		cli_put_int(c, "channels", s.channels);
		cli_put_int(c, "rows", s.rows);
		if (s.code_bytes) cli_put_int(c, "code_bytes", (int64_t)s.code_bytes), cli_put_int(c, "decoded_bytes", (int64_t)s.decoded_bytes);
		if (s.code) cli_put_text(c, "code", cli_code_name(s.code));
		if (s.parts) cli_put_int(c, "parts", s.parts);
		if (s.form) cli_put_text(c, "form", s.form), cli_put_real(c, "kept", s.kept), cli_put_real(c, "sparse_time", s.sparse_time);
		cli_put_item_end(c);
		cli_number_text(live, (double)s.live_bytes);
		cli_number_text(fast, (double)s.fast_bytes);
		cli_number_text(macs, (double)s.macs);
		cli_out(c, "%5d %-12s %-26s %-32s %12s", i, s.op, one_line(name, s.name), s.kernel ? s.kernel : "", live);
		if (two) cli_out(c, " %12s", fast);
		cli_out(c, s.form ? " %14s  %s\n" : " %14s\n", s.macs ? macs : "", form_text(form, &s));
	}
	cli_put_end(c);
}

static void names(const cli *c, const char *what, const cop_graph *g, const char *(*name)(const cop_graph *, int32_t))
{
	char shown[120];
	int32_t n = 0;

	while (name(g, n)) n++;
	cli_out(c, "%-26s %15d:", what, n);
	for (int32_t i = 0; i < n && i < 12; i++) cli_out(c, " %s%s", one_line(shown, name(g, i)), i + 1 < n ? "," : "");
	cli_out(c, n > 12 ? " ...\n" : "\n");
}

static void few(cli *c, const char *what, const float *v, int32_t n)
{
	cli_out(c, "%s ", what);
	for (int32_t i = 0; i < n && i < 4; i++) cli_out(c, "%s%g", i ? "," : "", (double)v[i]);
	cli_out(c, n > 4 ? ",..." : "");
}

static void samples(cli *c, const cop_samples *s)
{
	static const char *const order[] = {"", ", as they lie", ", last axis first", ", first axis last"}; /* by cop_layout */

	cli_out(c, "%-26s times %g", "samples", s->times > 0 ? (double)s->times : 1);
	if (s->channels) few(c, ", less mean", s->mean, s->channels), few(c, ", divided by std", s->std, s->channels);
	cli_out(c, "%s\n", order[s->layout]);
}

/* What the network carries beside its layers. */
static void about(cli *c, const cop_graph *g)
{
	cop_samples s;
	const char *name;

	cop_graph_samples(g, &s);
	cli_put_rows(c, "classes");
	for (int32_t i = 0; (name = cop_graph_class(g, i)); i++) cli_put_text(c, NULL, name);
	cli_put_end(c);
	cli_put_rows(c, "targets");
	for (int32_t i = 0; (name = cop_graph_target(g, i)); i++) cli_put_text(c, NULL, name);
	cli_put_end(c);
	if (s.times > 0) cli_put_real(c, "times", (double)s.times);
	if (cop_graph_class(g, 0)) names(c, "classes", g, cop_graph_class);
	if (cop_graph_target(g, 0)) names(c, "predicts", g, cop_graph_target);
	if ((s.times > 0 && s.times != 1) || s.channels || s.layout) samples(c, &s);
	if (cop_graph_accuracy(g) >= 0)
		cli_put_real(c, "accuracy", (double)cop_graph_accuracy(g)),
			cli_out(c, "%-26s %14.2f %% on the validation part, when it was trained\n", "accuracy",
			100 * (double)cop_graph_accuracy(g));
}

cop_status cmd_inspect(cli *c, int argc, char **argv)
{
	job j = {.target = "host"};
	const cli_line line = {options, "FILE",
	        "Prints the layers of a network and what it needs: operations, bytes of file, flash and RAM. FILE may be a name from `coppice zoo`.\v"
	        "Example:\n  coppice inspect small.cop\n  coppice inspect small.cop --plan --target cortex-m4",
	        option, &j, &j.file, 1, 1};
	char spec[32];
	cop_graph *g;
	cli_deployed d = {0};
	cop_target t;

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	CLI_TRY(cop_target_find(&t, c->cx, j.target));
	t.fast_ram = j.fast;
	t.coded = strcmp(j.target, "host");
	if (!j.plan && !strcmp(j.target, "host")) t.isa = 0; /* the portable kernels, as in what is emitted */
	CLI_TRY(cli_model(&g, c, j.file));
	snprintf(spec, sizeof spec, "batch:n=%d", j.batch);
	cop_status st = j.batch ? cop_graph_apply_in_place(&g, spec) : COP_OK;
	if (!st && j.graph && !c->json && !c->quiet) st = cop_graph_print(g, to_stdout, NULL);
	if (!st && (!j.graph || c->json)) st = cli_plan(&d, g, &t, j.plan);
	if (!st && j.plan) steps(c, d.plan, j.fast > 0);
	if (!st && !j.plan && d.plan) st = layers(c, g);
	if (!st && d.plan) st = totals(c, &j, g, d.plan, &t);
	if (!st && d.plan) about(c, g);
	cli_deployed_free(&d);
	cop_graph_free(g);
	return st;
}
