/*
 * cmd/embed.c - manifests-schema/ as it is in the repository; the assembler copies the files
 * in. Paths count from the repository's root, where make runs the compiler.
 */
#include "cmd/embed.h"

#include "base/mem.h"

/* Read-only, with a NUL behind it. */
#define EMBED(symbol, file)                                                       \
	__asm__(".pushsection .rodata\n"                                          \
		"embed_" #symbol ":\n"                                            \
		".incbin \"manifests-schema/" file "\"\n"                         \
		"embed_" #symbol "_end:\n"                                        \
		".byte 0\n"                                                       \
		".popsection\n");                                                 \
	extern const char embed_##symbol[] __attribute__((visibility("hidden"))); \
	extern const char embed_##symbol##_end[] __attribute__((visibility("hidden")))

EMBED(applications, "applications.yaml");
EMBED(syncstates, "syncstates.yaml");
EMBED(trustpolicies, "trustpolicies.yaml");
EMBED(install, "install.yaml");

const struct embedded embedded_files[] = {
	{"applications.yaml", embed_applications, embed_applications_end},
	{"syncstates.yaml", embed_syncstates, embed_syncstates_end},
	{"trustpolicies.yaml", embed_trustpolicies, embed_trustpolicies_end},
	{"install.yaml", embed_install, embed_install_end},
};
const size_t embedded_count = ARRAY_LEN(embedded_files);
