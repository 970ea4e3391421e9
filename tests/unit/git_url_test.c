/* Repository URLs and known_hosts: what is taken, and what is refused with what to write. */
#include "test.h"

#include "git/git_int.h"

static void test_url__well_formed_ones_are_split(void **state)
{
	static const struct {
		const char *url;
		enum url_scheme scheme;
		const char *user, *host;
		int port;
		const char *path;
	} rows[] = {
		{"https://git.example.org/team/repo.git", URL_HTTPS, NULL, "git.example.org", 0,
		 "/team/repo.git"},
		{"https://me@h:8443/r", URL_HTTPS, "me", "h", 8443, "/r"},
		{"https://[2001:db8::1]:443/r", URL_HTTPS, NULL, "2001:db8::1", 443, "/r"},
		{"ssh://git@h/r", URL_SSH, "git", "h", 0, "/r"},
		{"ssh://git@h:2222/~me/r", URL_SSH, "git", "h", 2222, "/~me/r"},
		{"git@github.com:team/repo.git", URL_SSH, "git", "github.com", 0,
		 "team/repo.git"},
		{"h:/srv/r", URL_SSH, NULL, "h", 0, "/srv/r"},
		{"http://127.0.0.1:3000/r", URL_HTTP, NULL, "127.0.0.1", 3000, "/r"},
		{"file:///srv/git/r", URL_FILE, NULL, NULL, 0, "/srv/git/r"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct git_url u;
		struct error err = ERROR_INIT;

		if (git_url_parse(rows[i].url, true, true, &u, &err) < 0)
			fail_msg("%s: %s", rows[i].url, err.text);
		assert_row(u.scheme == rows[i].scheme && u.port == rows[i].port, rows[i].url);
		assert_row_text(u.user, rows[i].user, rows[i].url);
		assert_row_text(u.host, rows[i].host, rows[i].url);
		assert_row_text(u.path, rows[i].path, rows[i].url);
		assert_string_equal(u.text, rows[i].url);
		git_url_clear(&u);
	}
}

static void test_url__others_are_refused_and_show_no_password(void **state)
{
	static const struct {
		const char *url, *why;
	} rows[] = {
		{"", "write https://"},
		{"https://user:hunter2@h/r", "holds a password"},
		{"ssh://git:hunter2@h/r", "holds a password"},
		{"file:///srv/r", "not switched on"},
		{"http://h/r", "not switched on"},
		{"git://h/r", "scheme"},
		{"ext::sh -c hunter2", "white space"},
		{"ext::x", "scheme"},
		{"ftp://h/r", "scheme"},
		{"HTTPS://h/r", "scheme"},
		{"/srv/r", "file:///"},
		{"../r", "file:///"},
		{"repo", "neither"},
		{"h:", "neither"},
		{"https://h", "no path"},
		{"https://h/", "no path"},
		{"https:///r", "no host"},
		{"https://-oProxyCommand=x/r", "no host|well-formed"},
		{"-oProxyCommand=x:r", "no host|well-formed"},
		{"ssh://-x@h/r", "user's name"},
		{"https://h:0/r", "host and port"},
		{"https://h:65536/r", "host and port"},
		{"https://h:x/r", "host and port"},
		{"https://h\xc3\xa4/r", "host and port"},
		{"https://[::1/r", "bracket"},
		{"https://h/a b", "white space"},
		{"https://h/a\nb", "white space"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct git_url u = {0};
		struct error err = ERROR_INIT;

		AUTO_FREE char *one = mem_strndup(rows[i].why, strcspn(rows[i].why, "|"));
		const char *two = strchr(rows[i].why, '|');

		assert_row(git_url_parse(rows[i].url, false, false, &u, &err) < 0, rows[i].url);
		assert_string_equal(error_code(&err), "UrlRefused");
		assert_int_equal(err.kind, ERROR_INVALID);
		assert_null(strstr(err.text, "hunter2"));
		if (!strstr(err.text, one) && !(two && strstr(err.text, two + 1)))
			fail_msg("%s: seen \"%s\", wanted \"%s\"", rows[i].url, err.text,
				 rows[i].why);
	}
}

/* ---- known_hosts ---- */

#define KEY_A "QUFB" /* "AAA" */
#define KEY_B "QkJC" /* "BBB" */
static void test_known_hosts__pins_by_host_port_and_key(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
		enum host_key wanted;
	} rows[] = {
		{"h ssh-ed25519 " KEY_A, "h", 0, HOST_KEY_MATCHES},
		{"h ssh-ed25519 " KEY_A " comment\r\n", "h", 22, HOST_KEY_MATCHES},
		{"# h ssh-ed25519 " KEY_A, "h", 0, HOST_KEY_UNKNOWN},
		{"h ssh-ed25519 " KEY_B, "h", 0, HOST_KEY_DIFFERS},
		{"h ssh-ed25519 " KEY_B "\nh ssh-rsa " KEY_A, "h", 0, HOST_KEY_MATCHES},
		{"other ssh-ed25519 " KEY_A, "h", 0, HOST_KEY_UNKNOWN},
		{"a,h,b ssh-ed25519 " KEY_A, "h", 0, HOST_KEY_MATCHES},
		{"*.x ssh-ed25519 " KEY_A, "h.x", 0, HOST_KEY_MATCHES},
		{"*.x,!h.x ssh-ed25519 " KEY_A, "h.x", 0, HOST_KEY_UNKNOWN},
		{"H ssh-ed25519 " KEY_A, "h", 0, HOST_KEY_MATCHES},
		{"h ssh-ed25519 " KEY_A, "h", 2222, HOST_KEY_UNKNOWN},
		{"[h]:2222 ssh-ed25519 " KEY_A, "h", 2222, HOST_KEY_MATCHES},
		{"[h]:2222 ssh-ed25519 " KEY_A, "h", 22, HOST_KEY_UNKNOWN},
		{"@revoked h ssh-ed25519 " KEY_A "\nh ssh-ed25519 " KEY_A, "h", 0,
		 HOST_KEY_REVOKED},
		{"h ssh-ed25519 " KEY_A "\n@revoked * ssh-ed25519 " KEY_A, "h", 0,
		 HOST_KEY_REVOKED},
		{"@revoked h ssh-ed25519 " KEY_B, "h", 0, HOST_KEY_UNKNOWN},
		{"@cert-authority h ssh-ed25519 " KEY_A, "h", 0, HOST_KEY_UNKNOWN},
		{"h ssh-ed25519", "h", 0, HOST_KEY_UNKNOWN},
		{"h ssh-ed25519 !!", "h", 0, HOST_KEY_DIFFERS},
		{"|1|x|y ssh-ed25519 " KEY_A, "h", 0, HOST_KEY_UNKNOWN},
		{"|1| ssh-ed25519 " KEY_A, "h", 0, HOST_KEY_UNKNOWN},
		{"********************h ssh-ed25519 " KEY_A, "h", 0, HOST_KEY_UNKNOWN},
		{"", "h", 0, HOST_KEY_UNKNOWN},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_row(known_hosts_check(rows[i].text, rows[i].host, rows[i].port,
					     (const unsigned char *)"AAA", 3) == rows[i].wanted,
			   rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url__well_formed_ones_are_split),
		cmocka_unit_test(test_url__others_are_refused_and_show_no_password),
		cmocka_unit_test(test_known_hosts__pins_by_host_port_and_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
