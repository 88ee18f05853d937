/* SPDX-License-Identifier: Apache-2.0
 *
 * pixels - one JPEG, PNG, PPM or PGM (P6, P5; P3, P2 as digits) to 8-bit pixels, told apart by their first bytes. A PNG's alpha is dropped, 16 bits
 * become 8, palettes are resolved. At most 16 Mi values are decoded.
 */
#include "data/data.h"

#include <setjmp.h>
#include <stdio.h>
#ifdef COP_HAVE_JPEG
#include <jpeglib.h>
#endif
#ifdef COP_HAVE_PNG
#include <png.h>
#endif

void cop__pixels_free(cop_ctx *cx, cop_pixels *p)
{
	cop__free(cx, p->data);
	*p = (cop_pixels){0};
}

static cop_status room(cop_pixels *out, const cop_blob *b, uint32_t h, uint32_t w, int32_t channels)
{
	if (!h || !w || h > 65535 || w > 65535 || (uint64_t)h * w * (uint32_t)channels > COP_DATA_EACH)
		return cop__error(b->cx, COP_FORMAT, "%s: an image of %ux%ux%d, at most %d values are read", b->path, h,
		        w, channels, COP_DATA_EACH);
	*out = (cop_pixels){(int32_t)h, (int32_t)w, channels, cop__alloc(b->cx, (size_t)h * w * (size_t)channels)};
	return out->data ? COP_OK : COP_NOMEM;
}

#ifdef COP_HAVE_JPEG
typedef struct jpeg_fail { struct jpeg_error_mgr mgr; jmp_buf back; char text[JMSG_LENGTH_MAX]; } jpeg_fail;

static void jpeg_stop(j_common_ptr j)
{
	jpeg_fail *f = (jpeg_fail *)j->err;
	f->mgr.format_message(j, f->text);
	longjmp(f->back, 1);
}

static void jpeg_say_nothing(j_common_ptr j) { (void)j; }

/* A warning means that the data are damaged: no picture is better than half of one. */
static void jpeg_warn(j_common_ptr j, int level)
{
	if (level < 0) jpeg_stop(j);
}

/* Between setjmp and longjmp only *out and *j change, which are not locals. */
static cop_status jpeg_run(
        cop_pixels *out, struct jpeg_decompress_struct *j, jpeg_fail *f, const cop_blob *b, int32_t channels)
{
	if (setjmp(f->back)) return cop__error(b->cx, COP_FORMAT, "%s: not a valid JPEG (%s)", b->path, f->text);
	jpeg_create_decompress(j);
	jpeg_mem_src(j, b->bytes, (unsigned long)b->size);
	jpeg_read_header(j, TRUE);
	j->out_color_space = channels == 1 || (!channels && j->num_components == 1) ? JCS_GRAYSCALE : JCS_RGB;
	COP_TRY(room(out, b, j->image_height, j->image_width, j->out_color_space == JCS_GRAYSCALE ? 1 : 3));
	jpeg_start_decompress(j);
	while (j->output_scanline < j->output_height) {
		JSAMPROW row = out->data + (size_t)j->output_scanline * (size_t)out->w * (size_t)out->channels;
		jpeg_read_scanlines(j, &row, 1);
	}
	jpeg_finish_decompress(j);
	return COP_OK;
}

static cop_status read_jpeg(cop_pixels *out, const cop_blob *b, int32_t channels)
{
	struct jpeg_decompress_struct j = {0};
	jpeg_fail f;

	j.err = jpeg_std_error(&f.mgr);
	f.mgr.error_exit = jpeg_stop;
	f.mgr.output_message = jpeg_say_nothing;
	f.mgr.emit_message = jpeg_warn;
	f.text[0] = 0;
	cop_status st = jpeg_run(out, &j, &f, b, channels);
	jpeg_destroy_decompress(&j);
	return st;
}
#else
static cop_status read_jpeg(cop_pixels *out, const cop_blob *b, int32_t channels)
{
	(void)out, (void)channels;
	return cop__error(b->cx, COP_FORMAT, "%s is JPEG, but this build has no libjpeg", b->path);
}
#endif

#ifdef COP_HAVE_PNG
static cop_status read_png(cop_pixels *out, const cop_blob *b, int32_t channels)
{
	png_image im = {.version = PNG_IMAGE_VERSION};

	if (!png_image_begin_read_from_memory(&im, b->bytes, b->size))
		return cop__error(b->cx, COP_FORMAT, "%s: not a valid PNG (%s)", b->path, im.message);
	if (!channels) channels = im.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1;
	im.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
	cop_status st = room(out, b, im.height, im.width, channels);
	const png_color black = {0, 0, 0}; /* what lies behind transparent pixels */
	if (!st && !png_image_finish_read(&im, &black, out->data, 0, NULL))
		st = cop__error(b->cx, COP_FORMAT, "%s: not a valid PNG (%s)", b->path, im.message);
	png_image_free(&im);
	return st;
}
#else
static cop_status read_png(cop_pixels *out, const cop_blob *b, int32_t channels)
{
	(void)out, (void)channels;
	return cop__error(b->cx, COP_FORMAT, "%s is PNG, but this build has no libpng", b->path);
}
#endif

/* The next number of a head, behind blanks and comments; -1: there is none. */
static int32_t head_number(const cop_blob *b, size_t *at)
{
	int32_t v = 0, digits = 0;

	while (*at < b->size && strchr(" \t\r\n#", b->bytes[*at]) && b->bytes[*at]) {
		if (b->bytes[*at] == '#') while (*at < b->size && b->bytes[*at] != '\n') ++*at;
		else ++*at;
	}
	for (; *at < b->size && b->bytes[*at] >= '0' && b->bytes[*at] <= '9' && digits < 6; ++*at, digits++) v = v * 10 + b->bytes[*at] - '0';
	return digits ? v : -1;
}

/* P6 WIDTH HEIGHT MOST, one blank, the bytes; P5 has one channel; P3 and P2 have digits with blanks between. Grey is the luma of
 * Rec. 601, as the JPEG library has it. */
static cop_status read_ppm(cop_pixels *out, const cop_blob *b, int32_t channels)
{
	const bool digits = b->bytes[1] < '5';
	size_t at = 2;
	int32_t have = b->bytes[1] == '6' || b->bytes[1] == '3' ? 3 : 1, w = head_number(b, &at), h = head_number(b, &at), most = head_number(b, &at), v[3] = {0};

	if (w < 1 || h < 1 || most < 1 || most > 255) return cop__error(b->cx, COP_FORMAT, "%s: byte %zu: not a PPM or PGM of 8 bits", b->path, at);
	if (!channels) channels = have;
	COP_TRY(room(out, b, (uint32_t)h, (uint32_t)w, channels));
	size_t n = (size_t)h * (size_t)w, least = n * (size_t)have * (digits ? 2 : 1); /* a blank and a digit */
	if (b->size - at < least + !digits)
		return cop__error(b->cx, COP_FORMAT, "%s: byte %zu: %zu bytes of pixels are expected, %zu follow", b->path, at, least,
			b->size - at);
	at += !digits;
	for (size_t i = 0; i < n; i++) {
		for (int32_t c = 0; c < have; c++) {
			v[c] = digits ? head_number(b, &at) : b->bytes[at++];
			if (v[c] < 0) return cop__error(b->cx, COP_FORMAT, "%s: byte %zu: a number of pixel %zu of %zu is expected", b->path, at, i + 1, n);
			v[c] = COP_MIN(v[c], most);
		}
		for (int32_t c = 0; c < channels; c++) {
			uint32_t y = (uint32_t)(have == 1 ? v[0] : channels == 3 ? v[c]
				: (int32_t)((19595u * (uint32_t)v[0] + 38470u * (uint32_t)v[1] + 7471u * (uint32_t)v[2] + 32768u) >> 16));
			out->data[i * (size_t)channels + (size_t)c] = (uint8_t)(COP_MIN(y, (uint32_t)most) * 255 / (uint32_t)most);
		}
	}
	return COP_OK;
}

cop_status cop__pixels_parse(cop_pixels *out, const cop_blob *b, int32_t channels)
{
	static const uint8_t png[4] = {0x89, 'P', 'N', 'G'};
	cop_status st;

	*out = (cop_pixels){0};
	if (b->size >= 4 && !memcmp(b->bytes, png, 4)) st = read_png(out, b, channels);
	else if (b->size >= 2 && b->bytes[0] == 0xff && b->bytes[1] == 0xd8) st = read_jpeg(out, b, channels);
	else if (b->size >= 2 && b->bytes[0] == 'P' && b->bytes[1] && strchr("2356", b->bytes[1])) st = read_ppm(out, b, channels);
	else st = cop__error(b->cx, COP_FORMAT, "%s: byte 0: neither a PNG, a JPEG nor a PPM or PGM", b->path);
	if (st) cop__pixels_free(b->cx, out);
	return st;
}
