/* SPDX-License-Identifier: Apache-2.0
 *
 * behind.h - what a network goes through once it has been read: it is printed and read again, written and read again, changed by every
 * pass, made into its training graph, planned, run by the portable and the fast kernels, printed as C and as ONNX. Whatever is refused is
 * refused with a sentence; whatever is made satisfies the verifier. Large networks are left out: an input is to take milliseconds.
 */
#ifndef TESTS_BEHIND_H
#define TESTS_BEHIND_H

#include "fuzz.h"
#include "io/cop/cop.h"
#include "io/onnx/read.h"
#include "plan/plan.h"

enum { FUZZ_WORK = 1 << 17, FUZZ_NODES = 200 }; /* bytes of all values, and operations of all nodes */

/* A refusal has a sentence. */
static bool fuzz_refused(cop_ctx *cx, cop_status st)
{
	if (!st) return false;
	if (!*cop_error_text(cx)) abort();
	cop_error_clear(cx);
	return true;
}

/* What the library made itself is right, or there was no memory. */
static bool fuzz_made(cop_ctx *cx, cop_status st)
{
	if (st && st != COP_NOMEM) {
		fprintf(stderr, "refuses what it made: %s\n", cop_error_text(cx));
		abort();
	}
	cop_error_clear(cx);
	return !st;
}

static cop_status fuzz_into(void *ud, const void *bytes, size_t size)
{
	cop__text_bytes(ud, bytes, size);
	return ((cop_text *)ud)->status;
}

static void fuzz_round_trip(cop_ctx *cx, const cop_graph *g)
{
	cop_text a, b;
	cop_graph *again = NULL;

	cop__text_init(&a, cx);
	cop__text_init(&b, cx);
	cop_status st = cop_graph_print(g, fuzz_into, &a);
	if (!st) st = cop__graph_parse(&again, cx, a.data, a.len);
	if (!st) st = cop_graph_print(again, fuzz_into, &b);
	if (fuzz_made(cx, st) && (a.len != b.len || memcmp(a.data, b.data, a.len))) abort();
	cop_graph_free(again);
	cop__text_free(&a);
	cop__text_free(&b);
}

static bool fuzz_small(const cop_graph *g)
{
	int64_t bytes = 0, work = 0;

	for (int32_t v = 1; v <= g->n_value; v++)
		if ((bytes += (int64_t)cop_type_bytes(&g->value[v].type)) > FUZZ_WORK) return false;
	for (int32_t i = 1; i <= g->n_node; i++) {
		cop_cost c = {0};
		if (cop__op(g, (cop_nid)i)->cost) cop__op(g, (cop_nid)i)->cost(g, (cop_nid)i, &c);
		if (c.mac > FUZZ_WORK || c.flop > FUZZ_WORK || (work += c.mac + c.flop) > FUZZ_WORK) return false;
	}
	return g->n_node <= FUZZ_NODES;
}

/* From the bytes of a .cop, which everything behind begins with. */
static cop_graph *fuzz_again(cop_ctx *cx, const cop_text *file)
{
	cop_graph *g = NULL;
	return fuzz_made(cx, cop_model_read(&g, cx, file->data, file->len)) ? g : NULL;
}

static void fuzz_session(cop_plan *plan, cop_graph *g, const uint8_t *p, size_t n)
{
	cop_session *s;

	if (fuzz_refused(g->cx, cop_session_new(&s, plan, 1))) return;
	for (int32_t i = 0; i < g->n_input; i++) {
		cop_tensor x;
		if (fuzz_refused(g->cx, cop_session_io(s, 0, i, false, &x)) || !x.data) continue;
		for (size_t k = 0; k < cop_type_bytes(&x.type); k++) ((uint8_t *)x.data)[k] = n ? p[k % n] : 0;
	}
	fuzz_refused(g->cx, cop_session_run(s, 0));
	cop_session_free(s);
}

/* By the portable kernels, and by those that this machine has beside. */
static void fuzz_run(cop_ctx *cx, cop_graph *g, const char *target, const uint8_t *p, size_t n)
{
	cop_target t;
	cop_plan *plan;

	if (cop_target_find(&t, cx, target)) abort();
	t.ram = t.flash = 0;
	if (fuzz_refused(cx, cop_plan_build(&plan, &g, 1, &t))) return;
	fuzz_session(plan, g, p, n);
	cop_plan_free(plan);
}

static cop_status fuzz_nowhere(void *ud, const char *path, const void *bytes, size_t size)
{
	(void)ud, (void)bytes;
	return *path && size + 1 ? COP_OK : COP_IO;
}

static void fuzz_passes(cop_ctx *cx, const cop_text *file, uint32_t from)
{
	static const char *const word[] = {"dce", "batch:n=1", "batch:n=3", "fuse", "fold_bn", "to_train", "to_infer", "unroll", "drop_constant", "fold_pad", "shrink", "drop_softmax",
		"int8_io", "integers", "round:mode=single", "to_infer fuse shrink"};

	for (uint32_t i = from; i < LEN(word); i += 4) {
		cop_graph *g = fuzz_again(cx, file);
		if (g && !fuzz_refused(cx, cop_graph_apply(&g, word[i]))) fuzz_made(cx, cop_graph_verify(g));
		cop_graph_free(g);
	}
}

static void fuzz_train(cop_ctx *cx, const cop_text *file, const uint8_t *p, size_t n)
{
	cop_graph *g = fuzz_again(cx, file), *step;

	for (int i = 0; g && i < 2; i++) {
		if (fuzz_refused(cx, cop_graph_train(&step, g, i ? "loss=xent update=adam" : "loss=mse update=sgd momentum=0.9"))) continue;
		fuzz_made(cx, cop_graph_verify(step));
		fuzz_round_trip(cx, step);
		if (fuzz_small(step)) fuzz_run(cx, step, i ? "cortex-m4" : "host", p, n);
		cop_graph_free(step);
	}
	cop_graph_free(g);
}

static void fuzz_export(cop_ctx *cx, const cop_graph *g)
{
	cop_graph *again = NULL;
	cop_text t;

	cop__text_init(&t, cx);
	if (!fuzz_refused(cx, cop__onnx_write(&t, g)) && !fuzz_refused(cx, cop__onnx_read(&again, cx, "again.onnx", NULL, t.data, t.len, NULL))) cop_graph_free(again);
	cop__text_free(&t);
}

static void fuzz_emit(cop_ctx *cx, const cop_graph *g, const char *target)
{
	cop_target t;
	cop_emit_args a = {.name = "net"};

	if (cop_target_find(&t, cx, target)) abort();
	t.ram = t.flash = 0;
	fuzz_refused(cx, cop_emit_c(g, &t, &a, fuzz_nowhere, NULL));
}

/* p: bytes for the inputs. The checksum of what was read chooses a part of what takes long: each input takes a millisecond or two. */
static inline void fuzz_behind(cop_ctx *cx, const cop_graph *g, const uint8_t *p, size_t n)
{
	cop_graph *own;
	cop_text file;

	if (cop_graph_verify(g)) abort();
	fuzz_round_trip(cx, g);
	if (!fuzz_small(g)) return;
	cop__text_init(&file, cx);
	if (fuzz_made(cx, cop__model_write(&file, g, NULL, 0, COP_CODEC_AUTO)) && (own = fuzz_again(cx, &file))) {
		fuzz_run(cx, own, "cortex-m4", p, n);
		fuzz_run(cx, own, "host", p, n);
		fuzz_export(cx, own);
		uint32_t part = cop__crc32c(file.data, file.len, 0) % 16;
		if (part < 2) fuzz_emit(cx, own, part ? "host" : "cortex-m4");
		cop_graph_free(own);
		if (part >= 4) fuzz_passes(cx, &file, part % 4);
		else if (part >= 2) fuzz_train(cx, &file, p, n);
	}
	cop__text_free(&file);
}

#endif
