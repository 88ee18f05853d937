/* SPDX-License-Identifier: Apache-2.0
 *
 * The search for a network: what spaces hold, slices of shared weights by hand, limits that no design breaks, evolution
 * and chance, going on after a stop, and nothing that fits.
 */
#include "help.h"
#include "io/cop/checkpoint.h"
#include "search/search.h"
#include "train/policy.h"

#include <unistd.h>

enum { SIDE = 8, CLASSES = 2, N = 96, TRIED = 28 };

static volatile bool stop;
static bool stop_at_sample; /* at the next one */

/* Dark and bright pictures, or any number of random classes. */
static cop_status picture(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_dataset *d = ud;

	stop |= stop_at_sample;
	*label = i % d->classes;
	for (int64_t k = 0; k < cop_type_count(&d->x); k++)
		x[k] = cop__rand_unit(3, (uint32_t)i, (uint64_t)k) * 0.5f + 0.5f * (float)*label;
	return COP_OK;
}

static void pictures(cop_dataset *d, int32_t rank, const int32_t *dim, int32_t classes, int32_t count)
{
	*d = (cop_dataset){.name = "pictures",
	        .x = cop__type(COP_F32, rank, dim),
	        .count = count,
	        .classes = classes,
	        .get = picture,
	        .ud = d};
}

static cop_searcher searcher(
        cop_ctx *cx, const cop_search_args *s, cop_train_args *a, cop_dataset *d, cop_search_result *r)
{
	cop_searcher z = {.cx = cx, .s = s, .given = a, .a = a, .train = d, .valid = d, .few = *d, .r = r};

	z.few.count = 4;
	OK(cx, cop_target_find(&z.t, cx, "cortex-m4"));
	z.t.ram = z.t.flash = 0;
	return z;
}

/* ---- spaces ---- */

static bool within(const cop_among *p, int32_t v)
{
	for (int32_t i = 0; i < p->n; i++)
		if (p->at[i] == v) return true;
	return false;
}

/* What the text of a design says is what the row allows: kernels, depths, classes. */
static void check_text(const char *text, const cop_space *s, int32_t classes)
{
	int depth[COP_STAGES] = {0}, stage, block, k, n = 0, out = 0;

	for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
		if (sscanf(at, "s%d.b%d.dw = depthwise %dx", &stage, &block, &k) == 3 ||
		        sscanf(at, "s%d.b%d.a = conv %*d %dx", &stage, &block, &k) == 3) {
			assert_true(stage >= 1 && stage <= s->n_stage && within(&s->kernel, k));
			assert_int_equal(block, ++depth[stage - 1]);
			n++;
		}
		if (sscanf(at, "fc %d", &out) == 1) assert_int_equal(out, classes);
	}
	assert_true(n && out);
	for (int i = 0; i < s->n_stage; i++) assert_true(within(&s->depth, depth[i]));
}

/* Each weight of a small design has a place in the largest one. */
static void check_part(const cop_graph *g, const cop_graph *largest)
{
	for (cop_vid v = 1; v <= (cop_vid)g->n_value; v++) {
		if (g->value[v].role != COP_PARAM && g->value[v].role != COP_STATE) continue;
		const cop_vid of = cop__find(largest, g->value[v].name);
		assert_true(of != 0);
		assert_int_equal(cop__t(g, v)->rank, cop__t(largest, of)->rank);
		for (int i = 0; i < cop__t(g, v)->rank; i++)
			assert_true(cop__t(g, v)->dim[i] <= cop__t(largest, of)->dim[i]);
	}
}

static cop_graph *read_design(cop_ctx *cx, const cop_design *d, const cop_type *x, int32_t classes, bool check)
{
	cop_graph *g;
	cop_text t;

	cop__text_init(&t, cx);
	cop__design_text(&t, d, x, classes);
	assert_false(t.status);
	if (check) check_text(t.data, cop__space(d->space), classes);
	OK(cx, cop_network_read(&g, cx, "design", t.data, t.len, 1));
	OK(cx, cop_graph_verify(g));
	cop__text_free(&t);
	return g;
}

static void spaces(void **state)
{
	static const struct {
		int32_t rank, dim[3], in[4];
	} shape[] = {{3, {32, 32, 3}, {32, 32, 3}}, {3, {49, 10, 1}, {49, 10, 1}}, {3, {1, 28, 28}, {28, 28, 1}},
	        {2, {64, 3}, {64, 3}}};
	cop_ctx *cx = new_ctx();

	(void)state;
	for (int row = 0; cop__space(row); row++)
		for (int k = 0; k < LEN(shape); k++)
			for (int32_t i = 0; i < 2 * cop__space(row)->scale.n; i++) {
				const cop_type x = cop__type(COP_F32, shape[k].rank, shape[k].dim);
				cop_design d = {.space = row, .scale = i / 2, .shrink = i % 2};
				cop__design_end(&d, true);
				cop_graph *largest = read_design(cx, &d, &x, 7, true);
				for (int n = 0; n < 3; n++) {
					if (n) cop__design_draw(&d, 1, 2, (uint64_t)n);
					else cop__design_end(&d, false);
					cop_graph *g = read_design(cx, &d, &x, 7, true);
					check_part(g, largest);
					const cop_type *in = cop__t(g, g->input[0]);
					assert_memory_equal(
					        in->dim + 1, shape[k].in, sizeof *in->dim * (size_t)shape[k].rank);
					cop_graph_free(g);
				}
				cop_graph_free(largest);
			}
	cop_ctx_free(cx);
}

/* Widths by hand: 24 at 75 percent of 50 percent is 9, to the multiple of 4: 8; 300 percent of it is 24. */
static void widths(void **state)
{
	static const char *const says[] = {"stem = conv 12 3x3 stride 2 norm relu\n",
	        "s1.b1.up = conv 36 1x1 norm relu6\ns1.b1.dw = depthwise 3x3 stride 1 norm relu6\ns1.b1.down = conv 12 "
		"1x1 norm\ns1.b1 = add stem s1.b1.down\n",
	        "s2.b1.up = conv 48 1x1 norm relu6\ns2.b1.dw = depthwise 7x7 stride 2 norm relu6\ns2.b1.down = conv 8 "
		"1x1 norm\n",
	        "s3.b1.up = conv 24 1x1 norm relu6\n"};
	const cop_type x = cop__type(COP_F32, 3, DIMS(32, 32, 3));
	cop_ctx *cx = new_ctx();
	cop_design d = {
	        .space = 0, .scale = 2, .shrink = 1}; /* inverted, 75 percent, the stem's stride twice as large */
	cop_text t;

	(void)state;
	cop__design_end(&d, false);
	d.gene[0] = 2;                   /* the first stage has all of its width: 16 * 0.75 = 12 */
	d.gene[COP_STAGE_GENES + 2] = 2; /* the second one's block: kernel 7 ... */
	d.gene[COP_STAGE_GENES + 3] = 1; /* ... and four times as wide within */
	cop__text_init(&t, cx);
	cop__design_text(&t, &d, &x, 10);
	for (int i = 0; i < LEN(says); i++)
		if (!strstr(t.data, says[i])) fail_msg("no '%s' in\n%s", says[i], t.data);
	cop__text_free(&t);
	cop_ctx_free(cx);
}

static void settled(void **state)
{
	cop_design a = {.space = 0}, b = {.space = 0};

	(void)state;
	cop__design_end(&a, false);
	b = a;
	b.gene[4] = 1; /* of a second block, which is not there at depth 1 */
	assert_false(cop__design_same(&a, &b));
	cop__design_settle(&b);
	assert_true(cop__design_same(&a, &b));
	b.gene[1] = b.gene[4] = 1;
	cop__design_settle(&b);
	assert_int_equal(b.gene[4], 1);
}

/* ---- slices ---- */

static void slices(void **state)
{
	float big[3 * 5 * 3 * 2], small[2 * 3 * 1 * 1], before[90];
	/* [3,5,3,2]: element (o, y, x, i) is 30 o + 6 y + 2 x + i. [2,3,1,1] of it: o 0..1, y 1..3, x 1, i 0 */
	static const float want[] = {8, 14, 20, 38, 44, 50};
	const cop_tensor b = {cop__type(COP_F32, 4, DIMS(3, 5, 3, 2)), big},
	                 s = {cop__type(COP_F32, 4, DIMS(2, 3, 1, 1)), small};

	(void)state;
	for (int i = 0; i < 90; i++) before[i] = big[i] = (float)i;
	cop__slice(&s, &b, true);
	assert_memory_equal(small, want, sizeof want);
	for (int i = 0; i < 6; i++) small[i] = (float)(-1 - i);
	cop__slice(&s, &b, false);
	for (int i = 0, k = 0; i < 90; i++) {
		if (k < 6 && before[i] == want[k]) assert_true(big[i] == (float)(-1 - k++));
		else assert_true(big[i] == before[i]);
	}
	/* of a matrix and of a vector the first ones */
	const cop_tensor m = {cop__type(COP_F32, 2, DIMS(4, 6)), before},
	                 n = {cop__type(COP_F32, 2, DIMS(2, 3)), small};
	static const float first[] = {0, 1, 2, 6, 7, 8};
	cop__slice(&n, &m, true);
	assert_memory_equal(small, first, sizeof first);
	const cop_tensor v = {cop__type(COP_F32, 1, DIMS(5)), before + 10}, w = {cop__type(COP_F32, 1, DIMS(3)), small};
	cop__slice(&w, &v, true);
	assert_memory_equal(small, before + 10, 3 * sizeof(float));
}

/* Running means become those of the samples, whatever they were: here all samples are (3, -1), which the network's
 * first layer sees. */
static cop_status same(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud, (void)i;
	x[0] = 3, x[1] = -1;
	return *label = 0, COP_OK;
}

static void renorm(void **state)
{
	static const char text[] = "input 1 1 2\nn = norm\nmean\nfc 2\n";
	static const float mean[] = {3, -1}, var[] = {0, 0};
	cop_dataset d = {
	        .name = "same", .x = cop__type(COP_F32, 3, DIMS(1, 1, 2)), .count = 5, .classes = 2, .get = same};
	cop_ctx *cx = new_ctx();
	cop_train_args a = {.threads = 1};
	cop_search_args s = {0};
	cop_search_result *r = calloc(1, sizeof *r);
	cop_searcher z = searcher(cx, &s, &a, &d, r);
	cop_graph *g;
	cop_tensor t;

	(void)state;
	OK(cx, cop_network_read(&g, cx, "net", text, strlen(text), 1));
	OK(cx, cop__renorm(g, &z));
	OK(cx, cop_graph_tensor(g, "n.bn.mean", &t));
	assert_memory_equal(t.data, mean, sizeof mean);
	OK(cx, cop_graph_tensor(g, "n.bn.var", &t));
	assert_memory_equal(t.data, var, sizeof var);
	cop_graph_free(g);
	free(r);
	cop_ctx_free(cx);
}

/* ---- prices ---- */

static cop_status dark(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_dataset *d = ud;

	memset(x, 0, sizeof *x * (size_t)cop_type_count(&d->x));
	return *label = i % d->classes, COP_OK;
}

/* Multiply-accumulates by hand, of the smallest networks for 8x8x1 with 50 percent of 50 percent of the widths: the stem, each stage's first block
 * on 64, 64, 16 and 4 places, or half as many behind its stride, the last layer. */
enum {
	INVERTED = 64 * 9 * 4 + 64 * (4 * 12 + 9 * 12 + 12 * 4) + 64 * 4 * 12 + 16 * (9 * 12 + 12 * 8) + 16 * 8 * 24 + 4 * (9 * 24 + 24 * 12) +
	           4 * (12 * 36 + 9 * 36 + 36 * 16) + 16 * CLASSES,
	RESIDUAL = 64 * 9 * 4 + 64 * (4 * 4 + 4 * 4) + 16 * (4 * 4 + 4 * 8 + 4 * 8) + 4 * (8 * 8 + 8 * 16 + 8 * 16) + 16 * CLASSES
};

/* A price does not depend on what the samples are: on dark ones, channels look dead, and still count. */
static void priced(void **state)
{
	static const struct {
		int32_t space, scale;
		int64_t macs;
	} rows[] = {{0, 1, INVERTED}, {1, 0, RESIDUAL}};
	cop_ctx *cx = new_ctx();
	cop_search_args s = {0};
	cop_train_args a = {.threads = 1};
	cop_search_result *r = calloc(1, sizeof *r);
	cop_figures f[2];
	cop_dataset d;

	(void)state;
	for (int k = 0; k < LEN(rows); k++) {
		cop_design of = {.space = rows[k].space, .scale = rows[k].scale};
		cop__design_end(&of, false);
		for (int i = 0; i < 2; i++) {
			pictures(&d, 3, DIMS(SIDE, SIDE, 1), CLASSES, N);
			if (i) d.get = dark;
			cop_searcher z = searcher(cx, &s, &a, &d, r);
			OK(cx, cop__design_price(&f[i], &z, &of));
			assert_int_equal(f[i].macs, rows[k].macs);
		}
		assert_int_equal(f[1].ram_bytes, f[0].ram_bytes);
		assert_int_equal(f[1].flash_bytes, f[0].flash_bytes);
	}
	free(r);
	cop_ctx_free(cx);
}

/* ---- searches ---- */

typedef struct told {
	cop_tried t[64];
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
static void search(run *to, cop_search_args s, cop_train_args a, int stop_after)
{
	cop_ctx *cx = new_ctx();
	cop_dataset d;
	cop_graph *g;

	*to = (run){.told = {.limits = &s, .stop_after = stop_after}};
	pictures(&d, 3, DIMS(SIDE, SIDE, 1), CLASSES, N);
	stop = stop_at_sample = false;
	cop_ctx_stop(cx, &stop);
	s.target = "cortex-m4";
	s.tried = hear, s.ud = &to->told;
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
		search(&part, s, a, 0);
		if (part.st) fail_msg("%s: %s", judges[i], part.said);
		assert_int_equal(part.told.n, 5);
		for (int k = 0; k < 5; k++) {
			assert_true(part.told.t[k].score == whole.told.t[k].score &&
			            part.told.t[k].accuracy == whole.told.t[k].accuracy);
			assert_memory_equal(
			        &part.told.t[k].figures.macs, &whole.told.t[k].figures.macs, sizeof(int64_t));
		}
		assert_int_equal(part.r.n_space, whole.r.n_space);
		for (int k = 0; k < whole.r.n_space; k++)
			assert_string_equal(part.r.space[k].name, whole.r.space[k].name);
		assert_int_equal(part.file.size, whole.file.size);
		assert_memory_equal(part.file.data, whole.file.data, whole.file.size);
		free(whole.file.data), free(part.file.data);
		assert_int_not_equal(access(path, F_OK), 0);
	}
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
	cop_search_args s = {.target = "cortex-m4", .space = "residual", .ram = 8000, .flash = 16000, .draws = 2, .tries = 4, .population = 2, .epochs = 1};
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
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(spaces), cmocka_unit_test(widths),
	        cmocka_unit_test(settled), cmocka_unit_test(slices), cmocka_unit_test(renorm), cmocka_unit_test(priced),
	        cmocka_unit_test(limits),
	        cmocka_unit_test(chosen), cmocka_unit_test(ways), cmocka_unit_test(next), cmocka_unit_test(resumed), cmocka_unit_test(damaged),
	        cmocka_unit_test(shared), cmocka_unit_test(nothing_fits), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
