/* SPDX-License-Identifier: Apache-2.0
 *
 * data.h - what the readers of data sets share: a store of decoded samples, bytes with a name, file lists.
 *
 * A reader has two halves: one that finds files, and one that turns (bytes, size) into samples and trusts
 * nothing. The second is what tests/fuzz calls. A reader fills a cop_store; everything above it (splits,
 * limits, batches) sees the store alone. Public calls are in data.c.
 *
 * Splits: "test" is the set's own test part. "valid" is the last 1/12 of its training part in the order of
 * the files (5,000 of 60,000), or the part that is asked for, "train" is the rest, "train+valid" is all of it. A set that is sorted by
 * class on disk (folders, tables) is first shuffled by a fixed seed; one without a test part gives its last
 * 1/6 to "test".
 */
#ifndef COP_DATA_H
#define COP_DATA_H

#include "core/core.h"

enum { COP_SPLIT_TRAIN = 1, COP_SPLIT_VALID = 2, COP_SPLIT_TEST = 4, COP_SPLIT_ALL = 7 }; /* ALL: of a set without a part for tests */
enum {
	COP_DATA_PATH = 1024,
	COP_DATA_EACH = 1 << 24,    /* elements of one sample, at most */
	COP_DATA_CLASSES = 1 << 16,
};
#define COP_DATA_BYTES ((size_t)4 << 30) /* of one store, at most */

/* What is read, and how; the fields behind limit as in cop_data_args. */
typedef struct cop_want {
	int split;
	int32_t limit;
	cop_task task;
	const char *target;
	int32_t h, w, c, features;
	float valid;
} cop_want;

/* ---- bytes with the name that error sentences give ---- */
typedef struct cop_blob {
	cop_ctx *cx;
	const uint8_t *bytes;
	size_t size;
	char path[COP_DATA_PATH];
	void *own;
} cop_blob;
/* Reads a file; gzip and xz are unpacked, to at most max bytes (0: 1 GiB). */
cop_status cop__blob_load(cop_blob *out, cop_ctx *cx, const char *path, size_t max);
cop_status cop__blob_unpack(cop_blob *b, size_t max); /* by magic; leaves plain bytes alone */
void cop__blob_view(cop_blob *out, cop_ctx *cx, const char *path, const void *bytes, size_t size);
void cop__blob_free(cop_blob *b);

/* Walks the plain files of a tar (ustar; pax and GNU records are skipped). entry->path is the member's name.
 * *more is false past the end. */
cop_status cop__tar_next(cop_blob *entry, bool *more, const cop_blob *tar, size_t *at);

/* ---- names: of files, classes, columns ---- */
typedef struct cop_names {
	cop_ctx *cx;
	char **at;
	int32_t count, cap;
	bool by_number; /* all of them are whole numbers, sorted as such */
	cop_arena mem;
} cop_names;
/* Sorted names in a folder, those that end in one of "a|b" (NULL: sub-folders). Hidden ones are left out. */
void cop__names_init(cop_names *n, cop_ctx *cx);
cop_status cop__names_read(cop_names *out, cop_ctx *cx, const char *folder, const char *ends);
cop_status cop__names_add(cop_names *n, const char *text);
void cop__names_sort(cop_names *n);
void cop__names_unique(cop_names *n); /* sorted before */
int32_t cop__names_find(const cop_names *n, const char *text); /* -1: not there */
void cop__names_free(cop_names *n);

/* ---- the store: count samples of one shape ---- */
typedef struct cop_store cop_store;
struct cop_store {
	cop_dataset d;             /* first: what the caller holds; d.count is the number of samples */
	cop_ctx *cx;
	char name[COP_DATA_PATH];
	int32_t each, cap;         /* elements of a sample; samples there is room for */
	uint8_t *code;             /* [cap, each], x = lut[code]; or */
	float *value;              /* [cap, each], x itself */
	float lut[256];
	int32_t *label;            /* [cap] */
	float *target;             /* [cap, d.targets] */
	cop_names classes, targets;/* their names: what d.class_name and d.target_name point to */
	char note[COP_NOTE];
	/* Lazily: sample i is made when first wanted. Different i may be made at the same time. */
	uint8_t *have;
	cop_status (*make)(cop_store *s, int32_t i, uint8_t *code, float *value, int32_t *label);
	void *make_ud;
	uint64_t make_from;        /* logical index of sample 0 */
};
cop_status cop__store_new(cop_store **out, cop_ctx *cx, const char *name);
void cop__store_free(cop_store *s);
/* Rank 1 to 3; reals false: 8-bit codes, lut set to v / 255. */
cop_status cop__store_shape(cop_store *s, int32_t rank, const int32_t *dim, bool reals);
cop_status cop__store_room(cop_store *s, int32_t count); /* zeroed; count becomes d.count */
cop_status cop__store_fill(cop_store *s, int32_t i);     /* makes sample i if it is lazy */
cop_store *cop__store_of(cop_dataset *d);                /* NULL when the caller wrote the dataset */
cop_status cop__store_wrap(cop_store **out, cop_ctx *cx, cop_dataset *d); /* then: a store that copies it, sample by sample, when touched */
cop_status cop__store_stats(float *mean, float *std, cop_store *s, int32_t c); /* [c] by channel, over all samples */
cop_status cop__store_classes(cop_store *s, const cop_names *n);                       /* copies them */
cop_status cop__store_class_list(cop_store *s, const char *words); /* "cat dog": one a word; classes that are numbers so far get the word of that number */
/* Labels that are whole numbers: classes are the n different ones of seen [all], and label[] becomes their places. */
cop_status cop__store_class_numbers(cop_store *s, const int32_t *seen, int32_t all);
cop_status cop__store_targets(cop_store *s, const cop_names *n); /* after cop__store_room: makes target[] */
/* Classes by name (choose.c): "pet=cat,dog;other=*" puts them together, those in no group stay; "cat,dog" leaves out the others' samples. */
cop_status cop__store_group(cop_store *s, const char *groups);
cop_status cop__store_only(cop_store *s, const char *classes);
cop_status cop__class_marks(bool *mark /* [d->classes] */, cop_ctx *cx, const cop_dataset *d, const char *words); /* sets those of "cat,dog" */
const char *cop__class_of(char room[16], const cop_dataset *d, int32_t k); /* its name, or its number in room */
void cop__store_say(cop_store *s, const char *fmt, ...) COP_PRINTF(2, 3); /* one sentence into the note */

/* ---- splits ---- */
cop_status cop__no_all(cop_ctx *cx, const char *path); /* the set has parts of its own */
cop_status cop__split_parse(int *out, cop_ctx *cx, const char *text);
/* Samples [*from, *from + *count) of a training part of n, or of a test part of n. */
void cop__split_range(int32_t *from, int32_t *count, const cop_want *w, int32_t n);
/* For n samples without parts of their own: order (n entries) is shuffled, the range may be anything in it. */
void cop__split_mixed(int32_t *order, int32_t *from, int32_t *count, const cop_want *w, int32_t n);
/* Copies samples order[from ..] of another store, all of whose samples are there. */
cop_status cop__store_pick(cop_store *s, const cop_store *all, const int32_t *order, int32_t from, int32_t count);
void cop__split_shuffle(int32_t *order, int32_t n);

/* ---- files ---- */
bool cop__is_file(const char *folder, const char *name);
bool cop__is_folder(const char *folder, const char *name);
cop_status cop__path(char out[COP_DATA_PATH], cop_ctx *cx, const char *folder, const char *name);
const char *cop__base_name(const char *path);
bool cop__ends_in(const char *name, const char *ends); /* in one of "a|b", small or capital letters */
/* <folder>/<class>/<file>: sorted by class, then name. */
typedef struct cop_filed { cop_names file, classes; int32_t *label; int32_t cap, skipped; } cop_filed; /* skipped: files of other kinds */
cop_status cop__filed_read(cop_filed *out, cop_ctx *cx, const char *folder, const char *ends);
cop_status cop__filed_add(cop_filed *f, const char *path, int32_t label);
void cop__filed_free(cop_filed *f);
/* The files of the wanted split: from train/ and test/ (or val/, valid/) if they are there, else mixed. The
 * labels are those of all class folders, sorted. order: to be freed; entries [*from, *from + *count). */
cop_status cop__filed_split(cop_filed *out, int32_t **order, int32_t *from, int32_t *count, cop_ctx *cx,
        const char *folder, const char *ends, const cop_want *w);

bool cop__filed_fits(const char *folder, const char *ends); /* a class folder there holds such a file */

/* ---- rows of the table ---- */
typedef struct cop_data_file {
	const char *name;
	int64_t size;
	const char *sha256;
} cop_data_file; /* 0, NULL: not known */
typedef struct cop_data_row {
	const char *name, *summary, *licence;
	bool format;               /* a kind of path, not a set with a name */
	bool made;                 /* made by the program: needs no files */
	bool test_only;
	bool may_be_whole;         /* a kind of path that need not have parts of its own: split "all" takes it whole */
	const char *classes;       /* names of a set whose files have numbers, one a word */
	const char *home;          /* URL of the folder its files lie in; NULL: none that is public */
	cop_data_file file[4];
	bool (*fits)(const char *path);
	cop_status (*open)(cop_store *s, const char *path, const cop_want *w);
} cop_data_row;
extern const cop_data_row *const cop_data_rows[];
int cop__data_row_count(void);
const cop_data_row *cop__data_row(const char *name);
cop_status cop__data_default_folder(char out[COP_DATA_PATH], cop_ctx *cx); /* the user's data folder */
cop_status cop__data_file_check(cop_ctx *cx, const char *path, const cop_data_file *f); /* length and checksum */

/* Digit `index` of synth-digits into code [28, 28]; returns which it is. */
int32_t cop__synth_digit(uint8_t *code, uint64_t index);

/* ---- parsers of bytes ---- */
typedef struct cop_idx { int32_t rank, dim[4]; int64_t count; const uint8_t *data; } cop_idx; /* unsigned bytes alone */
cop_status cop__idx_parse(cop_idx *out, const cop_blob *b);
typedef struct cop_npy {
	char kind;
	int width;
	bool big;
	int32_t rank, dim[5];
	const uint8_t *data;
} cop_npy; /* kind: 'f' 'i' 'u' 'b' */
cop_status cop__npy_parse(cop_npy *out, const cop_blob *b);
double cop__npy_at(const cop_npy *a, int64_t i);
/* A whole CSV into a store with all its rows (see csv.c). like: NULL, or the store of the training part, whose columns, task and classes
 * this one shares. */
cop_status cop__csv_parse(cop_store *s, const cop_store *like, const cop_want *w, const cop_blob *b);
/* Records [from, from + count) of a CIFAR-10 batch into samples at, at + 1, ... */
enum { COP_CIFAR_RECORD = 3073 };
cop_status cop__cifar_parse(cop_store *s, int32_t at, const cop_blob *b, int32_t from, int32_t count);
/* A JPEG or PNG; pixels are h*w*channels bytes of the context, channels 1 or 3. */
typedef struct cop_pixels { int32_t h, w, channels; uint8_t *data; } cop_pixels;
cop_status cop__pixels_parse(cop_pixels *out, const cop_blob *b, int32_t channels); /* 0: as the file has */
void cop__pixels_free(cop_ctx *cx, cop_pixels *p);
/* A sound, mixed down to one channel, -1..1. */
typedef struct cop_sound { int32_t rate, count; float *data; } cop_sound;
cop_status cop__wav_parse(cop_sound *out, const cop_blob *b);
void cop__sound_free(cop_ctx *cx, cop_sound *s);
/* 49 frames of 10 coefficients of the first second (see mfcc.c). */
enum { COP_MFCC_FRAMES = 49, COP_MFCC_COEFFS = 10 };
cop_status cop__mfcc(float out[COP_MFCC_FRAMES * COP_MFCC_COEFFS], cop_ctx *cx, const cop_sound *s);

#endif
