/* SPDX-License-Identifier: Apache-2.0
 *
 * resume - how a recipe that was stopped goes on. Between stages three things are written: FILE, the model with the number of
 * the next stage; FILE.history, what is known so far; and within a stage FILE.stageN, the checkpoint of its training. They
 * bear the stage's number, so that what an earlier stage left behind is never taken for the present one's.
 */
#include "compress/resume.h"

#include "io/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>

static const char *path_of(char *out, size_t size, const char *base, int32_t stage)
{
	if (stage < 0) snprintf(out, size, "%s.history", base);
	else snprintf(out, size, "%s.stage%d", base, stage);
	return out;
}

const char *cop__resume_stage_path(char out[1024], const char *base, int32_t stage) { return path_of(out, 1024, base, stage); }

static bool exists(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f) fclose(f);
	return f != NULL;
}

static cop_status write_history(const cop_history *h, const char *path)
{
	const cop_text *part[] = {&h->head, &h->stages, &h->curve};
	cop_text t;

	cop__text_init(&t, h->cx);
	cop__text_add(&t, "%zu %zu %zu\n", part[0]->len, part[1]->len, part[2]->len);
	for (int i = 0; i < LEN(part); i++) cop__text_bytes(&t, part[i]->data, part[i]->len);
	cop_status st = t.status ? t.status : cop_file_write(h->cx, path, t.data, t.len);
	cop__text_free(&t);
	return st;
}

static cop_status read_history(cop_history *h, const char *path)
{
	cop_text *part[] = {&h->head, &h->stages, &h->curve};
	void *bytes;
	size_t size, len[3], at;
	int head = 0;

	COP_TRY(cop_file_read(&bytes, &size, h->cx, path, (size_t)1 << 26));
	const char *p = bytes;
	bool ok = sscanf(p, "%zu %zu %zu\n%n", &len[0], &len[1], &len[2], &head) == 3 && head > 0;
	at = (size_t)head;
	for (int i = 0; ok && i < LEN(part); at += len[i++]) {
		ok = len[i] <= size - at;
		if (!ok) break;
		cop__text_free(part[i]);
		cop__text_bytes(part[i], p + at, len[i]);
	}
	cop_free(h->cx, bytes);
	return ok ? COP_OK : cop__error(h->cx, COP_FORMAT, "%s: is not a history of this program", path);
}

cop_status cop__resume_save(const cop_graph *g, const cop_history *h, const char *base, int32_t stage, uint64_t seed)
{
	cop_number n[] = {{.name = "stage", .i = stage}, {.name = "seed", .i = (int64_t)seed}};
	char path[1024];

	if (!base) return COP_OK;
	COP_TRY(write_history(h, path_of(path, sizeof path, base, -1)));
	return cop__checkpoint_write(base, g, n, LEN(n));
}

cop_status cop__resume_load(cop_graph **g, cop_history *h, const char *base, int32_t n_stage, uint64_t seed, int32_t *stage, bool *resumed)
{
	cop_number n[] = {{.name = "stage"}, {.name = "seed"}};
	cop_graph *saved = NULL;
	cop_ctx *cx = (*g)->cx;
	char path[1024];
	void *bytes;
	size_t size;
	int found = 0;

	*stage = 0;
	*resumed = false;
	if (!base || !exists(base)) return COP_OK;
	COP_TRY(cop_file_read(&bytes, &size, cx, base, 0));
	cop_status st = cop__model_read(&saved, cx, base, bytes, size, n, LEN(n), &found);
	cop_free(cx, bytes);
	if (!st && (found != LEN(n) || n[0].i < 0 || n[0].i > n_stage)) st = cop__error(cx, COP_FORMAT, "%s: is not a checkpoint of this recipe", base);
	if (!st && n[1].i != (int64_t)seed) st = cop__error(cx, COP_ARG, "%s: was made with seed %lld; resume with the same", base, (long long)n[1].i);
	if (!st) st = read_history(h, path_of(path, sizeof path, base, -1));
	if (st) return cop_graph_free(saved), st;
	*stage = (int32_t)n[0].i;
	*resumed = true;
	cop_graph_free(*g);
	*g = saved;
	return COP_OK;
}

void cop__resume_clean(const char *base, int32_t n_stage)
{
	char path[1024];

	if (!base) return;
	remove(base);
	for (int32_t i = -1; i < n_stage; i++) remove(path_of(path, sizeof path, base, i));
}
