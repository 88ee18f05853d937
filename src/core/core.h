/* SPDX-License-Identifier: Apache-2.0
 *
 * core.h - what every module may use: context, memory, errors, random numbers, bytes. No tensors here.
 */
#ifndef COP_CORE_H
#define COP_CORE_H

#include "coppice.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))
/* Arguments are evaluated twice: tools/layers.sh refuses those that change something. */
#define COP_MIN(a, b) ((a) < (b) ? (a) : (b))
#define COP_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Forward a failure. */
#define COP_TRY(expr)                                                                              \
	do {                                                                                       \
		cop_status st__ = (expr);                                                          \
		if (st__ != COP_OK) return st__;                                                   \
	} while (0)
/* The same where things must be released: needs `cop_status st` and a label done. */
#define COP_GO(expr)                                                                               \
	do {                                                                                       \
		if ((st = (expr)) != COP_OK) goto done;                                            \
	} while (0)

#if defined(__GNUC__)
#define COP_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define COP_PRINTF(f, a)
#endif

struct cop_ctx {
	cop_alloc alloc;
	cop_log_fn *log;
	void *log_ud;
	cop_level log_level;
	const volatile bool *stop;
	uint32_t isa;             /* COP_ISA_ bits this machine has, after COPPICE_ISA */
	cop_status code;          /* of the first cause */
	char text[400];
};

/* ---- errors and log ---- */
/* Records the sentence unless one is recorded already, and returns code. Name the file, byte, node or
 * option, and what was expected. */
cop_status cop__error(cop_ctx *cx, cop_status code, const char *fmt, ...) COP_PRINTF(3, 4);
cop_status cop__verror(cop_ctx *cx, cop_status code, const char *fmt, va_list ap);
void cop__error_in(cop_ctx *cx, const char *file); /* the sentence begins with the file, where it does not name it already */
void cop__log(cop_ctx *cx, cop_level level, const char *fmt, ...) COP_PRINTF(3, 4);
/* Of a call that has failed: what was recorded; where nothing was, memory was short. */
static inline cop_status cop__failed(const cop_ctx *cx) { return cx->code ? cx->code : COP_NOMEM; }
double cop__now(void); /* seconds by a clock that is never set back */
static inline bool cop__stopped(const cop_ctx *cx) { return cx->stop && *cx->stop; }

/* ---- memory ---- */
/* All return NULL and record COP_NOMEM when there is none. cop__alloc gives zeroed memory, aligned as malloc's. */
void *cop__alloc(cop_ctx *cx, size_t bytes);
void *cop__realloc(cop_ctx *cx, void *p, size_t old_bytes, size_t bytes); /* what is new is not zeroed */
void cop__free(cop_ctx *cx, void *p);
void *cop__alloc_aligned(cop_ctx *cx, size_t bytes, size_t align);        /* free with cop__free_aligned */
void cop__free_aligned(cop_ctx *cx, void *p);

/* An arena: allocate piece by piece, free whole. Zeroed, 64-byte aligned pieces from 64 bytes up, else 8. */
typedef struct cop_arena { cop_ctx *cx; struct cop_block *last; size_t used; } cop_arena;
void cop__arena_init(cop_arena *a, cop_ctx *cx);
void *cop__arena_get(cop_arena *a, size_t bytes);
char *cop__arena_str(cop_arena *a, const char *text, size_t len);
void cop__arena_free(cop_arena *a);

/* Grows a plain array (elements of `size` bytes) so that index n is valid; new room is zeroed. */
cop_status cop__grow(cop_ctx *cx, void *array, int32_t *cap, int32_t n, size_t size); /* array: address of the pointer */

/* ---- text buffer ---- */
typedef struct cop_text { cop_ctx *cx; char *data; size_t len, cap; cop_status status; } cop_text;
void cop__text_init(cop_text *t, cop_ctx *cx);
void cop__text_add(cop_text *t, const char *fmt, ...) COP_PRINTF(2, 3);
void cop__text_bytes(cop_text *t, const void *bytes, size_t size);
void cop__text_free(cop_text *t);

/* ---- a file from text and from bytes that lie elsewhere ---- */
typedef struct cop_rope_part { size_t at; const void *bytes; size_t size; } cop_rope_part; /* comes before byte `at` of the text */
typedef struct cop_rope { cop_text text; cop_rope_part *part; int32_t n, cap; size_t size; } cop_rope; /* size: of all parts */
void cop__rope_init(cop_rope *r, cop_ctx *cx);
/* not copied unless they are few: they must stay until the rope is written. A failure is in text.status */
void cop__rope_refer(cop_rope *r, const void *bytes, size_t size);
size_t cop__rope_size(const cop_rope *r);
cop_status cop__rope_write(const cop_rope *r, cop_write_fn *write, void *ud); /* piece by piece */
cop_status cop__rope_save(cop_ctx *cx, const char *path, const cop_rope *r); /* as cop_file_write */
void cop__rope_free(cop_rope *r);

/* ---- numbers and names in text, whatever the locale of the program ---- */
enum { COP_FLOAT_TEXT = 24 };
int cop__format(char *out, size_t size, const char *fmt, ...) COP_PRINTF(3, 4); /* as snprintf */
int cop__vformat(char *out, size_t size, const char *fmt, va_list ap);
float cop__float_parse(const char *text, char **end);                           /* as strtof */
double cop__real_parse(const char *text, char **end);                           /* as strtod */
/* A number by its bits: what is read back is what was there, in any locale. */
long long cop__real_bits(double v);
double cop__real_of_bits(long long bits);
const char *cop__float_print(char out[COP_FLOAT_TEXT], float v);                /* as few digits as tell v from every other float; returns out */
/* A name as one word of a graph's text: a blank, a control, '\' or '=' becomes \xHH, so does what would make it a number, a comment
 * or "_". cop__name_get undoes that into room for len + 1 and returns the length, -1 for a zero byte. */
void cop__name_put(cop_text *t, const char *name);
int cop__name_get(char *out, const char *s, int len);

/* ---- names ---- */
bool cop__match(const char *pattern, const char *name); /* '*' matches any run, '|' separates alternatives */

/* "; did you mean 'lenet-5'?", or "" where no known word is near; it ends a sentence. */
typedef struct cop_hint { char text[96]; } cop_hint;
const char *cop__hint(cop_hint *h, const char *word, cop_word_fn *known, void *ud);
/* The same among words that blanks or bars separate, each perhaps with ":kind"; of `word` len characters count. */
const char *cop__hint_in(cop_hint *h, const char *word, size_t len, const char *words);

/* ---- files ---- */
enum { COP_PATH = 4096 };
struct stat;
cop_status cop__folder_of(char folder[COP_PATH], cop_ctx *cx, const char *path); /* "a/b.cop" -> "a/", "b.cop" -> "." */
/* Where a write to `path` goes: through links, also one to nothing. there->st_mode is 0 where there is no file yet. Fails for a
 * folder, a disk and a socket. */
cop_status cop__target_of(char target[COP_PATH], struct stat *there, cop_ctx *cx, const char *path);
bool cop__sync_folder(cop_ctx *cx, const char *path); /* brings the renaming of a file to the disk; false: errno says why not */
/* Signals that ask a program to end wait from here on for this thread, as threads of the library always let them. */
typedef struct cop_signals { sigset_t set; } cop_signals;
cop_signals cop__signals_wait(void);
void cop__signals_go(const cop_signals *old);

/* ---- cpu ---- */
uint32_t cop__cpu_isa(void);                        /* what the machine has */
cop_status cop__cpu_bf16(cop_ctx *cx);        /* COP_ARG: it has no tiles of bfloat16 (COP_ISA_AMX), or COPPICE_ISA takes them away */
cop_status cop__isa_from_env(cop_ctx *cx);          /* applies COPPICE_ISA=ref|avx2|avx512|neon */

/* ---- time ---- */
double cop__seconds(void); /* since some moment; never goes back */
double cop__cpu_seconds(void); /* that all threads of the process have computed for */

/* ---- random numbers: counter-based, the same on every machine and in any order ---- */
uint32_t cop__rand(uint64_t seed, uint32_t stream, uint64_t index);
float cop__rand_unit(uint64_t seed, uint32_t stream, uint64_t index);   /* [0, 1) */
float cop__rand_normal(uint64_t seed, uint32_t stream, uint64_t index);
uint32_t cop__hash_text(const char *s);                                 /* a stream from a name */

/* ---- names to numbers ---- */
typedef struct cop_index_slot { uint32_t hash, number; } cop_index_slot;
/* begins as zeros. lost: there was no memory for it, look at every name */
typedef struct cop_index { cop_index_slot *slot; uint32_t cap, n; bool lost; } cop_index;
typedef struct cop_index_at { uint32_t hash, slot; bool begun; } cop_index_at;
cop_status cop__index_put(cop_index *x, cop_ctx *cx, const char *name, uint32_t number);  /* number > 0; a name may be put again, with another */
/* The next number (at: begins as zeros) that may have been put for the name, 0 after the last: compare the names. */
uint32_t cop__index_next(const cop_index *x, cop_index_at *at, const char *name);
void cop__index_free(cop_index *x, cop_ctx *cx);
void cop__shuffle(int32_t *v, int32_t n, uint64_t seed, uint32_t stream);

/* ---- bytes ---- */
uint32_t cop__crc32c(const void *bytes, size_t size, uint32_t crc);      /* start with 0 */
void cop__sha256(uint8_t out[32], const void *bytes, size_t size);
typedef struct cop_sha256 { uint32_t h[8]; uint64_t size; uint8_t block[64]; } cop_sha256; /* the same piece by piece */
void cop__sha256_begin(cop_sha256 *s);
void cop__sha256_more(cop_sha256 *s, const void *bytes, size_t size);
void cop__sha256_end(cop_sha256 *s, uint8_t out[32]);
static inline uint32_t cop__le32(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }
static inline uint64_t cop__le64(const uint8_t *p) { return cop__le32(p) | (uint64_t)cop__le32(p + 4) << 32; }
static inline uint32_t cop__be32(const uint8_t *p) { return (uint32_t)p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24; }
static inline void cop__put32(uint8_t *p, uint32_t v) { p[0] = (uint8_t)v; p[1] = (uint8_t)(v >> 8); p[2] = (uint8_t)(v >> 16); p[3] = (uint8_t)(v >> 24); }

#endif
