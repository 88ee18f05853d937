/* SPDX-License-Identifier: Apache-2.0
 *
 * feature - the optional parts this build has, as CMake found them.
 */
#include "core/core.h"

static const char *const features[] = {
#ifdef COP_VERSION_ZLIB
        COP_VERSION_ZLIB,
#endif
#ifdef COP_VERSION_LZMA
        COP_VERSION_LZMA,
#endif
#ifdef COP_VERSION_JPEG
        COP_VERSION_JPEG,
#endif
#ifdef COP_VERSION_PNG
        COP_VERSION_PNG,
#endif
#ifdef COP_VERSION_SNDFILE
        COP_VERSION_SNDFILE,
#endif
#ifdef COP_VERSION_CURL
        COP_VERSION_CURL,
#endif
#ifdef COP_VERSION_JANSSON
        COP_VERSION_JANSSON,
#endif
#ifdef COP_VERSION_YAML
        COP_VERSION_YAML,
#endif
        NULL,
};

const char *cop_feature(int i)
{
	return i >= 0 && i < LEN(features) ? features[i] : NULL;
}
