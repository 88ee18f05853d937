/* SPDX-License-Identifier: Apache-2.0
 *
 * model - a graph from a file of any format, or from a name: the one place that knows all readers and the zoo.
 */
#include "core/need.h"
#include "io/cop/cop.h"
#include "io/onnx/read.h"
#include "io/sniff.h"
#include "io/tflite/tflite.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* By its first bytes; folder: where an ONNX model's external data may lie. ours: the same bytes if a reader may take them over, and then
 * becomes NULL. */
static cop_status read_any(cop_graph **out, cop_ctx *cx, const char *file, const char *folder, const void *bytes,
	size_t size, const cop_import_args *args, void **ours)
{
	bool cop = cop__is_cop(bytes, size), tflite = !cop && cop__is_tflite(bytes, size);
	void *given = ours ? *ours : NULL;

	*out = NULL;
	if (args && (args->n_dim || args->n_shape) && (cop || tflite || cop__is_network(bytes, size)))
		return cop__error(cx, COP_ARG, "%s: --dim and --shape are for .onnx models that leave dimensions open; this file fixes all of them", file);
	if (cop && ours) return *ours = NULL, cop__model_take(out, cx, file, given, size);
	if (cop) return cop__model_read(out, cx, file, bytes, size, NULL, 0, NULL);
	if (tflite) return cop__tflite_read(out, cx, file, bytes, size);
	if (cop__is_network(bytes, size)) return cop_network_read(out, cx, file, bytes, size, args ? args->seed : 0);
	COP_TRY(cop__sniff(cx, file, bytes, size));
	if (cop__ends(file, ".txt") || cop__ends(file, ".net")) return cop_network_read(out, cx, file, bytes, size, args ? args->seed : 0);
	if (cop__is_onnx(file, bytes, size)) return cop__onnx_read(out, cx, file, folder, bytes, size, args);
	return cop__error(cx, COP_FORMAT,
		"%s: Coppice cannot read this as a model: a .cop begins with 'coppice 1', a .tflite has "
		"'TFL3' at byte 4, an .onnx is known by its fields, a network as text begins with 'input'", file);
}

cop_status cop_model_read(cop_graph **out, cop_ctx *cx, const void *bytes, size_t size)
{
	COP_NEED(cx, out);
	*out = NULL;
	COP_NEED(cx, bytes);
	return read_any(out, cx, "model", NULL, bytes, size, NULL, NULL);
}

cop_status cop_model_import(cop_graph **out, cop_ctx *cx, const char *path, const cop_import_args *args)
{
	COP_NEED(cx, out);
	*out = NULL;
	COP_NEED(cx, path);
	char folder[1024];
	const char *slash = strrchr(path, '/');
	void *bytes;
	size_t size;

	*out = NULL;
	if (strlen(path) >= sizeof folder) return cop__error(cx, COP_ARG, "the path of a model is longer than %zu characters", sizeof folder);
	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	COP_TRY(cop_file_read(&bytes, &size, cx, path, 0));
	cop_status st = read_any(out, cx, path, slash == path ? "/" : folder, bytes, size, args, &bytes);
	cop_free(cx, bytes);
	return st;
}

/* A name that cannot be meant for the zoo: it has a folder or an ending ("mobilenet-v1-0.25" has none). */
static bool is_path(const char *s)
{
	const char *dot = strrchr(s, '.');
	return strchr(s, '/') || (dot && isalpha((unsigned char)dot[1]));
}

cop_status cop_model_load(cop_graph **out, cop_ctx *cx, const char *name)
{
	COP_NEED(cx, out);
	*out = NULL;
	COP_NEED(cx, name);
	struct stat s;
	const cop_zoo_args none = {0};

	*out = NULL;
	if (!is_path(name) && stat(name, &s) && errno == ENOENT) return cop_zoo_build(out, cx, name, &none);
	return cop_model_import(out, cx, name, NULL);
}
