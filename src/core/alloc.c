/* SPDX-License-Identifier: Apache-2.0
 *
 * alloc - memory of the context, arenas and growing arrays.
 *
 * Every piece carries its size in a header, so that the allocator is told what it gets back.
 */
#include "core/core.h"

typedef struct head { size_t size, pad; } head; /* 16 bytes: keeps malloc's alignment */

static void *no_memory(cop_ctx *cx, size_t bytes)
{
	cop__error(cx, COP_NOMEM, "out of memory: %zu bytes were asked for", bytes);
	return NULL;
}

static void *resize(cop_ctx *cx, void *p, size_t bytes)
{
	head *h = p ? (head *)p - 1 : NULL;

	if (bytes > SIZE_MAX - sizeof *h) return no_memory(cx, bytes);
	head *n = cx->alloc.fn(cx->alloc.ud, h, h ? h->size : 0, bytes + sizeof *h);
	if (!n) return no_memory(cx, bytes);
	n->size = bytes + sizeof *h;
	return n + 1;
}

void *cop__alloc(cop_ctx *cx, size_t bytes)
{
	void *p = resize(cx, NULL, bytes);
	if (p) memset(p, 0, bytes);
	return p;
}

void *cop__realloc(cop_ctx *cx, void *p, size_t old_bytes, size_t bytes)
{
	(void)old_bytes;
	return resize(cx, p, bytes);
}

void cop__free(cop_ctx *cx, void *p)
{
	if (!p) return;
	head *h = (head *)p - 1;
	cx->alloc.fn(cx->alloc.ud, h, h->size, 0);
}

void cop_free(cop_ctx *cx, void *p) { if (cx) cop__free(cx, p); }

/* The start of the piece lies just below the aligned address. */
void *cop__alloc_aligned(cop_ctx *cx, size_t bytes, size_t align)
{
	if (bytes > SIZE_MAX - align - sizeof(void *)) return no_memory(cx, bytes);
	char *p = cop__alloc(cx, bytes + align + sizeof(void *));
	if (!p) return NULL;
	uintptr_t at = ((uintptr_t)p + sizeof(void *) + align - 1) & ~(uintptr_t)(align - 1);
	memcpy((char *)at - sizeof(void *), &p, sizeof p);
	return (void *)at;
}

void cop__free_aligned(cop_ctx *cx, void *p)
{
	void *start;
	if (!p) return;
	memcpy(&start, (char *)p - sizeof(void *), sizeof start);
	cop__free(cx, start);
}

/* ---- arena: a chain of blocks, each larger than the one before; pieces are cut off the last ---- */

typedef struct cop_block { struct cop_block *prev; size_t size; } cop_block;
enum { FIRST_BLOCK = 4096, ALIGN = 64 };

void cop__arena_init(cop_arena *a, cop_ctx *cx) { *a = (cop_arena){.cx = cx}; }

static size_t align_up(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }

static cop_status new_block(cop_arena *a, size_t bytes)
{
	size_t size = a->last ? COP_MIN(a->last->size * 2, (size_t)1 << 24) : FIRST_BLOCK;

	if (bytes > SIZE_MAX / 2) return cop__error(a->cx, COP_NOMEM, "out of memory: %zu bytes were asked for", bytes);
	size = COP_MAX(size, bytes + ALIGN + sizeof(cop_block));
	cop_block *b = cop__alloc_aligned(a->cx, size, ALIGN);
	if (!b) return COP_NOMEM;
	*b = (cop_block){a->last, size};
	a->last = b;
	a->used = sizeof *b;
	return COP_OK;
}

void *cop__arena_get(cop_arena *a, size_t bytes)
{
	size_t align = bytes >= ALIGN ? ALIGN : 8, at = align_up(a->used, align);

	if (!a->last || at > a->last->size || bytes > a->last->size - at) {
		if (new_block(a, bytes)) return NULL;
		at = align_up(a->used, align);
	}
	a->used = at + bytes;
	return (char *)a->last + at; /* fresh blocks are zeroed and pieces are never reused */
}

char *cop__arena_str(cop_arena *a, const char *text, size_t len)
{
	char *s = cop__arena_get(a, len + 1);
	if (s) memcpy(s, text, len);
	return s;
}

void cop__arena_free(cop_arena *a)
{
	while (a->last) {
		cop_block *prev = a->last->prev;
		cop__free_aligned(a->cx, a->last);
		a->last = prev;
	}
	a->used = 0;
}

cop_status cop__grow(cop_ctx *cx, void *array, int32_t *cap, int32_t n, size_t size)
{
	void *p;

	if (n < *cap) return COP_OK;
	if (n > INT32_MAX / 2) return cop__error(cx, COP_NOMEM, "more than %d elements were asked for", INT32_MAX / 2);
	int32_t want = COP_MAX(n + 1, COP_MAX(16, *cap * 2));
	memcpy(&p, array, sizeof p);
	void *q = cop__realloc(cx, p, (size_t)*cap * size, (size_t)want * size);
	if (!q) return COP_NOMEM;
	memset((char *)q + (size_t)*cap * size, 0, (size_t)(want - *cap) * size);
	memcpy(array, &q, sizeof q);
	*cap = want;
	return COP_OK;
}
