/* SPDX-License-Identifier: Apache-2.0
 *
 * The search for a network: limits that no design breaks, evolution and chance, going on after a stop, files of others, and nothing that fits.
 */
#include "io/cop/checkpoint.h"
#include "search/pictures.h"
#include "train/policy.h"

#include <unistd.h>

enum { TRIED = 28 };

/* ---- searches ---- */

typedef struct told {
	cop_tried t[64];
	cop_finalist f[COP_MOST_FINALISTS];
	int n_finished, stop_finished;
	int n, stop_after;
	const cop_search_args *limits;
} told;

static void hear(void *ud, const cop_tried *t)
{
	told *h = ud;

	assert_int_equal(t->number, h->n + 1);
	assert_true(t->figures.ram_bytes <= h->limits->ram && t->figures.flash_bytes <= h->limits->flash);
	assert_true(!h->limits->macs || t->figures.macs <= h->limits->macs);
	h->t[h->n++] = *t;
	if (h->n == h->stop_after) stop = true;
	if (h->n == -h->stop_after) stop_at_sample = true;
}

static void hear_finished(void *ud, const cop_finalist *f)
{
	told *h = ud;

	h->f[h->n_finished++] = *f;
	if (h->n_finished == h->stop_finished) stop = true;
}

typedef struct bytes {
	uint8_t *data;
	size_t size;
} bytes;
static cop_status keep(void *ud, const void *data, size_t size)
{
	bytes *b = ud;

	b->data = realloc(b->data, b->size + size);
	memcpy(b->data + b->size, data, size);
	b->size += size;
	return COP_OK;
}

/* Runs a search; the network's bytes, or its failure. */
typedef struct run {
	cop_status st;
	bytes file;
	told told;
	cop_search_result r;
	char said[400];
} run;
static int stop_finished; /* for the next search: it is stopped behind so many finalists */
static void search(run *to, cop_search_args s, cop_train_args a, int stop_after)
{
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	cop_graph *g;

	*to = (run){.told = {.limits = &s, .stop_after = stop_after, .stop_finished = stop_finished}};
	stop_finished = 0;
	pictures(&d, 3, DIMS(SIDE, SIDE, 1), CLASSES, N);
	stop = stop_at_sample = false;
	cop_ctx_stop(cx, &stop);
	s.target = "cortex-m4";
	s.tried = hear, s.finished = hear_finished, s.ud = &to->told;
	a.threads = 1;
	to->st = cop_search(&g, cx, &s, &d, &d, &a, &to->r);
	snprintf(to->said, sizeof to->said, "%s", cop_error_text(cx));
	assert_true(!to->st == !!g);
	if (g) OK(cx, cop_model_write(g, keep, &to->file));
	if (!to->st && a.checkpoint) OK(cx, cop_checkpoint_remove(cx, a.checkpoint));
	cop_graph_free(g);
	cop_ctx_free(cx);
}

static const cop_search_args small = {.ram = 8000, .flash = 16000, .draws = 4, .tries = 8, .population = 3};
static const cop_train_args brief = {.epochs = 1, .batch = 16, .seed = 5};

/* No design breaks a limit (hear), and what was foretold of the best is what the plan of the trained network says. */
static void limits(void **state)
{
	static run r;
	cop_search_args s = small;

	(void)state;
	for (int row = 0; cop__space(row); row++) {
		s.space = cop__space(row)->row.name;
		s.judge = "macs";
		s.finalists = 1;
		s.macs = 150000;
		search(&r, s, brief, 0);
		if (r.st) fail_msg("%s: %s", s.space, r.said);
		assert_int_equal(r.told.n, 8);
		const cop_figures *f = &r.told.t[r.r.best - 1].figures;
		assert_int_equal(r.r.figures.ram_bytes, f->ram_bytes);
		assert_in_range(r.r.figures.flash_bytes, f->flash_bytes - f->flash_bytes / 50,
		        f->flash_bytes); /* channels that training left dead are gone */
		assert_true(r.r.figures.macs <= f->macs && !*r.r.lacks);
		for (int i = 0; i < r.told.n; i++) assert_true(r.told.t[i].score <= r.r.score);
		free(r.file.data);
	}
}

/* Of spaces whose networks fit, the one with the most work is searched. */
static void chosen(void **state)
{
	static run r;
	cop_search_args s = small;
	int n = 0;

	(void)state;
	s.judge = "macs";
	search(&r, s, brief, 0);
	assert_false(r.st);
	const cop_search_space *best = NULL;
	for (int i = 0; i < r.r.n_space; i++) {
		const cop_search_space *of = &r.r.space[i];
		assert_true(of->fit <= of->drawn && of->drawn <= 4 && (of->fit || of->drawn == 1));
		if (of->chosen) best = of, n++;
	}
	assert_int_equal(n, 1);
	for (int i = 0; i < r.r.n_space; i++)
		assert_true(r.r.space[i].fit < 2 ||
		            r.r.space[i].macs <= best->macs); /* of those of which more than the smallest fits */
	free(r.file.data);
}

/* Chance asks for no scores; evolution gets further with as many tries. */
static void ways(void **state)
{
	static run r[3];
	cop_search_args s = small;

	(void)state;
	s.tries = TRIED, s.population = 8, s.space = "inverted", s.judge = "macs";
	search(&r[0], s, brief, 0);
	s.by = "random";
	search(&r[1], s, brief, 0);
	s.judge = "snip";
	search(&r[2], s, brief, 0);
	for (int i = 0; i < 3; i++) assert_false(r[i].st);
	double sum[2] = {0};
	for (int i = 8; i < TRIED; i++) sum[0] += (double)r[0].told.t[i].score, sum[1] += (double)r[1].told.t[i].score;
	if (!(sum[0] > 1.1 * sum[1])) fail_msg("evolution %g, chance %g", sum[0] / (TRIED - 8), sum[1] / (TRIED - 8));
	for (int i = 0; i < TRIED; i++) assert_int_equal(r[1].told.t[i].figures.macs, r[2].told.t[i].figures.macs);
	for (int i = 0; i < 8; i++)
		assert_int_equal(
		        r[0].told.t[i].figures.macs, r[1].told.t[i].figures.macs); /* the first generation is chance */
	for (int i = 0; i < 3; i++) free(r[i].file.data);
}

/* What is tried next fits, is new, and is a choice of its space. */
static void next(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_search_args s = {.population = 6, .tries = 30, .ram = 8000, .flash = 9000};
	cop_train_args a = {.threads = 1, .seed = 2};
	cop_search_result *r = calloc(1, sizeof *r);
	cop_judged_design all[30];
	cop_dataset d;
	bool more;

	(void)state;
	pictures(&d, 3, DIMS(SIDE, SIDE, 1), CLASSES, N);
	cop_searcher z = searcher(cx, &s, &a, &d, r);
	z.of = (cop_design){.space = 1};
	z.tried = all;
	for (; z.n_tried < 30; z.n_tried++) {
		cop_judged_design *j = &all[z.n_tried];
		OK(cx, cop__next_design(j, &more, &z));
		assert_true(more && j->figures.ram_bytes <= 8000 && j->figures.flash_bytes <= 9000);
		for (int i = 0; i < COP_GENES; i++) assert_true(j->d.gene[i] < cop__gene_choices(cop__space(1), i));
		for (int i = 0; i < z.n_tried; i++) assert_false(cop__design_same(&all[i].d, &j->d));
		j->score = (float)j->figures.macs;
	}
	free(r);
	cop_ctx_free(cx);
}

/* Stopped in every phase and resumed: the same designs, the same bits. */
static void resumed(void **state)
{
	static const char *const judges[] = {"train", "shared", "grad-norm"};
	static run whole, part;
	char path[] = "/tmp/cop_search_XXXXXX";
	cop_train_args a = brief;
	cop_search_args s = small;

	(void)state;
	assert_true(mkstemp(path) >= 0);
	unlink(path);
	s.space = "separable", s.draws = 2, s.tries = 5, s.epochs = 2;
	for (int i = 0; i < LEN(judges); i++) {
		s.judge = judges[i];
		a.checkpoint = NULL, a.resume = false;
		search(&whole, s, a, 0);
		if (whole.st) fail_msg("%s: %s", judges[i], whole.said);
		a.checkpoint = path;
		search(&part, s, a, i ? 2 : -2); /* between two designs, or within the training of one */
		assert_int_equal(part.st, COP_STOPPED);
		assert_non_null(strstr(part.said, "stopped behind design 2 of 5"));
		assert_int_equal(access(path, R_OK), 0);
		a.resume = true;
		search(&part, s, a, 5); /* told again of two; stopped behind the last one, before the best is trained */
		assert_int_equal(part.st, COP_STOPPED);
		s.tries = 6;
		search(&part, s, a, 0);
		assert_int_equal(part.st, COP_ARG); /* the checkpoint is another search's */
		assert_non_null(strstr(part.said, "tries"));
		s.tries = 5;
		stop_finished = 2;
		search(&part, s, a, 0); /* within the finalists */
		assert_int_equal(part.st, COP_STOPPED);
		assert_int_equal(part.told.n_finished, 2);
		search(&part, s, a, 0);
		if (part.st) fail_msg("%s: %s", judges[i], part.said);
		assert_int_equal(part.told.n, 5);
		for (int k = 0; k < 5; k++) {
			assert_true(part.told.t[k].score == whole.told.t[k].score &&
			            part.told.t[k].accuracy == whole.told.t[k].accuracy);
			assert_memory_equal(
			        &part.told.t[k].figures.macs, &whole.told.t[k].figures.macs, sizeof(int64_t));
		}
		assert_true(part.told.n_finished == 3 && whole.told.n_finished == 3);
		for (int k = 0; k < 3; k++)
			assert_true(part.told.f[k].number == whole.told.f[k].number && part.told.f[k].accuracy[1] == whole.told.f[k].accuracy[1]);
		assert_int_equal(part.r.n_space, whole.r.n_space);
		for (int k = 0; k < whole.r.n_space; k++)
			assert_string_equal(part.r.space[k].name, whole.r.space[k].name);
		assert_int_equal(part.file.size, whole.file.size);
		assert_memory_equal(part.file.data, whole.file.data, whole.file.size);
		free(whole.file.data), free(part.file.data);
		assert_int_not_equal(access(path, F_OK), 0);
	}
}

/* Finalists are those with the best scores, in order. What is found is the one that is best in int8, and is the network that it is where it alone is trained. */
static void finalists(void **state)
{
	static run r[2];
	static const uint64_t seeds[] = {2, 5};
	cop_search_args s = small;
	cop_train_args a = brief;
	int changed = 0;

	(void)state;
	s.space = "separable", s.draws = 2, s.tries = 6, s.judge = "grad-norm", a.epochs = 6, a.update = "adam", a.lr = 0.003f;
	for (int i = 0; i < LEN(seeds); i++) {
		a.seed = seeds[i];
		s.finalists = 4;
		search(&r[0], s, a, 0);
		s.finalists = 1;
		search(&r[1], s, a, 0);
		assert_true(!r[0].st && !r[1].st && r[0].r.n_finalist == 4 && r[1].r.n_finalist == 1 && r[0].told.n_finished == 4);
		const cop_finalist *f = r[0].r.finalist, *best = f;
		for (int k = 0; k < 4; k++) {
			int above = 0;
			for (int t = 0; t < r[0].told.n; t++) above += r[0].told.t[t].score > r[0].told.t[f[k].number - 1].score;
			assert_int_equal(above, k);
			assert_int_equal(f[k].best, k == 0 || f[k].accuracy[1] > best->accuracy[1]);
			if (f[k].accuracy[1] > best->accuracy[1]) best = &f[k];
		}
		assert_int_equal(r[0].r.best, best->number);
		assert_true(r[0].r.accuracy[0] == best->accuracy[0] && r[0].r.accuracy[1] == best->accuracy[1] && r[0].r.score == r[0].told.t[best->number - 1].score);
		assert_true(r[1].r.best == f[0].number && r[1].r.accuracy[1] == f[0].accuracy[1]);
		changed += best != f;
		assert_int_equal(r[0].file.size == r[1].file.size && !memcmp(r[0].file.data, r[1].file.data, r[0].file.size), best == f);
		free(r[0].file.data), free(r[1].file.data);
	}
	assert_int_equal(changed, 1); /* the first is the best with one seed, and is not with the other */
}

/* One whose training diverges is told of and left behind; where all do, that is the failure. */
static void diverged(void **state)
{
	static run r;
	cop_search_args s = small;
	cop_train_args a = brief;

	(void)state;
	s.space = "separable", s.draws = 2, s.tries = 4, s.judge = "macs", s.finalists = 2, a.lr = 1e30f;
	search(&r, s, a, 0);
	assert_int_equal(r.st, COP_DIVERGED);
	assert_true(r.told.n_finished == 1 && r.told.f[0].accuracy[0] < 0 && !r.told.f[0].best);
}

/* A checkpoint of the ten spaces of a row, of which the third is searched, and of one design; `from` becomes `to`. */
static void write_kept(const cop_searcher *z, const char *from, const char *to, int64_t spaces, int64_t tried)
{
	char text[1000] = "", wrong[1000];
	cop_graph *g;

	for (int i = 0; i < 10; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%d %d 1 1 0 %d\n", 50 + i / 2 * 25, 1 + i % 2, i == 2);
	for (int i = 0; i < COP_GENES; i++) strcat(text, "0");
	strcat(text, " 0 0 10 11 12 7000 6000 0\n");
	const char *at = strstr(text, from);
	assert_non_null(at);
	snprintf(wrong, sizeof wrong, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	const cop_number n[] = {{.name = "spaces", .i = spaces}, {.name = "tried", .i = tried}, {.name = "search", .text = wrong, .size = strlen(wrong)}};
	OK(z->cx, cop_network_read(&g, z->cx, "kept", "input 2\nfc 2\n", 13, 1));
	OK(z->cx, cop__checkpoint_write(z->a->checkpoint, g, z->run.data, n, LEN(n)));
	cop_graph_free(g);
}

/* What a checkpoint says is looked at: the right one is read, each wrong one is refused. */
static void damaged(void **state)
{
	static const struct {
		const char *from, *to;
		int64_t spaces, tried;
	} rows[] = {{"", "", 10, 1}, {"", "", 10, 0}, {"", "", 9, 0}, {"", "", 11, 0}, {"", "", COP_MOST_SPACES + 1, 0}, {"", "", -1, 0}, {"", "", 10, 2}, {"", "", 10, 100},
	        {"", "", 10, -1}, {"50 1 ", "60 1 ", 10, 1}, {"50 1 ", "50 2 ", 10, 1}, {"75 1 1 1 0 1", "75 1 1 1 0 0", 10, 1}, {"75 2 1 1 0 0", "75 2 1 1 0 1", 10, 1},
	        {"50 1 1 1", "50 1 3 1", 10, 1}, {"50 1 1 1", "50 1 1 2", 10, 1}, {"50 1", "x", 10, 1}, {"\n0000", "\n3000", 10, 1}, {"\n0000", "\n/000", 10, 1},
	        {"\n00000", "\n00001", 10, 1}, {" 11 ", " -11 ", 10, 1}, {"7000 ", "17000 ", 10, 1}, {"7000 6000 0\n", "7000", 10, 1}};
	char path[] = "/tmp/cop_search_XXXXXX";
	cop_ctx *cx = new_ctx();
	cop_search_args s = {.target = "cortex-m4", .space = "residual", .ram = 8000, .flash = 16000, .draws = 2, .tries = 4, .population = 2, .epochs = 1, .finalists = 3};
	cop_train_args a = {.threads = 1, .checkpoint = path, .resume = true};
	cop_search_result *r = calloc(1, sizeof *r);
	cop_dataset d;
	bool chosen;

	(void)state;
	assert_true(mkstemp(path) >= 0);
	unlink(path);
	pictures(&d, 3, DIMS(SIDE, SIDE, 1), CLASSES, N);
	for (int i = 0; i < LEN(rows); i++) {
		cop_train_args own = a;
		cop_searcher z = searcher(cx, &s, &a, &d, r);
		z.a = &own;
		OK(cx, cop__search_begin(&z));
		write_kept(&z, rows[i].from, rows[i].to, rows[i].spaces, rows[i].tried);
		const cop_status st = cop__search_load(&z, &chosen);
		if (st != (i < 2 ? COP_OK : COP_FORMAT)) fail_msg("'%s' for '%s', %d spaces, %d tried: %d", rows[i].to, rows[i].from, (int)rows[i].spaces, (int)rows[i].tried, st);
		assert_true(chosen == !st);
		if (!st) assert_true(z.of.space == 1 && z.of.scale == 1 && z.of.shrink == 0 && z.n_tried == rows[i].tried && !strcmp(r->space[9].name, "residual"));
		cop_error_clear(cx);
		cop__text_free(&z.run);
		cop_free(cx, z.tried);
	}
	s.ram = 100; /* of the space that it names, nothing fits */
	cop_train_args own = a;
	cop_searcher z = searcher(cx, &s, &a, &d, r);
	z.a = &own;
	OK(cx, cop__search_begin(&z));
	write_kept(&z, "", "", 10, 0);
	cop_graph *g;
	assert_int_equal(cop_search(&g, cx, &s, &d, &d, &a, NULL), COP_BUDGET);
	assert_non_null(strstr(cop_error_text(cx), "no network of the space residual fits, although"));
	cop__text_free(&z.run);
	unlink(path);
	free(r);
	cop_ctx_free(cx);
}

/* The shared weights learn: each design has them, and tells dark from bright by them; small ones were trained as well
 * as the largest. */
static void shared(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_search_args s = {.epochs = 16};
	cop_train_args a = {.epochs = 1,
	        .batch = 16,
	        .threads = 1,
	        .seed = 3,
	        .lr = 0.003f,
	        .update = "adam",
	        .schedule = "constant"};
	cop_search_result *r = calloc(1, sizeof *r);
	cop_dataset d;
	pictures(&d, 3, DIMS(SIDE, SIDE, 1), CLASSES, N);
	cop_searcher z = searcher(cx, &s, &a, &d, r);

	(void)state;
	z.of = (cop_design){.space = 2}; /* separable, narrow */
	OK(cx, cop__shared_train(&z));
	for (int i = 0; i < 4; i++) {
		cop_judged_design j = {.d = z.of};
		if (i < 2) cop__design_end(&j.d, i);
		else cop__design_draw(&j.d, 1, 9, (uint64_t)i);
		OK(cx, cop__judge_shared(&j, &z));
		if (!(j.accuracy > 0.9f)) fail_msg("design %d: %g", i, (double)j.accuracy);
	}
	cop_graph_free(z.shared);
	free(r);
	cop_ctx_free(cx);
}

/* Nothing fits: the nearest, and what it lacks. */
static void nothing_fits(void **state)
{
	static run r;
	cop_search_args s = small;

	(void)state;
	s.ram = 100;
	s.space = "inverted, separable";
	search(&r, s, brief, 0);
	assert_int_equal(r.st, COP_BUDGET);
	assert_int_equal(r.told.n, 0);
	assert_non_null(strstr(r.said, "no network fits"));
	assert_non_null(strstr(r.said, "bytes of RAM, 100 are allowed"));
	assert_non_null(strstr(r.r.lacks, "bytes of RAM, 100 are allowed"));
	assert_int_equal(strncmp(r.r.network, "input 8 8 1\nstem = conv ", 24), 0);
	assert_true(r.r.figures.ram_bytes > 100 && r.r.figures.ram_bytes < 1500);
	for (int i = 0; i < r.r.n_space; i++) assert_true(r.r.space[i].drawn == 1 && !r.r.space[i].fit);
}

static void refused(void **state)
{
	static const struct {
		cop_search_args s;
		const char *says;
	} rows[] = {
	        {{.target = "cortex-m4", .space = "residul"}, "there is no space 'residul'"},
	        {{.target = "cortex-m4", .by = "luck"}, "there is no way 'luck'"},
	        {{.target = "cortex-m4", .judge = "trian"}, "did you mean 'train'"},
	        {{.target = "cortex-m5"}, "target 'cortex-m5' is not known"},
	        {{.target = "cortex-m4", .ram = 1u << 30}, "of RAM are allowed, but cortex-m4 has only"},
	        {{.target = "host", .instructions = 5}, "no prices of kernels"},
	        {{.tries = -1}, "must not be negative"},
	        {{.finalists = COP_MOST_FINALISTS + 1}, "there may be 1 to 16"},
	        {{.keep_shared = true}, "only the judge shared"},
	        {{.space = ""}, "no space is named"},
	};
	cop_train_args a = {.threads = 1};
	cop_ctx *cx = new_ctx();
	cop_graph *g;
	cop_dataset d, flat, bare;

	(void)state;
	pictures(&d, 3, DIMS(SIDE, SIDE, 1), CLASSES, N);
	pictures(&flat, 1, DIMS(9), CLASSES, N);
	bare = d, bare.classes = 0;
	for (int i = 0; i < LEN(rows); i++) {
		assert_true(cop_search(&g, cx, &rows[i].s, &d, &d, &a, NULL) == COP_ARG && !g);
		if (!strstr(cop_error_text(cx), rows[i].says))
			fail_msg("'%s' is not in '%s'", rows[i].says, cop_error_text(cx));
		cop_error_clear(cx);
	}
	assert_int_equal(cop_search(&g, cx, &(cop_search_args){0}, &bare, &bare, &a, NULL), COP_ARG);
	cop_error_clear(cx);
	assert_int_equal(cop_search(&g, cx, &(cop_search_args){0}, &flat, &flat, &a, NULL), COP_SHAPE);
	cop_error_clear(cx);
	assert_int_equal(cop_search(&g, cx, &(cop_search_args){0}, &d, NULL, &a, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "needs a validation set"));
	cop_error_clear(cx);
	assert_int_equal(cop_search(&g, cx, &(cop_search_args){.judge = "macs", .finalists = 2}, &d, NULL, &a, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "2 finalists are compared on a validation set"));
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(limits), cmocka_unit_test(chosen), cmocka_unit_test(ways), cmocka_unit_test(next), cmocka_unit_test(finalists), cmocka_unit_test(diverged), cmocka_unit_test(resumed), cmocka_unit_test(damaged),
	        cmocka_unit_test(shared), cmocka_unit_test(nothing_fits), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
