/* SPDX-License-Identifier: Apache-2.0
 *
 * pack - a history as a text of a checkpoint, and back. Numbers are written by their bits, so that what is read is what was there; the file
 * may have been edited by anybody, so every length is checked where it is used.
 *
 *   curve bytes, epoch bytes, layer bytes, stages; then both sides, 10 numbers each; then for each stage its name, 8 numbers (kept and lacks_training are one of them), the length of why, and why, and
 *   8 numbers, the length of what, and what;
 *   then the curve, the epochs and the layers.
 */
#include "compress/history.h"

#include <stdio.h>

/* ---- the way there ---- */

static void put_side(cop_text *t, const cop_compress_side *s)
{
	const cop_figures *f = &s->figures;
	cop__text_add(t, "%lld %lld %lld %lld %zu %zu %zu %lld %lld %lld\n", cop__real_bits((double)s->accuracy),
		(long long)f->parameters, (long long)f->nonzero, (long long)f->macs,
		f->file_bytes, f->flash_bytes, f->ram_bytes, cop__real_bits(f->energy_nj), cop__real_bits(s->microseconds), (long long)f->instructions);
}

static void put_stage(cop_text *t, const cop_stage_result *s)
{
	cop__text_add(t, "%s %lld %lld %lld %lld %zu %zu %d %lld %zu\n%s\n", s->stage, cop__real_bits((double)s->accuracy[0]),
		cop__real_bits((double)s->accuracy[1]), cop__real_bits((double)s->loss[0]),
		cop__real_bits((double)s->loss[1]), s->bytes[0], s->bytes[1], s->kept + 2 * s->lacks_training, cop__real_bits(s->seconds), strlen(s->why), s->why);
	cop__text_add(t, "%zu %zu %zu %zu %lld %lld %lld %lld %zu\n%s\n", s->flash[0], s->flash[1], s->ram[0], s->ram[1], (long long)s->macs[0], (long long)s->macs[1],
		(long long)s->instructions[0], (long long)s->instructions[1], strlen(s->what), s->what);
}

cop_status cop__history_pack(cop_text *t, const cop_history *h)
{
	const cop_compress_result *r = &h->result;

	COP_TRY(h->curve.status);
	COP_TRY(h->epochs.status);
	COP_TRY(h->layers.status);
	cop__text_add(t, "%zu %zu %zu %d\n", h->curve.len, h->epochs.len, h->layers.len, r->n_stage);
	put_side(t, &r->before);
	put_side(t, &r->after);
	for (int32_t i = 0; i < r->n_stage; i++) put_stage(t, &r->stage[i]);
	cop__text_bytes(t, h->curve.data, h->curve.len);
	cop__text_bytes(t, h->epochs.data, h->epochs.len);
	cop__text_bytes(t, h->layers.data, h->layers.len);
	return t->status;
}

/* ---- and back: *p moves on, end is a zero byte ---- */

static bool get_side(cop_compress_side *s, const char **p)
{
	long long n[10];
	int used = 0;

	if (sscanf(*p, "%lld %lld %lld %lld %lld %lld %lld %lld %lld %lld%n", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6],
		&n[7], &n[8], &n[9], &used) != 10 || (*p)[used] != '\n') return false;
	*s = (cop_compress_side){(float)cop__real_of_bits(n[0]),
		{n[1], n[2], n[3], (size_t)n[4], (size_t)n[5], (size_t)n[6], cop__real_of_bits(n[7]), n[9], 0, 0},
		cop__real_of_bits(n[8])};
	*p += used + 1;
	return true;
}

static bool get_costs(cop_stage_result *s, const char **p, const char *end)
{
	long long n[9];
	int used = 0;

	if (sscanf(*p, "%lld %lld %lld %lld %lld %lld %lld %lld %lld%n", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6],
		&n[7], &n[8], &used) != 9 || (*p)[used] != '\n') return false;
	*p += used + 1;
	if (n[8] < 0 || n[8] >= (long long)sizeof s->what || n[8] >= end - *p || (*p)[n[8]] != '\n') return false;
	memcpy(s->what, *p, (size_t)n[8]);
	*p += n[8] + 1;
	for (int i = 0; i < 2; i++) s->flash[i] = (size_t)n[i], s->ram[i] = (size_t)n[2 + i], s->macs[i] = n[4 + i], s->instructions[i] = n[6 + i];
	return true;
}

static bool get_stage(cop_stage_result *s, const char **p, const char *end)
{
	long long n[9];
	int used = 0;

	*s = (cop_stage_result){.kept = false};
	if (sscanf(*p, "%15s %lld %lld %lld %lld %lld %lld %lld %lld %lld%n", s->stage, &n[0], &n[1], &n[2], &n[3], &n[4],
		&n[5], &n[6], &n[7], &n[8], &used) != 10 || (*p)[used] != '\n') return false;
	*p += used + 1;
	if (n[8] < 0 || n[8] >= (long long)sizeof s->why || n[8] >= end - *p || (*p)[n[8]] != '\n') return false;
	memcpy(s->why, *p, (size_t)n[8]);
	*p += n[8] + 1;
	for (int i = 0; i < 2; i++) s->accuracy[i] = (float)cop__real_of_bits(n[i]), s->loss[i] = (float)cop__real_of_bits(n[2 + i]), s->bytes[i] = (size_t)n[4 + i];
	s->kept = n[6] & 1;
	s->lacks_training = n[6] & 2;
	s->seconds = cop__real_of_bits(n[7]);
	return get_costs(s, p, end);
}

static bool get_text(cop_text *t, const char **p, const char *end, size_t len)
{
	if (len > (size_t)(end - *p)) return false;
	cop__text_free(t);
	cop__text_bytes(t, *p, len);
	*p += len;
	return true;
}

static bool get_all(cop_history *h, const char *p, const char *end)
{
	cop_compress_result *r = &h->result;
	size_t curve, epochs, layers;
	int n, used = 0;

	if (sscanf(p, "%zu %zu %zu %d%n", &curve, &epochs, &layers, &n, &used) != 4 || p[used] != '\n' || n < 0 || n > COP_MAX_STAGES) return false;
	p += used + 1;
	if (!get_side(&r->before, &p) || !get_side(&r->after, &p)) return false;
	for (r->n_stage = 0; r->n_stage < n; r->n_stage++)
		if (!get_stage(&r->stage[r->n_stage], &p, end)) return false;
	return get_text(&h->curve, &p, end, curve) && get_text(&h->epochs, &p, end, epochs) && get_text(&h->layers, &p, end, layers);
}

cop_status cop__history_unpack(cop_history *h, const char *text, size_t size, const char *file)
{
	cop_text copy; /* ends in a zero byte, whatever the file holds */

	cop__text_init(&copy, h->cx);
	cop__text_bytes(&copy, text, size);
	cop__text_bytes(&copy, "", 1);
	cop_status st = copy.status;
	if (!st && !get_all(h, copy.data, copy.data + size)) st = cop__error(h->cx, COP_FORMAT, "%s: its history is damaged", file);
	if (!st) st = h->curve.status ? h->curve.status : h->epochs.status ? h->epochs.status : h->layers.status;
	cop__text_free(&copy);
	return st;
}
