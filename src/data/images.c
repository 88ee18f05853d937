/* SPDX-License-Identifier: Apache-2.0
 *
 * images - a folder of PNG, JPEG, PPM and PGM files by class: <folder>/<class>/x.png, or <folder>/train/<class>/x.png with
 * test/ (or val/, valid/) beside train/; or one such file without a class. Class numbers follow the sorted names of the class folders.
 *
 * All samples have the size and the channels (grey or RGB) that the caller wants, else those of the first file, in sorted order, of
 * the part that is read - of train/ where there is one, so that all splits agree. Others are resized to it bilinearly; the note says so.
 */
#include "data/data.h"

static const char ends[] = ".png|.jpg|.jpeg|.ppm|.pgm";

/* Bilinear with the centres of the pixels aligned: source = (i + 1/2) * from / to - 1/2, clamped. */
static int32_t place(int32_t *part, int32_t i, int32_t from, int32_t to)
{
	int64_t at = (((int64_t)2 * i + 1) * from * 128) / to - 128; /* in 1/256 */

	at = COP_MIN(COP_MAX(at, 0), (int64_t)(from - 1) * 256);
	*part = (int32_t)(at & 255);
	return (int32_t)(at >> 8);
}

static void resize(uint8_t *out, int32_t h, int32_t w, const cop_pixels *p)
{
	for (int32_t y = 0; y < h; y++) {
		int32_t fy, fx, y0 = place(&fy, y, p->h, h), y1 = COP_MIN(y0 + 1, p->h - 1);
		for (int32_t x = 0; x < w; x++) {
			int32_t x0 = place(&fx, x, p->w, w), x1 = COP_MIN(x0 + 1, p->w - 1);
			for (int32_t c = 0; c < p->channels; c++) {
				const uint8_t *a = p->data + (int64_t)y0 * p->w * p->channels + c,
				              *b = p->data + (int64_t)y1 * p->w * p->channels + c;
				int32_t top = a[x0 * p->channels] * (256 - fx) + a[x1 * p->channels] * fx;
				int32_t low = b[x0 * p->channels] * (256 - fx) + b[x1 * p->channels] * fx;
				*out++ = (uint8_t)((top * (256 - fy) + low * fy + 32768) >> 16);
			}
		}
	}
}

static cop_status read_one(cop_pixels *out, cop_ctx *cx, const char *path, int32_t channels)
{
	cop_blob b;

	COP_TRY(cop__blob_load(&b, cx, path, (size_t)256 << 20));
	cop_status st = cop__pixels_parse(out, &b, channels);
	cop__blob_free(&b);
	return st;
}

/* What the caller wants, else what the picture has. */
static cop_status shape_of(cop_store *s, const cop_pixels *p, const cop_want *w)
{
	const int32_t dim[3] = {w->h ? w->h : p->h, w->w ? w->w : p->w, w->c == 1 || w->c == 3 ? w->c : p->channels};
	return cop__store_shape(s, 3, dim, false);
}

/* The first file of the part all splits share decides the shape. */
static cop_status set_shape(cop_store *s, const char *folder, const cop_want *w)
{
	char path[COP_DATA_PATH];
	cop_filed f = {0};
	cop_pixels p = {0};
	cop_status st;

	bool parts = cop__is_folder(folder, "train");
	if (parts) COP_TRY(cop__path(path, s->cx, folder, "train"));
	COP_GO(cop__filed_read(&f, s->cx, parts ? path : folder, ends));
	if (!f.file.count)
		COP_GO(cop__error(s->cx, COP_FORMAT, "%s: holds no pictures in class folders (<class>/*.png or .jpg)", parts ? path : folder));
	COP_GO(read_one(&p, s->cx, f.file.at[0], 0));
	COP_GO(shape_of(s, &p, w));
done:
	cop__pixels_free(s->cx, &p);
	cop__filed_free(&f);
	return st;
}

/* Sizes of the pictures as they are in the files. */
typedef struct sizes { int32_t h[2], w[2], resized; } sizes; /* least and most */

static cop_status fill(cop_store *s, int32_t at, const char *path, sizes *z)
{
	const int32_t *dim = s->d.x.dim;
	cop_pixels p;

	COP_TRY(read_one(&p, s->cx, path, dim[2]));
	z->resized += p.h != dim[0] || p.w != dim[1];
	z->h[0] = COP_MIN(z->h[0], p.h), z->h[1] = COP_MAX(z->h[1], p.h);
	z->w[0] = COP_MIN(z->w[0], p.w), z->w[1] = COP_MAX(z->w[1], p.w);
	resize(s->code + (size_t)at * s->each, dim[0], dim[1], &p);
	cop__pixels_free(s->cx, &p);
	return cop__stopped(s->cx) ? COP_STOPPED : COP_OK;
}

static void say(cop_store *s, const sizes *z, int32_t skipped)
{
	const int32_t *d = s->d.x.dim;

	if (z->resized && z->h[0] == z->h[1] && z->w[0] == z->w[1])
		cop__store_say(s, "%s: pictures of %dx%d (height x width) are resized to %dx%d", s->name, z->h[0], z->w[0], d[0],
			d[1]);
	else if (z->resized)
		cop__store_say(s, "%s: %d of %d pictures are resized to %dx%d (height x width); in the files they are %dx%d to %dx%d",
			s->name, z->resized, s->d.count, d[0], d[1],
			z->h[0], z->w[0], z->h[1], z->w[1]);
	if (skipped) cop__store_say(s, "%s: %d files in class folders are no pictures (%s) and were left out", s->name, skipped, ends);
}

static cop_status open_one(cop_store *s, const char *path, const cop_want *w)
{
	sizes z = {.h = {INT32_MAX}, .w = {INT32_MAX}};
	cop_pixels p;

	COP_TRY(read_one(&p, s->cx, path, 0));
	cop_status st = shape_of(s, &p, w);
	cop__pixels_free(s->cx, &p);
	if (!st) st = cop__store_room(s, 1);
	if (!st) st = fill(s, 0, path, &z);
	if (!st) say(s, &z, 0);
	return st;
}

static cop_status open_images(cop_store *s, const char *folder, const cop_want *w)
{
	cop_filed f = {0};
	int32_t *order = NULL, from, count;
	sizes z = {.h = {INT32_MAX}, .w = {INT32_MAX}};
	cop_status st;

	if (cop__is_file(folder, "")) return open_one(s, folder, w);
	COP_GO(set_shape(s, folder, w));
	COP_GO(cop__filed_split(&f, &order, &from, &count, s->cx, folder, ends, w));
	COP_GO(cop__store_room(s, count));
	for (int32_t i = 0; i < count; i++) {
		COP_GO(fill(s, i, f.file.at[order[from + i]], &z));
		s->label[i] = f.label[order[from + i]];
	}
	COP_GO(cop__store_classes(s, &f.classes));
	say(s, &z, f.skipped);
done:
	cop__free(s->cx, order);
	cop__filed_free(&f);
	return st;
}

static bool fits(const char *path) { return cop__ends_in(path, ends) ? cop__is_file(path, "") : cop__filed_fits(path, ends); }

const cop_data_row cop_data_images = {
        .name = "images",
        .format = true, .may_be_whole = true,
        .summary = "a folder of <class>/*.png, .jpg or .ppm, or of train/<class>/ and test/<class>/; or one picture",
        .licence = "",
        .fits = fits,
        .open = open_images,
};
