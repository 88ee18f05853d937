/* SPDX-License-Identifier: Apache-2.0
 *
 * sniff - the files that people hold for a model: a page that a download gave instead, a pointer that Git LFS left, the form
 * of a model that its own framework keeps. Each row is what such a file begins with, what it is, and what to do.
 */
#include "io/sniff.h"

#include <ctype.h>

#define EXPORT_KERAS "convert it in Python with tf.lite.TFLiteConverter.from_keras_model(model) and read the .tflite"
#define EXPORT_TORCH "export it in Python with torch.onnx.export(model, example, 'net.onnx') and read the .onnx"

typedef struct row { const char *begins; size_t n; const char *is, *advice; } row;
#define ROW(bytes, is, advice) {bytes, sizeof bytes - 1, is, advice}

static const row rows[] = {
	ROW("version https://git-lfs", "is a pointer of Git LFS, not the file it stands for", "run 'git lfs pull' in its repository, or download the file itself"),
	ROW("\x89HDF\r\n\x1a\n", "is an HDF5 file, probably a Keras model", EXPORT_KERAS),
	ROW("\x1f\x8b", "is compressed by gzip", "unpack it with gunzip first"),
	ROW("BZh", "is compressed by bzip2", "unpack it with bunzip2 first"),
	ROW("\xfd" "7zXZ", "is compressed by xz", "unpack it with unxz first"),
	ROW("7z\xbc\xaf", "is a 7-Zip archive", "unpack it first"),
	ROW("Rar!", "is a RAR archive", "unpack it first"),
	ROW("\x80\x02", "is a pickle of Python, probably a PyTorch model", EXPORT_TORCH),
	ROW("\x80\x03", "is a pickle of Python, probably a PyTorch model", EXPORT_TORCH),
	ROW("\x80\x04", "is a pickle of Python", "a pickle can run anything when it is read; export the model as .onnx or .tflite in Python"),
	ROW("\x80\x05", "is a pickle of Python", "a pickle can run anything when it is read; export the model as .onnx or .tflite in Python"),
	ROW("\x93NUMPY", "is an array of NumPy, not a model", "give the model first and the array behind it"),
	ROW("GGUF", "is a GGUF file", "such models are not supported; give a .tflite, an .onnx or a .cop"),
	ROW("\x89PNG", "is a PNG picture, not a model", "give the model first and data behind it"),
	ROW("\xff\xd8\xff", "is a JPEG picture, not a model", "give the model first and data behind it"),
	ROW("RIFF", "is a sound or another RIFF file, not a model", "give the model first and data behind it"),
	ROW("%PDF", "is a PDF document, not a model", "give a .tflite, an .onnx or a .cop"),
	ROW("\x7f" "ELF", "is a program or library, not a model", "give a .tflite, an .onnx or a .cop"),
	ROW("unsigned char", "is a model as C source", "give the .tflite that it was made of"),
	ROW("const unsigned char", "is a model as C source", "give the .tflite that it was made of"),
	ROW("#include", "is C source", "if it holds a model as an array, give the .tflite that it was made of"),
	ROW("graph ", "is the text form of a graph", "the library reads it with cop_graph_parse; commands take a .cop, .tflite or .onnx"),
};

static const row ids[] = { /* at byte 4, where a FlatBuffer says what it is */
	ROW("TFL2", "is a TensorFlow Lite model of the schema's version 2", "convert the model anew; version 3 is supported"),
	ROW("TFL1", "is a TensorFlow Lite model of the schema's version 1", "convert the model anew; version 3 is supported"),
	ROW("TFL0", "is a TensorFlow Lite model of the schema's version 0", "convert the model anew; version 3 is supported"),
	ROW("ET12", "is an ExecuTorch program", EXPORT_TORCH),
	ROW("ORTM", "is a model in ONNX Runtime's own form (.ort)", "give the .onnx that it was made of"),
	ROW("ftyp", "is a video or picture, not a model", "give the model first and data behind it"),
};

static cop_status is(cop_ctx *cx, const char *file, const char *what, const char *advice)
{
	return cop__error(cx, COP_FORMAT, "%s: %s; %s", file, what, advice);
}

bool cop__ends(const char *file, const char *ending)
{
	size_t n = file ? strlen(file) : 0, k = strlen(ending);

	for (size_t i = 0; n >= k && i < k; i++)
		if (tolower((unsigned char)file[n - k + i]) != ending[i]) return false;
	return n > k;
}

bool cop__is_network(const void *bytes, size_t size)
{
	const char *p = bytes, *end = p + size;

	while (p < end && (isspace((unsigned char)*p) || *p == '#')) {
		if (*p == '#')
			while (p < end && *p != '\n') p++;
		else p++;
	}
	if (end - p < 6 || memcmp(p, "input", 5)) return false;
	return p[5] == ' ' || p[5] == '\t';
}

static bool holds(const uint8_t *p, size_t size, const char *what)
{
	size_t n = strlen(what);

	for (size_t i = 0; i + n <= size; i++)
		if (!memcmp(p + i, what, n)) return true;
	return false;
}

static cop_status zip(cop_ctx *cx, const char *file, const uint8_t *p, size_t size)
{
	size_t head = COP_MIN(size, (size_t)4096); /* the names of the first entries */

	if (holds(p, head, "data.pkl") || holds(p, head, "constants.pkl") || cop__ends(file, ".pt") || cop__ends(file, ".pth"))
		return is(cx, file, "is a PyTorch model", EXPORT_TORCH);
	if (holds(p, head, "metadata.json") || holds(p, head, "config.json") || cop__ends(file, ".keras")) return is(cx, file, "is a Keras model", EXPORT_KERAS);
	if (holds(p, head, ".npy")) return is(cx, file, "holds arrays of NumPy (.npz), not a model", "give the model first and arrays as .npy behind it");
	return is(cx, file, "is a zip archive", "unpack it and give the model inside");
}

/* A page of the web, whatever stands before its first tag. */
static bool is_page(const uint8_t *p, size_t size)
{
	char low[16] = "";
	size_t at = 0, n = 0;

	if (size >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) at = 3;
	while (at < size && isspace(p[at])) at++;
	for (; at < size && n < sizeof low - 1; at++) low[n++] = (char)tolower(p[at]);
	return !strncmp(low, "<!doctype", 9) || !strncmp(low, "<html", 5) || !strncmp(low, "<head", 5) || !strncmp(low, "<?xml", 5);
}

static bool is_text(const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < COP_MIN(size, (size_t)512); i++)
		if (p[i] < 32 && !isspace(p[i])) return false;
	return true;
}

static bool all_zero(const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (p[i]) return false;
	return true;
}

/* What the ending promises and the bytes do not keep. */
static cop_status against_ending(cop_ctx *cx, const char *file, const uint8_t *p, size_t size)
{
	static const char *const advice = "download or convert it again";
	bool tflite = cop__ends(file, ".tflite") || cop__ends(file, ".lite");

	if (tflite && (size < 8 || memcmp(p + 4, "TFL3", 4)))
		return is(cx, file, "is not a TensorFlow Lite model, although its name says so: it has no 'TFL3' at byte 4", advice);
	if (cop__ends(file, ".onnx") && is_text(p, size)) return is(cx, file, "is a text, not an ONNX model, although its name says so", advice);
	if (cop__ends(file, ".cop") && (size < 7 || memcmp(p, "coppice", 7)))
		return is(cx, file, "is not a .cop file, although its name says so: it does not begin with 'coppice 1'",
			"write it again with 'coppice train', 'apply' or 'compress', or give the model that it is by its own ending");
	if (cop__ends(file, ".pb")) return is(cx, file, "is a TensorFlow graph", "convert it with tf.lite.TFLiteConverter and read the .tflite");
	if (cop__ends(file, ".safetensors") || (size > 9 && p[8] == '{' && holds(p, COP_MIN(size, (size_t)4096), "data_offsets")))
		return is(cx, file, "holds weights alone (safetensors), without the network they belong to", "give the network itself as an .onnx, .tflite or .cop");
	return COP_OK;
}

cop_status cop__sniff(cop_ctx *cx, const char *file, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;

	if (!size) return is(cx, file, "is empty", "a download or a conversion was cut short; make it again");
	if (all_zero(p, size)) return is(cx, file, "holds nothing but zeros", "a download or a copy was cut short; make it again");
	if (is_page(p, size)) return is(cx, file, "is a page of the web or XML, not a model", "the download gave an error or a login page; open its address in a browser and save the file itself");
	if (size >= 4 && !memcmp(p, "PK\3\4", 4)) return zip(cx, file, p, size);
	for (int i = 0; i < LEN(rows); i++)
		if (size >= rows[i].n && !memcmp(p, rows[i].begins, rows[i].n)) return is(cx, file, rows[i].is, rows[i].advice);
	for (int i = 0; i < LEN(ids); i++)
		if (size >= 8 && !memcmp(p + 4, ids[i].begins, 4)) return is(cx, file, ids[i].is, ids[i].advice);
	return against_ending(cx, file, p, size);
}
