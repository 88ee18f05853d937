/* SPDX-License-Identifier: Apache-2.0
 *
 * wav - sounds by class as MFCC samples [49, 10, 1] (mfcc.c has the maths): a folder of <class>/x.wav, or the Free
 * Spoken Digit Dataset, whose files are {digit}_{speaker}_{index}.wav in a tar.gz or in recordings/. Its official
 * test part is index 0 to 4 of each digit and speaker. Decoding is libsndfile's, of RIFF files alone.
 */
#include "data/data.h"

#include <stdio.h>
#ifdef COP_HAVE_SNDFILE
#include <sndfile.h>
#endif

enum { MIN_RATE = 1000, MAX_RATE = 192000, MAX_CHANNELS = 16, PIECE = 1024 };
static const char ends[] = ".wav", fsdd_tar[] = "fsdd_recordings.tar.gz", fsdd_sub[] = "recordings";
static const int32_t shape[3] = {COP_MFCC_FRAMES, COP_MFCC_COEFFS, 1};

void cop__sound_free(cop_ctx *cx, cop_sound *s)
{
	cop__free(cx, s->data);
	*s = (cop_sound){0};
}

#ifdef COP_HAVE_SNDFILE
typedef struct cursor { const cop_blob *b; sf_count_t at; } cursor;

static sf_count_t io_length(void *ud) { return (sf_count_t)((cursor *)ud)->b->size; }
static sf_count_t io_tell(void *ud) { return ((cursor *)ud)->at; }
static sf_count_t io_seek(sf_count_t to, int whence, void *ud)
{
	cursor *c = ud;
	sf_count_t size = io_length(ud), base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? c->at : size;

	if (to < -base || to > size - base) return -1;
	return c->at = base + to;
}
static sf_count_t io_read(void *out, sf_count_t n, void *ud)
{
	cursor *c = ud;
	sf_count_t left = io_length(ud) - c->at;

	if (n > left) n = left;
	if (n <= 0) return 0;
	memcpy(out, c->b->bytes + c->at, (size_t)n);
	c->at += n;
	return n;
}
static sf_count_t io_write(const void *p, sf_count_t n, void *ud)
{
	(void)p, (void)n, (void)ud;
	return 0;
}

/* Mixes the channels; at most the first second, which is all that is used. */
static cop_status read_frames(cop_sound *out, SNDFILE *f, const SF_INFO *info, const cop_blob *b)
{
	float piece[PIECE * MAX_CHANNELS];
	sf_count_t n;

	out->rate = info->samplerate;
	out->data = cop__alloc(b->cx, (size_t)out->rate * sizeof *out->data);
	if (!out->data) return COP_NOMEM;
	while (out->count < out->rate && (n = sf_readf_float(f, piece, COP_MIN(PIECE, out->rate - out->count))) > 0)
		for (sf_count_t i = 0; i < n; i++) {
			float sum = 0;
			for (int c = 0; c < info->channels; c++) sum += piece[i * info->channels + c];
			/* float files may hold anything; NaN fails both comparisons */
			out->data[out->count++] = sum > -1e6f && sum < 1e6f ? sum / (float)info->channels : 0;
		}
	if (!out->count) return cop__error(b->cx, COP_FORMAT, "%s: holds no sound", b->path);
	return COP_OK;
}

cop_status cop__wav_parse(cop_sound *out, const cop_blob *b)
{
	SF_VIRTUAL_IO io = {io_length, io_seek, io_read, io_write, io_tell};
	SF_INFO info = {0};
	cursor at = {b, 0};

	*out = (cop_sound){0};
	if (b->size < 12 || memcmp(b->bytes, "RIFF", 4) || memcmp(b->bytes + 8, "WAVE", 4))
		return cop__error(b->cx, COP_FORMAT, "%s: byte 0: not a RIFF WAVE file", b->path);
	SNDFILE *f = sf_open_virtual(&io, SFM_READ, &info, &at);
	if (!f) return cop__error(b->cx, COP_FORMAT, "%s: not a valid WAV (%s)", b->path, sf_strerror(NULL));
	cop_status st;
	if (info.samplerate < MIN_RATE || info.samplerate > MAX_RATE || info.channels < 1 ||
	        info.channels > MAX_CHANNELS)
		st = cop__error(b->cx, COP_FORMAT, "%s: %d channels at %d Hz, 1 to %d at %d to %d Hz are read", b->path,
		        info.channels, info.samplerate, MAX_CHANNELS, MIN_RATE, MAX_RATE);
	else
		st = read_frames(out, f, &info, b);
	sf_close(f);
	if (st) cop__sound_free(b->cx, out);
	return st;
}
#else
cop_status cop__wav_parse(cop_sound *out, const cop_blob *b)
{
	*out = (cop_sound){0};
	return cop__error(b->cx, COP_FORMAT, "%s is sound, but this build has no libsndfile", b->path);
}
#endif

static cop_status fill(cop_store *s, int32_t at, const cop_blob *b, int32_t label)
{
	cop_sound sound;

	COP_TRY(cop__wav_parse(&sound, b));
	cop_status st = cop__mfcc(s->value + (size_t)at * s->each, s->cx, &sound);
	cop__sound_free(s->cx, &sound);
	s->label[at] = label;
	return st ? st : cop__stopped(s->cx) ? COP_STOPPED : COP_OK;
}

static cop_status fill_file(cop_store *s, int32_t at, const char *path, int32_t label)
{
	cop_blob b;

	COP_TRY(cop__blob_load(&b, s->cx, path, (size_t)256 << 20));
	cop_status st = fill(s, at, &b, label);
	cop__blob_free(&b);
	return st;
}

static cop_status open_wav(cop_store *s, const char *folder, const cop_want *w)
{
	cop_filed f = {0};
	int32_t *order = NULL, from, count;
	cop_status st;

	if (cop__is_file(folder, "")) {
		COP_TRY(cop__store_shape(s, 3, shape, true));
		COP_TRY(cop__store_room(s, 1));
		return fill_file(s, 0, folder, 0);
	}
	COP_GO(cop__filed_split(&f, &order, &from, &count, s->cx, folder, ends, w));
	COP_GO(cop__store_shape(s, 3, shape, true));
	COP_GO(cop__store_room(s, count));
	for (int32_t i = 0; i < count; i++)
		COP_GO(fill_file(s, i, f.file.at[order[from + i]], f.label[order[from + i]]));
	COP_GO(cop__store_classes(s, &f.classes));
	if (f.skipped) cop__store_say(s, "%s: %d files in class folders are no sounds (%s) and were left out", s->name, f.skipped, ends);
done:
	cop__free(s->cx, order);
	cop__filed_free(&f);
	return st;
}

/* ---- the Free Spoken Digit Dataset ---- */

/* "7_jackson_32.wav" -> 7, 32 */
static bool fsdd_name(int32_t *digit, int32_t *index, const char *name)
{
	int used = 0;

	if (sscanf(name, "%1d_%*[a-z]_%4d.wav%n", digit, index, &used) != 2 || !used || name[used]) return false;
	return *digit >= 0 && *index >= 0;
}

/* The sorted names of the part that is wanted, from the tar or the folder. */
static cop_status fsdd_names(cop_filed *out, const cop_blob *tar, cop_ctx *cx, const char *folder, bool test)
{
	char path[COP_DATA_PATH];
	cop_names all = {0};
	int32_t digit, index;
	cop_status st = COP_OK;

	if (tar) {
		cop__names_init(&all, cx);
		cop_blob e;
		bool more = true;
		for (size_t at = 0; more;) {
			COP_GO(cop__tar_next(&e, &more, tar, &at));
			if (more) COP_GO(cop__names_add(&all, cop__base_name(e.path)));
		}
		cop__names_sort(&all);
	} else {
		COP_GO(cop__path(path, cx, folder, fsdd_sub));
		COP_GO(cop__names_read(&all, cx, path, ends));
	}
	for (int32_t i = 0; i < all.count; i++)
		if (fsdd_name(&digit, &index, all.at[i]) && (index < 5) == test)
			COP_GO(cop__filed_add(out, all.at[i], digit));
done:
	cop__names_free(&all);
	return st;
}

/* Members come in any order: slot tells where a name goes, -1: nowhere. */
static cop_status fsdd_fill(
        cop_store *s, const cop_filed *f, const int32_t *slot, const cop_blob *tar, const char *folder)
{
	char sub[COP_DATA_PATH], path[COP_DATA_PATH];
	cop_blob e;
	bool more = true;

	COP_TRY(cop__path(sub, s->cx, folder, fsdd_sub));
	for (int32_t i = 0; !tar && i < f->file.count; i++) {
		if (slot[i] < 0) continue;
		COP_TRY(cop__path(path, s->cx, sub, f->file.at[i]));
		COP_TRY(fill_file(s, slot[i], path, f->label[i]));
	}
	for (size_t at = 0; tar && more;) {
		COP_TRY(cop__tar_next(&e, &more, tar, &at));
		int32_t i = more ? cop__names_find(&f->file, cop__base_name(e.path)) : -1;
		if (i >= 0 && slot[i] >= 0) COP_TRY(fill(s, slot[i], &e, f->label[i]));
	}
	return COP_OK;
}

static cop_status fsdd_read(cop_store *s, const cop_blob *tar, const char *folder, const cop_want *w)
{
	cop_filed f = {0};
	int32_t *order = NULL, *slot, n, from, count;
	cop_status st;

	cop__names_init(&f.file, s->cx);
	COP_GO(fsdd_names(&f, tar, s->cx, folder, w->split & COP_SPLIT_TEST));
	n = f.file.count;
	if (!n)
		COP_GO(cop__error(
		        s->cx, COP_FORMAT, "%s: holds no {digit}_{speaker}_{index}.wav of the split", folder));
	if (!(order = cop__alloc(s->cx, (size_t)n * 2 * sizeof *order))) {
		st = COP_NOMEM;
		goto done;
	}
	slot = order + n;
	cop__split_shuffle(order, n);
	cop__split_range(&from, &count, w, n);
	for (int32_t i = 0; i < n; i++) slot[order[i]] = i >= from && i < from + count ? i - from : -1;
	COP_GO(cop__store_shape(s, 3, shape, true));
	COP_GO(cop__store_room(s, count));
	s->d.classes = 10;
	COP_GO(fsdd_fill(s, &f, slot, tar, folder));
done:
	cop__free(s->cx, order);
	cop__filed_free(&f);
	return st;
}

static cop_status open_fsdd(cop_store *s, const char *folder, const cop_want *w)
{
	char path[COP_DATA_PATH];
	cop_blob tar;

	if (!cop__is_file(folder, fsdd_tar)) return fsdd_read(s, NULL, folder, w);
	COP_TRY(cop__path(path, s->cx, folder, fsdd_tar));
	COP_TRY(cop__blob_load(&tar, s->cx, path, (size_t)128 << 20)); /* 3,000 short recordings: 24 MB */
	cop_status st = fsdd_read(s, &tar, folder, w);
	cop__blob_free(&tar);
	return st;
}

static bool fits_fsdd(const char *path)
{
	return cop__is_file(path, fsdd_tar) || cop__is_file(path, "recordings/0_jackson_0.wav");
}
static bool fits_wav(const char *path) { return cop__ends_in(path, ends) ? cop__is_file(path, "") : cop__filed_fits(path, ends); }

const cop_data_row cop_data_fsdd = {
        .name = "fsdd",
        .classes = "0 1 2 3 4 5 6 7 8 9", .summary = "spoken digits as 49x10 MFCC, 2,700 + 300, 10 classes",
        .licence = "CC BY-SA 4.0 (Z. Jackson et al.)",
        .file = {{"fsdd_recordings.tar.gz", 15557934,
                "7b7bcf0e4d576b35121c298d35ec27fe72fbe9482ce9bf17f1db5e6c12ac7f45"}},
        .fits = fits_fsdd,
        .open = open_fsdd,
};

const cop_data_row cop_data_wav = {
	.name = "wav", .format = true, .may_be_whole = true, .summary = "a folder of <class>/*.wav, or one sound, as 49x10 MFCC of the first second",
	.licence = "", .fits = fits_wav, .open = open_wav,
};
