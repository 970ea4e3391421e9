/* cmd/version.c - our version and those of the libraries that are loaded. */
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <git2.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <stdio.h>
#include <yaml.h>

#include "cmd/cmd.h"

int cmd_version(int argc, char **argv)
{
	int major, minor, patch;

	(void)argc;
	(void)argv;
	git_libgit2_version(&major, &minor, &patch);
	printf("modelsync %s\nlibgit2 %d.%d.%d\nlibcurl %s\nlibevent %s\nlibsodium %s\nlibyaml "
	       "%s\n"
	       "cJSON %s\n%s\n",
	       MODELSYNC_VERSION, major, minor, patch,
	       curl_version_info(CURLVERSION_NOW)->version, event_get_version(),
	       sodium_version_string(), yaml_get_version_string(), cJSON_Version(),
	       OpenSSL_version(OPENSSL_VERSION));
	return EXIT_DONE;
}
