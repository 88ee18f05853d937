/* SPDX-License-Identifier: Apache-2.0
 *
 * Compression towards aims: limits that can be reached are, with what they cost told step by step; those that can't leave the best point and say what is missing; a
 * run that is stopped and resumed ends with the same network; requests that make no sense are refused.
 */
#include "compress/aims.h"
#include "compress/known.h"
#include "io/cop/cop.h"
#include "pass/pass.h"

#include <unistd.h>

static cop_status run(cop_graph **g, cop_compress_result *r, const world *w, const cop_aims *aims, const cop_train_args *a)
{
	OK(w->cx, cop__pass_copy(g, w->net));
	return cop_compress_to(g, aims, w->train, w->valid, w->valid, a, r, NULL, NULL);
}

/* Each step begins where the last one that was kept ended, and what is left at the end is the last one kept. Where weights are coded, rounds leave some of the points to the
 * training for that, and they are coded at the end even if it was undone. */
static void check_steps(const cop_compress_result *r, const cop_aims *aims)
{
	const cop_stage_result *at = NULL;
	bool coding = false;

	assert_true(r->n_stage > 0);
	for (int i = 0; i < r->n_stage; i++) {
		const cop_stage_result *s = &r->stage[i];
		double drop = 100 * (double)(r->stage[0].accuracy[0] - s->accuracy[1]);
		if (at) assert_true(s->flash[0] == at->flash[1] && s->macs[0] == at->macs[1] && s->accuracy[0] == at->accuracy[1]);
		bool less = strstr(s->why, "the last training needs the rest");
		coding |= less || !strcmp(s->stage, "code");
		bool other = strstr(s->why, "would become") || strstr(s->why, "still be too many"); /* undone for another reason */
		assert_true(!aims->bounded || other || s->kept == (drop <= (double)aims->max_drop * (less ? 0.6 : 1) + 1e-4)); /* accuracies are floats */
		if (s->kept && !strcmp(s->stage, "code")) assert_true(s->flash[1] < s->flash[0] * (aims->flash ? 6 : 9) / 10 && s->macs[1] == s->macs[0]);
		assert_true(s->kept == !*s->why);
		if (s->kept) at = s;
	}
	assert_non_null(at);
	if (!coding || !strcmp(at->stage, "code")) assert_int_equal(r->after.figures.flash_bytes, at->flash[1]);
	else assert_true(r->after.figures.flash_bytes <= at->flash[1]);
	assert_int_equal(r->after.figures.macs, at->macs[1]);
	if (!coding) assert_int_equal(r->after.figures.file_bytes, at->bytes[1]);
}

/* What the result says of itself is what is measured of it. */
static void check_figures(const cop_graph *g, const cop_compress_result *r, const char *target)
{
	cop_target t;
	cop_figures f;
	size_t bytes;

	OK(g->cx, cop_target_find(&t, g->cx, target));
	OK(g->cx, cop_measure(&f, g, &t));
	OK(g->cx, cop__model_size(&bytes, g));
	assert_int_equal(f.flash_bytes, r->after.figures.flash_bytes);
	assert_int_equal(f.ram_bytes, r->after.figures.ram_bytes);
	assert_int_equal(bytes, r->after.figures.file_bytes);
}

static void reached(void **state)
{
	static const cop_aims row[] = {
		{.target = "cortex-m4", .flash = 14000}, {.target = "cortex-m4", .flash = 18000, .ram = 4000}, {.target = "lm3s6965evb", .macs = 12000}, {.file = 24000},
		{.target = "cortex-m4", .bounded = true, .max_drop = 60, .flash = 16000}, 
	};
	const world *w = *state;

	for (int i = 0; i < LEN(row); i++) {
		const cop_aims *a = &row[i];
		const cop_train_args t = args();
		cop_compress_result r;
		cop_graph *g;
		OK(w->cx, run(&g, &r, w, a, &t));
		if (*r.lacks) fail_msg("row %d: %s", i, r.lacks);
		const cop_figures *f = &r.after.figures;
		assert_true((!a->flash || f->flash_bytes <= a->flash) && (!a->ram || f->ram_bytes <= a->ram) && (!a->macs || f->macs <= a->macs) && (!a->file || f->file_bytes <= a->file));
		check_steps(&r, a);
		check_figures(g, &r, a->target ? a->target : "host");
		cop_graph_free(g);
	}
}

/* RAM is a peak: it falls only when every layer at the peak shrinks. */
static void ram(void **state)
{
	static const char text[] = "input 28 28 1\nconv 12 3x3 relu\nconv 12 3x3 stride 2 relu\nconv 8 3x3 stride 2\nmean\nfc 10\n";
	world w = *(const world *)*state;
	const cop_aims a = {.target = "cortex-m4", .ram = 8000};
	cop_train_args t = args();
	cop_compress_result r;
	cop_graph *g;

	t.lr = 0.01f;
	OK(w.cx, cop_network_read(&w.net, w.cx, "net", text, strlen(text), 4));
	OK(w.cx, run(&g, &r, &w, &a, &t));
	assert_string_equal(r.lacks, "");
	assert_true(r.stage[0].ram[1] > 8000 && r.after.figures.ram_bytes <= 8000);
	check_steps(&r, &a);
	cop_graph_free(g);
	cop_graph_free(w.net);
}

/* Weights of 4 bits come before codes: nothing is trained for them, and they cost neither RAM nor instructions. Codes come where they miss a limit: less than six tenths of the flash of bytes, in
 * the RAM of a small board. */
static void forms(void **state)
{
	static const struct { cop_aims a; int stages; bool kept; const char *last; } row[] = {{{.target = "cortex-m4", .flash = 3600}, 2, true, "bits"}, {{.target = "cortex-m4", .flash = 2000}, 3, true, "bits"},
		{{.target = "cortex-m4", .flash = 1600}, 4, false, "code"}, {{.target = "cortex-m4", .bounded = true, .max_drop = 50, .flash = 1200}, 0, false, "code"},
		{{.target = "cortex-m4", .bounded = true, .max_drop = 50}, 5, true, "bits"}};
	world w = *(const world *)*state;
	cop_train_args t = args();
	cop_compress_result r;
	cop_graph *g;

	t.lr = 0.001f;
	t.update = "adam";
	w.net = conv_net(&w);
	for (int i = 0; i < LEN(row); i++) {
		OK(w.cx, run(&g, &r, &w, &row[i].a, &t));
		assert_string_equal(r.lacks, "");
		const bool codes = !strcmp(row[i].last, "code");
		const cop_stage_result *s = NULL, *last = &r.stage[r.n_stage - 1];
		for (int k = 0; k < r.n_stage; k++)
			if (!strcmp(r.stage[k].stage, "bits")) s = &r.stage[k];
		while (!last->kept) last--;
		if (!s || s->kept != row[i].kept || (row[i].stages && r.n_stage != row[i].stages) || strcmp(last->stage, row[i].last)) fail_msg("row %d: %d stages, the last one kept is %s", i, r.n_stage, last->stage);
		assert_true((i == 4 || s->flash[1] < s->flash[0] * 7 / 10) && s->ram[1] <= s->ram[0] + 64 && s->macs[1] == s->macs[0] && s->instructions[1] <= s->instructions[0]);
		if (!s->kept) assert_non_null(strstr(s->why, "still be too many bytes of flash"));
		assert_int_equal(r.code != COP_CODE_NONE, codes);
		if (codes) assert_true(last->flash[1] < last->flash[0] * 6 / 10 && last->ram[1] <= 15 << 10 && last->macs[1] == last->macs[0]);
		if (i < 2) assert_true(cop__t(g, cop__find(g, "conv1.w"))->dtype == COP_I8 && cop__t(g, cop__find(g, "conv2.w"))->dtype == COP_I4);
		check_steps(&r, &row[i].a);
		check_figures(g, &r, "cortex-m4");
		cop_graph_free(g);
	}
	cop_graph_free(w.net);
}

/* Where tables miss the limit on flash and the adaptive code meets it, that one is taken, unless it takes more instructions than are allowed. */
static void adaptive(void **state)
{
	static const size_t limits[] = {1600, 880, 860};
	world w = *(const world *)*state;
	cop_train_args t = args();
	cop_compress_result r, s;
	cop_graph *g, *h;
	int n = 0;

	t.lr = 0.001f;
	t.update = "adam";
	w.net = conv_net(&w);
	for (int i = 0; i < LEN(limits); i++) {
		cop_aims a = {.target = "cortex-m4", .flash = limits[i]};
		OK(w.cx, run(&g, &r, &w, &a, &t));
		assert_string_equal(r.lacks, "");
		assert_true(r.after.figures.flash_bytes <= limits[i] && r.code != COP_CODE_NONE);
		if (!i) assert_int_equal(r.code, COP_CODE_TABLES); /* decoded faster, and good enough */
		check_figures(g, &r, "cortex-m4");
		if (r.code == COP_CODE_ADAPTIVE && !n++) {
			a.instructions = r.after.figures.instructions - 1;
			OK(w.cx, run(&h, &s, &w, &a, &t));
			assert_true(*s.lacks || s.after.figures.instructions <= a.instructions);
			assert_true(s.n_stage > r.n_stage || s.code == COP_CODE_TABLES || *s.lacks); /* it had to do more, or to give up */
			cop_graph_free(h);
		}
		cop_graph_free(g);
	}
	assert_true(n > 0);
	cop_graph_free(w.net);
}

static size_t flash_of(const cop_graph *q, const cop_target *t)
{
	cop_figures f;
	OK(q->cx, cop_measure(&f, q, t));
	return f.flash_bytes;
}

/* Seven of eight weights become zero. */
static void clear_most(cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		float *x = g->value[v].role == COP_PARAM && cop__t(g, (cop_vid)v)->rank > 1 ? cop__own(g, (cop_vid)v) : NULL;
		for (int64_t i = 0; x && i < cop_type_count(cop__t(g, (cop_vid)v)); i++)
			if (cop__rand(1, (uint32_t)v, (uint64_t)i) & 7) x[i] = 0;
	}
}

/* Of a network whose weights are mostly zero: what each code takes is measured without the aim, and limits are set between. */
static void which_code(void **state)
{
	world w = *(const world *)*state;
	cop_train_args a = args();
	cop_aims none = {.target = "cortex-m4"};
	cop_aimer z = {.cx = w.cx, .aims = &none, .m = {.train = w.train, .a = &a}, .a = &a};
	size_t took[3];
	int64_t instructions = 0;
	cop_graph *q, *g = conv_net(&w);

	OK(w.cx, cop_target_find(&z.t, w.cx, "cortex-m4"));
	clear_most(g);
	for (cop_code by = COP_CODE_NONE; by <= COP_CODE_ADAPTIVE; by++) {
		cop_coded is;
		OK(w.cx, cop__aim_final(&q, &z, g, COP_FINAL_INTEGERS, 0));
		if (by) OK(w.cx, cop_graph_code(&q, &z.t, &(cop_code_args){.by = by}, &is));
		took[by] = flash_of(q, &z.t);
		if (by == COP_CODE_ADAPTIVE) instructions = is.instructions;
		cop_graph_free(q);
	}
	if (!(took[2] + 2 < took[1] && took[1] < took[0])) fail_msg("%zu bytes of flash, %zu with tables, %zu under the adaptive code", took[0], took[1], took[2]);
	const struct { size_t flash; int64_t most; cop_code want; } rows[] = {
		{took[1], 0, COP_CODE_TABLES}, {took[1] - 1, 0, COP_CODE_ADAPTIVE}, {took[2], 0, COP_CODE_ADAPTIVE}, {took[2] - 1, 0, COP_CODE_TABLES},
		{took[2], instructions, COP_CODE_ADAPTIVE}, {took[2], instructions - 1, COP_CODE_TABLES}};
	for (int i = 0; i < LEN(rows); i++) {
		z.limit[COP_R_FLASH] = (double)rows[i].flash, z.limit[COP_R_INSTRUCTIONS] = (double)rows[i].most;
		OK(w.cx, cop__aim_final(&q, &z, g, COP_FINAL_CODED, 0));
		if (cop__aim_code(q) != rows[i].want) fail_msg("row %d: code %d", i, (int)cop__aim_code(q));
		cop_graph_free(q);
	}
	cop_graph_free(g);
}

/* Weights become one of four sizes: their code is short, and none is zero. */
static void few_values(cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		float *x = g->value[v].role == COP_PARAM && cop__t(g, (cop_vid)v)->rank > 1 ? cop__own(g, (cop_vid)v) : NULL;
		for (int64_t i = 0; x && i < cop_type_count(cop__t(g, (cop_vid)v)); i++) x[i] = copysignf(fabsf(x[i]) > 0.15f ? 0.2f : 0.1f, x[i]);
	}
}

/* Codes of weights stay within the RAM and the instructions that they may lead to, and are shorter with more of either. */
static void no_worse(void **state)
{
	world w = *(const world *)*state;
	cop_train_args a = args();
	cop_aims none = {.target = "cortex-m4", .bounded = true};
	cop_aimer z = {.cx = w.cx, .aims = &none, .m = {.train = w.train, .a = &a}, .a = &a};
	cop_graph *q, *g = conv_net(&w);
	cop_figures plain, coded, f;

	few_values(g);
	OK(w.cx, cop_target_find(&z.t, w.cx, "cortex-m4"));
	OK(w.cx, cop__aim_final(&q, &z, g, COP_FINAL_INTEGERS, 0));
	OK(w.cx, cop_measure(&plain, q, &z.t));
	cop_graph_free(q);
	OK(w.cx, cop__aim_final(&q, &z, g, COP_FINAL_CODED, 0));
	OK(w.cx, cop_measure(&coded, q, &z.t));
	cop_graph_free(q);
	if (!(coded.flash_bytes < plain.flash_bytes && coded.instructions > plain.instructions && coded.ram_bytes > plain.ram_bytes))
		fail_msg("flash %zu, %zu; instructions %lld, %lld; RAM %zu, %zu", plain.flash_bytes, coded.flash_bytes, (long long)plain.instructions, (long long)coded.instructions, plain.ram_bytes, coded.ram_bytes);
	const struct { double ram, instructions; } row[] = {{(double)plain.ram_bytes, 0}, {0, (double)(plain.instructions + coded.instructions) / 2},
		{0, (double)coded.instructions}, {(double)coded.ram_bytes, 0}};
	for (int i = 0; i < LEN(row); i++) {
		z.most_ram = row[i].ram, z.most_instructions = row[i].instructions;
		OK(w.cx, cop__aim_final(&q, &z, g, COP_FINAL_CODED, 0));
		OK(w.cx, cop_measure(&f, q, &z.t));
		if (z.most_ram > 0 && (double)f.ram_bytes > z.most_ram) fail_msg("row %d: %zu bytes of RAM", i, f.ram_bytes);
		if (z.most_instructions > 0 && (double)f.instructions > z.most_instructions) fail_msg("row %d: %lld instructions", i, (long long)f.instructions);
		if (i > 1 && f.flash_bytes > coded.flash_bytes) fail_msg("row %d: %zu bytes of flash, %zu would do", i, f.flash_bytes, coded.flash_bytes);
		if (i == 1) assert_true(f.flash_bytes < plain.flash_bytes);
		cop_graph_free(q);
	}
	cop_graph_free(g);
}

/* With a drop alone, no figure is noticeably worse than that of integers alone. */
static void free_search(void **state)
{
	const cop_aims a = {.target = "cortex-m4", .bounded = true, .max_drop = 15};
	world w = *(const world *)*state;
	cop_train_args t = args();
	cop_compress_result r;
	cop_graph *g;

	t.lr = 0.001f;
	t.update = "adam";
	w.net = conv_net(&w);
	OK(w.cx, run(&g, &r, &w, &a, &t));
	assert_string_equal(r.lacks, "");
	assert_true((double)r.after.figures.instructions <= 1.1 * (double)r.stage[0].instructions[1] && r.after.figures.flash_bytes < r.stage[0].flash[1]);
	assert_true(r.after.figures.ram_bytes <= COP_MAX(r.stage[0].ram[1], 15 << 10));
	check_steps(&r, &a);
	check_figures(g, &r, "cortex-m4");
	cop_graph_free(g);
	cop_graph_free(w.net);
}

static void not_reached(void **state)
{
	const world *w = *state;
	const cop_aims a = {.target = "cortex-m4", .bounded = true, .max_drop = 2, .flash = 600};
	const cop_train_args t = args();
	cop_compress_result r;
	cop_graph *g;

	OK(w->cx, run(&g, &r, w, &a, &t));
	assert_non_null(strstr(r.lacks, "bytes of flash, 600 are allowed"));
	assert_true(r.after.figures.flash_bytes > 600);
	check_steps(&r, &a);
	check_figures(g, &r, "cortex-m4");
	cop_graph_free(g);
}

static struct { int n; int32_t epochs[16]; } trainings;
static void note_training(void *ud, const cop_epoch *e)
{
	(void)ud;
	if (e->epoch == 1 && e->done >= 1 && trainings.n < LEN(trainings.epochs)) trainings.epochs[trainings.n++] = e->epochs;
}

/* A training that changes nothing: the first round comes once more, longer, and never again; not even where a smaller step leads to the same, as two neurons have nothing between one and both. */
static void once_more(void **state)
{
	static const struct { const char *text; int64_t macs; int least; } row[] = {{NULL, 2000, 4}, {"input 28 28 1\nflatten\nfc 2 relu\nfc 10\n", 500, 3}};

	for (int k = 0; k < LEN(row); k++) {
		world w = *(const world *)*state;
		const cop_aims a = {.target = "cortex-m4", .bounded = true, .max_drop = 1, .macs = row[k].macs, .by = "random"};
		cop_train_args t = args();
		cop_compress_result r;
		cop_graph *g;

		if (row[k].text) {
			OK(w.cx, cop_network_read(&w.net, w.cx, "net", row[k].text, strlen(row[k].text), 4));
			t.epochs = 20, t.lr = 0.05f;
			OK(w.cx, cop_train(w.net, w.train, NULL, &t));
			t.epochs = 1;
		}
		t.lr = 1e-9f, t.progress = note_training;
		trainings.n = 0;
		OK(w.cx, run(&g, &r, &w, &a, &t));
		assert_true(trainings.n == r.n_stage - 1 && trainings.epochs[1] == 4 * trainings.epochs[0]);
		check_steps(&r, &a);
		assert_true(r.n_stage >= row[k].least && r.stage[1].lacks_training && !r.stage[1].kept && strstr(r.stage[1].why, "on training samples"));
		assert_string_equal(r.stage[2].what, r.stage[1].what);
		for (int i = 3; i < r.n_stage; i++)
			for (int j = 1; j < i; j++) assert_string_not_equal(r.stage[i].what, r.stage[j].what);
		cop_graph_free(g);
		if (row[k].text) cop_graph_free(w.net);
	}
}

static void refused(void **state)
{
	static const struct { cop_aims a; const char *says; } row[] = {
		{{.target = "cortex-m4"}, "nothing is asked for"},
		{{.target = "cortex-m5", .flash = 1000}, "cortex-m5"},
		{{.target = "microbit", .ram = 20000}, "microbit has only 16384"},
		{{.target = "microbit", .flash = 1 << 20}, "has only 262144"},
		{{.target = "cortex-m4", .milliseconds = 5}, "on this machine only"},
		{{.target = "microbit", .instructions = 5000}, "no prices"},
		{{.bounded = true, .max_drop = -1}, "from 0 to 100"},
		{{.bounded = true, .max_drop = NAN}, "from 0 to 100"},
		{{.flash = 20000, .by = "weakest"}, "weakest"},
		{{.flash = 20000, .by = "movement"}, "take another score"},
	};
	const world *w = *state;
	const cop_train_args t = args();
	const cop_aims sane = {.flash = 1000};
	const cop_quantize_args q = {.limit = 20, .threads = 1};
	cop_compress_result r;
	cop_graph *g;

	for (int i = 0; i < LEN(row); i++) {
		assert_int_equal(run(&g, &r, w, &row[i].a, &t), COP_ARG);
		if (!strstr(cop_error_text(w->cx), row[i].says)) fail_msg("row %d: %s", i, cop_error_text(w->cx));
		cop_error_clear(w->cx);
		cop_graph_free(g);
	}
	OK(w->cx, cop__pass_copy(&g, w->net));
	OK(w->cx, cop_quantize(&g, w->train, &q));
	assert_int_equal(cop_compress_to(&g, &sane, w->train, w->valid, NULL, &t, &r, NULL, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(w->cx), "integers already"));
	cop_error_clear(w->cx);
	cop_graph_free(g);
}

/* ---- stopped and resumed ---- */

static volatile bool stop;
static int epochs_left;
static void count_down(void *ud, const cop_epoch *e)
{
	(void)ud;
	if (e->done >= 1 && !--epochs_left) stop = true;
}

/* Stopped in three epochs from `first` on. */
static void go_on(const world *w, const cop_aims a, int first)
{
	char base[64];
	cop_train_args t = args();
	cop_compress_result r, s;
	cop_graph *g, *part;
	size_t n, m;

	t.epochs = 2;
	OK(w->cx, run(&g, &r, w, &a, &t));
	OK(w->cx, cop__model_size(&n, g));
	snprintf(base, sizeof base, "%s/coppice-aim-%d.ckpt", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (int)getpid());
	t.checkpoint = base;
	t.progress = count_down;
	for (int at = first; at < first + 3; at++) {
		stop = false, epochs_left = at;
		t.resume = false;
		cop_ctx_stop(w->cx, &stop);
		assert_int_equal(run(&part, &s, w, &a, &t), COP_STOPPED);
		cop_error_clear(w->cx);
		cop_graph_free(part);
		stop = false, epochs_left = -1;
		t.resume = true;
		for (int again = 0; again < 2; again++) { /* the second time all is done */
			OK(w->cx, run(&part, &s, w, &a, &t));
			OK(w->cx, cop__model_size(&m, part));
			assert_int_equal(n, m);
			assert_true(s.n_stage == r.n_stage && s.code == r.code);
			for (int i = 0; i < r.n_stage; i++) assert_true(s.stage[i].accuracy[1] == r.stage[i].accuracy[1] && s.stage[i].flash[1] == r.stage[i].flash[1] && !strcmp(s.stage[i].what, r.stage[i].what));
			for (int i = 0; cop_graph_weight(g, i); i++) {
				cop_tensor x, y;
				OK(w->cx, cop_graph_tensor(g, cop_graph_weight(g, i), &x));
				OK(w->cx, cop_graph_tensor(part, cop_graph_weight(g, i), &y));
				assert_memory_equal(x.data, y.data, cop_type_bytes(&x.type));
			}
			cop_graph_free(part);
		}
		OK(w->cx, cop_checkpoint_remove(w->cx, base));
	}
	cop_ctx_stop(w->cx, NULL);
	cop_graph_free(g);
}

static void resumed(void **state)
{
	world w = *(const world *)*state;

	go_on(&w, (cop_aims){.target = "cortex-m4", .flash = 15000}, 1);
	w.net = conv_net(&w);
	go_on(&w, (cop_aims){.target = "cortex-m4", .flash = 1200}, 1); /* rounds, and a training for codes */
	go_on(&w, (cop_aims){.target = "cortex-m4", .bounded = true, .max_drop = 50}, 4); /* weights of 4 bits */
	cop_graph_free(w.net);
}

/* ---- who teaches ---- */

/* Hints that weigh next to nothing change next to nothing: the network as it came teaches beside them, in rounds and in the training for codes. */
static void hints_come_beside(void **state)
{
	static const char *const policies[] = {NULL, "hint:by=similarity,weight=1e-6", "distill:part=0.1"};
	world w = *(const world *)*state;
	cop_graph *g[LEN(policies)];
	cop_train_args t = args();

	w.net = conv_net(&w);
	for (int i = 0; i < LEN(policies); i++) {
		cop_compress_result r;
		t.policies = policies[i];
		OK(w.cx, run(&g[i], &r, &w, &(cop_aims){.target = "cortex-m4", .flash = 1200}, &t));
	}
	for (int i = 1; i < LEN(policies); i++) {
		int64_t n = 0, other = 0;
		for (int k = 0; cop_graph_weight(g[0], k); k++) {
			const char *name = cop_graph_weight(g[0], k);
			cop_vid v = cop__find(g[i], name);
			const int8_t *x = cop__dense(g[0], cop__find(g[0], name), COP_I8), *y = v ? cop__dense(g[i], v, COP_I8) : NULL;
			bool alike = y && cop__same_shape(cop__t(g[i], v), cop__t(g[0], cop__find(g[0], name)));
			for (int64_t e = 0; x && e < cop_type_count(cop__t(g[0], cop__find(g[0], name))); e++) n++, other += !alike || x[e] != y[e];
		}
		if (n < 500 || (i == 1 ? other * 200 >= n : other * 100 <= n)) fail_msg("%s: %lld weights of %lld are others", policies[i], (long long)other, (long long)n);
	}
	for (int i = 0; i < LEN(policies); i++) cop_graph_free(g[i]);
	cop_graph_free(w.net);
}

/* ---- how far a round goes ---- */

/* By hand: a round leaves 0.7. The first one that is undone for want of training (U) comes once more with four times the training; after each other one that lost
 * `drop` points it is a power of that, the root of what was allowed over what was lost, 0.25 to 0.7, and trains twice as long at least. */
static void steps_shrink(void **state)
{
	enum { U = 1 };
	static const struct { int n; double most, drop[3]; bool lacks_training[3]; double leaves; int times; } row[] = {
		{0, 1, {0}, {0}, 0.7, 1}, {1, 1, {4}, {0}, 0.83666, 2}, {1, 1, {0.5}, {0}, 0.7, 1}, /* that one was kept */ {1, 1, {1.21}, {0}, 0.77906, 2}, {1, 1, {60}, {0}, 0.91469, 2},
		{2, 1, {4, 4}, {0}, 0.91469, 2}, {2, 2, {0.5, 8}, {0}, 0.83666, 2}, {1, 0, {3}, {0}, 0.91469, 2}, {1, 1, {4}, {U}, 0.7, 4}, {2, 1, {4, 1.21}, {U}, 0.77906, 4},
		{2, 1, {4, 1.21}, {U, U}, 0.77906, 4}, {2, 1, {4, 0.5}, {U}, 0.7, 4}, {2, 1, {1.21, 4}, {0, U}, 0.77906, 4}, {3, 1, {4, 4, 4}, {U, U, U}, 0.91469, 4}};
	const world *w = *state;

	for (int i = 0; i < LEN(row); i++) {
		cop_history h = {0};
		cop_aims a = {.bounded = true, .max_drop = (float)row[i].most};
		cop_aimer z = {.cx = w->cx, .aims = &a, .h = &h, .m = {.valid = w->valid}, .first = {.accuracy = 0.9f}};
		h.result.n_stage = row[i].n + 1;
		for (int k = 0; k < row[i].n; k++) {
			cop_stage_result *s = &h.result.stage[k + 1];
			strcpy(s->stage, "prune");
			s->accuracy[1] = 0.9f - (float)row[i].drop[k] / 100;
			s->kept = row[i].drop[k] <= row[i].most;
			s->lacks_training = row[i].lacks_training[k];
		}
		const cop_round next = cop__aim_round(&z);
		if (fabs(next.leaves - row[i].leaves) > 1e-3 || next.times != row[i].times)
			fail_msg("row %d: %.5f and %d times, not %.5f and %d", i, next.leaves, next.times, row[i].leaves, row[i].times);
	}
}

/* A drop of less than one sample can't be seen, so one may be lost. */
static void one_sample(void **state)
{
	static const struct { float most, accuracy; double allowed; } row[] = {{0.5f, 0.9f, 100.0 / 150}, {0.5f, -1, 0.5}, {2, 0.9f, 2}, {0, 0.9f, 0}};
	const world *w = *state;

	for (int i = 0; i < LEN(row); i++) {
		cop_aims a = {.bounded = true, .max_drop = row[i].most};
		cop_aimer z = {.cx = w->cx, .aims = &a, .m = {.valid = w->valid}, .first = {.accuracy = row[i].accuracy}};
		assert_int_equal(w->valid->count, 150);
		assert_true(fabs(cop__aim_allowed(&z) - row[i].allowed) < 1e-6);
	}
}

static char said[1024];
static void listen(void *ud, cop_level level, const char *text) { (void)ud, (void)level; snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", text); }

/* 150 samples: one is 0.67 points. */
static void warned_of_chance(void **state)
{
	static const struct { cop_aims a; bool warns; } row[] = {{{.target = "cortex-m4", .bounded = true, .max_drop = 2, .flash = 1 << 20}, true},
		{{.target = "cortex-m4", .bounded = true, .max_drop = 3, .flash = 1 << 20}, false}, {{.target = "cortex-m4", .flash = 1 << 20}, false}};
	const world *w = *state;
	const cop_train_args t = args();

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g;
		cop_compress_result r;
		*said = 0;
		cop_ctx_log(w->cx, COP_LOG_WARN, listen, NULL);
		OK(w->cx, run(&g, &r, w, &row[i].a, &t));
		cop_ctx_log(w->cx, COP_LOG_ERROR, NULL, NULL);
		if ((strstr(said, "150 samples decide, and one of them is 0.67 points") != NULL) != row[i].warns) fail_msg("row %d: %s", i, said);
		cop_graph_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reached), cmocka_unit_test(ram), cmocka_unit_test(forms), cmocka_unit_test(adaptive), cmocka_unit_test(which_code), cmocka_unit_test(no_worse),
		cmocka_unit_test(not_reached), cmocka_unit_test(once_more), cmocka_unit_test(refused), cmocka_unit_test(resumed), cmocka_unit_test(hints_come_beside), cmocka_unit_test(steps_shrink), cmocka_unit_test(one_sample),
		cmocka_unit_test(warned_of_chance), cmocka_unit_test(free_search)};
	return cmocka_run_group_tests(tests, open_world, close_world);
}
