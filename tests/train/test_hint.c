/* SPDX-License-Identifier: Apache-2.0
 *
 * Values within a network that learn from values within a teacher: the losses and their gradients against PyTorch, which values belong
 * together, what is refused, the linear map that is trained beside the network, runs that are stopped, and recipes that prune and round.
 */
#include "compress/known.h"
#include "pass/pass.h"
#include "train/alike.h"
#include "train/hint_reference.h"
#include "train/loss/hint.h"
#include "train/policy.h"
#include "train/policy/pairs.h"

#include <unistd.h>

/* ---- losses ---- */

/* The formula of make_hint_reference.py. */
static float value_of(int64_t i, int k)
{
	uint32_t h = (uint32_t)i * 2654435761u + (uint32_t)k * 40503u;
	h = (h ^ h >> 15) * 2246822519u;
	h = (h ^ h >> 13) * 3266489917u;
	return (float)(2 * (double)(h ^ h >> 16) / 4294967296.0 - 1);
}

static void fill(float *to, int64_t n, int k)
{
	for (int64_t i = 0; i < n; i++) to[i] = value_of(i, k);
}

/* y = x z, where z stands for a value within the network. */
static cop_graph *bare(cop_ctx *cx)
{
	cop_type t = cop__type(COP_F32, 4, DIMS(N, H, W, FEW));
	cop_graph *g;
	float z[N * H * W * FEW];

	fill(z, LEN(z), 1);
	OK(cx, cop__graph_new(&g, cx, "bare"));
	cop_vid x = cop__input(g, "x", &t);
	OK(cx, cop__output(g, cop__apply(g, OP_mul, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, cop__data(g, COP_PARAM, "z", &t, z))), "y"));
	return g;
}

/* Of the gradients that the trainer has, that of the tensor. */
static const float *gradient(cop_trainer *t, const char *of)
{
	const char *name;
	cop_tensor grad;

	for (int i = 0; (name = cop_trainer_gradient(t, i, &grad)); i++)
		if (!strcmp(name, of)) return grad.data;
	return NULL;
}

static void close_to(int i, const char *what, const float *got, const float *want, int n)
{
	if (!got) fail_msg("case %d: there is no gradient by %s", i, what);
	for (int k = 0; k < n; k++)
		if (fabsf(got[k] - want[k]) > 2e-6f) fail_msg("case %d: gradient %d by %s is %g, PyTorch has %g", i, k, what, (double)got[k], (double)want[k]);
}

static void values(void **state)
{
	float v[N * H * W * MANY];
	(void)state;
	cop_ctx *cx = new_ctx();

	fill(v, LEN(v), 2);
	for (int i = 0; i < LEN(reference); i++) {
		const cop_loss *loss = &cop_hint_rows[reference[i].row].loss;
		cop_type t = cop__type(COP_F32, 4, DIMS(N, H, W, reference[i].more ? MANY : FEW));
		cop_graph *g = bare(cx);
		cop_build *b;
		cop_trainer *tr;
		cop_tensor w;
		float got;
		OK(cx, cop__build_new(&b, g, 0, 0));
		OK(cx, cop__build_spec(b, "momentum=0 layers=z"));
		cop__build_no_terms(b);
		OK(cx, cop__build_term(b, &(cop_term){.loss = loss, .y = cop__build_value(b, "z"), .target = cop__build_state(b, "v", &t, v, NULL)}));
		OK(cx, cop__trainer_new(&tr, b, 1, true));
		const bool map = !reference[i].row && reference[i].more;
		assert_int_equal(cop__trainer_named(tr, "beside1.w", &w) == COP_OK, map);
		cop_error_clear(cx);
		if (map) {
			fill(w.data, MANY * FEW, 3);
			OK(cx, cop__trainer_named(tr, "beside1.b", &w));
			fill(w.data, MANY, 4);
		}
		OK(cx, cop_trainer_gradients(tr, &got));
		if (fabsf(got - reference[i].loss) > 1e-6f) fail_msg("case %d: %s is %g, PyTorch has %g", i, loss->row.name, (double)got, (double)reference[i].loss);
		close_to(i, "z", gradient(tr, "z"), reference[i].dz, N * H * W * FEW);
		if (map) close_to(i, "w", gradient(tr, "beside1.w"), reference[i].dw, MANY * FEW), close_to(i, "b", gradient(tr, "beside1.b"), reference[i].db, MANY);
		cop_trainer_free(tr);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* A channel, and a whole value, of zeros has no direction to learn, and spoils nothing. */
static void zeros(void **state)
{
	float v[N * H * W * FEW];
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_type t = cop__type(COP_F32, 4, DIMS(N, H, W, FEW));

	fill(v, LEN(v), 2);
	for (int i = 0; i < COP_HINTS; i++) {
		cop_graph *g = bare(cx);
		cop_build *b;
		cop_trainer *tr;
		float loss;
		memset(cop__own(g, cop__find(g, "z")), 0, sizeof(float) * N * H * W * FEW);
		OK(cx, cop__build_new(&b, g, 0, 0));
		OK(cx, cop__build_spec(b, "momentum=0"));
		cop__build_no_terms(b);
		OK(cx, cop__build_term(b, &(cop_term){.loss = &cop_hint_rows[i].loss, .y = cop__build_value(b, "z"), .target = cop__build_state(b, "v", &t, v, NULL)}));
		OK(cx, cop__trainer_new(&tr, b, 1, true));
		OK(cx, cop_trainer_gradients(tr, &loss));
		const float *dz = gradient(tr, "z");
		for (int k = 0; k < N * H * W * FEW; k++) assert_true(isfinite(dz[k]) && (!i || dz[k] == 0));
		assert_true(isfinite(loss) && loss > 0);
		cop_trainer_free(tr);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* ---- which values belong together ---- */

static const char big_text[] = "input 8 8 1\na = conv 6 3x3 norm relu\nb = conv 6 3x3 norm\nadd b a relu\nc = conv 10 3x3 stride 2 norm relu\nd = conv 12 3x3 norm relu\nmean\ne = fc 9 relu\nf = fc 4\n";
static const char small_text[] = "input 8 8 1\na = conv 3 3x3 norm relu\nc = conv 5 3x3 stride 2 norm relu\nmaxpool 2\ng = conv 5 3x3 relu\nmean\ne = fc 7 relu\nf = fc 4\n";

static cop_graph *written(cop_ctx *cx, const char *name, const char *text)
{
	cop_graph *g;
	OK(cx, cop_network_read(&g, cx, name, text, strlen(text), 1));
	return g;
}

static void pairs(void **state)
{
	static const struct { const char *at; int32_t positions; const char *pairs, *says; } row[] = {
		{"", 1, "a<b c<d e<e ", NULL}, {"", 2, "a<b c<d ", NULL}, {"a", 1, "a<a ", NULL}, {"a>b|c>d.w", 1, "a<b c<d ", NULL}, {"c.w>c", 2, "c<c ", NULL},
		{"f", 1, "f<f ", NULL}, {"g>c", 0, "g<c ", NULL}, {"", 0, "a<b c<d e<e ", NULL},
		{"aa", 1, NULL, "the network 'small' has no layer 'aa'"}, {"c.v", 1, NULL, "did you mean 'c.w'"}, {"g", 1, NULL, "the teacher 'big' has no layer 'g'"},
		{"a>aa", 1, NULL, "the teacher 'big' has no layer 'aa'"}, {"g>c", 1, NULL, "'g.w' puts out 2x2x5 and the teacher's 'c.w' 4x4x10"},
		{"e", 2, NULL, "'e.w' puts out 7, a single position"}};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *s = written(cx, "small", small_text), *t = written(cx, "big", big_text);
	cop_build *b;

	OK(cx, cop__build_new(&b, s, 2, 0));
	OK(cx, cop__build_spec(b, ""));
	for (int i = 0; i < LEN(row); i++) {
		static cop_pairs found;
		const cop_graph *as;
		char text[200] = "";
		OK(cx, cop__build_teacher(b, t, &as));
		cop_status st = cop__pairs(&found, &(cop_pairing){cop__build_model(b), as, row[i].positions, row[i].at});
		for (int k = 0; !st && k < found.n; k++)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s<%.*s ", (int)strcspn(found.at[k].of, "."), found.at[k].of,
				(int)strcspn(found.at[k].from, "."), found.at[k].from);
		if (row[i].says ? !st || !strstr(cop_error_text(cx), row[i].says) : st || strcmp(text, row[i].pairs)) fail_msg("at=%s: '%s' %s", row[i].at, text, cop_error_text(cx));
		cop_error_clear(cx);
	}
	cop__build_free(b);
	cop_graph_free(s);
	cop_graph_free(t);
	cop_ctx_free(cx);
}

/* A layer puts out what stands behind its batch norm, sum and activation: of the residual block that is never negative, in either graph. */
static void behind_the_sum(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = written(cx, "big", big_text);
	cop_build *b;
	const cop_graph *as, *model;
	static cop_pairs found;

	OK(cx, cop__build_new(&b, g, 2, 0));
	OK(cx, cop__build_teacher(b, g, &as));
	model = cop__build_model(b);
	OK(cx, cop__pairs(&found, &(cop_pairing){model, as, 1, "b"}));
	const cop_nid s = model->value[found.at[0].student].producer, t = as->value[found.at[0].teacher].producer;
	assert_int_equal(model->node[s].op, OP_clip);
	assert_int_equal(as->node[t].op, OP_add); /* with the bounds of the clip */
	cop__build_free(b);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- trainings ---- */

static char file[64], ckpt[64];

/* mlp-784x12x10 with a teacher of 20 hidden units, whose first layer is what is learnt. */
static void save_teacher(cop_ctx *cx)
{
	cop_graph *g;
	OK(cx, cop_zoo_build(&g, cx, "mlp-784x20x10", &(cop_zoo_args){.batch = 1, .seed = 4}));
	OK(cx, cop_model_save(g, file));
	cop_graph_free(g);
}

static const char *policies(const char *format)
{
	static char text[300];
	snprintf(text, sizeof text, format, file, file);
	return text;
}

static cop_status watch_loss(void *ud, const cop_progress *p, cop_verdict *v)
{
	(void)v;
	*(float *)ud = p->loss;
	return COP_OK;
}

static float trained(cop_graph *g, const char *names, const char *update)
{
	cop_dataset d = alike(16);
	cop_train_args a = base;
	float loss = 0;
	const cop_policy watch = {.name = "watch", .ud = &loss, .after = watch_loss};

	a.policies = names, a.epochs = 10, a.update = update, a.lr = 0.02f;
	OK(g->cx, cop__train(g, &d, NULL, &a, "train", &watch, 1));
	return loss;
}

/* Beside any part of `distill`, in any order, and its weights stay out of the network. */
static void beside(void **state)
{
	static const struct { const char *policies; float least, most; } row[] = {
		{"hint:teacher=%s,by=fitnet,weight=1", 0, 0.1f}, {"distill:teacher=%s,part=1;hint:teacher=%s,by=fitnet,weight=1", 1, 99},
		{"hint:teacher=%s,by=fitnet,weight=1;distill:teacher=%s,part=1", 1, 99}, {"distill:teacher=%s,part=1", 1, 99}};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g[LEN(row)];

	save_teacher(cx);
	for (int i = 0; i < LEN(row); i++) {
		g[i] = net(cx);
		float loss = trained(g[i], policies(row[i].policies), "sgd momentum=0.9");
		if (!(loss >= row[i].least && loss <= row[i].most)) fail_msg("%s: the loss is %g", row[i].policies, (double)loss);
		for (int32_t v = 1; v <= g[i]->n_value; v++) assert_null(strstr(g[i]->value[v].name ? g[i]->value[v].name : "", "beside"));
	}
	float off[2] = {0};
	for (int i = 0; i < 12 * 784; i++)
		for (int k = 0; k < 2; k++)
			off[k] = fmaxf(off[k], fabsf(cop__floats(g[1], cop__find(g[1], "fc1.w"))[i] - cop__floats(g[2 + k], cop__find(g[2 + k], "fc1.w"))[i]));
	if (!(off[0] < 1e-4f && off[1] > 1e-3f)) fail_msg("weights are %g apart by the order, %g by the hint", (double)off[0], (double)off[1]);
	for (int i = 0; i < LEN(row); i++) cop_graph_free(g[i]);
	unlink(file);
	cop_ctx_free(cx);
}

/* The linear map learns where the network may not; a network without it stays far from the teacher. */
static void map_alone(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx), *was = net(cx);

	save_teacher(cx);
	float loss = trained(g, policies("hint:teacher=%s,by=fitnet,at=fc1,weight=10"), "sgd momentum=0.9 layers=fc2.b");
	assert_memory_equal(cop__floats(g, cop__find(g, "fc1.w")), cop__floats(was, cop__find(was, "fc1.w")), 12 * 784 * 4);
	if (loss > 1) fail_msg("the loss is %g", (double)loss);
	cop_graph_free(g);
	cop_graph_free(was);
	unlink(file);
	cop_ctx_free(cx);
}

/* The same teacher of two policies is in the training once; another one is not it. */
static void once(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *s = net(cx), *t = net(cx);
	const cop_graph *as[3];
	cop_build *b;

	((float *)cop__own(t, cop__find(t, "fc2.b")))[3] = 1;
	OK(cx, cop__build_new(&b, s, 4, 0));
	for (int i = 0; i < 3; i++) {
		OK(cx, cop__build_teacher(b, i == 1 ? t : s, &as[i]));
		assert_true(cop__build_taught(b, as[i], as[i]->output[0]));
	}
	assert_ptr_equal(as[0], as[2]);
	assert_ptr_not_equal(as[0], as[1]);
	assert_string_equal(cop__build_name(b, cop__build_taught(b, as[2], as[2]->output[0])), "teacher.y");
	assert_string_equal(cop__build_name(b, cop__build_taught(b, as[1], as[1]->output[0])), "teacher2.y");
	cop__build_free(b);
	cop_graph_free(s);
	cop_graph_free(t);
	cop_ctx_free(cx);
}

typedef struct change { int32_t at_epoch; int64_t stop_at; volatile bool stop; } change;

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	change *c = ud;
	(void)v;
	if (p->step == c->stop_at) c->stop = true;
	return COP_OK;
}

static cop_status epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	if (p->epoch == ((change *)ud)->at_epoch) *v = COP_REBUILD;
	return COP_OK;
}

/* Stopped and gone on with, a run ends with the same bits: the linear map and what the rule of updates keeps for it are in the checkpoint, also
 * behind a change of the channels that it reads. */
static void resumed(void **state)
{
	static const struct { const char *policies, *update; int32_t change; int64_t stop; } row[] = {
		{"hint:teacher=%s,by=fitnet", "sgd momentum=0.9", -1, 6}, {"hint:teacher=%s,by=fitnet", "adam", -1, 5}, {"hint:teacher=%s,by=similarity", "sgd momentum=0.9", -1, 6},
		{"hint:teacher=%s,by=fitnet;ema:decay=0.9", "adam", 0, 6}, {"hint:by=fitnet", "sgd momentum=0.9", 0, 7}};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);

	save_teacher(cx);
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g[2] = {net(cx), net(cx)};
		for (int k = 0; k < 2; k++) {
			change c = {row[i].change, k ? row[i].stop : -1, false};
			const cop_policy p = {.name = "change", .ud = &c, .after = after, .epoch = epoch, .rebuild = slice};
			cop_train_args a = base;
			a.policies = policies(row[i].policies), a.epochs = 4, a.lr = 0.01f, a.update = row[i].update, a.checkpoint = k ? ckpt : NULL;
			unlink(ckpt);
			cop_ctx_stop(cx, &c.stop);
			assert_int_equal(cop__train(g[k], &d, NULL, &a, "train", &p, 1), k ? COP_STOPPED : COP_OK);
			if (!k) continue;
			cop_error_clear(cx);
			cop_graph_free(g[k]);
			g[k] = net(cx);
			c = (change){row[i].change, -1, false};
			a.resume = true;
			OK(cx, cop__train(g[k], &d, NULL, &a, "train", &p, 1));
		}
		assert_int_equal(cop__t(g[0], cop__find(g[0], "fc1.w"))->dim[0], row[i].change < 0 ? 12 : 9);
		if (!same(g[0], g[1])) fail_msg("%s, %s: other bits", row[i].policies, row[i].update);
		cop_graph_free(g[0]);
		cop_graph_free(g[1]);
	}
	unlink(ckpt);
	unlink(file);
	cop_ctx_free(cx);
}

static void refused(void **state)
{
	static const struct { const char *policies, *says; } row[] = {
		{"hint:by=atention", "'attention'"}, {"hint:by=fitnet,wait=2", "weight"}, {"hint:weight=0", "weight"}, {"hint", "by=fitnet and by=similarity compare other values"},
		{"hint:by=fitnet,at=fc3", "did you mean 'fc1'"}, {"hint:teacher=/nowhere/big.cop", "/nowhere/big.cop"}};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g = net(cx), *was = net(cx);
		cop_train_args a = base;
		a.policies = row[i].policies;
		cop_status st = cop__train(g, &d, NULL, &a, "train", NULL, 0);
		if (!st || !strstr(cop_error_text(cx), row[i].says)) fail_msg("%s: %s", row[i].policies, cop_error_text(cx));
		cop_error_clear(cx);
		assert_true(same(g, was));
		cop_graph_free(g);
		cop_graph_free(was);
	}
	cop_ctx_free(cx);
}

/* Each allocation of making the training graph fails in turn: that is said, and nothing is lost. */
typedef struct memory { int64_t calls, fail_at; size_t held; } memory;

static void *counted(void *ud, void *p, size_t osize, size_t nsize)
{
	memory *m = ud;
	if (nsize && ++m->calls == m->fail_at) return NULL;
	m->held += nsize - osize;
	if (nsize) return realloc(p, nsize);
	free(p);
	return NULL;
}

static cop_status make(const cop_graph *g)
{
	cop_policy p[2];
	cop_arena mem;
	cop_build *b = NULL;
	cop_graph *made = NULL;
	int n = 0;

	cop__arena_init(&mem, g->cx);
	cop_status st = cop__policies_read(p, &n, 2, &mem, "hint:by=fitnet,at=fc1;hint:by=similarity");
	if (!st) st = cop__build_new(&b, g, 2, 0);
	if (!st) st = cop__build_spec(b, "");
	for (int i = 0; !st && i < n; i++) st = p[i].build(p[i].ud, b);
	if (!st) st = cop__build_graph(&made, b, COP_PART_STEP);
	cop_graph_free(made);
	cop__build_free(b);
	cop__arena_free(&mem);
	return st;
}

static void no_memory(void **state)
{
	memory m = {0};
	const cop_alloc a = {counted, &m};
	cop_ctx *cx;
	cop_graph *g;
	cop_status st = COP_NOMEM;
	int failed = 0;
	(void)state;

	assert_int_equal(cop_ctx_new(&cx, &a), COP_OK);
	OK(cx, cop_zoo_build(&g, cx, "mlp-9x3x2", &(cop_zoo_args){.height = 3, .width = 3, .channels = 1, .classes = 2, .seed = 3}));
	for (int64_t i = 1; st; i++) {
		m.calls = 0, m.fail_at = i;
		st = make(g);
		if (st && st != COP_NOMEM) fail_msg("allocation %d: %s", (int)i, cop_error_text(cx));
		failed += st != COP_OK;
		cop_error_clear(cx);
	}
	assert_true(failed > 20);
	cop_graph_free(g);
	cop_ctx_free(cx);
	assert_int_equal(m.held, 0);
}

/* A recipe that takes channels out, and then rounds: each stage has the teacher, whose linear map is as wide as the network is by then. */
static void recipe(void **state)
{
	static const char stages[] = "- prune: {keep: 0.5, what: channel, epochs: 2, lr: 0.01, may_cost: 100, must_gain: 0}\n- slim: {macs: 0.6, epochs: 2, lr: 0.01, may_cost: 100, must_gain: 0}\n"
		"- qat: {weights: 4, lr: 0.01, epochs: 1, may_cost: 100, must_gain: 0}";
	uint32_t stream = 1;
	cop_dataset d = known_noise(&stream, 64);
	cop_graph *g[2], *teacher;

	if (!known_parts()) skip();
	OK(*state, cop_zoo_build(&teacher, *state, "mlp-16x40x32x3", &(cop_zoo_args){.classes = 3, .seed = 5}));
	OK(*state, cop_model_save(teacher, file));
	cop_graph_free(teacher);
	for (int i = 0; i < 2; i++) {
		cop_train_args a = known_args;
		a.policies = i ? policies("hint:teacher=%s,by=fitnet,at=fc1|fc2") : NULL;
		OK(*state, cop_zoo_build(&g[i], *state, "mlp-16x24x24x3", &(cop_zoo_args){.classes = 3, .seed = 3}));
		OK(*state, known_compress(&g[i], stages, &d, &d, NULL, &a, NULL));
		assert_true(cop__has(g[i]) & COP_HAS_INTEGERS);
		assert_true(cop__t(g[i], cop__find(g[i], "fc1.w"))->dim[0] < 24);
	}
	const cop_vid w = cop__find(g[0], "fc1.w"), v = cop__find(g[1], "fc1.w");
	assert_true(cop_type_bytes(cop__t(g[0], w)) != cop_type_bytes(cop__t(g[1], v)) || memcmp(g[0]->value[w].data, g[1]->value[v].data, cop_type_bytes(cop__t(g[0], w))));
	cop_graph_free(g[0]);
	cop_graph_free(g[1]);
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(zeros), cmocka_unit_test(pairs), cmocka_unit_test(behind_the_sum), cmocka_unit_test(beside),
		cmocka_unit_test(map_alone), cmocka_unit_test(once), cmocka_unit_test(resumed), cmocka_unit_test(refused), cmocka_unit_test(no_memory), KNOWN_TEST(recipe)};

	snprintf(file, sizeof file, "/tmp/coppice-hint-%d.cop", (int)getpid());
	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-hint-%d.ckpt", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
